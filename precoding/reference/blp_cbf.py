"""Block-level coordinated beamforming, paper (P1.A) and (P1.B): one base station's part of Algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.network import Network, normalised
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import BlockLevelOptimum, Goal, value_of
from precoding.reference.robust import heard_at_least, heard_at_most
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import Transmitter, power_limits, transmitters

__all__ = ["solve_p1a", "solve_p1b"]

cp: Any = cvxpy  # its type hints miss most of its names


def solve_p1a(
    network: Network,
    station: int,
    goal: Goal,
    *,
    intra_level: float,
    inter_level: float,
    foreign: float,
    robustness: str,
    time_limit_s: float | None = None,
) -> BlockLevelOptimum | None:
    """(P1.A): the best that BS m can send at given interference levels and given foreign reflections.

        maximise    rho t / NF_R + (1 - rho) gamma / NF_C
        subject to  effective information >= t                                            (30a)
                    interference from the own cell <= I_intra, at each own user           (44)
                    interference to each foreign user <= I_inter / (J - 1)                (45)
                    signal >= gamma (I_intra + I_inter + sigma^2)                         (46)
                    power <= P, W_k >= 0 (rank left free)                                 (47a), (47b)

    Args:
        network: In any consistent units.
        station: m.
        goal: The objective; its min_sinr (K,) is that of the own users.
        intra_level: I_intra in units of the users' noise.
        inter_level: I_inter in units of the users' noise.
        foreign: Power of foreign reflections at this BS over its noise, per antenna: C of (9), held as it is.
        robustness: "none", "paper" (Prop. 3) or "exact" (each constraint for every channel of its ball).
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show (infeasible at these levels, or out of time).

    """
    s = _statement(network, station, foreign)
    gamma, rewarded = goal.levels(s.network.K)
    t = cp.Variable(nonneg=True)
    inter = inter_level if s.network.J > 1 else 0.0
    constraints, demand = _constraints(s, t, gamma, intra_level, inter, inter, robustness)
    problem = cp.Problem(cp.Maximize(goal.objective(t, rewarded, s.unit)), constraints)
    if not solved(problem, time_limit_s):
        return None
    return _optimum(s, problem, demand, value_of(t), value_of(gamma), intra_level, inter)


def solve_p1b(
    network: Network,
    station: int,
    *,
    least_information: float,
    min_sinr: FloatArray,
    inter_level: float,
    greatest_levels: tuple[float, float],
    foreign: float,
    robustness: str,
    time_limit_s: float | None = None,
) -> BlockLevelOptimum | None:
    """(P1.B): the least interference with which BS m keeps the t* and gamma* of (P1.A).

        minimise    I_intra / I_intra_max + I_m_inter / ((J - 1) I_inter_max)
        subject to  effective information >= t*                                           (48a)
                    signal >= gamma* (I_intra + I_inter + sigma^2)                        (48b), its sigma_R is sigma_C
                    interference to each foreign user <= I_m_inter / (J - 1)              (48c)
                    I_m_inter <= I_inter, in print I_intra <= I_inter                     (48c)
                    (44), (47a), (47b)

    Args:
        network: In any consistent units.
        station: m.
        least_information: t* in 1/rad^2.
        min_sinr: (K,) gamma* of the own users, linear.
        inter_level: I_inter in units of the users' noise: what others may send to the own users, as in (P1.A).
        greatest_levels: I_intra_max and I_inter_max, which only weigh the two levels.
        foreign: Power of foreign reflections at this BS over its noise, per antenna.
        robustness: "none", "paper" or "exact".
        time_limit_s: Of the solver.

    Returns:
        The optimum with the new levels; None if the solver has no point to show.

    """
    s = _statement(network, station, foreign)
    intra, inter = cp.Variable(nonneg=True), cp.Variable(nonneg=True)
    least = least_information / s.unit
    received = inter_level if s.network.J > 1 else 0.0
    constraints, demand = _constraints(s, least, min_sinr, intra, received, inter, robustness)
    constraints.append(inter <= received)
    cost = intra / greatest_levels[0] + inter / (max(s.network.J - 1, 1) * greatest_levels[1])
    problem = cp.Problem(cp.Minimize(cost), constraints)
    if not solved(problem, time_limit_s):
        return None
    return _optimum(s, problem, demand, least, min_sinr, float(intra.value), float(inter.value))


@dataclass(frozen=True, eq=False)
class _Statement:
    """What (P1.A) and (P1.B) share: the variables W_k of one BS, in natural units."""

    network: Network
    transmitter: Transmitter
    streams: list[Any]
    R: Any
    F: Any
    unit: float
    power_unit: float


def _statement(network: Network, station: int, foreign: float) -> _Statement:
    natural, amplitude = normalised(network)
    bs = transmitters(natural, cooperate=False)[station]
    (streams, R), unit = bs.streams(), information_unit(natural, bs)
    F = fisher_matrix(natural, bs, 0, R, foreign, unit)
    return _Statement(natural, bs, streams, R, F, unit, amplitude**2)


def _constraints(
    s: _Statement, t: Any, gamma: Any, intra: Any, received: float, sent: Any, robustness: str
) -> tuple[list[Any], Any]:
    """Everything below "subject to", and apart the demand (46), whose price explains who limits.

    `received` is the level that all foreign BSs together may cause at the own users, `sent` what this one causes.
    """
    links = s.transmitter.links
    signal = cp.Variable(len(s.streams))
    demand = signal >= gamma * (intra + received + 1.0)
    constraints = [demand, *power_limits(s.network, s.transmitter, s.R), *(W >> 0 for W in s.streams)]
    constraints += information_at_least(s.F, t, alone=True)
    for k, user in enumerate(s.transmitter.users):
        others = s.streams[:k] + s.streams[k + 1 :]
        constraints += heard_at_least(s.streams[k], links[user], signal[k], robustness)
        constraints += heard_at_most(others, links[user], intra, robustness)
    for user in set(range(len(links))) - set(s.transmitter.users):
        constraints += heard_at_most(s.streams, links[user], sent / (s.network.J - 1), robustness)
    return constraints, demand


def _optimum(
    s: _Statement, problem: Any, demand: Any, t: float, gamma: FloatArray, intra: float, inter: float
) -> BlockLevelOptimum:
    covariances: ComplexArray = s.power_unit * s.transmitter.on_antennas(s.streams)
    return BlockLevelOptimum(
        covariances=(covariances,),
        information=float(t) * s.unit,
        sinr=np.asarray(gamma, dtype=np.float64),
        user_prices=np.abs(demand.dual_value) * np.asarray(gamma, dtype=np.float64),
        intra_level=intra,
        inter_level=inter,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )
