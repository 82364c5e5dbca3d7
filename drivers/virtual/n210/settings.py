"""The settings port: one command a datagram, timed or not, each acknowledged when it is done, in the order it came."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from drivers.virtual.n210 import vita

__all__ = ["Command", "acknowledgement", "parse"]

_POKE = 1 << 8


@dataclass(frozen=True)
class Command:
    """One write or read of a register.

    Attributes:
        index: Index of the register, in settings (write) or readback (read).
        value: Value to write.
        write: Whether it is a write.
        sequence: The host's 16-bit number of the command.
        ticks: When to do it, or None for at once.
    """

    index: int
    value: int
    write: bool
    sequence: int
    ticks: int | None


def parse(datagram: bytes) -> Command:
    """Return the command in a datagram.

    Raises:
        vita.Unfit: It is none.
    """
    packet = vita.unpack(datagram[4:])
    if not packet.context or len(packet.payload) < 8:
        raise vita.Unfit("no settings command")
    word, value = struct.unpack_from(">II", packet.payload)
    return Command(word & 0xFF, value, bool(word & _POKE), word >> 16, packet.ticks)


def acknowledgement(command: Command, value: int) -> bytes:
    """Return what the host waits for: the number of the command and the value read."""
    payload = struct.pack(">II", command.sequence << 16, value & 0xFFFFFFFF)
    return vita.pack(vita.Packet(payload, context=True, count=command.sequence))
