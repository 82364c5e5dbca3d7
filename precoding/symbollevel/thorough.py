"""The careful way: noise margin, linearised cone programmes and the relaxed problem, each solved to the end."""

from __future__ import annotations

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.bound import bounded_information
from precoding.symbollevel.cbf import cbf_waveform
from precoding.symbollevel.comp import comp_waveform
from precoding.symbollevel.found import Found
from precoding.symbollevel.minimum_power import infeasible, noise_margin
from precoding.symbollevel.relaxed import symbol_prices
from precoding.symbollevel.repair import repaired
from precoding.symbollevel.task import Task

__all__ = ["thorough_waveform"]


def thorough_waveform(task: Task, earlier: ComplexArray | None, deadline_s: float | None, power: FloatArray) -> Found:
    """Design with cone programmes.

    Args:
        task: In natural units.
        earlier: Complex (J, n_tx, L), an earlier waveform in natural units, or None.
        deadline_s: Latest time to begin a step, on the clock of `time.perf_counter`.
        power: (J,) limits in the caller's unit, for the message.

    Raises:
        InfeasibleError: No waveform meets the targets.
        InaccurateError: The solver failed.

    """
    margin = noise_margin(task)
    if margin.db < 0.0:
        raise infeasible(task, margin, power)
    optimise = comp_waveform if task.cooperate else cbf_waveform
    ascent, model, relaxed = optimise(task, None if earlier is None else task.to_basis(earlier), deadline_s)
    X = repaired(task, task.to_antennas(ascent.Xi), margin.X)
    prices = symbol_prices(task, model, relaxed)
    bound = bounded_information(task.network, task.min_sinr, task.symbols, task.order, prices)
    return Found(X, bound, f"by cones: {ascent.status}", ascent.history)
