"""Fisher information as a convex constraint: the matrix is linear in the transmit covariance R, eq. (6)-(30a).

F_lp = 2 L Re tr(D_l^H C^-1 D_p R), where D_l X is the derivative of the mean echo by parameter l (`echo_jacobian`).
The entries printed in the paper are not used, for they have errors: (7) lacks 2 Re, (13) needs |alpha|^2, (19) lacks
the cross terms of foreign BSs, the second terms of (23)-(25) carry a wrong derivative, a block of (21) a wrong sign.
"""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import echo_covariance, echo_jacobian
from precoding.network import Network
from precoding.reference.transmitter import Transmitter

__all__ = ["fisher_matrix", "information_at_least", "information_unit"]

cp: Any = cvxpy  # its type hints miss most of its names


def fisher_matrix(network: Network, transmitter: Transmitter, own: int, R: Any, foreign: float, unit: float) -> Any:
    """Fisher matrix at one BS as an expression of R; Prop. 1 (CBF) and Prop. 2 (CoMP).

    Args:
        network: In natural units.
        transmitter: Whose signal the BS knows.
        own: Position of the listening BS in `transmitter.stations`.
        R: CVXPY expression, Hermitian (n, n): covariance of what the transmitter sends, in its coordinates.
        foreign: Power of the reflections of unknown signals over the noise, per antenna; 0 in CoMP. It makes
            C = foreign a a^H + I, eq. (9) without its factor L: C is of one snapshot.
        unit: In 1/rad^2, of the information on the angle. The other parameters take units in which an even beam gives
            them information 1: a change of units leaves the Schur complement as it is.

    Returns:
        CVXPY expression, real (p, p); the angle is parameter 0.

    """
    forms = _forms(network, transmitter, own, foreign)
    scale = np.sqrt(np.maximum(_even(network, transmitter, forms), np.finfo(np.float64).tiny))
    scale[0] = np.sqrt(unit)
    p, T = len(scale), transmitter.T
    maps = T.conj().T @ forms @ T / np.multiply.outer(scale, scale)[:, :, None, None]
    return cp.reshape(cp.real(maps.reshape(p * p, -1) @ cp.vec(R, order="F")), (p, p), order="C")  # Re tr(maps[l, p] R)


def information_at_least(F: Any, least: Any, *, alone: bool) -> list[Any]:
    """Constraint F_aa - f F_bb^-1 f^T >= least: the Schur complement of (30a), (49a), (59a), (73a).

    The text after (30a) and (59a) says "less than or equal" and leaves the inverse out. In CBF the derivatives by the
    real and the imaginary part of alpha are orthogonal and equally long, so F_bb = F_11 I and the matrix inequality is
    one rotated second-order cone, |f|^2 <= F_11 (F_aa - least).

    Args:
        F: Real (p, p), of `fisher_matrix`.
        least: In the same unit.
        alone: Whether the BS knows only its own signal (CBF, or a single cell).

    """
    if alone:
        return [cp.quad_over_lin(F[0, 1:], F[1, 1]) <= F[0, 0] - least]
    corner = np.zeros(F.shape)
    corner[0, 0] = 1.0
    return [F - least * corner >> 0]


def information_unit(network: Network, transmitter: Transmitter) -> float:
    """Information in 1/rad^2 on the angle that an even beam gives the worst-placed BS, if all else were known."""
    evenly = [
        _even(network, transmitter, _forms(network, transmitter, own, 0.0))[0]
        for own in range(len(transmitter.stations))
    ]
    return float(min(evenly))


def _forms(network: Network, transmitter: Transmitter, own: int, foreign: float) -> ComplexArray:
    """2 L D_l^H C^-1 D_p, complex (p, p, n, n)."""
    m, stations = transmitter.stations[own], list(transmitter.stations)
    angles, reflections = network.departure_angles[m, stations], network.reflections[m, stations]
    D = echo_jacobian(angles, reflections, own, network.n_tx, network.n_rx)
    C = echo_covariance(float(network.arrival_angles[m]), foreign, 1.0, network.n_rx)
    whitened = np.linalg.solve(np.linalg.cholesky(C), D)
    forms: ComplexArray = 2.0 * network.block_length * np.einsum("lai,paj->lpij", whitened.conj(), whitened)
    return forms


def _even(network: Network, transmitter: Transmitter, forms: ComplexArray) -> FloatArray:
    """Diagonal of the Fisher matrix when every BS spreads its power evenly over its antennas, (p,)."""
    powers = np.repeat(network.power[list(transmitter.stations)] / network.n_tx, network.n_tx)
    diagonal: FloatArray = np.einsum("ppii,i->p", forms, powers).real
    return diagonal
