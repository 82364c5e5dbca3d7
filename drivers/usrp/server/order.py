"""One exchange, as the server was asked for it, and what has become of it so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SLICE_S", "Order", "Samples"]

SLICE_S = 0.05  # the longest wait inside UHD for a part of an exchange: so soon its end is heard
Samples = NDArray[np.complex64]


class Order:
    """What is to be sent and received from a device time on; several threads note what becomes of it."""

    def __init__(self, sent: Samples, received: Samples, start_ticks: int, tick_rate_hz: float, rate_hz: float) -> None:
        """Take it.

        Args:
            sent: Samples to send, (n_tx, n).
            received: Where received samples go, (n_rx, n).
            start_ticks: Device time of the first sample.
            tick_rate_hz: Rate of the clock that counts these ticks.
            rate_hz: Sample rate.
        """
        self.sent, self.received = sent, received
        self.start_ticks, self.tick_rate_hz, self.rate_hz = start_ticks, tick_rate_hz, rate_hz
        self.n_sent = 0
        self.n_received = [0] * received.shape[0]  # by channel; each is written by one thread
        self.first_s: float | None = None
        self.problems: list[dict[str, Any]] = []
        self.acknowledged: set[int] = set()
        self.unlocked: list[int] = []  # boards whose clock has lost its reference
        self.aborted = threading.Event()
        self._is_done = False
        self.until_s = 0.0  # host's time at which patience ends
        self.clocks: dict[str, float] = {}  # what device and host said when it began

    @property
    def start_s(self) -> float:
        """Device time of the first sample."""
        return self.start_ticks / self.tick_rate_hz

    @property
    def length_s(self) -> float:
        """How long it takes."""
        return float(max(self.sent.shape[1], self.received.shape[1]) / self.rate_hz)

    def trouble(self, kind: str, side: str = "", channels: Sequence[int] = (), device_s: float | None = None) -> None:
        """Note what went wrong, on which channels of which side, at which device time."""
        self.problems.append({"kind": kind, "side": side, "channels": list(channels), "device_s": device_s})

    def end(self) -> None:
        """Note that nothing more will become of it."""
        self._is_done = True

    @property
    def lacking(self) -> list[int]:
        """Receive channels of which samples are missing."""
        return [i for i, n in enumerate(self.n_received) if n < self.received.shape[1]]

    @property
    def is_complete(self) -> bool:
        """Whether everything was sent and received, and nothing went wrong."""
        return self.n_sent == self.sent.shape[1] and not (self.lacking or self.problems or self.unlocked)

    @property
    def is_sound(self) -> bool:
        """Whether it has ended and is complete: then boards hold nothing of it."""
        return self._is_done and self.is_complete

    @property
    def is_over(self) -> bool:
        """Whether nobody should wait any longer."""
        return self.aborted.is_set() or time.monotonic() > self.until_s

    def result(self) -> dict[str, Any]:
        """Return what became of it."""
        return {
            "n_sent": self.n_sent,
            "n_received": min(self.n_received, default=self.received.shape[1]),
            "lacking": self.lacking,
            "first_s": self.first_s,
            "problems": self.problems,
            "unlocked": self.unlocked,
            "aborted": self.aborted.is_set(),
            "clocks": self.clocks,
        }
