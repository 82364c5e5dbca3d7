"""What can go wrong with a board on request; a test or `testbed emulate` turns it on while the board runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Faults"]


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
