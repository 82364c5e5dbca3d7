"""Cramer-Rao bounds of a target's angle, for a design (gram = L W W^H) or for what was really sent (gram = X X^H).

In closed form: the receive response a and its derivative a' are orthogonal, so the angle is told by a' (how the echo's
power turns the array) and, apart from that, along a, by what v' sends and v cannot explain. The Fisher matrices of
`precoding.fisher`, from Jacobian columns, say the same and are what these are tested against.
"""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.steering import steering, steering_derivative, steering_with_derivative

__all__ = ["DARK", "array_output_snr", "crb_cbf", "crb_comp", "crb_slepian_bangs", "interference_power"]

_UNSEEN = 1e-12  # part of its own size: less, after all others are taken out, is rounding
DARK = 1e-12  # part of the brightest echo: less is a null, to rounding


def crb_cbf(angle_rad: float, reflection: complex, gram: ComplexArray, covariance: ComplexArray) -> float:
    """Bound of monostatic sensing with the information in the mean only; paper Prop. 1.

    The metric of the CBF designs. Not a lower bound for an estimator that also uses the foreign reflections, which come
    from the same target: judge CBF data by `crb_slepian_bangs`.

    Args:
        angle_rad: Angle of the target in rad.
        reflection: Complex amplitude of the own path, unknown to the estimator.
        gram: Complex (n_tx, n_tx): X_m X_m^H over the block.
        covariance: Complex (n_rx, n_rx) of one snapshot of interference and noise; see `echo_covariance`.

    Returns:
        Variance in rad^2; infinite if the angle cannot be estimated.

    """
    power, turned, brightest = _monostatic(angle_rad, reflection, gram)
    level, turn = _arrival(len(covariance), angle_rad, covariance)
    return _variance(2 * (turn * power + level * turned), power, brightest)


def crb_comp(
    station: int,
    departure_angles_rad: FloatArray,
    reflections: ComplexArray,
    gram: ComplexArray,
    radar_noise: float,
    n_rx: int,
) -> float:
    """Bound of mono- and bistatic sensing with all signals known; paper Prop. 2, from Jacobian columns.

    Nuisances: the departure angles of the other BSs and all complex amplitudes.

    Args:
        station: The BS m that listens; its own departure angle is also the arrival angle.
        departure_angles_rad: (J,) from each BS towards the target of BS m.
        reflections: Complex (J,) by way of that target.
        gram: Complex (J n_tx, J n_tx): X X^H of the stacked signals over the block.
        radar_noise: Noise power per antenna.
        n_rx: Receive antennas.

    Returns:
        Variance in rad^2; infinite if the angle cannot be estimated.

    """
    P = len(reflections)
    lit = _rays(departure_angles_rad, gram)
    power = float((reflections @ lit[:P, :P] @ reflections.conj()).real)
    # Amplitudes are complex, angles real: the rest of v' after the amplitudes counts with its real part only.
    turned = (np.outer(reflections, reflections.conj()) * _without(lit, P)).real
    scale = np.abs(reflections) ** 2 * np.diagonal(lit).real[P:]
    departure = _left(turned, scale, station)
    information = 2 / radar_noise * (_turning(n_rx, departure_angles_rad[station]) * power + n_rx * departure)
    brightest = float(np.sum(np.abs(reflections) ** 2)) * float(np.trace(gram).real) * len(gram)
    return _variance(information, power, brightest)


def crb_slepian_bangs(
    angle_rad: float,
    reflection: complex,
    gram: ComplexArray,
    interference_power: float,
    radar_noise: float,
    n_rx: int,
    block_length: int,
) -> float:
    """Bound of monostatic sensing with mean and covariance (Slepian-Bangs): what CBF data are judged by.

    Foreign signals are unknown, Gaussian and reflected by the same target: C = q a a^H + sigma^2 I holds the angle too.
    F_ij = 2 Re tr(D_i^H C^-1 D_j X X^H) + L tr(C^-1 dC_i C^-1 dC_j). Unknown: the angle, the amplitude, q and sigma^2.

    Args:
        angle_rad: Angle of the target in rad.
        reflection: Complex amplitude of the own path.
        gram: Complex (n_tx, n_tx): X_m X_m^H over the block.
        interference_power: q, power per snapshot and antenna of the foreign reflections.
        radar_noise: sigma^2, noise power per antenna.
        n_rx: Receive antennas.
        block_length: Snapshots, L.

    Returns:
        Variance in rad^2; infinite if the angle cannot be estimated.

    """
    power, turned, brightest = _monostatic(angle_rad, reflection, gram)
    turning, loud = _turning(n_rx, angle_rad), radar_noise + n_rx * interference_power
    mean = 2 * (turning / radar_noise * power + n_rx / loud * turned)
    # a' is orthogonal to a, so dC / dtheta = q (a' a^H + a a'^H) tells nothing of q and sigma^2, nor they of it.
    spread = 2 * block_length * interference_power**2 * n_rx * turning / (radar_noise * loud)
    return _variance(mean + spread, power, brightest)


