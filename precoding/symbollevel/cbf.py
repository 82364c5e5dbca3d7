"""slp-cbf: every base station serves its own users, leaks little to others, and hears their echoes as noise."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.symbollevel.ascent import Ascent, climb, model_at
from precoding.symbollevel.echoes import Echoes, echoes
from precoding.symbollevel.relaxed import Relaxed, solve_relaxed
from precoding.symbollevel.start import nearest_feasible, relaxed_start
from precoding.symbollevel.task import Task

__all__ = ["cbf_waveform"]


def cbf_waveform(task: Task, start: ComplexArray | None, deadline_s: float | None) -> tuple[Ascent, Echoes, Relaxed]:
    """Climb to a real waveform, then solve the relaxed problem (P3) for the foreign reflections that it makes.

    Args:
        task: In natural units; feasible.
        start: Complex (J, d, L); None starts from the relaxed problem without foreign reflections.
        deadline_s: See `climb`.

    Returns:
        The waveform, the model of the echoes it makes, and the relaxed solution, whose prices prove a bound.

    """
    if start is None:
        start = relaxed_start(task, solve_relaxed(task, echoes(task, np.zeros(task.network.J))))
    ascent = climb(task, nearest_feasible(task, start), deadline_s=deadline_s)
    model = model_at(task, ascent.Xi)
    return ascent, model, solve_relaxed(task, model)
