"""One receive chain of a board: stream commands in, timed packets of samples out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.n210 import vita
from drivers.virtual.n210.clock import TICKS_PER_S

__all__ = ["LATE", "OVERFLOW", "Receiver", "Stretch"]

LATE, OVERFLOW = 2, 8  # codes of inline messages
CHUNK_S = 0.01  # received at once: coarse enough to be cheap, fine enough for a host's timeout of 0.1 s
BEHIND = 72  # samples that a chunk waits for what comes after it: filters reach that far (medium.ROOM, and 8 more)
LAG_S = 0.3  # a board this far behind its stream has lost samples, as one whose buffer is full
_NOW, _CHAIN, _RELOAD, _STOP = 1 << 31, 1 << 30, 1 << 29, 1 << 28


@dataclass(frozen=True)
class Stretch:
    """Samples to be received without a gap: first tick, ticks per sample, number of samples; and the stream's start."""

    ticks: int
    decimation: int
    n_samples: int
    begun: int


Samples = NDArray[np.complex64]


class Receiver:
    """Registers and state of one receive chain.

    Args of the constructor:
        stream: Identifier of its packets.
        receive: Returns the digital samples of a stretch that lies in the past, shape (n,), full scale 1.
    """

    def __init__(self, stream: int, receive: Callable[[Stretch], Samples]) -> None:
        self._stream = stream
        self._receive = receive
        self._registers = [0] * 16
        self._decimation = 512
        self._count = 0
        self._next: int | None = None  # tick of the next sample of the running stream
        self._begun = 0  # that of its first
        self._left: float = 0  # samples of it that are still to come
        self._queue: list[tuple[int, int, int]] = []  # commands that follow: word, time high, time low

    def write_control(self, offset: int, value: int, now: int, *, late: bool = False) -> Iterator[bytes]:
        """Take a control register; yields packets that are due at once. A command may be declared late."""
        self._registers[offset] = value
        if offset == 2 and late:
            yield self._message(LATE, now)
        elif offset == 2:  # the low word of the time completes a command
            yield from self._command(self._registers[0], self._registers[1], value, now)
        elif offset == 3:  # clear
            self._count, self._next, self._left, self._queue = 0, None, 0, []

    def write_dsp(self, offset: int, value: int) -> None:
        """Take a register of the decimator: filters of two in bits 8 and 9, the comb filter's factor below."""
        if offset == 2:
            self._decimation = max(value & 0xFF, 1) << (value >> 8 & 1) << (value >> 9 & 1)

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether the command that is being written ends a stream rather than begins one."""
        return bool(self._registers[0] & _STOP)

    def due(self) -> int | None:
        """Return the tick at which there will be something to send."""
        if self._next is None:
            return None
        return self._next + self._decimation * (self._chunk() + BEHIND)

    def advance(self, now: int) -> Iterator[bytes]:
        """Yield the packets of all samples before a tick, one chunk a call."""
        due = self.due()
        if due is None or self._next is None or due > now:
            return
        if math.isinf(self._left) and now - self._next > LAG_S * TICKS_PER_S:
            yield self._message(OVERFLOW, self._next)
            self._next += (now - self._next) // self._decimation * self._decimation  # what follows the gap
            return
        n = self._chunk()
        stretch = Stretch(self._next, self._decimation, n, self._begun)
        self._next, self._left = self._next + n * self._decimation, self._left - n
        ends = self._left <= 0
        yield from self._packets(stretch, self._receive(stretch), ends=ends)
        if ends:
            self._next = None
            if self._queue:
                yield from self._start(*self._queue.pop(0), now)

    def _chunk(self) -> int:
        return int(min(self._left, max(round(CHUNK_S * TICKS_PER_S / self._decimation), self._per_packet)))

    @property
    def _per_packet(self) -> int:
        return max(self._registers[7], 1)

    def _command(self, word: int, high: int, low: int, now: int) -> Iterator[bytes]:
        if word & _STOP:
            self._next, self._left, self._queue = None, 0, []
        elif self._next is not None and not math.isinf(self._left):
            self._queue.append((word, high, low))  # it follows the running one without a gap
        else:
            yield from self._start(word, high, low, now)

    def _start(self, word: int, high: int, low: int, now: int) -> Iterator[bytes]:
        ticks = now if word & _NOW else high << 32 | low
        if ticks < now and not self._queue and not word & _NOW:
            yield self._message(LATE, now)
            return
        self._next = self._begun = ticks
        self._left = math.inf if word & _RELOAD else word & 0x0FFFFFFF

    def _packets(self, stretch: Stretch, samples: Samples, *, ends: bool) -> Iterator[bytes]:
        for first in range(0, stretch.n_samples, self._per_packet):
            last = first + self._per_packet >= stretch.n_samples
            yield self._packet(
                vita.to_payload(samples[first : first + self._per_packet]),
                stretch.ticks + first * stretch.decimation,
                end=ends and last,
            )

    def _packet(self, payload: bytes, ticks: int, *, end: bool) -> bytes:
        packet = vita.Packet(payload, self._stream, ticks, self._count, end=end)
        self._count = (self._count + 1) % 16
        return vita.pack(packet)

    def _message(self, code: int, ticks: int) -> bytes:
        """Return an inline message; it does not count among the packets of the stream."""
        return vita.pack(vita.Packet(code.to_bytes(4, "big"), self._stream, ticks, self._count, context=True))
