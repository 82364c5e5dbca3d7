"""The simulated bench: radios with front ends on one air, in virtual time."""
