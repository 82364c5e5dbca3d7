"""A station's target angle when the other stations' data are unknown to it (coordinated beamforming).

Three estimators, chosen by the data and never by the error:

- structured maximum likelihood: exact for paper eq. (5), where all interference arrives from the target itself;
- power-normalised Capon, or the likelihood ratio for noise of any covariance (AML), when the structured model does not
  explain the frame: what it leaves over is not white, or the own symbols are heard from elsewhere more clearly than
  chance allows. Then interference arrives from elsewhere (reflections off other targets, clutter), and if it is strong
  the structured search has found the interferer. AML finds the lobe; with fewer than `AML_SNAPSHOTS` snapshots an
  antenna Capon's peak within it is the estimate, for it pays less for an estimated covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from precoding import SECTOR_RAD, steering

__all__ = ["MonostaticEstimate", "estimate_angle", "sphericity"]

Complex = NDArray[np.complex128]

REACH = float(np.sin(SECTOR_RAD))
DOUBT = 1e-4  # p-value below which the structured model is not believed; at low SNR a false doubt may be an outlier
POINTS_A_BEAM = 6  # of the grid, in a beam of the transmit and receive array together: 2 / (n_rx + n_tx) in sine
AML_SNAPSHOTS = 20  # an antenna; AML is 5 % off at 10 (n_rx / L / 2), Capon up to 10 % at 100


@dataclass(frozen=True)
class MonostaticEstimate:
    """What one echo tells about the target.

    Attributes:
        angle_rad: Estimated angle of arrival (and departure).
        amplitude: Estimated complex gain of the echo, alpha.
        interference: Power per snapshot of unknown signals along the target's direction (q in C = q a a^H + sigma^2 I).
        noise: Estimated noise power per symbol and antenna.
        covariance: Estimated covariance of everything but the own echo, (n_rx, n_rx).
        estimator: "structured-ml", "capon" or "aml".
        p_value: Of the structured model (NaN if nothing can be said); below `DOUBT` another estimator was used.
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

    @classmethod
    def of(cls, received: Complex, sent: Complex) -> _Statistics:
        own = sent.conj().T
        return cls(received @ received.conj().T, received @ own, sent @ own, received.shape[1])

    def capon(self, low: float, high: float) -> float:
        """Return the sine between two others at which power-normalised Capon peaks."""
        from testbed.measurement.monostatic_kernels import CAPON, antidiagonals, diagonals, maximise

        n_rx, n_tx = self.ryx.shape
        inverse = np.linalg.inv(self.ryy)
        polynomials = diagonals(inverse), diagonals(self.rxx).conj(), antidiagonals(inverse @ self.ryx)
        return float(maximise(CAPON, *polynomials, 0.0, n_rx, self.length, low, high, _points(low, high, n_rx + n_tx)))


def _points(low: float, high: float, antennas: int) -> int:
    return int(np.ceil((high - low) / 2 * POINTS_A_BEAM * antennas)) + 1


def estimate_angle(received: Complex, sent: Complex) -> MonostaticEstimate:
    """Estimate the angle of a station's own target.

    The best direction beats a true one in clarity by some 0.1 / (L - n_rx) nats in the median, and by 5 / (L - n_rx) in
    less than one frame of a thousand: measured, whatever the SNR.

    Args:
        received: Echo symbols, (n_rx, L), aligned to the echo's delay.
        sent: The station's own symbols, (n_tx, L).
    """
    from testbed.measurement.monostatic_kernels import fit_structured

    statistics = _Statistics.of(received, sent)
    (n_rx, length), n_tx = received.shape, len(sent)
    sine, log_det, trace, clearest, gain = fit_structured(
        statistics.ryy, statistics.ryx, statistics.rxx, length, -REACH, REACH, _points(-REACH, REACH, n_rx + n_tx)
    )
    if length <= n_rx + 1:  # no covariance can be estimated, so nothing can be said against the model
        return _describe(statistics, sine, "structured-ml", float("nan"))
    white = _whiteness(n_rx - 1, length, log_det, trace)
    p_value = min(white, float(np.exp(-(length - n_rx) * gain)))
    if p_value >= DOUBT or not np.isfinite(log_det):  # a singular covariance is doubted, but nothing else can be done
        return _describe(statistics, sine, "structured-ml", p_value)
    if length >= AML_SNAPSHOTS * n_rx:
        return _describe(statistics, clearest, "aml", p_value)
    near = statistics.capon(max(clearest - 1 / n_rx, -REACH), min(clearest + 1 / n_rx, REACH))
    return _describe(statistics, near, "capon", p_value)


def sphericity(received: Complex, sine: float) -> float:
    """Return the p-value of whiteness of what arrives from elsewhere than one direction.

    Mauchly's likelihood-ratio test with Bartlett's correction for complex data, in the n_rx - 1 dimensions orthogonal
    to the direction (Muirhead, Aspects of Multivariate Statistical Theory, ch. 8; complex form: p^2 - 1 degrees of
    freedom). With no more snapshots than antennas nothing can be said and 1 is returned.
    """
    from testbed.measurement.monostatic_kernels import whiteness

    return _whiteness(len(received) - 1, received.shape[1], *whiteness(received @ received.conj().T, sine))


def _whiteness(size: int, length: int, log_det: float, trace: float) -> float:
    if length <= size + 1 or size < 2:
        return 1.0
    if not np.isfinite(log_det):  # a dead channel, or a copy of another: anything but white
        return 0.0
    bartlett = 2 * (length - (2 * size**2 + 1) / (6 * size))
    return float(chdtrc(size**2 - 1, bartlett * (size * np.log(trace / size) - log_det)))


def _describe(statistics: _Statistics, sine: float, name: str, p_value: float) -> MonostaticEstimate:
    n_rx, length = statistics.ryy.shape[0], statistics.length
    angle = float(np.arcsin(sine))
    a, v = steering(n_rx, angle), steering(statistics.rxx.shape[0], angle)
    energy = float((a.conj() @ statistics.ryy @ a).real) / n_rx
    answer = statistics.ryx @ v.conj()
    illumination = max(float((v @ statistics.rxx @ v.conj()).real), np.finfo(float).tiny)
    amplitude = complex(a.conj() @ answer) / (n_rx * illumination)
    noise = (float(np.trace(statistics.ryy).real) - energy) / (length * (n_rx - 1))
    left = max(energy / length - abs(amplitude) ** 2 * n_rx * illumination / length, 0.0)
    fit = np.outer(a, amplitude * answer.conj())
    outer = np.outer(a, a.conj()) * (abs(amplitude) ** 2 * illumination)
    covariance = (statistics.ryy - fit - fit.conj().T + outer) / length
    return MonostaticEstimate(angle, amplitude, max(left - noise, 0.0) / n_rx, noise, covariance, name, p_value)
