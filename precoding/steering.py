"""Steering vectors of a half-wavelength uniform linear array, phase-centred.

v_i = exp(j pi (i - (N - 1) / 2) sin(theta)): theta in rad from broadside, positive towards growing i. With the phase
centre in the middle, a vector and its derivative are orthogonal, and relative phases of reflections have a meaning.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["steering", "steering_derivative", "steering_with_derivative"]


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
    derivative: ComplexArray = steering_with_derivative(n, angle_rad)[1]
    return derivative


def steering_with_derivative(n: int, angle_rad: ArrayLike) -> ComplexArray:
    """Return `steering` and `steering_derivative` stacked, complex (2, ..., n)."""
    angle = np.asarray(angle_rad, dtype=np.float64)
    v = np.empty((2, *angle.shape, n), dtype=np.complex128)
    v[0] = steering(n, angle)
    v[1] = 1j * _positions(n) * np.cos(angle)[..., None] * v[0]
    return v


@cache
def _positions(n: int) -> FloatArray:
    """Phase of each antenna per unit of sin(theta); cached, for every frame asks for it many times."""
    positions = np.pi * (np.arange(n, dtype=np.float64) - (n - 1) / 2)
    positions.flags.writeable = False
    return positions
