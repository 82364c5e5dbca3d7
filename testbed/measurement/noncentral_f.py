"""The inverse of the noncentral F law with two degrees of freedom above, fast enough for every frame.

The exact law takes milliseconds at high noncentrality; so its inverse is computed exactly on a grid, once for each
probability, and interpolated between: the probability is met within 1e-4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.special import ncfdtr, ndtri

__all__ = ["noncentrality", "onset"]

Vector = NDArray[np.float64]

FREEDOM = (8.0, 1e5)  # of the denominator; beyond, its spread is a hundredth of a decibel and taken as at the end
HIGHEST = 1e3  # of f over the freedom: further up the spread of the denominator alone matters
GRID = (40, 16)


def noncentrality(f: Vector, freedom: Vector | float, probability: float) -> Vector:
    """Return the noncentrality at which a noncentral F(2, freedom) variable is below f with a given probability.

    Args:
        f: Observed ratios, any shape.
        freedom: Degrees of freedom of the denominator, of a shape that broadcasts against f; clipped to 8 ... 1e5.
        probability: Of a value below f.

    Returns:
        The noncentrality; 0 where f lies below it with that probability even without any; NaN for NaN.
    """
    freedom = np.clip(freedom, *FREEDOM)
    start = onset(freedom, probability)
    above = np.maximum(f, start)
    x = np.sqrt(np.log(above / start) / np.log(HIGHEST * freedom / start))
    deviation = _deviations(probability).ev(np.clip(np.nan_to_num(x), 0.0, 1.0), np.log(freedom))
    root = np.sqrt(2 * (above - start)) + deviation * np.sqrt(1 + above / freedom)
    return np.asarray(np.where(f <= start, 0.0, np.maximum(root, 0.0) ** 2))


def onset(freedom: Vector | float, probability: float) -> Vector:
    """Return the f that a central F(2, freedom) variable stays below with a given probability (in closed form)."""
    freedom = np.asarray(freedom, dtype=float)
    return np.asarray(freedom / 2 * np.expm1(-2 / freedom * np.log1p(-probability)))


@lru_cache(maxsize=8)
def _deviations(probability: float) -> RectBivariateSpline:
    """Spline of how far the root of the noncentrality is from that of 2 (f - onset), in standard deviations.

    Over sqrt(log(f / onset)), in which the root is smooth where it leaves zero, and the logarithm of the freedom.
    """
    x, y = np.linspace(0, 1, GRID[0]), np.linspace(np.log(FREEDOM[0]), np.log(FREEDOM[1]), GRID[1])
    freedom = np.exp(y)
    start = onset(freedom, probability)
    f = start * np.exp(x[:, None] ** 2 * np.log(HIGHEST * freedom / start))
    deviation = (_root(f, freedom, probability) - np.sqrt(2 * (f - start))) / np.sqrt(1 + f / freedom)
    deviation[0] = 0.0
    return RectBivariateSpline(x, y, deviation, kx=5, ky=5, s=0)


def _root(f: Vector, freedom: Vector, probability: float) -> Vector:
    """Solve the exact law for the root of the noncentrality by secants.

    The probability as a normal quantile is nearly linear in that root (scipy's own inverse gives up at 10,000).
    """
    wanted, tiny = ndtri(probability), 1e-300

    def error_at(root: Vector) -> Vector:
        return np.asarray(ndtri(np.clip(ncfdtr(2.0, freedom, root**2, f), tiny, 1 - 1e-16)) - wanted)

    before = np.sqrt(2 * np.maximum(f - 1, 0.0))
    error_before = error_at(before)
    root = np.maximum(before + error_before * np.sqrt(1 + f / freedom), 0.0)
    for _ in range(8):
        error = error_at(root)
        run = error - error_before
        step = np.where(np.abs(run) > 1e-14, error * (root - before) / np.where(run != 0, run, 1), 0.0)
        before, error_before, root = root, error, np.maximum(root - step, 0.0)
    return np.asarray(root)
