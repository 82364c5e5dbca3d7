"""A station's target angle when the other stations' data are unknown to it (coordinated beamforming).

Two estimators, chosen by the data and never by the error:

- structured maximum likelihood: exact for paper eq. (5), where all interference arrives from the target itself;
- power-normalised Capon: when what the structured model leaves over is not white, that is, when interference arrives
from
  elsewhere (reflections off other targets, clutter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from precoding import steering

__all__ = ["MonostaticEstimate", "estimate_angle", "sphericity"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

GRID = np.linspace(-np.sin(np.radians(75)), np.sin(np.radians(75)), 97)  # sines; a beam of 10 elements spans 10 steps
SPHERICITY_LEVEL = 1e-3  # false alarms of the choice: one frame in a thousand on a clean bench


@dataclass(frozen=True)
class MonostaticEstimate:
    """What one echo tells about the target.

    Attributes:
        angle_rad: Estimated angle of arrival (and departure).
        amplitude: Estimated complex gain of the echo, alpha.
        interference: Power per snapshot of unknown signals along the target's direction (q in C = q a a^H + sigma^2 I).
        noise: Estimated noise power per symbol and antenna.
        covariance: Estimated covariance of everything but the own echo, (n_rx, n_rx).
        estimator: "structured-ml" or "capon".
        p_value: Of the sphericity test that chose it.
    """

    angle_rad: float
    amplitude: complex
    interference: float
    noise: float
    covariance: Complex
    estimator: str
    p_value: float


@dataclass(frozen=True)
class _Statistics:
    """Sufficient statistics of received Y (n_rx, L) and sent X (n_tx, L)."""

    ryy: Complex
    ryx: Complex
    rxx: Complex
    length: int

    def beams(self, sine: Vector) -> tuple[Complex, Complex]:
        """Return receive and transmit responses of directions, (G, n_rx) and (G, n_tx)."""
        n_rx, n_tx = self.ryx.shape
        if sine is GRID:
            return _grid_beams(n_rx), _grid_beams(n_tx)
        angle = np.arcsin(np.clip(sine, -1, 1))
        return steering(n_rx, angle), steering(n_tx, angle)

    def correlations(self, sine: Vector) -> tuple[Vector, Complex, Vector]:
        """Return energy a^H Ryy a / N, correlation a^H Ryx v* and illumination v^T Rxx v* of directions, (G,) each."""
        a, v = self.beams(sine)
        energy = np.sum((a.conj() @ self.ryy) * a, axis=1).real / a.shape[1]
        correlation = np.sum((a.conj() @ self.ryx) * v.conj(), axis=1)
        illumination = np.sum((v @ self.rxx) * v.conj(), axis=1).real
        return energy, correlation, np.maximum(illumination, np.finfo(float).tiny)


def estimate_angle(received: Complex, sent: Complex) -> MonostaticEstimate:
    """Estimate the angle of a station's own target.

    Args:
        received: Echo symbols, (n_rx, L), aligned to the echo's delay.
        sent: The station's own symbols, (n_tx, L).
    """
    n_rx, length = received.shape
    statistics = _Statistics(
        received @ received.conj().T, received @ sent.conj().T, sent @ sent.conj().T, length
    )  # fmt: skip
    sine = _search(lambda u: _structured_likelihood(statistics, u))
    p_value = sphericity(received, sine)
    name = "structured-ml"
    if p_value < SPHERICITY_LEVEL and length > n_rx:
        name = "capon"
        sine = _search(lambda u: _capon_power(statistics, u))
    return _describe(statistics, sine, name, p_value)


@cache
def _grid_beams(n: int) -> Complex:
    beams = steering(n, np.arcsin(GRID))
    beams.flags.writeable = False
    return beams


def _structured_likelihood(statistics: _Statistics, sine: Vector) -> Vector:
    """Log-likelihood of a direction with C = q a a^H + sigma^2 I, all nuisances eliminated."""
    energy, correlation, illumination = statistics.correlations(sine)
    n_rx, length = statistics.ryy.shape[0], statistics.length
    left = np.maximum(energy - np.abs(correlation) ** 2 / (n_rx * illumination), np.finfo(float).tiny)
    elsewhere = np.maximum(np.trace(statistics.ryy).real - energy, np.finfo(float).tiny)
    own, noise = left / length, elsewhere / (length * (n_rx - 1))
    pooled = (left + elsewhere) / (length * n_rx)
    structured = -np.log(own) - (n_rx - 1) * np.log(noise)
    return np.asarray(length * np.where(own > noise, structured, -n_rx * np.log(pooled)))


def _capon_power(statistics: _Statistics, sine: Vector) -> Vector:
    """Power of the echo behind a Capon beamformer, |alpha|^2 v^T Rxx v* (|alpha|^2 alone would divide by the beam)."""
    a, v = statistics.beams(sine)
    inverse = np.linalg.inv(statistics.ryy)
    weights = a.conj() @ inverse
    gain = np.sum(weights * a, axis=1).real
    correlation = np.sum((weights @ statistics.ryx) * v.conj(), axis=1)
    illumination = np.sum((v @ statistics.rxx) * v.conj(), axis=1).real
    return np.asarray(np.abs(correlation / gain) ** 2 / np.maximum(illumination, np.finfo(float).tiny))


def _search(criterion: Callable[[Vector], Vector]) -> float:
    """Return the sine that maximises a criterion: a grid over the sector, then ever finer grids, then a parabola."""
    best = float(GRID[np.argmax(criterion(GRID))])
    spacing = float(GRID[1] - GRID[0])
    for _ in range(2):  # to a thousandth of a beam, where the parabola is exact to a hundredth of any error met
        fine = best + spacing * np.linspace(-1, 1, 11)
        values = criterion(fine)
        best, spacing = float(fine[np.argmax(values)]), spacing / 5
    left, middle, right = criterion(best + spacing * np.array([-1.0, 0.0, 1.0]))
    curvature = left - 2 * middle + right
    move = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float(np.clip(best + spacing * np.clip(move, -1, 1), -1, 1))


def sphericity(received: Complex, sine: float) -> float:
    """Return the p-value of whiteness of what arrives from elsewhere than one direction.

    Mauchly's likelihood-ratio test with Bartlett's correction for complex data, in the n_rx - 1 dimensions orthogonal
    to the direction (Muirhead, Aspects of Multivariate Statistical Theory, ch. 8; complex form: p^2 - 1 degrees of
    freedom). With fewer snapshots than dimensions nothing can be said and 1 is returned.
    """
    n_rx, length = received.shape
    size = n_rx - 1
    if length <= size or size < 2:
        return 1.0
    a = steering(n_rx, np.arcsin(sine))
    basis = np.linalg.qr(np.column_stack([a, np.eye(n_rx)[:, 1:]]))[0][:, 1:]
    outside = basis.conj().T @ received
    eigenvalues = np.maximum(np.linalg.eigvalsh(outside @ outside.conj().T), np.finfo(float).tiny)
    log_ratio = np.sum(np.log(eigenvalues)) - size * np.log(np.mean(eigenvalues))
    bartlett = 2 * (length - (2 * size**2 + 1) / (6 * size))
    return float(chdtrc(size**2 - 1, -bartlett * log_ratio))


def _describe(statistics: _Statistics, sine: float, name: str, p_value: float) -> MonostaticEstimate:
    energy, correlation, illumination = (value[0] for value in statistics.correlations(np.array([sine])))
    n_rx, length = statistics.ryy.shape[0], statistics.length
    a, v = (beam[0] for beam in statistics.beams(np.array([sine])))
    noise = float((np.trace(statistics.ryy).real - energy) / (length * (n_rx - 1)))
    left = float(energy - np.abs(correlation) ** 2 / (n_rx * illumination)) / length
    amplitude = correlation / (n_rx * illumination)
    fit = np.outer(a, amplitude * (v @ statistics.ryx.conj().T))
    covariance = (
        statistics.ryy - fit - fit.conj().T + np.abs(amplitude) ** 2 * illumination * np.outer(a, a.conj())
    ) / length
    return MonostaticEstimate(
        float(np.arcsin(sine)), complex(amplitude), max(left - noise, 0.0) / n_rx, noise, covariance, name, p_value
    )
