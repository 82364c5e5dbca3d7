"""The fast way: compiled block descent (slp-comp) or interior point (slp-cbf), and a bound from its multipliers."""

from __future__ import annotations

import numpy as np

from precoding.result import Design
from precoding.symbollevel.bound import bounded_information
from precoding.symbollevel.echoes import echoes
from precoding.symbollevel.fast_cbf import fast_cbf
from precoding.symbollevel.fast_comp import Memory, climb_fast
from precoding.symbollevel.fast_data import lit_task
from precoding.symbollevel.fast_repair import least_power_waveform, mended
from precoding.symbollevel.found import UNSETTLED, Found
from precoding.symbollevel.repair import is_feasible, repaired
from precoding.symbollevel.task import Task

__all__ = ["fast_waveform"]

_MOST_LOST = 2e-3  # of the information by the repair: 0.1 % in RCRB


def fast_waveform(task: Task, start: Design | None, deadline_s: float | None, effort: int = 1) -> Found | None:
    """Design within the channel's coherence time.

    Args:
        task: In natural units.
        start: An earlier design of the same shape, or None.
        deadline_s: Latest time to go on, on the clock of `time.perf_counter`.
        effort: Factor on the number of steps.

    Returns:
        A feasible waveform and its bound, of status `UNSETTLED` if the repair had to take much; None where this way
        found none, which proves nothing.

    """
    if task.network.antenna_power is not None:
        return None
    if task.leaks:
        return fast_cbf(task, deadline_s, effort)
    model = echoes(task, np.zeros(task.network.J))
    lit = lit_task(task, model)
    least = least_power_waveform(lit)
    if least is None:
        return None
    memory = start.memory if start is not None and isinstance(start.memory, Memory) else None
    climbed = climb_fast(task, model, lit, least.used, memory, deadline_s, effort)
    if not np.all(np.isfinite(climbed.ascent.Xi)):
        return None
    mended_Xi = mended(lit, climbed.ascent.Xi, least)
    X = task.to_antennas(mended_Xi)
    if not is_feasible(task, X):
        X = repaired(task, X, task.to_antennas(least.Xi))
        if not is_feasible(task, X):
            return None
    bound = bounded_information(task.network, task.min_sinr, task.symbols, task.order, climbed.prices)
    if not np.isfinite(bound):
        return None
    reached = climbed.ascent.history[-1]
    kept = float(model.information(mended_Xi).min()) * model.unit
    status = climbed.ascent.status if kept >= (1.0 - _MOST_LOST) * reached else UNSETTLED
    return Found(X, bound, status, climbed.ascent.history, climbed.memory)
