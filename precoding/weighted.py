"""The weighted form, paper (P1) to (P4) with rho: which common SINR is worth its price in accuracy.

At a fixed SINR the rest of the problem is what `design` solves, so that the weighted optimum is a search along the
frontier; it lies on it by construction, and not between the two points that alternating levels happen to visit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from precoding.arrays import FloatArray
from precoding.errors import InaccurateError, InfeasibleError, PrecodingError
from precoding.network import Network
from precoding.result import Design

__all__ = ["weighted_design"]

_COARSE = 8  # parts of the SINR axis looked at first: the frontier is concave in all cases seen, not by proof
_FINE = 12  # golden-section steps within two of them: 0.3 % of a part
_BELOW_DB = (0.001, 0.01, 0.03, 0.1)  # the end itself is known to 0.01 dB
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
_QUIET_DB = -60.0  # at symbol level, a promise too small to matter


def weighted_design(
    network: Network,
    scheme: str,
    weight: float,
    design_at: Callable[[FloatArray, Design | None], Design],
    largest_db: Callable[[], float],
    start: Design | None,
) -> Design:
    """Maximise weight f / NF_R + (1 - weight) gamma / NF_C over a common SINR gamma.

    Args:
        network: What to design for.
        scheme: Symbol-level schemes weigh gamma' = sqrt(gamma), as (P3) and (P4) do.
        weight: rho in [0, 1].
        design_at: Designs for targets in dB, from an earlier design or None.
        largest_db: Finds the largest common SINR.
        start: For the first point.

    Returns:
        The best design, with its weight.

    """
    shape, root = (network.J, network.K), 20.0 if scheme.startswith("slp") else 10.0
    top_db = largest_db()
    quiet = design_at(np.full(shape, _QUIET_DB if scheme.startswith("slp") else -np.inf), start)
    if weight == 1.0:
        return replace(quiet, weight=weight)
    known: dict[float, tuple[float, Design]] = {0.0: (weight, quiet)}

    def value(x: float) -> float:
        """Of a point on the frontier; one that cannot be proven, as may happen at its very end, is no answer."""
        near = known[min(known, key=lambda other: abs(other - x))][1]
        if x not in known:
            try:
                found = design_at(np.full(shape, top_db + root * np.log10(x)), near)
            except PrecodingError:
                known[x] = (-np.inf, near)
            else:
                known[x] = (weight * _information(found) / _information(quiet) + (1.0 - weight) * x, found)
        return known[x][0]

    if weight == 0.0:
        return replace(_outermost(design_at, shape, top_db), weight=weight)
    grid = np.arange(_COARSE + 1) / _COARSE
    best = max(grid, key=value)
    _golden(value, max(0.0, best - 1.0 / _COARSE), min(1.0, best + 1.0 / _COARSE))
    return replace(max(known.values(), key=lambda pair: pair[0])[1], weight=weight)


def _outermost(
    design_at: Callable[[FloatArray, Design | None], Design], shape: tuple[int, int], top_db: float
) -> Design:
    """Return a design of the largest SINR; sensing has no weight here, so that a gap of its bound is no fault."""
    for below_db in _BELOW_DB:
        try:
            return design_at(np.full(shape, top_db - below_db), None)
        except InaccurateError as error:
            found = error.design
            if found is not None and found.certificate.is_feasible():
                return replace(found, certificate=replace(found.certificate, attainable=False))
        except InfeasibleError:
            continue
    return design_at(np.full(shape, top_db - 2.0 * _BELOW_DB[-1]), None)


def _golden(value: Callable[[float], float], low: float, high: float) -> None:
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(_FINE):
        if value(a) >= value(b):
            high, b = b, a
            a = high - _GOLDEN * (high - low)
        else:
            low, a = a, b
            b = low + _GOLDEN * (high - low)


def _information(design: Design) -> float:
    return float(design.certificate.information.min())
