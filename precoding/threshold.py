"""Errors below the threshold, where an estimator leaves its Cramer-Rao bound because noise lifts a side lobe.

What the CRB cannot tell: far from the target, other directions explain an echo nearly as well as the true one does. The
method of interval errors predicts the error of the maximum-likelihood estimator for any precoder. Ziv-Zakai is a bound,
for omnidirectional transmission only. And an estimate that ignores the echo has an error, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray, complex_array, float_array
from precoding.detection import noncoherent_error, probability_positive
from precoding.errors import ArgumentError
from precoding.side_lobes import Echo, overlap, side_lobes
from precoding.steering import steering

__all__ = ["SECTOR_RAD", "IntervalErrors", "method_of_interval_errors", "no_information_rms", "ziv_zakai"]

SECTOR_RAD = float(np.radians(75.0))  # half-width that is searched for a target; beyond, a line array sees nothing
_UNSEEN = 1e-12  # part of the largest: less is rounding
_SEPARATIONS = 1000  # of two directions, in the Ziv-Zakai integral; its error is 1e-4


@dataclass(frozen=True, eq=False)
class IntervalErrors:
    """What the method of interval errors predicts.

    Attributes:
        rms_rad: Root mean square error of the estimate.
        local_rms_rad: Of the estimates on the main lobe: the root CRB, or the main lobe's width over sqrt(12) if less.
        outlier_probability: That the estimate is on a side lobe.
        peaks_rad: (M,) directions of the side lobes; in CoMP a direction occurs once for each combination of departure
            angles from which the other BSs could have lit it.
        probabilities: (M,) that the estimate is on each of them.

    """

    rms_rad: float
    local_rms_rad: float
    outlier_probability: float
    peaks_rad: FloatArray
    probabilities: FloatArray


def method_of_interval_errors(
    station: int,
    departure_angles_rad: FloatArray,
    reflections: ComplexArray,
    gram: ComplexArray,
    radar_noise: float,
    n_rx: int,
    block_length: int,
    *,
    interference_power: float = 0.0,
    sector_rad: float = SECTOR_RAD,
) -> IntervalErrors:
    """Predict the error of the maximum-likelihood estimate of a target's angle; Athley, IEEE TSP 53(4), 2005.

    MSE = (1 - sum p_k) CRB + sum p_k (theta_k - theta)^2 over the side lobes theta_k of the whole transmit-receive
    response to what was really sent. With one path this is CBF, with several CoMP. An approximation, not a bound.

    Assumed: amplitudes unknown; q and sigma^2 of C = q a a^H + sigma^2 I known (that they are estimated costs 1 / L);
    foreign signals unknown, Gaussian and reflected by the target; in CoMP the departure angles of the other BSs
    unknown. Each p_k starts from the exact probability that the highest point of lobe k beats the truth, lobe by lobe;
    as odds against the truth they are then normalised (Bradley and Terry, 1952): the union bound where outliers are
    rare, all lobes alike where nothing is heard. Noise makes the highest point of a lobe wander, so that rare outliers
    are twice as many: measured, errors rise at an SNR that is 0.4 to 0.7 dB above the predicted one. In CoMP lobes that
    share an arrival angle are not independent, which makes up for it: within 0.1 dB where it was measured.

    Args:
        station: The BS m that listens; its own departure angle is also the arrival angle.
        departure_angles_rad: (P,) of the paths whose signals are known to the receiver, towards the target of BS m.
        reflections: Complex (P,).
        gram: Complex (P n_tx, P n_tx): X X^H of the stacked signals over the block.
        radar_noise: sigma^2, noise power per antenna.
        n_rx: Receive antennas.
        block_length: Snapshots, L.
        interference_power: q, power per snapshot and antenna of unknown signals from the target; with one path only.
        sector_rad: Half-width of the sector around broadside that the estimator searches, in every departure angle.

    Returns:
        The prediction, with its pieces.

    Raises:
        ArgumentError: The target is outside the sector, there is interference although several paths are known, or an
            argument is not finite or of the wrong shape.

    """
    echo = _echo(station, departure_angles_rad, reflections, gram, radar_noise, n_rx, block_length, interference_power)
    theta = float(departure_angles_rad[station])
    if abs(theta) >= sector_rad:
        raise ArgumentError(f"target at {theta:g} rad is outside the sector of +-{sector_rad:g} rad: widen sector_rad")
    lobes, width_rad = side_lobes(echo, float(np.sin(sector_rad)))
    wins = np.clip(_pairwise_errors(echo, lobes), 0.0, 1.0 - _UNSEEN)
    odds = wins / (1.0 - wins)
    shares = odds / (1.0 + odds.sum())
    outlier, local, peaks = float(shares.sum()), min(echo.crb(), width_rad**2 / 12), np.arcsin(lobes[:, 0])
    rms = np.sqrt((1.0 - outlier) * local + shares @ (peaks - theta) ** 2)
    return IntervalErrors(float(rms), float(np.sqrt(local)), outlier, peaks, shares)


def ziv_zakai(angle_rad: float, output_snr: float, n_tx: int, n_rx: int, *, sector_rad: float = SECTOR_RAD) -> float:
    """Bound the error of an angle under omnidirectional transmission; Bell et al., IEEE Trans. IT 43(2), 1997.

    MSE of u = sin(theta) >= int_0^U h V{(1 - h / U) P(h)} dh, V filling valleys. Assumed: u uniform over the sector,
    X X^H a multiple of I (only then P depends on the separation h alone), one path in white noise of known power; the
    echo's strength known and its phase unknown, so that P is the error probability of noncoherent detection. Signals
    of other BSs by way of the same target also tell its angle: the bound is for a receiver to which they do not exist.

    Args:
        angle_rad: Where the error of u is turned into one of theta, by du = cos(theta) dtheta.
        output_snr: SNR of the echo after receive beamforming over the block, linear; see `array_output_snr`.
        n_tx: Transmit antennas.
        n_rx: Receive antennas.
        sector_rad: Half-width of the sector around broadside.

    Returns:
        Bound of the root mean square error in rad; the root CRB at high SNR, the spread of the prior at low.

    """
    width = 2 * float(np.sin(sector_rad))
    h = width * np.geomspace(1e-6, 1.0, _SEPARATIONS)
    response = overlap(n_tx, h) * overlap(n_rx, h)
    errors = (1.0 - h / width) * noncoherent_error(output_snr, response)
    filled = np.maximum.accumulate(errors[::-1])[::-1]
    return float(np.sqrt(np.trapezoid(h * filled, h)) / np.cos(angle_rad))


def no_information_rms(angle_rad: float, sector_rad: float) -> float:
    """Error of an estimate that is uniform over the sector +-`sector_rad` whatever the echo, all in rad."""
    return float(np.hypot(sector_rad / np.sqrt(3.0), angle_rad))


def _echo(
    station: int,
    departure_angles_rad: FloatArray,
    reflections: ComplexArray,
    gram: ComplexArray,
    radar_noise: float,
    n_rx: int,
    block_length: int,
    interference_power: float,
) -> Echo:
    """Check the arguments of `method_of_interval_errors` and put the own path first."""
    P, size = len(reflections), len(gram)
    angles = float_array("departure_angles_rad", departure_angles_rad, (P,))
    alpha, known = complex_array("reflections", reflections, (P,)), complex_array("gram", gram, (size, size))
    float_array("radar_noise", radar_noise, (), above=0.0)
    float_array("interference_power", interference_power, (), above=0.0, or_equal=True)
    if P > 1 and interference_power > 0.0:
        raise ArgumentError(f"interference_power: {interference_power:g} with {P} known paths, must be 0 for CoMP")
    first = np.argsort(np.arange(P) != station, kind="stable")
    blocks = known.reshape(P, size // P, P, size // P)[first][:, :, first]
    return Echo(np.sin(angles[first]), alpha[first], blocks, interference_power, radar_noise, n_rx, block_length)


def _pairwise_errors(echo: Echo, lobes: FloatArray) -> FloatArray:
    """Probability that a lobe is more likely than the truth, for each lobe by itself, (M,).

    The difference of their log-likelihoods is a quadratic form in complex Gaussians: what the beams towards the target
    and towards the lobe hear, in the span of both directions' signals and, without a mean, in the other dimensions.
    """
    P, M = echo.gram.shape[0], len(lobes)
    signals, spans = _signals(echo, lobes)
    along_a = overlap(echo.n_rx, lobes[:, 0] - echo.sines[0])
    beams = np.zeros((M, 2, 2))
    beams[:, 0, 0], beams[:, 1] = 1.0, np.stack([along_a, np.sqrt(1.0 - along_a**2)], axis=1)
    beams *= np.sqrt([echo.loud, echo.noise])  # heard in noise that is white: along a, and apart from it
    along, fitted = echo.weights
    sign = np.array([-1.0, 1.0])
    besides = along * np.einsum("h,mhi,mhj->mij", sign, beams, beams)
    weights = along * np.eye(2 * P) + fitted * spans
    form = np.einsum("h,mhi,mhj,mhkl->mikjl", sign, beams, beams, weights).reshape(M, 4 * P, 4 * P)
    mean = np.zeros((M, 4 * P, 1), dtype=np.complex128)
    mean[:, : 2 * P, 0] = np.sqrt(echo.n_rx / echo.loud) * (echo.reflections @ signals)
    levels, axes = np.linalg.eigh(form)
    levels[np.abs(levels) < _UNSEEN] = 0.0  # of size one: where both directions sound alike, rounding is left
    shifts = np.abs(np.swapaxes(axes.conj(), 1, 2) @ mean)[..., 0] ** 2
    return probability_positive(
        np.concatenate([levels, np.linalg.eigvalsh(besides)], axis=1),
        np.concatenate([shifts, np.zeros((M, 2))], axis=1),
        np.append(np.ones(4 * P), np.full(2, max(echo.length - 2.0 * P, 0.0))),
    )


def _signals(echo: Echo, lobes: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    """Signals towards the target (M, P, r), and projectors (M, 2, r, r) on those towards target and lobe, r = 2 P.

    In orthonormal coordinates of the span of both, as column vectors.
    """
    P, n_tx = echo.gram.shape[:2]
    M, paths = len(lobes), np.arange(P)
    rows = np.zeros((M, 2, P, P, n_tx), dtype=np.complex128)
    rows[:, 0, paths, paths] = steering(n_tx, np.arcsin(echo.sines))
    rows[:, 1, paths, paths] = steering(n_tx, np.arcsin(lobes))
    stacked = rows.reshape(M, 2 * P, P * n_tx)
    lit = stacked @ echo.gram.reshape(P * n_tx, -1) @ np.swapaxes(stacked.conj(), 1, 2)
    size = np.sqrt(np.maximum(np.einsum("mii->mi", lit).real, np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(lit / size[:, :, None] / size[:, None, :])
    part = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]).reshape(M, 2, P, 2 * P)
    column = np.swapaxes(part, -1, -2)
    spans = column @ np.linalg.pinv(column, rcond=np.sqrt(_UNSEEN))
    return part[:, 0] * size[:, :P, None], spans
