"""How far a network can go: the noise margin at given SINR targets, who limits it, and the largest common SINR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.network import Network
from precoding.reference.solving import solved
from precoding.reference.statement import power_limits, sinr_constraints, streams_of

__all__ = ["MarginProblem", "NoiseMargin", "largest_common_sinr"]

cp: Any = cvxpy  # its type hints miss most of its names

_TOLERANCE_DB = 0.01
_LEAST_DB, _MOST_SOLVES = -100.0, 30
_LEAST_TRUSTED_DB = -20.0  # a margin near 0 as a factor is only known to be small


@dataclass(frozen=True, eq=False)
class NoiseMargin:
    """The largest factor by which the noise of all users may rise with the targets still met.

    Attributes:
        db: The factor in dB; below 0 the targets are infeasible.
        user_shares: (J, K) share of each user in the price of noise, sum 1: 1 % less noise at this user alone raises
            the factor by this share of 1 % (to first order).
        station_shares: (J,) share of each BS in the price of power, sum 1, in the same sense.

    """

    db: float
    user_shares: FloatArray
    station_shares: FloatArray


class MarginProblem:
    """Maximise the noise that all users may have at given SINR targets, within the power limits; always feasible.

    Args:
        network: In natural units (`normalised`).
        clusters: Of this network.
        robust: Hold the SINR over the CSI balls, or only on the estimated channels.

    """

    def __init__(self, network: Network, clusters: tuple[Cluster, ...], *, robust: bool) -> None:
        streams = [streams_of(c) for c in clusters]
        n_users = network.J * network.K
        noise, factor = cp.Variable(n_users, nonneg=True), cp.Variable()
        self._network = network
        self._share = cp.Parameter(n_users, nonneg=True)
        self._noise_price = noise >= factor
        self._power_price = power_limits(network, streams)
        constraints = [self._noise_price, self._power_price]
        constraints += sinr_constraints(streams, self._share, noise, robust=robust)
        for s in streams:
            constraints += [W >> 0 for W in s.covariances]
        self._problem = cp.Problem(cp.Maximize(factor), constraints)

    def solve(self, targets: FloatArray) -> NoiseMargin | None:
        """Solve for linear targets (J, K); None if the solver has no point to show."""
        self._share.value = (targets / (1.0 + targets)).ravel()
        if not solved(self._problem, None):
            return None
        users = np.maximum(self._noise_price.dual_value, 0.0).reshape(targets.shape)
        stations = np.maximum(self._power_price.dual_value, 0.0) * self._network.power
        factor = max(float(self._problem.value), 10 ** (_LEAST_DB / 10))
        return NoiseMargin(10 * float(np.log10(factor)), _shares(users), _shares(stations))


def largest_common_sinr(problem: MarginProblem, shape: tuple[int, int]) -> tuple[float, NoiseMargin]:
    """Find the largest SINR that all users can have together.

    A target lower by x dB bears at least x dB more noise (scale the interference away), so a margin of f dB at one
    target bounds the answer from both sides: it lies beyond target + f. Between the bounds a secant is drawn.

    Args:
        problem: Of the network.
        shape: (J, K).

    Returns:
        The SINR in dB, feasible and within 0.01 dB of the largest, and who limits it.

    Raises:
        ArithmeticError: The solver failed on the way.

    """
    low, high = -np.inf, np.inf
    points: list[tuple[float, float]] = []
    at = 0.0
    for _ in range(_MOST_SOLVES):
        margin = problem.solve(np.full(shape, 10 ** (at / 10)))
        if margin is None:
            at = at - 1.0 if np.isinf(low) else low + 0.5 * (at - low)
            continue
        points.append((at, margin.db))
        if margin.db >= 0.0:
            low, high = max(low, at), min(high, at + margin.db)
        else:
            low, high = max(low, at + margin.db) if margin.db > _LEAST_TRUSTED_DB else low, min(high, at)
        if high - low <= _TOLERANCE_DB:
            return low, margin
        at = _next(points, low, high)
    raise ArithmeticError(f"the largest SINR lies between {low:.2f} and {high:.2f} dB and was not found more closely")


def _next(points: list[tuple[float, float]], low: float, high: float) -> float:
    """Secant of the last two points, moved across the root by part of the tolerance so that both bounds close in."""
    if np.isinf(low):
        return high - 10.0
    at = 0.5 * (low + high)
    if len(points) > 1 and len(points) % 4:
        (a, fa), (b, fb) = points[-2:]
        secant = b - fb * (b - a) / (fb - fa) if fb != fa else at
        at = secant + np.sign(fb) * 0.4 * _TOLERANCE_DB
    return float(np.clip(at, low + 0.3 * _TOLERANCE_DB, high - 0.3 * _TOLERANCE_DB))


def _shares(prices: FloatArray) -> FloatArray:
    return prices / max(float(prices.sum()), np.finfo(np.float64).tiny)
