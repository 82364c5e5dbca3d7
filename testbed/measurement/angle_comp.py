"""A station's target angle when all stations' data are known to it (coordinated multipoint): joint maximum likelihood.

The model is Y = sum_n alpha_n a(theta) v(theta_n)^T X_n + Z with white noise; theta_m = theta on the station's own
path. The amplitudes are eliminated, which leaves a criterion in J angles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding import steering

__all__ = ["BistaticEstimate", "estimate_angles", "estimate_departures"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

GRID = np.linspace(
    -np.sin(np.radians(75)), np.sin(np.radians(75)), 65
)  # sines; Newton's basin is a beam of 10 elements, 6 steps
ROUNDS = 2  # of one-angle-at-a-time searches before Newton; more changed no estimate above threshold
NEWTON_STEPS = 6
RIDGE = (
    1e-9  # of the streams' Gram matrix: a station with one stream leaves its angle free, which must not divide by zero
)


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


class _Criterion:
    """Energy explained by angles (B, J) of station own; statistics are formed once per frame."""

    def __init__(self, received: Complex, sent: Complex, own: int) -> None:
        self.own = own
        self.length = received.shape[1]
        self.energy = float(np.sum(np.abs(received) ** 2))
        streams = sent.reshape(-1, sent.shape[-1])
        self._stacked = received @ streams.conj().T
        self._gram = streams @ streams.conj().T
        self.n_stations, self.n_tx = sent.shape[:2]
        self.n_rx = received.shape[0]

    def terms(self, sines: Vector) -> tuple[Complex, Complex]:
        """Return u (B, J), correlations of each stream, and K (B, J, J), their Gram matrices."""
        v = steering(self.n_tx, np.arcsin(sines))  # (B, J, n_tx)
        a = steering(self.n_rx, np.arcsin(sines[:, self.own]))
        count = len(sines)
        beams = (a.conj() @ self._stacked).reshape(count, self.n_stations, self.n_tx)
        u = np.sum(beams * v.conj(), axis=-1)
        # Block-diagonal rows, one station's response each, turn all streams' Gram matrices into two products.
        blocks = np.zeros((count, self.n_stations, self.n_stations, self.n_tx), dtype=complex)
        each = np.arange(self.n_stations)
        blocks[:, each, each] = v
        rows = blocks.reshape(count, self.n_stations, -1)
        gram = (rows @ self._gram) @ np.swapaxes(rows.conj(), 1, 2)
        trace = np.trace(gram, axis1=1, axis2=2).real[:, None, None]
        return u, gram + RIDGE * trace * np.eye(self.n_stations)

    def __call__(self, sines: Vector) -> Vector:
        u, gram = self.terms(sines)
        # E|u|^2: u_n = sum_k alpha_k N K_kn, so alpha = u K^-1 / N and the explained energy is u K^-1 u^H / N.
        solved = np.linalg.solve(np.swapaxes(gram, 1, 2), u[..., None])[..., 0]
        return np.asarray(np.sum(solved * u.conj(), axis=1).real / self.n_rx)

    def relaxed(self, sine: Vector) -> Vector:
        """Energy from a direction of arrival that any combination of all stations' streams explains, (G,)."""
        beams = steering(self.n_rx, np.arcsin(sine)).conj() @ self._stacked
        explained = beams @ np.linalg.pinv(self._gram, rcond=1e-9, hermitian=True)
        return np.asarray(np.sum(explained * beams.conj(), axis=1).real / self.n_rx)


def estimate_angles(received: Complex, sent: Complex, own: int) -> BistaticEstimate:
    """Estimate the target's angles of one station.

    Args:
        received: Echo symbols, (n_rx, L).
        sent: All stations' symbols, (J, n_tx, L).
        own: Index m of the receiving station.
    """
    criterion = _Criterion(received, sent, own)
    sines = np.zeros(criterion.n_stations)
    sines[own] = GRID[np.argmax(criterion.relaxed(GRID))]
    for _ in range(ROUNDS):
        for station in [n for n in range(criterion.n_stations) if n != own] + [own]:
            candidates = np.tile(sines, (len(GRID), 1))
            candidates[:, station] = GRID
            sines = candidates[np.argmax(criterion(candidates))]
    sines = _newton(criterion, sines)
    u, gram = criterion.terms(sines[None])
    amplitudes = np.linalg.solve(gram[0].T, u[0]) / criterion.n_rx
    left = max(criterion.energy - float(criterion(sines[None])[0]), 0.0)
    noise = left / (criterion.n_rx * criterion.length - 1.5 * criterion.n_stations)
    return BistaticEstimate(np.arcsin(sines), amplitudes, noise)


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
    height = np.abs(correlation @ steering(n_tx, np.arcsin(GRID)).conj().T)
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


def _newton(criterion: _Criterion, sines: Vector) -> Vector:
    """Climb to the maximum by Newton steps on central differences, halved until they climb."""
    size, step = len(sines), 1e-4
    pairs = [(i, j) for i in range(size) for j in range(i)]
    unit = np.eye(size)
    corners = [sign * (unit[i] + unit[j]) for i, j in pairs for sign in (1, -1)]
    offsets = np.vstack([np.zeros((1, size)), unit, -unit, *corners])
    for _ in range(NEWTON_STEPS):
        values = criterion(np.clip(sines + step * offsets, -1, 1))
        centre, plus, minus = values[0], values[1 : size + 1], values[size + 1 : 2 * size + 1]
        gradient = (plus - minus) / (2 * step)
        hessian = np.diag((plus - 2 * centre + minus) / step**2)
        for k, (i, j) in enumerate(pairs):
            both = values[2 * size + 1 + 2 * k : 2 * size + 3 + 2 * k].sum()
            mixed = (both - plus[i] - minus[i] - plus[j] - minus[j] + 2 * centre) / (2 * step**2)
            hessian[i, j] = hessian[j, i] = mixed
        curvature, axes = np.linalg.eigh(hessian)
        floor = 1e-6 * np.max(np.abs(curvature)) + np.finfo(float).tiny
        move = axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), floor))
        trials = np.clip(sines + np.outer(0.5 ** np.arange(5), np.clip(move, -0.05, 0.05)), -1, 1)
        heights = criterion(trials)
        best = int(np.argmax(heights))
        if heights[best] <= centre:
            break
        sines = trials[best]
    return sines
