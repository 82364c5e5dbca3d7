"""What every block-level solver returns: weights, and prices that prove how good they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.task import Task
from precoding.witness import Witness

__all__ = ["Answer", "Solver", "Start"]


@dataclass(frozen=True, eq=False)
class Answer:
    """Weights that a solver ended with, not yet judged.

    Attributes:
        weights: Complex (J, n_tx, S), natural units.
        witness: Prices; None if the solver names none.
        rank_loss: Part of the relaxed optimum's information that recovery of rank one gave up; 0 where there was none.
        status: The solver's own word, with its name.
        solve_time_s: Its own time.
        memory: What a warm start can use beyond the weights.

    """

    weights: ComplexArray
    witness: Witness | None
    rank_loss: float
    status: str
    solve_time_s: float
    memory: object | None = None


@dataclass(frozen=True, eq=False)
class Start:
    """An earlier answer to a similar task.

    Attributes:
        weights: Complex (J, n_tx, S), natural units.
        memory: What the solver that found them left for this; of any type, to be understood or not.

    """

    weights: ComplexArray
    memory: object | None = None


Solver: TypeAlias = Callable[[Task, FloatArray, "Start | None", "float | None"], list[Answer]]
"""From task, foreign reflections (J,), a start or None, and time limit in s or None: possible answers."""
