"""The relaxed problems (P3), (P4) by a barrier method on their dual: prices, and a place to start.

Relaxed means R >= sum_s x_s x_s^H: what is more, the excess, may be sent without carrying symbols. In the dual every
symbol vector is eliminated in closed form. That leaves a smooth convex function of a few prices of sensing and power,
and of the prices of each symbol vector's own constraints; a block costs time in proportion to its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.bound import SymbolPrices
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.relaxed_data import relaxed_dual
from precoding.symbollevel.relaxed_dual import Point, RelaxedDual
from precoding.symbollevel.relaxed_newton import newton_direction
from precoding.symbollevel.task import Task

__all__ = ["Relaxed", "solve_relaxed", "symbol_prices"]

_FIRST_MU, _FACTOR, _GAP = 0.3, 0.1, 1e-3  # of the barrier; the gap is in units of the echo model
_MOST_STEPS, _CENTRED = 25, 0.2
_ARMIJO, _BACKTRACK, _SHORTEST = 0.1, 0.5, 1e-5
_CLEARANCE = 1.25  # a step ends where one longer by this is still inside: close to an edge Newton's method crawls


@dataclass(frozen=True, eq=False)
class Relaxed:
    """Near-optimal point of the relaxed problem and its dual.

    Attributes:
        Xi: Complex (J, d, L), the part that carries symbols.
        excess: Complex (C, N, N), covariance of the rest, summed over the block: C clusters of N coordinates.
        dual: Whose prices these are.
        at: The prices of sensing, power and every symbol vector's constraints.

    """

    Xi: ComplexArray
    excess: ComplexArray
    dual: RelaxedDual
    at: Point


def solve_relaxed(task: Task, model: Echoes) -> Relaxed:
    """Follow the central path of the dual.

    Args:
        task: In natural units.
        model: Of its echoes, with the foreign reflections to assume.

    """
    dual, at = relaxed_dual(task, model)
    last_mu = _GAP / dual.barrier_parameter
    for mu in np.geomspace(_FIRST_MU, last_mu, 1 + int(np.ceil(np.log(last_mu / _FIRST_MU) / np.log(_FACTOR)))):
        for _ in range(_MOST_STEPS):
            at, decrement = _newton_step(dual, at, float(mu))
            if decrement <= _CENTRED * mu:
                break
    Xi = dual.waveform(at).swapaxes(1, 2).reshape(task.network.J, -1, task.block_length)
    return Relaxed(Xi, np.asarray(last_mu * np.linalg.inv(dual.form(at.theta))), dual, at)


def symbol_prices(task: Task, model: Echoes, relaxed: Relaxed) -> SymbolPrices:
    """Return the prices in natural units, user by user and link by link, for `bounded_information`."""
    J, users, L = task.network.J, task.network.J * task.network.K, task.block_length
    dual, at = relaxed.dual, relaxed.at
    linear, triples = dual.cones(at.y)
    edges = linear.reshape(len(linear), L, -1, task.edges.shape[2]).swapaxes(1, 2).reshape(task.edges.shape)
    sensing = dual.sensing(at.theta).reshape(J, model.scale.shape[1], -1)
    priced = at.theta[dual.paid > 0.0].reshape(len(at.theta), -1)
    per_cluster = J // len(at.theta)
    antennas = priced[:, per_cluster:].reshape(J, -1) if priced.shape[1] > per_cluster else None
    leaks, sizes = None, None
    if not task.cooperate:
        leaks, sizes = np.zeros((J, L, users), dtype=np.complex128), np.zeros((J, L, users))
        for n in range(J):
            foreign = np.flatnonzero(~task.serving[n])
            leaks[n][:, foreign] = triples[n, ..., 0] + 1j * triples[n, ..., 1]
            sizes[n][:, foreign] = triples[n, ..., 2]
    scale: FloatArray = model.scale
    return SymbolPrices(
        sensing=scale[:, :, None] * sensing * scale[:, None, :],
        stations=priced[:, :per_cluster].ravel(),
        antennas=antennas,
        edges=edges,
        leaks=leaks,
        leak_sizes=sizes,
        foreign=model.foreign,
    )


def _newton_step(dual: RelaxedDual, at: Point, mu: float) -> tuple[Point, float]:
    """One damped Newton step; returns the new point and half the squared Newton decrement."""
    gradient, direction = newton_direction(dual, at, mu)
    slope = gradient.slope(direction)
    here, length = dual.value(at, mu), 1.0
    while length > _SHORTEST and not np.isfinite(dual.value(at.moved(direction, _CLEARANCE * length), mu)):
        length *= _BACKTRACK
    while length > _SHORTEST:
        there = at.moved(direction, length)
        if dual.value(there, mu) <= here + _ARMIJO * length * slope:
            return there, -slope / 2
        length *= _BACKTRACK
    return at, 0.0
