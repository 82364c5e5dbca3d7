"""Open buffers: blocks that the kernel has captured, or that it still has to play."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.air_time import AirClock
from drivers.virtual.pluto.rules import RefusedError
from drivers.virtual.pluto.waveform import Buffer

__all__ = ["Capturing", "Playing", "ReceiveStream", "TransmitStream"]

Words = NDArray[np.int16]

CHUNK = 1 << 14  # samples computed at once: bounds the memory that a large buffer takes, and fits a processor's cache


class Capturing(Protocol):
    """What a receive buffer needs of its unit."""

    name: str

    @property
    def true_rx_rate_hz(self) -> float:
        """Sample rate of receive buffers by the unit's own crystal."""
        ...

    def captured(self, start_s: float, n: int, number: tuple[int, int]) -> Words:
        """Return the words of a window, (n_rx, n, 2); the number seeds its noise."""
        ...

    def next_block(self) -> int:
        """Return the number of the unit's next block."""
        ...


class Playing(Protocol):
    """What a transmit buffer needs of its unit."""

    name: str

    @property
    def true_tx_rate_hz(self) -> float:
        """Sample rate of transmit buffers by the unit's own crystal."""
        ...

    def start(self) -> float:
        """Return the air time at which a transmission that is pushed now begins to play."""
        ...

    def play(self, buffer: Buffer) -> None:
        """Play a buffer beside those that still play."""
        ...

    def stop(self) -> None:
        """Play no buffer any more."""
        ...


@dataclass(frozen=True)
class _Block:
    """A block that the kernel captures, or has captured."""

    number: int
    start_s: float
    end_s: float
    rate_hz: float


class ReceiveStream:
    """An open receive buffer.

    The kernel fills its blocks one after another without a gap while it has free ones, and drops what comes when it has
    none: a client that is late reads stale blocks first, and nothing but a register tells it of the gap.
    """

    def __init__(self, unit: Capturing, clock: AirClock, n: int, channels: list[int], count: int) -> None:
        self._unit, self._clock = unit, clock
        self._n, self._channels = n, channels
        self._blocks: list[_Block] = []
        self._lost = False
        for _ in range(count):
            self._enqueue()
        self._rest: Iterator[memoryview] = iter(())
        self._left = memoryview(b"")

    @property
    def block_bytes(self) -> int:
        """Size of one block."""
        return self._n * 2 * len(self._channels)

    def has_lost(self) -> bool:
        """Return whether samples were dropped, since the buffer was opened or that was forgotten."""
        self._lost = self._lost or self._clock.now(self._unit.name) > self._blocks[-1].end_s
        return self._lost

    def forget(self) -> None:
        """Forget that samples were dropped."""
        self._lost = False

    def read(self, length: int, timeout_s: float) -> Iterator[memoryview]:
        """Yield bytes, in as many pieces as it takes.

        Raises:
            RefusedError: The next block is not there in time; ETIMEDOUT.
        """
        while length > 0:
            if not self._left:
                self._left = next(self._rest, memoryview(b""))
            if not self._left:
                self._rest = self._taken(timeout_s)
                continue
            piece, self._left = self._left[:length], self._left[length:]
            length -= len(piece)
            yield piece

    def _taken(self, timeout_s: float) -> Iterator[memoryview]:
        """Wait for the oldest block, take it, and let the kernel capture another in its place."""
        block = self._blocks[0]
        late_s = block.end_s - self._clock.now(self._unit.name)
        if late_s > timeout_s:
            self._clock.wait_until(self._unit.name, block.end_s - late_s + timeout_s)
            raise RefusedError(errno.ETIMEDOUT)
        self._clock.wait_until(self._unit.name, block.end_s)
        del self._blocks[0]
        self._enqueue()
        return self._chunks(block)

    def _chunks(self, block: _Block) -> Iterator[memoryview]:
        for chunk, first in enumerate(range(0, self._n, CHUNK)):
            n = min(CHUNK, self._n - first)
            words = self._unit.captured(block.start_s + first / block.rate_hz, n, (block.number, chunk))
            flat = words.transpose(1, 0, 2).reshape(n, -1)  # I0 Q0 I1 Q1
            flat = flat if len(self._channels) == flat.shape[1] else flat[:, self._channels]
            yield np.ascontiguousarray(flat, dtype="<i2").data.cast("B")

    def _enqueue(self) -> None:
        rate_hz = self._unit.true_rx_rate_hz
        start_s = self._clock.now(self._unit.name)
        if self._blocks:
            self._lost = self._lost or start_s > self._blocks[-1].end_s
            start_s = max(start_s, self._blocks[-1].end_s)
        self._blocks.append(_Block(self._unit.next_block(), start_s, start_s + self._n / rate_hz, rate_hz))
        self._clock.let_pass(self._unit.name, self._blocks[-1].end_s)


class TransmitStream:
    """An open transmit buffer; pushed blocks are played one after another, or one for ever."""

    def __init__(
        self, unit: Playing, clock: AirClock, n: int, channels: list[int], n_tx: int, count: int, *, cyclic: bool
    ) -> None:
        self._unit, self._clock = unit, clock
        self.samples, self._channels, self._n_tx = n, channels, n_tx
        self._count, self._cyclic = count, cyclic
        self._end_s = float("-inf")
        self._pushed = 0
        self._lost = False

    @property
    def block_bytes(self) -> int:
        """Size of one block."""
        return self.samples * 2 * len(self._channels)

    def has_lost(self) -> bool:
        """Return whether the converters have run dry between blocks, since the first or since that was forgotten."""
        dry = not self._cyclic and self._pushed > 0 and self._clock.now(self._unit.name) > self._end_s
        self._lost = self._lost or dry
        return self._lost

    def forget(self) -> None:
        """Forget that the converters ran dry."""
        self._lost = False

    def push(self, payload: bytes | bytearray) -> None:
        """Play a block; returns when the kernel has room for another.

        Raises:
            RefusedError: A cyclic buffer has been pushed already; EBUSY.
        """
        if self._cyclic and self._pushed:
            raise RefusedError(errno.EBUSY)
        flat = np.zeros((len(payload) // (2 * len(self._channels)), 2 * self._n_tx), dtype=np.int16)
        flat[:, self._channels] = np.frombuffer(payload, dtype="<i2").reshape(len(flat), -1)
        words = np.ascontiguousarray(flat.reshape(len(flat), self._n_tx, 2).transpose(1, 0, 2))
        self.has_lost()
        self._pushed += 1
        rate_hz = self._unit.true_tx_rate_hz
        follows = self._end_s > self._clock.now(self._unit.name)
        buffer = Buffer(words, self._end_s if follows else self._unit.start(), rate_hz, self._cyclic)
        self._unit.play(buffer)
        if not self._cyclic:
            self._end_s = buffer.end_s
            self._clock.wait_until(self._unit.name, self._end_s - self._count * self.samples / rate_hz)

    def close(self) -> None:
        """Stop playing."""
        self._unit.stop()
