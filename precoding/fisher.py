"""Fisher information from Jacobian columns, never from entries worked out by hand."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.steering import steering, steering_derivative

__all__ = ["echo_covariance", "echo_jacobian", "effective_information", "fisher_information", "jacobian_of"]

# A nuisance direction with less than this part of its own scale is one the echo does not show (e.g. one stream per BS).
_UNSEEN = 1e-12


def fisher_information(jacobian: ComplexArray, gram: ComplexArray, covariance: ComplexArray) -> FloatArray:
    """Fisher information of the mean of Y = mu(zeta) + Z, columns of Z white in time; paper eq. (7) with 2 Re.

    F_lp = 2 Re tr(D_l^H C^-1 D_p X X^H), where D_l X is the derivative of the mean by parameter l.

    Args:
        jacobian: Complex (p, n_rx, n): D_l.
        gram: Complex (n, n): X X^H over the block; L W W^H for a design.
        covariance: Complex (n_rx, n_rx) of one snapshot of Z.

    Returns:
        Real symmetric (p, p).

    """
    p = jacobian.shape[0]
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), jacobian)
    F: FloatArray = (whitened.conj().reshape(p, -1) @ (whitened @ gram).reshape(p, -1).T).real
    return F + F.T


def effective_information(fim: FloatArray) -> float:
    """Information left on the first parameter when all others are unknown (Schur complement).

    The other parameters are scaled to unit information first, and those that the echo does not show are left out by a
    pseudo-inverse: the matrix may be singular (one stream per BS hides the departure angles).

    Args:
        fim: Real (p, p).

    Returns:
        The inverse of the Cramer-Rao bound of the first parameter; 0 if it cannot be estimated.

    """
    scale = np.sqrt(np.maximum(np.diagonal(fim)[1:], 0.0))
    scale[scale == 0.0] = 1.0
    values, vectors = np.linalg.eigh(fim[1:, 1:] / np.outer(scale, scale))
    seen = values > _UNSEEN * max(values[-1], 1.0)
    explained = vectors[:, seen].T @ (fim[0, 1:] / scale)
    return max(float(fim[0, 0] - np.sum(explained**2 / values[seen])), 0.0)


def echo_jacobian(
    departure_angles_rad: FloatArray, reflections: ComplexArray, own: int, n_tx: int, n_rx: int
) -> ComplexArray:
    """Differentiate the mean echo sum_n alpha_n a(theta) v(theta_n)^T X_n; paper eq. (16)-(17) and (27)-(29).

    The angle of the own path is the arrival angle theta: it turns a and its own v together. With one path this is
    monostatic sensing (CBF), with several it is CoMP.

    Args:
        departure_angles_rad: (P,) one for each illuminating BS.
        reflections: Complex (P,).
        own: Index of the own path.
        n_tx: Transmit antennas of each BS.
        n_rx: Receive antennas.

    Returns:
        Complex (3 P, n_rx, P n_tx), acting on the stacked X; order: theta, Re alpha, Im alpha, other departure angles.

    """
    a = np.stack([steering(n_rx, departure_angles_rad[own]), steering_derivative(n_rx, departure_angles_rad[own])])
    v = np.stack([steering(n_tx, departure_angles_rad), steering_derivative(n_tx, departure_angles_rad)])
    return jacobian_of(a, v, reflections, own)


def jacobian_of(a: ComplexArray, v: ComplexArray, reflections: ComplexArray, own: int) -> ComplexArray:
    """Differentiate as `echo_jacobian` does, for array responses in any coordinates.

    Args:
        a: Complex (2, r): receive response and its derivative.
        v: Complex (2, P, n): transmit responses and their derivatives.
        reflections: Complex (P,).
        own: Index of the own path.

    Returns:
        Complex (3 P, r, P n).

    """
    (a, da), (v, dv), P = a, v, len(reflections)
    D = np.zeros((3 * P, len(a), P, v.shape[1]), dtype=np.complex128)
    D[0] = da[:, None, None] * (reflections[:, None] * v)
    D[0, :, own] += np.outer(a, reflections[own] * dv[own])
    paths = np.arange(P)
    D[1 + paths, :, paths] = a[:, None] * v[:, None, :]
    D[1 + P + paths, :, paths] = 1j * a[:, None] * v[:, None, :]
    others = np.delete(paths, own)
    D[1 + 2 * P + np.arange(P - 1), :, others] = a[:, None] * (reflections[:, None] * dv)[others, None, :]
    return D.reshape(3 * P, len(a), -1)


def echo_covariance(angle_rad: float, interference_power: float, radar_noise: float, n_rx: int) -> ComplexArray:
    """Covariance of one snapshot: foreign reflections from `angle_rad` in white noise; paper eq. (9) without its L.

    Args:
        angle_rad: Arrival angle in rad.
        interference_power: Power per snapshot and antenna of the reflections of foreign signals.
        radar_noise: Noise power per antenna.
        n_rx: Receive antennas.

    Returns:
        Complex (n_rx, n_rx).

    """
    a = steering(n_rx, angle_rad)
    return interference_power * np.outer(a, a.conj()) + radar_noise * np.eye(n_rx)
