"""What a device was set to, over air time: a capture sees the state of its own moment, however late it is computed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["History"]

T = TypeVar("T")

# States that are kept: far more than a client makes while its captures wait in the kernel's buffers.
KEPT = 256


class History(Generic[T]):
    """States of one kind, each from a moment on until the next; safe to use from several threads."""

    def __init__(self, first: T) -> None:
        self._lock = threading.Lock()
        self._states: list[tuple[float, T]] = [(float("-inf"), first)]

    @property
    def now(self) -> T:
        """The newest state."""
        return self._states[-1][1]

    def record(self, from_s: float, state: T) -> float:
        """Let a state begin, and return when it does: not before the one that it follows."""
        with self._lock:
            from_s = max(from_s, self._states[-1][0])
            if self._states[-1][0] == from_s:
                self._states.pop()  # it was never on the air
            self._states.append((from_s, state))
            if len(self._states) > KEPT:
                del self._states[1]
            return from_s

    def at(self, time_s: float) -> T:
        """Return the state at a moment."""
        with self._lock:
            return next((state for from_s, state in reversed(self._states) if from_s <= time_s), self._states[0][1])

    def between(self, start_s: float, end_s: float) -> Sequence[tuple[float, float, T]]:
        """Return the states of a window as (from_s, until_s, state), in order."""
        with self._lock:
            states = list(self._states)
        ends = [from_s for from_s, _ in states[1:]] + [float("inf")]
        spans = [(begin, end, state) for (begin, state), end in zip(states, ends, strict=True)]
        return [span for span in spans if span[0] < end_s and span[1] > start_s]
