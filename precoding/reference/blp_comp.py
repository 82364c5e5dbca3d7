"""Block-level coordinated multipoint, paper (P2.A) and (P2.B): all base stations are one array of J n_tx antennas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import FloatArray
from precoding.network import Network, normalised
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import BlockLevelOptimum, Goal, value_of
from precoding.reference.robust import heard_at_least, heard_at_most
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import Transmitter, power_limits, transmitters

__all__ = ["solve_p2a", "solve_p2b"]

cp: Any = cvxpy  # its type hints miss most of its names


def solve_p2a(
    network: Network, goal: Goal, *, level: float, robustness: str, time_limit_s: float | None = None
) -> BlockLevelOptimum | None:
    """(P2.A): the best that all BSs together can send at a given interference level.

        maximise    rho f / NF_R + (1 - rho) gamma / NF_C
        subject to  effective information at every BS >= f                                (49a), (49b)
                    signal >= gamma (I + sigma^2)                                         (52)
                    interference at each user <= I                                        (53)
                    power of every BS <= P, W_k >= 0 (rank left free)                     (54a), (54b)

    Args:
        network: In any consistent units.
        goal: The objective; its min_sinr is (J K,), user k of cell m at m K + k.
        level: I_comp in units of the users' noise.
        robustness: "none", "paper" (Prop. 3) or "exact" (each constraint for every channel of its ball).
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show (infeasible at this level, or out of time).

    """
    s = _statement(network)
    gamma, rewarded = goal.levels(len(s.streams))
    f = cp.Variable(nonneg=True)
    constraints, demand = _constraints(s, f, gamma, level, robustness)
    problem = cp.Problem(cp.Maximize(goal.objective(f, rewarded, s.unit)), constraints)
    if not solved(problem, time_limit_s):
        return None
    return _optimum(s, problem, demand, value_of(f), value_of(gamma), level)


def solve_p2b(
    network: Network,
    *,
    least_information: float,
    min_sinr: FloatArray,
    robustness: str,
    time_limit_s: float | None = None,
) -> BlockLevelOptimum | None:
    """(P2.B): the least interference level with which the f* and gamma* of (P2.A) are kept.

        minimise    I
        subject to  effective information at every BS >= f*                               (55a), (55b)
                    signal >= gamma* (I + sigma^2)                                        (55c)
                    (53), (54a), (54b)

    Args:
        network: In any consistent units.
        least_information: f* in 1/rad^2.
        min_sinr: (J K,) gamma*, linear.
        robustness: "none", "paper" or "exact".
        time_limit_s: Of the solver.

    Returns:
        The optimum with the new level; None if the solver has no point to show.

    """
    s = _statement(network)
    level, least = cp.Variable(nonneg=True), least_information / s.unit
    constraints, demand = _constraints(s, least, min_sinr, level, robustness)
    problem = cp.Problem(cp.Minimize(level), constraints)
    if not solved(problem, time_limit_s):
        return None
    return _optimum(s, problem, demand, least, min_sinr, float(level.value))


@dataclass(frozen=True, eq=False)
class _Statement:
    """What (P2.A) and (P2.B) share: the variables W_k of the virtual cell, in natural units."""

    network: Network
    transmitter: Transmitter
    streams: list[Any]
    R: Any
    F: list[Any]
    unit: float
    power_unit: float


def _statement(network: Network) -> _Statement:
    natural, amplitude = normalised(network)
    (cell,) = transmitters(natural, cooperate=True)
    (streams, R), unit = cell.streams(), information_unit(natural, cell)
    F = [fisher_matrix(natural, cell, m, R, 0.0, unit) for m in cell.stations]
    return _Statement(natural, cell, streams, R, F, unit, amplitude**2)


def _constraints(s: _Statement, f: Any, gamma: Any, level: Any, robustness: str) -> tuple[list[Any], Any]:
    """Everything below "subject to"; apart the demand (52), whose price explains who limits."""
    signal = cp.Variable(len(s.streams))
    demand = signal >= gamma * (level + 1.0)
    constraints = [demand, *power_limits(s.network, s.transmitter, s.R), *(W >> 0 for W in s.streams)]
    for F in s.F:
        constraints += information_at_least(F, f, alone=len(s.F) == 1)
    for k, link in enumerate(s.transmitter.links):
        others = s.streams[:k] + s.streams[k + 1 :]
        constraints += heard_at_least(s.streams[k], link, signal[k], robustness)
        constraints += heard_at_most(others, link, level, robustness)
    return constraints, demand


def _optimum(s: _Statement, problem: Any, demand: Any, f: float, gamma: FloatArray, level: float) -> BlockLevelOptimum:
    return BlockLevelOptimum(
        covariances=(s.power_unit * s.transmitter.on_antennas(s.streams),),
        information=float(f) * s.unit,
        sinr=np.asarray(gamma, dtype=np.float64),
        user_prices=np.abs(demand.dual_value) * np.asarray(gamma, dtype=np.float64),
        intra_level=level,
        inter_level=0.0,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )
