"""The law of an error whose parts have different variances, against noise that is itself estimated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import fdtr, fdtri

__all__ = ["error_quantile"]

Vector = NDArray[np.float64]

TERMS = 400  # of the series; what is left of its mass counts as beyond, so that a radius never comes out too small
REST = 1e-9


def error_quantile(variances: Vector, freedom: float, confidence: float) -> float:
    """Return the quantile of sum_i v_i z_i^2 over an estimate of the noise that the v_i are multiples of.

    z_i are standard normal; the estimate is chi-square over its degrees of freedom, and independent. The sum is a
    mixture of chi-squares with positive weights (Ruben, Ann. Math. Stat. 33, 1962), so the ratio is one of F laws.

    Args:
        variances: v_i of d real parts, positive, (d,).
        freedom: Real degrees of freedom of the noise's estimate.
        confidence: Probability.
    """
    least, size = float(np.min(variances)), len(variances)
    if not least > 0:
        return float("nan")
    weights = _weights(variances, least)
    dimensions = size + 2.0 * np.arange(len(weights))

    def lacking(square: float) -> float:
        return float(weights @ fdtr(dimensions, freedom, square / (least * dimensions))) - confidence

    low, high = (float(v) * size * float(fdtri(size, freedom, confidence)) for v in (least, np.max(variances)))
    high *= 1 + 1e-6
    if high - low < 1e-5 * low or lacking(high) <= 0:  # alike, or so unlike that the series was cut
        return high
    return float(brentq(lacking, low * (1 - 1e-6), high, xtol=1e-6 * low, rtol=1e-9))


def _weights(variances: Vector, least: float) -> Vector:
    """Return the mixture's weights: of chi-squares of d, d + 2, d + 4 ... degrees of freedom, times the least."""
    excess = 1 - least / variances
    weights = [float(np.prod(np.sqrt(least / variances)))]
    powers: list[float] = []
    while len(weights) < TERMS and 1 - sum(weights) > REST:
        powers.append(float(np.sum(excess ** (len(powers) + 1))))
        weights.append(float(np.dot(powers[::-1], weights)) / (2 * len(powers)))
    return np.array(weights)
