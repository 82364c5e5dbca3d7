"""Why a request has no answer: who limits, and what would be possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from precoding.blocklevel.on_weights import Margin, noise_margin
from precoding.errors import InfeasibleError
from precoding.witness import witnessed_margin

if TYPE_CHECKING:
    from precoding.blocklevel.joint import Request

__all__ = ["largest_common_sinr", "largest_target_db", "refuse_if_infeasible"]

_TOLERANCE_DB = 0.01
_MOST_SOLVES = 40
_BEYOND_DB = 0.05


def refuse_if_infeasible(request: Request) -> None:
    """Return if the targets may be feasible.

    Raises:
        InfeasibleError: A witness proves that they are not.

    """
    margin = noise_margin(request.task)
    if margin.factor >= 1.0:
        return
    beyond = f"{-_db(margin.factor):.2f} dB beyond the power limits" if margin.factor > 1e-3 else "out of reach"
    if margin.bound >= 1.0:
        # Far beyond the limit prices are of no use, but what lower targets cannot have, these cannot either.
        offset_db = largest_common_sinr(lambda offset: _db(_at(request, offset).factor)) + _BEYOND_DB
        margin = _at(request, offset_db)
        for by_cones_db in (offset_db, 0.0):
            if margin.bound >= 1.0:
                margin = _by_cones(request, by_cones_db) or margin
        if margin.bound >= 1.0:
            return
    largest_db = largest_target_db(request)
    m, k = (int(i) for i in np.unravel_index(margin.user_shares.argmax(), margin.user_shares.shape))
    n = int(margin.station_shares.argmax())
    raise InfeasibleError(
        f"{request.scheme}: the SINR targets are {beyond}. User {k} of cell {m} "
        f"limits (target {request.min_sinr_db[m, k]:.2f} dB, {margin.user_shares[m, k]:.0%} of the noise price), at BS "
        f"{n}'s power limit of {request.network.power[n]:g} ({margin.station_shares[n]:.0%} of the power price). All "
        f"users together can have {largest_db:.2f} dB: lower min_sinr_db, sound longer, or drop that user",
        user=(m, k),
        station=n,
        max_sinr_db=largest_db,
    )


def _by_cones(request: Request, offset_db: float) -> Margin | None:
    """Return the margin by cones, whose prices are better at the edge; None if the cones are too large."""
    from precoding.blocklevel.by_cones import LARGEST
    from precoding.blocklevel.conic_margin import largest_margin_conic

    if max(c.basis.shape[1] for c in request.task.clusters) > LARGEST:
        return None
    task = replace(request.task, min_sinr=request.task.min_sinr * 10 ** (min(offset_db, 0.0) / 10))
    found = largest_margin_conic(task)
    if found is None:
        return None
    bound = witnessed_margin(task.network, task.min_sinr, found.witness)
    return Margin(10 ** (found.db / 10), bound, found.user_shares, found.station_shares)


def _at(request: Request, offset_db: float) -> Margin:
    """Return the margin at targets moved by an offset, which must not raise them."""
    lowered = request.min_sinr_db + min(offset_db, 0.0)
    return noise_margin(replace(request.task, min_sinr=10 ** (lowered / 10)))


def largest_target_db(request: Request) -> float:
    """Find the largest SINR in dB, within 0.01 dB below the limit, that all users can have together."""

    def margin_at(target_db: float) -> Margin:
        return noise_margin(replace(request.task, min_sinr=np.full(request.min_sinr_db.shape, 10 ** (target_db / 10))))

    return largest_common_sinr(lambda target_db: _db(margin_at(target_db).factor))


def largest_common_sinr(margin_db: Callable[[float], float]) -> float:
    """Find the root of a falling margin.

    A target lower by x dB bears at least x dB more noise (scale the interference away), so a margin of f dB at one
    target bounds the answer: it lies beyond target + f, on the side of f's sign. Secant steps between the bounds.

    Args:
        margin_db: Noise margin in dB at a common target in dB.

    Returns:
        A feasible target, within 0.01 dB of the largest.

    """
    low, high, at = -np.inf, np.inf, 0.0
    points: list[tuple[float, float]] = []
    for _ in range(_MOST_SOLVES):
        f = margin_db(at)
        points.append((at, f))
        if f >= 0.0:
            low, high = max(low, at), min(high, at + f)
        else:
            low, high = max(low, at + f) if f > -20.0 else low, min(high, at)
        if high - low <= _TOLERANCE_DB:
            break
        at = _next(points, low, high)
    return low


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


def _db(factor: float) -> float:
    return 10.0 * float(np.log10(max(factor, 1e-10)))
