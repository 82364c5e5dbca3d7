"""Closed-form propagation: where a point is seen, how strong a path is, how its length changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPEED_OF_LIGHT", "array_response", "bearing", "echo_gain", "friis_gain"]

SPEED_OF_LIGHT = 299_792_458.0
Vector = NDArray[np.float64]


def friis_gain(distance_m: float, carrier_hz: float, gain_tx: float = 1.0, gain_rx: float = 1.0) -> float:
    """Return the amplitude gain between two antennas in free space (Friis, 1946): sqrt(G_t G_r) lambda / (4 pi d)."""
    wavelength_m = SPEED_OF_LIGHT / carrier_hz
    return float(np.sqrt(gain_tx * gain_rx) * wavelength_m / (4 * np.pi * distance_m))


def echo_gain(
    distance_out_m: float,
    distance_back_m: float,
    rcs_m2: float,
    carrier_hz: float,
    gain_tx: float = 1.0,
    gain_rx: float = 1.0,
) -> float:
    """Return the amplitude gain by way of a reflector, from the bistatic radar equation.

    sqrt(G_t G_r lambda^2 rcs / ((4 pi)^3 d_out^2 d_back^2)); monostatic for equal distances (Skolnik, Radar Handbook,
    ch. 1).
    """
    wavelength_m = SPEED_OF_LIGHT / carrier_hz
    return float(
        np.sqrt(gain_tx * gain_rx * rcs_m2 / (4 * np.pi) ** 3) * wavelength_m / (distance_out_m * distance_back_m)
    )


def bearing(position_m: Vector, orientation_rad: float, point_m: Vector) -> tuple[float, float]:
    """Return distance (m) and sine of the angle under which an array sees a point.

    The angle counts from broadside, counter-clockwise; array elements are numbered along broadside turned by +90
    degrees, so that a plane wave from a positive angle reaches the elements of high index first.
    """
    offset = point_m - position_m
    distance_m = float(np.hypot(*offset))
    axis = np.array([-np.sin(orientation_rad), np.cos(orientation_rad)])
    return distance_m, float(offset @ axis) / distance_m


def array_response(n: int, sine: float | Vector) -> NDArray[np.complex128]:
    """Return exp(j pi (i - (n-1)/2) sin theta), shape (..., n): a half-wavelength line, phase-centred."""
    return np.asarray(np.exp(1j * np.pi * np.multiply.outer(np.asarray(sine), np.arange(n) - (n - 1) / 2)))
