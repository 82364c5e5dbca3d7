"""slp-comp: all base stations send one waveform together."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.symbollevel.ascent import Ascent, climb
from precoding.symbollevel.echoes import Echoes, echoes
from precoding.symbollevel.relaxed import Relaxed, solve_relaxed
from precoding.symbollevel.start import nearest_feasible, relaxed_start
from precoding.symbollevel.task import Task

__all__ = ["comp_waveform"]


def comp_waveform(task: Task, start: ComplexArray | None, deadline_s: float | None) -> tuple[Ascent, Echoes, Relaxed]:
    """Solve the relaxed problem (P4), then climb to a real waveform from there or from an earlier one.

    Args:
        task: In natural units; feasible.
        start: Complex (J, d, L) or None.
        deadline_s: See `climb`.

    Returns:
        The waveform, the model of the echoes, and the relaxed solution, whose prices prove a bound.

    """
    model = echoes(task, np.zeros(task.network.J))
    relaxed = solve_relaxed(task, model)
    first = relaxed_start(task, relaxed) if start is None else start
    return climb(task, nearest_feasible(task, first), deadline_s=deadline_s), model, relaxed
