"""Cramer-Rao bounds of a target's angle, for a design (gram = L W W^H) or for what was really sent (gram = X X^H)."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import (
    echo_covariance,
    echo_jacobian,
    effective_information,
    fisher_information,
    jacobian_of,
)
from precoding.steering import steering, steering_derivative

__all__ = ["DARK", "array_output_snr", "crb_cbf", "crb_comp", "crb_slepian_bangs", "interference_power"]

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
    path = np.array([angle_rad]), np.array([reflection])
    return _variance(_information(*path, 0, gram, covariance), *path, gram)


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
    covariance = radar_noise * np.eye(n_rx, dtype=np.complex128)
    fim = _information(departure_angles_rad, reflections, station, gram, covariance)
    return _variance(fim, departure_angles_rad, reflections, gram)


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
    C = echo_covariance(angle_rad, interference_power, radar_noise, n_rx)
    path = np.array([angle_rad]), np.array([reflection])
    jacobian = echo_jacobian(*path, 0, len(gram), n_rx)
    a, da = steering(n_rx, angle_rad), steering_derivative(n_rx, angle_rad)
    turn = interference_power * np.outer(da, a.conj())
    dC = np.stack([turn + turn.conj().T, np.outer(a, a.conj()), np.eye(n_rx)])
    relative = np.linalg.solve(C, dC)
    fim = np.zeros((5, 5))
    fim[:3, :3] = fisher_information(jacobian, gram, C)
    rows = np.array([0, 3, 4])
    fim[np.ix_(rows, rows)] += block_length * np.einsum("iab,jba->ij", relative, relative).real
    return _variance(fim, *path, gram)


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
    return n_rx * _echo_power(departure_angles_rad, reflections, gram) / radar_noise


def _information(
    angles_rad: FloatArray, reflections: ComplexArray, own: int, gram: ComplexArray, covariance: ComplexArray
) -> FloatArray:
    """Fisher matrix of the mean in two coordinates for each array: a and a' on reception, v and v' on transmission.

    Nothing else of a signal reaches the target, and nothing else of an echo depends on it.
    """
    n_tx, n_rx = len(gram) // len(reflections), len(covariance)
    seen = np.stack([steering(n_rx, angles_rad[own]), steering_derivative(n_rx, angles_rad[own])])
    white = np.linalg.solve(np.linalg.cholesky(covariance), seen.T)
    sent = np.stack([steering(n_tx, angles_rad), steering_derivative(n_tx, angles_rad)])
    basis = np.linalg.qr(sent.conj().transpose(1, 2, 0))[0]  # (P, n_tx, 2)
    part = gram.reshape(len(reflections), n_tx, len(reflections), n_tx)
    condensed = np.einsum("pia,piqj,qjb->paqb", basis.conj(), part, basis, optimize=True)
    jacobian = jacobian_of(np.linalg.qr(white)[1].T, np.einsum("dpi,pia->dpa", sent, basis), reflections, own)
    size = 2 * len(reflections)
    return fisher_information(jacobian, condensed.reshape(size, size), np.eye(2, dtype=np.complex128))


def _echo_power(departure_angles_rad: FloatArray, reflections: ComplexArray, gram: ComplexArray) -> float:
    n_tx = len(gram) // len(reflections)
    echo = (reflections[:, None] * steering(n_tx, departure_angles_rad)).ravel()
    return float((echo @ gram @ echo.conj()).real)


def _variance(
    fim: FloatArray, departure_angles_rad: FloatArray, reflections: ComplexArray, gram: ComplexArray
) -> float:
    """Infinite if the target is in a null to rounding: the information there is a difference of rounding errors."""
    brightest = float(np.sum(np.abs(reflections) ** 2)) * float(np.trace(gram).real) * len(gram)
    information = effective_information(fim)
    lit = _echo_power(departure_angles_rad, reflections, gram) > DARK * brightest
    return 1.0 / information if information > 0.0 and lit else float("inf")
