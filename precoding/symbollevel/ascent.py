"""Climb to a real waveform that senses best: linearise the Fisher information, solve exactly, again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from precoding.arrays import ComplexArray
from precoding.symbollevel.echoes import Echoes, echoes, foreign_of
from precoding.symbollevel.linearised import linearised_step
from precoding.symbollevel.task import Task

__all__ = ["Ascent", "climb", "model_at"]

_MOST_STEPS = 60
_SETTLED, _PATIENCE = 2e-4, 3  # relative gain of information in one step, and how often in a row it must be less
_MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Ascent:
    """A waveform and the way to it.

    Attributes:
        Xi: Complex (J, d, L), the best of all steps, feasible to the solver's tolerance; the start if there was none.
        history: Smallest information in 1/rad^2 after each step.
        status: "Settled", or why it ended before.

    """

    Xi: ComplexArray
    history: tuple[float, ...]
    status: str


def model_at(task: Task, Xi: ComplexArray) -> Echoes:
    """Return the model of the echoes with the foreign reflections that a waveform makes (none in CoMP)."""
    return echoes(task, foreign_of(task, Xi))


def climb(task: Task, Xi: ComplexArray, *, deadline_s: float | None = None) -> Ascent:
    """Maximise the smallest information from a start on, by linearised steps with momentum.

    Each step solves a convex problem whose linear model lies below the information and meets it where it was made, so
    that in CoMP a step without momentum cannot lose. Momentum makes the model beyond the last waveform, which takes
    half as many steps, and pauses after a step that lost. In CBF the foreign reflections are the last waveform's.

    Args:
        task: In natural units; feasible.
        Xi: Complex (J, d, L), feasible.
        deadline_s: Latest time to begin a step, on the clock of `time.perf_counter`.

    """
    best, last, ahead, calm = Xi, Xi, Xi, 0
    history: list[float] = []
    model = model_at(task, Xi)
    while len(history) < _MOST_STEPS:
        left_s = None if deadline_s is None else deadline_s - time.perf_counter()
        if left_s is not None and left_s <= 0.0:
            return Ascent(best, tuple(history), "MaxTime")
        found, solution = linearised_step(task, model, ahead, left_s)
        if found is None and ahead is not best:
            model, last, ahead = model_at(task, best), best, best
            continue
        if found is None:
            return Ascent(best, tuple(history), solution.status)
        model = model_at(task, found)
        reached, information = max(history, default=0.0), float(model.information(found).min()) * model.unit
        calm = calm + 1 if information < (1.0 + _SETTLED) * reached else 0
        ahead = found + _MOMENTUM * (found - last) if history and information >= reached else found
        best, last = found if information >= reached else best, found
        history.append(information)
        if calm == _PATIENCE:
            return Ascent(best, tuple(history), "Settled")
    return Ascent(best, tuple(history), "MaxSteps")
