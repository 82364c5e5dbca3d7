"""Symbol-level coordinated beamforming, paper (P3.A) and (P3.B): one base station's part of the alternation.

Each is a bound, not a waveform: see `relaxed_samples`. The excess of R_s pays no inter-cell interference either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray
from precoding.network import Network, normalised
from precoding.reference.constructive import constructive_margin, heard_amplitude, psk, relaxed_samples
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import Goal, SymbolLevelOptimum, value_of
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import Transmitter, power_limits, transmitters

__all__ = ["solve_p3a", "solve_p3b"]

cp: Any = cvxpy  # its type hints miss most of its names


def solve_p3a(
    network: Network,
    station: int,
    goal: Goal,
    symbols: ArrayLike,
    order: int,
    *,
    inter_level: float,
    foreign: float,
    time_limit_s: float | None = None,
) -> SymbolLevelOptimum | None:
    """(P3.A): the best that BS m can send at a given interference level and given foreign reflections.

        maximise    rho t / NF_R + (1 - rho) gamma' / NF_C,   gamma' = sqrt(gamma)
        subject to  effective information >= t                                            (59a)
                    power <= P                                                            (59b)
                    R_s >= x_s x_s^H                                                      (59c)
                    constructive margin >= sin psi gamma' sqrt(sigma^2 + I)               (63), (64)
                    |h^T x_s| + delta |x_s| <= sqrt(I / (J - 1)), each foreign user       (67), I printed as its root

    Args:
        network: In any consistent units; its csi_radius is what is withstood.
        station: m.
        goal: The objective; its min_sinr (K,) is that of the own users, its sinr_scale one of gamma'.
        symbols: (J K, L) PSK indices.
        order: M.
        inter_level: I in units of the users' noise.
        foreign: Power of foreign reflections at this BS over its noise, per antenna.
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show.

    """
    s = _statement(network, station, symbols, order, foreign)
    given = None if goal.min_sinr is None else Goal(np.sqrt(goal.min_sinr))
    root, rewarded = (given or goal).levels(s.network.K)
    t, among = cp.Variable(nonneg=True), max(s.network.J - 1, 1)
    received = inter_level if s.network.J > 1 else 0.0
    constraints = _constraints(s, t, root, received, np.sqrt(inter_level / among))
    problem = cp.Problem(cp.Maximize((given or goal).objective(t, rewarded, s.unit)), constraints)
    if not solved(problem, time_limit_s):
        return None
    return _optimum(s, problem, value_of(t), value_of(root) ** 2, received)


def solve_p3b(
    network: Network,
    station: int,
    symbols: ArrayLike,
    order: int,
    *,
    least_information: float,
    min_sinr: FloatArray,
    inter_level: float,
    foreign: float,
    time_limit_s: float | None = None,
) -> SymbolLevelOptimum | None:
    """(P3.B): the least interference with which BS m keeps the t* and gamma'* of (P3.A).

        minimise    I_m
        subject to  effective information >= t*                                           (69a)
                    constructive margin >= sin psi gamma'* sqrt(sigma^2 + I)              (69b), (69c)
                    |h^T x_s| + delta |x_s| <= sqrt(I_m / (J - 1)), each foreign user     (69d), I_m printed as its root
                    I_m <= I, (59b), (59c)                                                (69e)

    Args:
        network: In any consistent units; its csi_radius is what is withstood.
        station: m.
        symbols: (J K, L) PSK indices.
        order: M.
        least_information: t* in 1/rad^2.
        min_sinr: (K,) gamma* of the own users, linear.
        inter_level: I in units of the users' noise: what others may send to the own users, as in (P3.A).
        foreign: Power of foreign reflections at this BS over its noise, per antenna.
        time_limit_s: Of the solver.

    Returns:
        The optimum with the new level; None if the solver has no point to show.

    """
    s = _statement(network, station, symbols, order, foreign)
    amplitude, among = cp.Variable(nonneg=True), max(s.network.J - 1, 1)  # sqrt(I_m / (J - 1)) has the same minimum
    least, received = least_information / s.unit, inter_level if s.network.J > 1 else 0.0
    constraints = _constraints(s, least, np.sqrt(min_sinr), received, amplitude)
    constraints.append(amplitude <= np.sqrt(inter_level / among))
    problem = cp.Problem(cp.Minimize(amplitude), constraints)
    if not solved(problem, time_limit_s):
        return None
    level = among * float(amplitude.value) ** 2 if s.network.J > 1 else 0.0
    return _optimum(s, problem, least, min_sinr, level)


@dataclass(frozen=True, eq=False)
class _Statement:
    """What (P3.A) and (P3.B) share: the variables x_s, R_s of one BS, in natural units."""

    network: Network
    transmitter: Transmitter
    symbols: ComplexArray
    order: int
    X: Any
    R: Any
    relaxed: list[Any]
    F: Any
    unit: float
    amplitude: float


def _statement(network: Network, station: int, symbols: ArrayLike, order: int, foreign: float) -> _Statement:
    natural, amplitude = normalised(network)
    bs, d = transmitters(natural, cooperate=False)[station], psk(symbols, order)
    X, R, relaxed = relaxed_samples(bs, d.shape[1])
    unit = information_unit(natural, bs)
    F = fisher_matrix(natural, bs, 0, R, foreign, unit)
    return _Statement(natural, bs, d, order, X, R, relaxed, F, unit, amplitude)


def _constraints(s: _Statement, t: Any, root: Any, received: float, amplitude: Any) -> list[Any]:
    constraints = [*s.relaxed, *power_limits(s.network, s.transmitter, s.R), *information_at_least(s.F, t, alone=True)]
    reach = np.sin(np.pi / s.order) * np.sqrt(1.0 + received)
    for k, user in enumerate(s.transmitter.users):
        margin = constructive_margin(s.X, s.transmitter.links[user], s.symbols[user], s.order)
        constraints.append(margin >= reach * root[k])
    for user in set(range(len(s.transmitter.links))) - set(s.transmitter.users):
        constraints.append(heard_amplitude(s.X, s.transmitter.links[user]) <= amplitude)
    return constraints


def _optimum(s: _Statement, problem: Any, t: float, gamma: FloatArray, level: float) -> SymbolLevelOptimum:
    return SymbolLevelOptimum(
        samples=(s.amplitude * s.transmitter.T @ s.X.value,),
        covariances=(s.amplitude**2 * s.transmitter.on_antennas([s.R])[0],),
        information=float(t) * s.unit,
        sinr=np.asarray(gamma, dtype=np.float64),
        inter_level=level,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )
