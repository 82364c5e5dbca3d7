"""Solve a dual in prices, and again with the channels that its answer fails on until none is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.conic_channels import Errors, joined, no_errors, worst_errors
from precoding.blocklevel.conic_cones import ConeProgramme, doubled, from_vector
from precoding.blocklevel.conic_prices import Prices, Tilts, prices_of, signal_shares, stream_count, stream_forms
from precoding.blocklevel.conic_sensing import SensingData
from precoding.blocklevel.task import Task

__all__ = ["PricedOptimum", "priced_optimum"]

_ROUNDS, _PATIENT = 40, 12
_SHORTFALL = 1e-5  # of the noise: 4e-5 dB of SINR at most; ten times that once rounding, not a missing channel, decides
_HOPELESS = 1e-3  # a margin of -30 dB only falls further: no power meets the targets
# Of the objective and of all B_l, to bring multipliers and slacks to one size. Chosen by trial on a few networks: with
# 10 instead of 5 one case in twenty ended "AlmostSolved".
_COST_SCALE, _STREAM_SCALE = 0.1, 5.0


@dataclass(frozen=True, eq=False)
class PricedOptimum:
    """Optimal prices and covariances.

    Attributes:
        value: The optimum.
        prices: Meaning of x.
        x: The prices.
        errors: Channels that were withstood besides the estimates.
        covariances: For each cluster, complex (streams, r, r) in reduced coordinates.
        status: The solver's own word on the last round; "MaxRounds" if channels were still missing then.

    """

    value: float
    prices: Prices
    x: FloatArray
    errors: Errors
    covariances: list[ComplexArray]
    status: str


def priced_optimum(
    task: Task,
    sensing: SensingData | None,
    normalise: Callable[[ConeProgramme, Prices], None],
    time_limit_s: float | None,
) -> PricedOptimum | None:
    """Minimise what power costs less what noise earns.

    Args:
        task: Targets, power limits, robustness.
        sensing: What the BSs would learn; None if nothing is sensed and the users' noise is what is maximised.
        normalise: Adds the constraints that fix the scale of prices.
        time_limit_s: For all rounds together, or None.

    Returns:
        The optimum; None if the solver found that there is none or had no point to show. If time ran out, the answer
        of the last full round: its bound holds, its covariances may fail on some channels.

    """
    end = np.inf if time_limit_s is None else time.perf_counter() + time_limit_s
    errors = no_errors(task)
    found: PricedOptimum | None = None
    for turn in range(_ROUNDS):
        left = end - time.perf_counter()
        answer = _solved(task, sensing, normalise, errors, None if time_limit_s is None else max(left, 0.0))
        if answer is None or task.robustness != "exact":
            return answer
        if found is not None and "Solved" not in answer.status:
            return replace(found, status=answer.status)
        found = answer
        noise = 1.0 if sensing is not None else max(answer.value, 0.0)
        borne, worst = worst_errors(task, answer.covariances)
        short = noise - borne
        allowed = _SHORTFALL * max(noise, 1.0) * (1.0 if turn < _PATIENT else 10.0)
        if short.max() <= allowed or noise < _HOPELESS:
            return found
        errors = joined(errors, worst, short > 0.1 * allowed)
    return found if found is None else replace(found, status="MaxRounds")


def _solved(
    task: Task,
    sensing: SensingData | None,
    normalise: Callable[[ConeProgramme, Prices], None],
    errors: Errors,
    time_limit_s: float | None,
) -> PricedOptimum | None:
    prices = prices_of(task, sensing, errors)
    programme = ConeProgramme(_COST_SCALE * _cost(task, prices, sensing))
    for which, cluster in enumerate(task.clusters):
        r = cluster.channels.shape[1]
        for terms in stream_forms(task, sensing, errors, prices, which):
            scaled = [(where, _STREAM_SCALE * (doubled(r) @ matrix)) for where, matrix in terms]
            programme.require("semidefinite", 2 * r, scaled)
    _require_signs(programme, prices)
    for tilts in prices.tilts:
        _require_tilts(programme, tilts, prices.users)
    normalise(programme, prices)
    solution = programme.solve(time_limit_s)
    if solution is None:
        return None
    value = solution.value / _COST_SCALE
    return PricedOptimum(value, prices, solution.x, errors, _covariances(task, solution.duals), solution.status)


def _cost(task: Task, prices: Prices, sensing: SensingData | None) -> FloatArray:
    cost = np.zeros(prices.size)
    cost[prices.stations] = task.network.power
    if task.network.antenna_power is not None:
        cost[prices.antennas] = task.network.antenna_power.ravel()
    if sensing is not None:
        cost[prices.users] = -signal_shares(task)
    return cost


def _require_signs(programme: ConeProgramme, prices: Prices) -> None:
    """No price below 0, nor any user's share that is left for the estimate."""
    paid = slice(prices.stations.start, prices.antennas.stop)
    programme.require("nonnegative", paid.stop - paid.start, [(paid, np.eye(paid.stop - paid.start))])
    users = prices.users.stop - prices.users.start
    for parts in prices.mixing:
        mixed = slice(parts[0].start, parts[-1].stop)
        shares = np.zeros((users, mixed.stop - mixed.start))
        for user, part in enumerate(parts):
            shares[user, part.start - mixed.start : part.stop - mixed.start] = -1.0
        programme.require("nonnegative", users, [(prices.users, np.eye(users)), (mixed, shares)])
        if shares.shape[1]:
            programme.require("nonnegative", shares.shape[1], [(mixed, np.eye(shares.shape[1]))])


def _require_tilts(programme: ConeProgramme, tilts: Tilts, users: slice) -> None:
    """Each tilt at most as long as its user's price."""
    for user, of_user in enumerate(tilts):
        price = slice(users.start + user, users.start + user + 1)
        for tilt in of_user:
            if tilt is not None:
                rows = np.eye(1 + tilt.stop - tilt.start)
                programme.require("second-order", len(rows), [(price, rows[:, :1]), (tilt, rows[:, 1:])])


def _covariances(task: Task, duals: list[FloatArray]) -> list[ComplexArray]:
    """Return the multipliers of the B_l, which were required first."""
    multipliers = iter(duals)
    found = []
    for cluster in task.clusters:
        back = doubled(cluster.channels.shape[1]).T * (_STREAM_SCALE / _COST_SCALE)
        found.append(from_vector(np.stack([back @ next(multipliers) for _ in range(stream_count(task, cluster))])))
    return found