def interference_power(departure_angles_rad: FloatArray, reflections: ComplexArray, covariances: ComplexArray) -> float:
    """Power per snapshot and antenna that foreign BSs send to a receiver by way of its target; paper eq. (9).

    Args:
        departure_angles_rad: (P,) from the foreign BSs towards the target.
        reflections: Complex (P,).
        covariances: Complex (P, n_tx, n_tx): W_n W_n^H, per snapshot.

    Returns:
        sum_n |alpha_n|^2 v_n^T R_n v_n^*.

    """
    v = steering(covariances.shape[-1], departure_angles_rad)
    beams = np.einsum("pi,pij,pj->p", v, covariances, v.conj()).real
    return float(np.sum(np.abs(reflections) ** 2 * beams))


def array_output_snr(
    departure_angles_rad: FloatArray, reflections: ComplexArray, gram: ComplexArray, radar_noise: float, n_rx: int
) -> float:
    """SNR of the echo after receive beamforming, over the whole block; below 15 dB a CRB says nothing about errors.

    n_rx |sum_n alpha_n v_n^T X_n|_F^2 / sigma^2 over the paths that the receiver knows (CBF: only its own).

    Args:
        departure_angles_rad: (P,) in rad.
        reflections: Complex (P,).
        gram: Complex (P n_tx, P n_tx): X X^H of the stacked signals over the block.
        radar_noise: Noise power per antenna.
        n_rx: Receive antennas.

    Returns:
        A linear power ratio.

    """
    n_tx = len(gram) // len(reflections)
    echo = (reflections[:, None] * steering(n_tx, departure_angles_rad)).ravel()
    return n_rx * float((echo @ gram @ echo.conj()).real) / radar_noise


def _variance(information: float, echo_power: float, brightest: float) -> float:
    """Infinite if the target is in a null to rounding: the information there is a difference of rounding errors."""
    return 1.0 / information if information > 0.0 and echo_power > DARK * brightest else float("inf")


def _arrival(n_rx: int, angle_rad: float, covariance: ComplexArray) -> tuple[float, float]:
    """What a snapshot in noise of a covariance tells along a, and about turning a when its amplitude is unknown."""
    seen = np.stack([steering(n_rx, angle_rad), steering_derivative(n_rx, angle_rad)])
    (level, skew), (_, turn) = seen.conj() @ np.linalg.solve(covariance, seen.T)
    return level.real, turn.real - abs(skew) ** 2 / level.real


def _turning(n_rx: int, angle_rad: float) -> float:
    """Squared length of the derivative of a: pi^2 cos^2(theta) N (N^2 - 1) / 12 for the phase-centred array."""
    return float((np.pi * np.cos(angle_rad)) ** 2 * n_rx * (n_rx**2 - 1) / 12)


def _monostatic(angle_rad: float, reflection: complex, gram: ComplexArray) -> tuple[float, float, float]:
    """What the own path lights up: |alpha|^2 v^T G v*; the same along v' less what v explains; and the brightest."""
    sent = np.stack([steering(len(gram), angle_rad), steering_derivative(len(gram), angle_rad)])
    lit = sent @ gram @ sent.conj().T
    power, square = lit[0, 0].real, abs(reflection) ** 2
    turned = lit[1, 1].real - abs(lit[0, 1]) ** 2 / power if power > 0.0 else 0.0
    return square * power, square * turned, square * float(np.trace(gram).real) * len(gram)


def _left(gram: FloatArray, scale: FloatArray, own: int) -> float:
    """What is left of the own row of a real Gram matrix when the other rows explain what they can."""
    order = np.argsort(np.arange(len(gram)) == own, kind="stable")
    size = np.sqrt(np.maximum(scale[order], np.finfo(float).tiny))
    part = gram[np.ix_(order, order)] / np.outer(size, size)
    if len(gram) > 1:
        values, vectors = np.linalg.eigh(part[:-1, :-1])
        seen = values > _UNSEEN
        part[-1, -1] -= np.sum((vectors[:, seen].T @ part[:-1, -1]) ** 2 / values[seen])
    return float(max(part[-1, -1], 0.0) * size[-1] ** 2)


def _without(gram: ComplexArray, known: int) -> ComplexArray:
    """Gram matrix of the later rows less what the first rows explain; rows that are nearly others count once."""
    scale = np.sqrt(np.maximum(np.diagonal(gram).real[:known], np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(gram[:known, :known] / np.outer(scale, scale))
    seen = values > _UNSEEN * max(values[-1], 1.0)
    part = (vectors[:, seen] / np.sqrt(values[seen])).conj().T @ (gram[:known, known:] / scale[:, None])
    return np.asarray(gram[known:, known:] - part.conj().T @ part)


def _rays(departure_angles_rad: FloatArray, gram: ComplexArray) -> ComplexArray:
    """Gram matrix of what all paths carry along v, then along v': (2 P, 2 P)."""
    P = len(departure_angles_rad)
    n_tx = len(gram) // P
    rows = np.zeros((2, P, P, n_tx), dtype=np.complex128)
    rows[:, np.arange(P), np.arange(P)] = steering_with_derivative(n_tx, departure_angles_rad)
    sent = rows.reshape(2 * P, -1)
    return np.asarray(sent @ gram @ sent.conj().T)
