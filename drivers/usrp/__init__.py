"""USRPs through UHD, which runs in a process of its own: a radio server, and the driver that talks to it."""
