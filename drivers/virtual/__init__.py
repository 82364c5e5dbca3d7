"""Virtual radios: devices that speak the vendors' own protocols on loopback, joined by the simulated physics."""
