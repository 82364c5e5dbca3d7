"""What a symbol-level solver found, before it is judged."""

from __future__ import annotations

import time
from dataclasses import dataclass

from precoding.arrays import ComplexArray

__all__ = ["UNSETTLED", "Found", "is_over"]

UNSETTLED = "Unsettled"  # status of a waveform whose repair had to take much


@dataclass(frozen=True, eq=False)
class Found:
    """A feasible waveform with its bound.

    Attributes:
        X: Complex (J, n_tx, L) in natural units.
        bound: Proven bound of the smallest information in 1/rad^2.
        status: How the solver ended.
        history: Smallest information in 1/rad^2 after each step.
        memory: What the next frame starts from, or None.

    """

    X: ComplexArray
    bound: float
    status: str
    history: tuple[float, ...]
    memory: object | None = None


def is_over(deadline_s: float | None) -> bool:
    """Whether a deadline on the clock of `time.perf_counter` has passed."""
    return deadline_s is not None and time.perf_counter() >= deadline_s
