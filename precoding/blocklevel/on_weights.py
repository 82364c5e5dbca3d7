"""The interior point as a solver: from a task to certified-to-be weights, and the noise margin of a task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.answer import Answer, Start
from precoding.blocklevel.interior import Optimum, Settings, maximise
from precoding.blocklevel.prices import witness_of
from precoding.blocklevel.programme import Programme
from precoding.blocklevel.start import Memory, cold_start, warm_start
from precoding.blocklevel.task import Task
from precoding.witness import witnessed_margin

__all__ = ["Margin", "noise_margin", "prove_with_more_streams", "solve_on_weights"]

# The margin is in units of the noise a user could bear: its smoothing must be far below one.
_FOR_MARGIN = Settings(smoothing=1e-6, most_smoothing=0.01, most_steps=80)
_WARM = Settings(first_barrier=1e-3)
# With prices and channels known; if it fails, it fails early.
_TRACKED = Settings(first_barrier=1e-4, most_steps=20, polishing=0)
# Balls as loud as the noise: worst channels jump from frame to frame, and near the end of the path their kinks are
# sharp. From further off a few more steps are the rule, but none of hundreds fails (15 dB: at most 27 instead of 46).
_TRACKED_LOUD = Settings(first_barrier=1e-3, most_steps=40, polishing=0)
_LOUD = 1.0  # of the noise, what the power of a BS sends through a channel as long as the radius
# Then without the prediction, which may have gone astray, and from further off.
_RETRACED = Settings(first_barrier=1e-3, most_steps=40, polishing=0)
_REPASSED = 2.0  # barriers at which the last pass ended
_NOTHING = 1e-3
_EASINGS, _EASED, _EASED_BARRIER = 5, 0.5, 1e-2  # times that targets are lowered by 3 dB to find a way
_PROVEN = 1.8  # tolerances; a gap of the information is twice that of the RCRB, and a tenth is left for rounding
_PART_OF_TOLERANCE = 0.15  # what barriers may cost; the rest is for the smoothing of the worst case
# Near the largest SINR there is no room for more smoothing than at the end.
_SAFE = Settings(first_barrier=1e-2, most_smoothing=1e-3)
_SAFEST = replace(_SAFE, first_barrier=1e-4)  # where even the barrier has no room


def solve_on_weights(task: Task, foreign: FloatArray, start: Start | None, time_limit_s: float | None) -> list[Answer]:
    """Maximise the smallest information over rank-one streams.

    Args:
        task: What is asked.
        foreign: (J,) foreign reflections.
        start: An answer to a similar task, or None.
        time_limit_s: After which the point reached is returned.

    Returns:
        One answer, or none if the method broke down.

    """
    began = time.perf_counter()
    programme = Programme(task, foreign)
    for first, settings, prices in _starts(programme, start):
        left = None if time_limit_s is None else time_limit_s - (time.perf_counter() - began)
        settings = replace(settings, accuracy=_PART_OF_TOLERANCE * task.tolerance, gap=_PROVEN * task.tolerance)
        optimum = maximise(programme, first, settings=settings, prices=prices, deadline_s=left)
        if optimum.converged or (left is not None and left <= 0.0):
            break
    word = "converged" if optimum.converged else "stopped"
    return [
        Answer(
            weights=_weights(programme, optimum),
            witness=witness_of(programme, optimum),
            rank_loss=0.0,
            status=f"interior point: {word} after {optimum.steps} steps",
            solve_time_s=time.perf_counter() - began,
            memory=Memory(task.network, optimum.prices, optimum.barrier) if optimum.converged else None,
        )
    ]


def _starts(
    programme: Programme, start: Start | None
) -> Iterator[tuple[tuple[ComplexArray, ...], Settings, FloatArray | None]]:
    """First guesses in the order of their promise: what is in use, a guess, and what serves the users best."""
    if start is not None:
        memory = start.memory if isinstance(start.memory, Memory) else None
        first = warm_start(programme, start.weights, memory)
        if memory is None:
            yield first, _WARM, None
        elif memory.network is programme.task.network:
            # The next pass of one design: little has changed.
            yield first, replace(_TRACKED, first_barrier=_REPASSED * memory.barrier), memory.prices
        else:
            yield first, _TRACKED_LOUD if _loudness(programme.task) > _LOUD else _TRACKED, memory.prices
            yield warm_start(programme, start.weights), _RETRACED, memory.prices
    yield cold_start(programme), Settings(), None
    safest = Programme(programme.task, programme.foreign, margin=True)
    optimum = maximise(safest, cold_start(safest), settings=_FOR_MARGIN)
    if np.min(optimum.point.values[safest.rows.users]) > 0.0:
        first = warm_start(programme, _weights(safest, optimum))
        yield first, _SAFE, None
        yield first, _SAFEST, None


def _loudness(task: Task) -> float:
    """What the balls add to the noise at most, in parts of it."""
    return float(max(np.max(c.radii) for c in task.clusters)) ** 2 * float(np.max(task.network.power))


def prove_with_more_streams(
    task: Task,
    foreign: FloatArray,
    start: Start | None,
    time_limit_s: float | None,
) -> list[Answer]:
    """Keep the weights; take the prices from the same task with more streams that only sense.

    A bound holds for any number of streams. Where the weights have too few to show all nuisances, the prices of those
    are not determined; with more streams they are.

    Args:
        task: What is asked.
        foreign: (J,) foreign reflections.
        start: The weights to prove something about; without them there is no answer.
        time_limit_s: After which whatever prices there are must do.

    """
    if start is None:
        return []
    began = time.perf_counter()
    paths = len(task.clusters[0].stations)
    programme = Programme(replace(task, sensing_streams=task.sensing_streams + 2 * paths), foreign)
    optimum = maximise(programme, cold_start(programme), deadline_s=time_limit_s)
    return [
        Answer(
            weights=start.weights,
            witness=witness_of(programme, optimum),
            rank_loss=0.0,
            status="interior point, proof with more streams",
            solve_time_s=time.perf_counter() - began,
        )
    ]


@dataclass(frozen=True, eq=False)
class Margin:
    """The largest factor by which the noise of all users may rise with the targets still met.

    Attributes:
        factor: Reached by weights; at least 1 where the targets are feasible.
        bound: Proven: no precoder of any rank allows more.
        user_shares: (J, K) share of each user in the price of noise, sum 1: 1 % less noise at this user alone raises
            the factor by this share of 1 % (to first order).
        station_shares: (J,) share of each BS in the price of power, sum 1, in the same sense.

    """

    factor: float
    bound: float
    user_shares: FloatArray
    station_shares: FloatArray


def noise_margin(task: Task) -> Margin:
    """Maximise the noise that all users may have at the targets, within the power limits; always has an answer."""
    network = task.network
    programme, optimum = _most_noise(task, _EASINGS)
    witness = witness_of(programme, optimum)
    power = witness.stations * network.power
    if witness.antennas is not None and network.antenna_power is not None:
        power = power + np.sum(witness.antennas * network.antenna_power, axis=1)
    return Margin(
        factor=_factor(programme, optimum),
        bound=witnessed_margin(network, task.min_sinr, witness),
        user_shares=_shares(witness.users * network.user_noise.ravel()).reshape(network.J, network.K),
        station_shares=_shares(power),
    )


def _most_noise(task: Task, easings: int) -> tuple[Programme, Optimum]:
    """Maximise from a guess; where that ends in a dead end, from the optimum at easier targets."""
    programme = Programme(task, np.zeros(task.network.J), margin=True)
    optimum = maximise(programme, cold_start(programme), settings=_FOR_MARGIN)
    # No signal at all bears no noise, a factor of 0: what ends there or below has found nothing.
    if easings == 0 or _factor(programme, optimum) > _NOTHING:
        return programme, optimum
    easier, reached = _most_noise(replace(task, min_sinr=task.min_sinr * _EASED), easings - 1)
    first = warm_start(programme, _weights(easier, reached))
    again = maximise(programme, first, settings=replace(_FOR_MARGIN, first_barrier=_EASED_BARRIER))
    return programme, max(optimum, again, key=lambda each: _factor(programme, each))


def _factor(programme: Programme, optimum: Optimum) -> float:
    users = programme.rows.users
    return programme.unit * float(np.min(optimum.point.values[users] / programme.kappa[users]))


def _weights(programme: Programme, optimum: Optimum) -> ComplexArray:
    parts = []
    for cluster, W in zip(programme.task.clusters, optimum.point.weights, strict=True):
        parts.append((cluster.directions @ W.T).reshape(len(cluster.stations), -1, len(W)))
    return np.concatenate(parts)


def _shares(prices: FloatArray) -> FloatArray:
    return prices / max(float(prices.sum()), np.finfo(np.float64).tiny)
