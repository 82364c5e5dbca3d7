"""What every block-level solver returns: weights, and prices that prove how good they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.task import Task
from precoding.witness import Witness

__all__ = ["Answer", "Solver"]


@dataclass(frozen=True, eq=False)
class Answer:
    """Weights that a solver ended with, not yet judged.

    Attributes:
        weights: Complex (J, n_tx, S), natural units.
        witness: Prices; None if the solver names none.
        rank_loss: Largest part of a stream's power that the recovery of rank one gave up; 0 where there was none.
        status: The solver's own word, with its name.
        solve_time_s: Its own time.

    """

    weights: ComplexArray
    witness: Witness | None
    rank_loss: float
    status: str
    solve_time_s: float


Solver: TypeAlias = Callable[[Task, FloatArray, "ComplexArray | None", "float | None"], list[Answer]]
"""From task, foreign reflections (J,), weights to start from or None, and time limit in s or None: possible answers."""
