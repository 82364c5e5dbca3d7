"""The time of the air between virtual radios: the wall clock, or virtual time in which nobody waits."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["AirClock", "FastClock", "PacedClock"]


class AirClock(Protocol):
    """When things happen on the air, in seconds since the air was made."""

    def now(self, radio: str) -> float:
        """Return the time at which a radio's next capture can begin."""
        ...

    def change(self, *, starts: bool = False) -> float:
        """Return the time of a change on the air that happens now.

        Args:
            starts: Whether a transmission starts, rather than stops or changes.
        """
        ...

    def wait_until(self, radio: str, time_s: float) -> None:
        """Return when it is that late for a radio."""
        ...

    def let_pass(self, radio: str, time_s: float) -> None:
        """Let a radio's time pass if it is virtual: what it has begun to capture by then counts as captured."""
        ...

    def stop(self) -> None:
        """Let nobody wait any more: the radios are switched off."""
        ...


class PacedClock:
    """Air time is the wall clock: a capture takes as long as its samples."""

    def __init__(
        self, monotonic_s: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] | None = None
    ) -> None:
        self._stopped = threading.Event()
        self._monotonic_s, self._sleep = monotonic_s, sleep or self._stopped.wait
        self._origin_s = monotonic_s()

    def now(self, radio: str) -> float:
        """See `AirClock`."""
        return self._monotonic_s() - self._origin_s

    def change(self, *, starts: bool = False) -> float:
        """See `AirClock`."""
        return self.now("")

    def wait_until(self, radio: str, time_s: float) -> None:
        """See `AirClock`."""
        while (left_s := time_s - self.now(radio)) > 0 and not self._stopped.is_set():
            self._sleep(left_s)

    def stop(self) -> None:
        """See `AirClock`."""
        self._stopped.set()

    def let_pass(self, radio: str, time_s: float) -> None:
        """See `AirClock`; the wall clock does not hurry."""


class FastClock:
    """Virtual air time: every capture moves its own radio's time on by its length, and nobody sleeps.

    Radios that capture in parallel do not disturb one another, so that the same requests give the same samples in
    whatever order threads are scheduled. A change on the air (a start, a stop, another gain) comes after everything
    that anybody has captured, and before everything that anybody captures afterwards.
    """

    def __init__(self, start_grid_s: float = 0.0) -> None:
        """Begin at zero.

        Args:
            start_grid_s: Transmissions start at whole multiples of it (a frame's period), so that a scene moves on from
                frame to frame as it does on the wall clock; 0 starts them at once.
        """
        self._lock = threading.Lock()
        self._grid_s = start_grid_s
        self._captured_s: dict[str, float] = {}
        self._changed_s = 0.0

    def now(self, radio: str) -> float:
        """See `AirClock`."""
        with self._lock:
            return max(self._captured_s.get(radio, 0.0), self._changed_s)

    def change(self, *, starts: bool = False) -> float:
        """See `AirClock`."""
        with self._lock:
            at_s = max(self._captured_s.values(), default=0.0)
            if starts and self._grid_s > 0:
                at_s = math.ceil(round(at_s / self._grid_s, 9)) * self._grid_s
            self._changed_s = max(self._changed_s, at_s)
            return at_s

    def wait_until(self, radio: str, time_s: float) -> None:
        """See `AirClock`; time moves on at once."""
        self.let_pass(radio, time_s)

    def let_pass(self, radio: str, time_s: float) -> None:
        """See `AirClock`."""
        with self._lock:
            self._captured_s[radio] = max(self._captured_s.get(radio, 0.0), time_s)

    def stop(self) -> None:
        """See `AirClock`; nobody waits anyhow."""
