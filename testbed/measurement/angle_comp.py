"""A station's target angle when all stations' data are known to it (coordinated multipoint): joint maximum likelihood.

The model is Y = sum_n alpha_n a(theta) v(theta_n)^T X_n + Z with white noise; theta_m = theta on the station's own
path. The amplitudes are eliminated, which leaves a criterion in J angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from precoding import SECTOR_RAD, steering

__all__ = ["BistaticEstimate", "estimate_angles", "estimate_departures"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

REACH = float(np.sin(SECTOR_RAD))
POINTS_A_BEAM = 4  # of the grids, in a beam of the larger array, 2 / n in sine: within Newton's basin
GRID = np.linspace(-REACH, REACH, 65)  # of the sounding, whose angles are smoothed over frames
RIDGE = 1e-9  # of a Gram matrix: a station with one stream leaves its angle free, which must not divide by zero


@dataclass(frozen=True)
class BistaticEstimate:
    """What one echo tells about the target, seen from all stations.

    Attributes:
        angles_rad: Departure angles from every station towards the target, (J,); the own one is the angle of arrival.
        amplitudes: Complex gains by way of the target, (J,).
        noise: Estimated noise power per symbol and antenna.
    """

    angles_rad: Vector
    amplitudes: Complex
    noise: float


def estimate_angles(received: Complex, sent: Complex, own: int) -> BistaticEstimate:
    """Estimate the target's angles of one station.

    Args:
        received: Echo symbols, (n_rx, L).
        sent: All stations' symbols, (J, n_tx, L).
        own: Index m of the receiving station.
    """
    from testbed.measurement.bistatic_kernels import maximise_jointly

    (n_stations, n_tx, length), n_rx = sent.shape, len(received)
    streams = sent.reshape(-1, length)
    correlation, gram = received @ streams.conj().T, streams @ streams.conj().T
    count = 2 * (int(np.ceil(REACH * POINTS_A_BEAM * max(n_rx, n_tx))) // 2) + 1
    upper = _explainable(correlation, gram, _grid_beams(n_rx, count))
    paths = n_stations, n_tx
    sines = maximise_jointly(correlation.reshape(n_rx, *paths), gram.reshape(*paths, *paths), own, upper, -REACH, REACH)
    amplitudes, explained = _amplitudes(correlation, gram, sines, own)
    left = max(float(np.vdot(received, received).real) - explained, 0.0)
    noise = left / max(n_rx * length - 1.5 * n_stations, 1.0)
    return BistaticEstimate(np.arcsin(sines), amplitudes, noise)


def _explainable(correlation: Complex, gram: Complex, beams: Complex) -> Vector:
    """Energy, times n_rx, from each direction of arrival that any combination of all stations' streams explains, (G,).

    The ridge stands for a pseudo-inverse: a correlation has no part where the streams have none.
    """
    ridge = 1e-10 * float(np.trace(gram).real) * np.eye(len(gram))
    form = correlation @ np.linalg.solve(gram + ridge, correlation.conj().T)
    return np.asarray(np.sum((beams.conj() @ form) * beams, axis=1).real)


def _amplitudes(correlation: Complex, gram: Complex, sines: Vector, own: int) -> tuple[Complex, float]:
    """Return least-squares amplitudes (J,) at given angles, and the energy they explain."""
    n_rx, n_stations = len(correlation), len(sines)
    rays = steering(len(gram) // n_stations, np.arcsin(sines))
    rows = np.zeros((n_stations, *rays.shape), dtype=complex)
    rows[np.arange(n_stations), np.arange(n_stations)] = rays
    blocks = rows.reshape(n_stations, -1)
    u = (steering(n_rx, np.arcsin(sines[own])).conj() @ correlation) @ blocks.conj().T
    K = blocks @ gram @ blocks.conj().T
    ridge = RIDGE * max(float(np.trace(K).real), np.finfo(float).tiny) * np.eye(n_stations)
    amplitudes = np.asarray(np.linalg.solve((K + ridge).T, u) / n_rx, dtype=np.complex128)  # u = n_rx alpha K
    return amplitudes, float((amplitudes @ u.conj()).real)


@cache
def _grid_beams(n: int, count: int) -> Complex:
    beams = steering(n, np.arcsin(np.linspace(-REACH, REACH, count)))
    beams.flags.writeable = False
    return beams


def estimate_departures(received: Complex, pilots: Complex, own: int, angle_rad: float) -> BistaticEstimate:
    """Estimate angles and gains from orthogonal pilots when the angle of arrival is known: one line search per station.

    Args:
        received: Echo symbols of the sounding, (n_rx, L).
        pilots: All stations' sounding symbols, (J, n_tx, L), orthogonal between all antennas.
        own: Index m of the receiving station.
        angle_rad: Angle of arrival; also the own departure angle.
    """
    n_stations, n_tx, length = pilots.shape
    n_rx = received.shape[0]
    beam = steering(n_rx, angle_rad).conj() @ received
    energy = np.sum(np.abs(pilots) ** 2, axis=-1)  # (J, n_tx)
    correlation = pilots.conj() @ beam  # (J, n_tx)
    height = np.abs(correlation @ _grid_beams(n_tx, len(GRID)).conj().T)
    peak = np.clip(np.argmax(height, axis=1), 1, len(GRID) - 2)
    left, middle, right = (height[np.arange(n_stations), peak + step] for step in (-1, 0, 1))
    sines = GRID[peak] + (GRID[1] - GRID[0]) * np.clip(0.5 * (left - right) / (left - 2 * middle + right), -1, 1)
    sines[own] = np.sin(angle_rad)
    v = steering(n_tx, np.arcsin(sines))
    amplitudes = np.sum(correlation * v.conj(), axis=1) / (n_rx * np.sum(energy, axis=1))
    left_over = float(np.sum(np.abs(received) ** 2)) - n_rx * float(
        np.sum(np.abs(amplitudes) ** 2 * np.sum(energy, axis=1))
    )
    noise = max(left_over, 0.0) / (n_rx * length - 1.5 * n_stations)
    return BistaticEstimate(np.arcsin(sines), amplitudes, noise)
