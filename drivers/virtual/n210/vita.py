"""VITA-49 packets as an N210 speaks them: header, optional stream identifier and time, payload; big-endian.

Source: ANSI/VITA 49.0, section 6, with the maker's use of two reserved bits as start and end of a burst.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FULL_SCALE", "Packet", "Unfit", "pack", "samples_of", "to_payload", "unpack"]

FULL_SCALE = 32767  # the word of a component of magnitude 1
CONTEXT = 0x4  # in the packet's type; the lowest bit of the type says that a stream identifier follows
_HAS_STREAM, _HAS_CLASS, _HAS_TRAILER, _START, _END = 1 << 28, 1 << 27, 1 << 26, 1 << 25, 1 << 24
_TSI_SHIFT, _TSF_SHIFT, _COUNT_SHIFT = 22, 20, 16
_TSI_OTHER, _TSF_SAMPLES = 3, 1


class Unfit(ValueError):  # noqa: N818  a datagram is not an error of ours: whoever sent it is ignored
    """A datagram that is no packet."""


@dataclass(frozen=True)
class Packet:
    """A packet without its framing.

    Attributes:
        payload: Its payload.
        stream: Identifier of its stream, or None.
        ticks: Its time in ticks of the board's clock, or None.
        count: Its number, modulo 16.
        start: Whether a burst starts with it.
        end: Whether a burst ends with it.
        context: Whether it says something about a stream instead of carrying samples.
    """

    payload: bytes
    stream: int | None = None
    ticks: int | None = None
    count: int = 0
    start: bool = False
    end: bool = False
    context: bool = False


def pack(packet: Packet) -> bytes:
    """Return a packet's bytes."""
    flags = (packet.count & 0xF) << _COUNT_SHIFT
    flags |= CONTEXT << 28 if packet.context else 0
    flags |= (_START if packet.start else 0) | (_END if packet.end else 0)
    front = b""
    if packet.stream is not None:
        flags |= _HAS_STREAM
        front += struct.pack(">I", packet.stream)
    if packet.ticks is not None:
        flags |= _TSF_SAMPLES << _TSF_SHIFT
        front += struct.pack(">Q", packet.ticks & (2**64 - 1))
    words = 1 + (len(front) + len(packet.payload) + 3) // 4
    return struct.pack(">I", flags | words) + front + packet.payload


def unpack(datagram: bytes) -> Packet:
    """Return the packet in a datagram.

    Raises:
        Unfit: It is none.
    """
    if len(datagram) < 4:
        raise Unfit(f"{len(datagram)} bytes are no packet")
    (word,) = struct.unpack_from(">I", datagram)
    n_words = word & 0xFFFF
    at, end = 4, 4 * n_words
    trailer = bool(word & _HAS_TRAILER) and not (word >> 28) & CONTEXT
    optional = 4 * bool(word & _HAS_STREAM) + 8 * bool(word & _HAS_CLASS) + 4 * bool(word >> _TSI_SHIFT & 3)
    optional += 8 * bool(word >> _TSF_SHIFT & 3)
    if not 4 + optional + 4 * trailer <= end <= len(datagram):
        raise Unfit(f"a packet of {n_words} words in {len(datagram)} bytes")
    stream = ticks = None
    if word & _HAS_STREAM:
        (stream,) = struct.unpack_from(">I", datagram, at)
        at += 4
    at += 8 * bool(word & _HAS_CLASS) + 4 * bool(word >> _TSI_SHIFT & 3)
    if word >> _TSF_SHIFT & 3:
        (ticks,) = struct.unpack_from(">Q", datagram, at)
        at += 8
    payload = datagram[at : end - 4 * trailer]
    return Packet(
        payload, stream, ticks, word >> _COUNT_SHIFT & 0xF, bool(word & _START), bool(word & _END),
        bool((word >> 28) & CONTEXT),
    )  # fmt: skip


def samples_of(payload: bytes) -> NDArray[np.complex64]:
    """Return the samples of a payload of 16-bit I and Q, full scale 1."""
    words = np.frombuffer(payload[: len(payload) // 4 * 4], dtype=">i2").astype(np.float32)
    words /= FULL_SCALE
    return words.view(np.complex64)


def to_payload(samples: NDArray[np.complex64]) -> bytes:
    """Return 16-bit I and Q of samples, shape (n,), full scale 1: rounded, limited to the range of a word."""
    words = np.rint(np.ascontiguousarray(samples, dtype=np.complex64).view(np.float32) * np.float32(FULL_SCALE))
    return bytes(np.clip(words, -FULL_SCALE, FULL_SCALE).astype(">i2"))
