"""What can go wrong with a board on request; a test turns it on while the board runs, `testbed emulate` by a plan."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.virtual.faults import Fault
    from drivers.virtual.n210.clock import Reference

__all__ = ["Faults", "strike"]

_COUNTED = {
    "lost-packet": "lost_packets",
    "late-command": "late_commands",
    "underflow": "underflows",
    "stranger": "strangers",
}


@dataclass
class Faults:
    """Faults of one board. Counters count down as they strike; switches last until they are turned off.

    References that are gone are switches of `clock.Reference`.

    Attributes:
        lost_packets: Receive packets that will get lost on their way to the host.
        late_commands: Stream commands that the board will find late.
        underflows: Transmit packets that will reach the converter too late.
        strangers: Packets that nobody asked for, slipped into the receive stream.
        withheld: Whether flow control is withheld.
        gone: Whether the board is silent, as if without power or cable.
    """

    lost_packets: int = 0
    late_commands: int = 0
    underflows: int = 0
    strangers: int = 0
    withheld: bool = False
    gone: bool = False

    def strikes(self, name: str) -> bool:
        """Return whether a counted fault happens now, and count it."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


def strike(fault: Fault, faults: Faults, reference: Reference) -> None:
    """Let a fault of a plan happen to a board now; one that lasts ends by itself."""
    if fault.kind in _COUNTED:
        name = _COUNTED[fault.kind]
        setattr(faults, name, getattr(faults, name) + 1)
        return
    switches: dict[str, tuple[object, str, bool]] = {
        "withheld": (faults, "withheld", True),
        "gone": (faults, "gone", True),
        "no-pulses": (reference, "pps", False),
        "unlocked": (reference, "present", False),
    }
    thing, name, struck = switches[fault.kind]
    setattr(thing, name, struck)
    if fault.lasts_s < threading.TIMEOUT_MAX:
        ending = threading.Timer(fault.lasts_s, setattr, (thing, name, not struck))
        ending.daemon = True
        ending.start()
