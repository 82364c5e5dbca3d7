"""Start of the server: `python drivers/usrp/server SOCKET MEMORY`, with the numbers of inherited descriptors.

It runs under whichever interpreter has UHD, which lacks what the package `drivers` imports at its top: a stand-in of
that name, with the same folder and nothing in it, lets the modules of the server be found.
"""

from __future__ import annotations

import socket
import sys
import types
from pathlib import Path


def _start() -> int:
    stand_in = types.ModuleType("drivers")
    stand_in.__path__ = [str(Path(__file__).parents[2])]
    sys.modules["drivers"] = stand_in
    from drivers.usrp.server.conversation import converse
    from drivers.usrp.wire import Channel, SharedSamples

    end = socket.socket(fileno=int(sys.argv[1]))
    converse(Channel(end), SharedSamples(int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(_start())
