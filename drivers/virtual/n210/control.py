"""The control port: 36-byte requests and replies, big-endian (discovery, registers, I2C, SPI, echo)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Request", "acknowledge", "echo", "parse", "reply"]

PROTOCOL = 12  # of the firmware; the same from UHD 4.3 to 4.11
LENGTH = 36
_HEADER = struct.Struct(">III")
_REGISTER = struct.Struct(">IIB")
_BODY = LENGTH - _HEADER.size
KINDS = b"alrihs"  # identify, echo length, register, I2C read, I2C write, SPI; replies have the capital letter

PEEK_FPGA, POKE_FPGA, PEEK_FW, POKE_FW = 1, 3, 5, 6


@dataclass(frozen=True)
class Request:
    """What a host asked.

    Attributes:
        kind: One of the letters of `KINDS`.
        sequence: The host's number of the request.
        body: The 24 bytes that depend on the kind.
        length: Bytes of the whole datagram.
    """

    kind: str
    sequence: int
    body: bytes
    length: int

    @property
    def register(self) -> tuple[int, int, int]:
        """Address, value and action of a register request."""
        return _REGISTER.unpack_from(self.body)

    @property
    def i2c(self) -> tuple[int, int, bytes]:
        """Address, number of bytes and bytes to write of an I2C request."""
        address, count = self.body[0], min(self.body[1], _BODY - 2)
        return address, count, self.body[2 : 2 + count]

    @property
    def echo_length(self) -> int:
        """Bytes that the reply to an echo shall have."""
        return int.from_bytes(self.body[:4], "big")


def parse(datagram: bytes) -> Request | None:
    """Return the request in a datagram, or None if it is none: whoever probes the port with it gets no answer."""
    if len(datagram) < LENGTH:
        return None
    _, kind, sequence = _HEADER.unpack_from(datagram)
    if kind > 0x7F or bytes([kind]) not in {bytes([one]) for one in KINDS}:
        return None
    return Request(chr(kind), sequence, datagram[_HEADER.size : LENGTH], len(datagram))


def reply(request: Request, body: bytes) -> bytes:
    """Return the reply to a request: its letter as a capital, its number, and a body that is filled up with zeros."""
    return _HEADER.pack(PROTOCOL, ord(request.kind.upper()), request.sequence) + body.ljust(_BODY, b"\0")


def acknowledge(request: Request, value: int = 0) -> bytes:
    """Return the reply to a register request, with the value read."""
    address, _, action = request.register
    return reply(request, _REGISTER.pack(address, value & 0xFFFFFFFF, action))


def echo(request: Request) -> bytes:
    """Return the reply to an echo: as many bytes as asked for, saying how many came. Hosts find the MTU with it."""
    return reply(request, struct.pack(">I", request.length)).ljust(request.echo_length, b"\0")
