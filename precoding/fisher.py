"""Fisher information from Jacobian columns, never from entries worked out by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.steering import steering, steering_derivative, steering_with_derivative

__all__ = [
    "echo_covariance",
    "echo_derivatives",
    "echo_jacobian",
    "effective_information",
    "fisher_information",
    "illuminations",
    "information_left",
    "jacobian_of",
    "receive_gains",
]

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
    return float(information_left(fim[None])[0])


def information_left(fims: FloatArray) -> FloatArray:
    """Return `effective_information` of several matrices (J, p, p) at once, (J,); 0 for one that is not finite."""
    known = np.all(np.isfinite(fims), axis=(1, 2))
    F = np.where(known[:, None, None], fims, 0.0)
    scale = np.sqrt(np.maximum(np.einsum("jii->ji", F)[:, 1:], 0.0))
    scale[scale == 0.0] = 1.0
    values, vectors = np.linalg.eigh(F[:, 1:, 1:] / (scale[:, :, None] * scale[:, None, :]))
    seen = values > _UNSEEN * np.maximum(values[:, -1:], 1.0)
    explained = ((F[:, 0, 1:] / scale)[:, None] @ vectors)[:, 0]
    hidden = np.sum(np.where(seen, explained**2, 0.0) / np.where(seen, values, 1.0), axis=1)
    left: FloatArray = np.maximum(F[:, 0, 0] - hidden, 0.0)
    return left


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
    a = steering_with_derivative(n_rx, departure_angles_rad[own])
    return jacobian_of(a, steering_with_derivative(n_tx, departure_angles_rad), reflections, own)


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


def receive_gains(angles_rad: FloatArray, foreign: FloatArray, radar_noise: FloatArray, n_rx: int) -> FloatArray:
    """Lengths of a and of a' in noise whitened by C = foreign a a^H + noise I.

    The two are orthogonal, and C differs from white noise along a only: an echo has these two coordinates.

    Args:
        angles_rad: (J,) arrival angle at each receiver.
        foreign: (J,) power of foreign reflections per snapshot and antenna.
        radar_noise: (J,) per antenna.
        n_rx: Receive antennas.

    Returns:
        (J, 2).

    """
    turned = np.sum(np.abs(steering_derivative(n_rx, angles_rad)) ** 2, axis=-1)
    lengths: FloatArray = np.sqrt(np.stack([n_rx / (radar_noise + n_rx * foreign), turned / radar_noise], axis=-1))
    return lengths


def illuminations(angles_rad: FloatArray, signals: ComplexArray) -> ComplexArray:
    """Send signals along v and v' of every path.

    Args:
        angles_rad: (M, P): [m, n] of the path from BS n to the target of receiver m.
        signals: Complex (P, n_tx, S).

    Returns:
        Complex (M, 2, P, S): v^T X_n and v'^T X_n.

    """
    M, P = angles_rad.shape
    n_tx = signals.shape[1]
    rays = steering_with_derivative(n_tx, angles_rad)  # [d, m, n]
    sent = rays.transpose(2, 1, 0, 3).reshape(P, 2 * M, n_tx) @ signals
    return sent.reshape(P, M, 2, -1).transpose(1, 2, 0, 3)


def echo_derivatives(
    sent: ComplexArray, reflections: ComplexArray, own: NDArray[np.int64], gains: FloatArray
) -> ComplexArray:
    """Differentiate the mean echoes of several receivers at once: `jacobian_of`, applied to what is sent.

    Args:
        sent: Complex (J, 2, P, S): what each path carries; see `illuminations`.
        reflections: Complex (J, P).
        own: (J,) index of the own path of each receiver.
        gains: (J, 2) from `receive_gains`.

    Returns:
        Complex (J, 3 P, 2, S) along a and a'; parameters in the order of `echo_jacobian`.

    """
    J, _, P, S = sent.shape
    receivers, turned = np.arange(J), reflections[:, :, None] * sent[:, 1]
    D = np.zeros((J, 3 * P, 2, S), dtype=np.complex128)
    D[:, 0, 0] = turned[receivers, own]
    D[:, 0, 1] = (reflections[:, None] @ sent[:, 0])[:, 0]
    D[:, 1 : 1 + P, 0] = sent[:, 0]
    D[:, 1 + P : 1 + 2 * P, 0] = 1j * sent[:, 0]
    if P > 1:
        others = np.arange(P) != own[:, None]
        D[:, 1 + 2 * P :, 0] = turned[others].reshape(J, P - 1, S)
    D *= gains[:, None, :, None]
    return D


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
