"""Constructive interference, eq. (57) to (72), and the relaxed covariance of symbols, (59c) and (73c)."""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray
from precoding.reference.transmitter import Link, Transmitter

__all__ = ["constructive_margin", "heard_amplitude", "psk", "relaxed_samples"]

cp: Any = cvxpy  # its type hints miss most of its names


def psk(symbols: ArrayLike, order: int) -> ComplexArray:
    """M-PSK symbols d = exp(j (2 pi i + pi) / M) of indices i, any shape."""
    d: ComplexArray = np.exp(1j * np.pi * (2 * np.asarray(symbols) + 1) / order)
    return d


def relaxed_samples(transmitter: Transmitter, block_length: int) -> tuple[Any, Any, list[Any]]:
    """Samples x_s, the mean R of their covariances R_s, and the relaxed relation between them, (59c) and (73c).

    R_s >= x_s x_s^H is all that is asked, where a waveform has equality: what R_s has beyond is sent by nobody, and the
    optimum is a bound only.

    Returns:
        X, (n, L) in the transmitter's coordinates; R = (1 / L) sum_s R_s, (n, n); the constraints.

    """
    n = len(transmitter.T)
    X = cp.Variable((n, block_length), complex=True)
    constraints, total = [], 0.0
    for s in range(block_length):
        x, R_s = X[:, s : s + 1], cp.Variable((n, n), hermitian=True)
        constraints.append(cp.bmat([[R_s, x], [x.H, np.ones((1, 1))]]) >> 0)
        total = total + R_s
    return X, total / block_length, constraints


def constructive_margin(X: Any, link: Link, symbols: ComplexArray, order: int) -> Any:
    """Distance of what a user receives from the edge of its decision region, over the whole CSI ball; (63), (64).

    |Im y| - Re y tan psi + radius |x^ -+ x^' tan psi| + ... <= 0  with  y = h^T x d^*  and psi = pi / M. As x^
    and x^' are orthogonal and equally long, |x^ -+ x^' tan psi| = |x| / cos psi exactly (in (61) x^ is [x^I; x^R]). All
    is multiplied by cos psi, so that M = 2 needs no infinite tangent.

    Args:
        X: (n, L) in the transmitter's coordinates.
        link: To the user.
        symbols: Complex (L,), d of this user.
        order: M.

    Returns:
        (L,) Re y sin psi - |Im y| cos psi - radius |x|; to be at least sin psi sqrt(gamma (sigma^2 + interference)).

    """
    psi = np.pi / order
    y = cp.multiply(link.h @ X, symbols.conj())
    return cp.real(y) * np.sin(psi) - cp.abs(cp.imag(y)) * np.cos(psi) - link.radius * _lengths(X, link)


def heard_amplitude(X: Any, link: Link) -> Any:
    """(L,) largest |(h + e)^T x_s| over the CSI ball: |h^T x_s| + radius |x_s|, left side of (67) and (69d)."""
    return cp.abs(link.h @ X) + link.radius * _lengths(X, link)


def _lengths(X: Any, link: Link) -> Any:
    return cp.norm(link.T @ X, 2, axis=0)
