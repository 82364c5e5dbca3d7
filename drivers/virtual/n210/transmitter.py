"""The transmit chain of a board: packets in; samples at their time, flow control and messages out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.n210 import vita

__all__ = ["Event", "Played", "Transmitter"]

STREAM = 2  # identifier of the messages that go back to the host
_ENABLED = 1 << 31
_SELDOM = 100_000_000  # ticks between updates if the host did not ask for any


class Event(IntEnum):
    """Codes of the messages to the host."""

    CONSUMED = 0  # flow control: the number of the last packet that left the buffer
    BURST_ACK = 1
    UNDERFLOW = 2
    SEQUENCE_ERROR = 4
    TIME_ERROR = 8


@dataclass(frozen=True)
class Played:
    """Samples with their time: first tick, ticks per sample, samples (n,); and the start of the burst they are of."""

    ticks: int
    interpolation: int
    samples: NDArray[np.complex64]
    burst_ticks: int

    @property
    def end(self) -> int:
        """The tick after the last sample."""
        return self.ticks + self.interpolation * self.samples.size


@dataclass(frozen=True)
class _Queued:
    """A packet in the buffer: when it will have been played, its number, and whether the burst ends with it."""

    end_ticks: int
    sequence: int
    ends: bool


class Transmitter:
    """Registers, buffer and state of a transmit chain.

    A packet with a time is played at that time; one that comes after its time is dropped and reported. One without is
    played behind the one before, or at once. A burst whose next packet does not come in time is an underflow.

    Flow control says which packets have been played, every so many packets or ticks, as the host asked; `withhold`
    holds it back.
    """

    def __init__(self) -> None:
        self._registers = [0] * 8
        self._interpolation = 512
        self._buffer: deque[_Queued] = deque()
        self._expected: int | None = None  # number of the next packet
        self._end: int | None = None  # tick after the last sample of the burst that is running
        self._burst_ticks = 0
        self._unreported = 0
        self._reported_at = 0
        self._last_played = 0
        self.withhold = False
        self.played: list[Played] = []  # what is or will be on the air, oldest first

    def write_control(self, offset: int, value: int, now: int) -> None:
        """Take a control register; number 1 clears the chain, and with it all that has not been played."""
        self._registers[offset] = value
        if offset == 1:
            self.clear(now)

    def clear(self, now: int) -> None:
        """Forget all that is buffered, and let packets be counted anew; what was on the air before a tick stays."""
        self._buffer.clear()
        self._expected, self._end, self._unreported = None, None, 0
        self.played = [_until(one, now) for one in self.played if one.ticks < now]

    def write_dsp(self, offset: int, value: int) -> None:
        """Take a register of the interpolator: filters of two in bits 8 and 9, the comb filter's factor below."""
        if offset == 2:
            self._interpolation = max(value & 0xFF, 1) << (value >> 8 & 1) << (value >> 9 & 1)

    def take(self, sequence: int, packet: vita.Packet, now: int, *, starved: bool = False) -> Iterator[bytes]:
        """Take a packet from the host; yields messages that are due at once. A starved one misses its time inside."""
        if self._expected is not None and sequence != self._expected:
            yield self._message(Event.SEQUENCE_ERROR, now, sequence)
        self._expected = sequence + 1 & 0xFFFFFFFF
        samples = vita.samples_of(packet.payload)
        running = self._end is not None and not packet.start
        start = packet.ticks if packet.ticks is not None else self._end if running else now
        if start is None or start < now:
            if packet.ticks is not None:
                yield from self._late(sequence, packet, now)
                return
            start = now
        if not running:
            self._burst_ticks = start
        piece = Played(start, self._interpolation, samples, self._burst_ticks)
        if starved:
            yield self._message(Event.UNDERFLOW, start, sequence)
        elif samples.size:
            self.played.append(piece)
        self._buffer.append(_Queued(piece.end, sequence, packet.end))
        self._end = None if packet.end else piece.end

    def due(self) -> int | None:
        """Return the tick at which the next packet will have been played, the burst runs dry, or an update is due."""
        ticks = self._buffer[0].end_ticks if self._buffer else self._end
        if not self._unreported:
            return ticks
        update = self._reported_at + self._ticks_per_update
        return update if ticks is None else min(ticks, update)

    def advance(self, now: int) -> Iterator[bytes]:
        """Yield the messages about all that has been played before a tick."""
        while self._buffer and self._buffer[0].end_ticks <= now:
            done = self._buffer.popleft()
            self._last_played = done.sequence
            self._unreported += 1
            if done.ends:
                yield self._message(Event.BURST_ACK, done.end_ticks, done.sequence)
            if self._unreported >= self._packets_per_update or not self._buffer:
                yield from self._flow_control(now)
        if self._unreported and now - self._reported_at >= self._ticks_per_update:
            yield from self._flow_control(now)
        if not self._buffer and self._end is not None and self._end <= now:
            yield self._message(Event.UNDERFLOW, self._end, self._last_played)
            self._end = None

    def forget(self, before: int) -> None:
        """Drop samples from the air that no receiver will ask for any more."""
        while self.played and self.played[0].end < before:
            self.played.pop(0)

    def _late(self, sequence: int, packet: vita.Packet, now: int) -> Iterator[bytes]:
        yield self._message(Event.TIME_ERROR, now, sequence)
        self._last_played = sequence
        self._unreported += 1
        if packet.end:
            self._end = None
            yield self._message(Event.BURST_ACK, now, sequence)
            yield from self._flow_control(now)

    @property
    def _packets_per_update(self) -> int:
        word = self._registers[5]
        return word & ~_ENABLED if word & _ENABLED else 64

    @property
    def _ticks_per_update(self) -> int:
        word = self._registers[4]
        return word & ~_ENABLED if word & _ENABLED else _SELDOM

    def _flow_control(self, now: int) -> Iterator[bytes]:
        self._reported_at = now
        if not self.withhold:
            self._unreported = 0
            yield self._message(Event.CONSUMED, now, self._last_played)

    @staticmethod
    def _message(event: Event, ticks: int, word: int) -> bytes:
        payload = int(event).to_bytes(4, "big") + word.to_bytes(4, "big")
        return vita.pack(vita.Packet(payload, STREAM, ticks, context=True))


def _until(piece: Played, now: int) -> Played:
    """Return the part of a piece that was played before a tick."""
    n = max(0, -(-(now - piece.ticks) // piece.interpolation))
    return Played(piece.ticks, piece.interpolation, piece.samples[:n], piece.burst_ticks)
