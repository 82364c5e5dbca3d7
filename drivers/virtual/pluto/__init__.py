"""The virtual ADALM-Pluto: what the network daemon of a real one would answer, with simulated physics behind it.

Not modelled: analogue and digital filters (a signal beyond half the sample rate folds), the automatic gain control's
time constants, temperature, RF loopback, fast-lock profiles, registers but for the flags of lost samples.
"""
