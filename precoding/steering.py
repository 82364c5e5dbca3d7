"""Steering vectors of a half-wavelength uniform linear array, phase-centred.

v_i = exp(j pi (i - (N - 1) / 2) sin(theta)): theta in rad from broadside, positive towards growing i. With the phase
centre in the middle, a vector and its derivative are orthogonal, and relative phases of reflections have a meaning.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["steering", "steering_derivative"]


def steering(n: int, angle_rad: ArrayLike) -> ComplexArray:
    """Steering vectors of an array of `n` antennas.

    Args:
        n: Number of antennas.
        angle_rad: Angles in rad, any shape (...).

    Returns:
        Complex (..., n), each entry of modulus 1.

    """
    v: ComplexArray = np.exp(1j * _positions(n) * np.sin(np.asarray(angle_rad, dtype=np.float64))[..., None])
    return v


def steering_derivative(n: int, angle_rad: ArrayLike) -> ComplexArray:
    """Return the derivative of `steering` with respect to the angle, per rad, complex (..., n)."""
    angle = np.asarray(angle_rad, dtype=np.float64)
    return 1j * _positions(n) * np.cos(angle)[..., None] * steering(n, angle)


@cache
def _positions(n: int) -> FloatArray:
    """Phase of each antenna per unit of sin(theta); cached, for every frame asks for it many times."""
    positions = np.pi * (np.arange(n, dtype=np.float64) - (n - 1) / 2)
    positions.flags.writeable = False
    return positions
