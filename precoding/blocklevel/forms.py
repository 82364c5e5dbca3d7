"""Smooth constraints on the weights, with first and second derivatives: what users hear.

Every form is a real function of one cluster's weights, held as complex (S, n): one row per stream. A gradient G means
dc = Re sum(conj(G) dW); a curvature is the real symmetric matrix of the second differential in (Re W, Im W).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["Form", "NominalLinks", "PaperLinks", "as_real", "quadratic"]


class Form(Protocol):
    """Several functions of one cluster's weights, at one point.

    Attributes:
        values: (F,).
        gradients: Complex (F, S, n).

    """

    @property
    def values(self) -> FloatArray: ...  # noqa: D102
    @property
    def gradients(self) -> ComplexArray: ...  # noqa: D102
    def curvature(self, prices: FloatArray) -> FloatArray:
        """Return the second differential of -sum_f prices[f] values[f], (2 S n, 2 S n)."""
        ...


def as_real(G: ComplexArray) -> FloatArray:
    """Flatten the last two axes to (Re, Im)."""
    flat = G.reshape(*G.shape[:-2], G.shape[-2] * G.shape[-1])
    return np.concatenate([flat.real, flat.imag], axis=-1)


def quadratic(P: ComplexArray, Q: ComplexArray | None = None) -> FloatArray:
    """Matrix of d -> Re(d^H P d + d^T Q d), from P and Q of shape (S, n, S, n)."""
    size = P.shape[0] * P.shape[1]
    P2 = P.reshape(size, size)
    P2 = (P2 + P2.conj().T) / 2
    M = np.block([[P2.real, -P2.imag], [P2.imag, P2.real]])
    if Q is not None:
        Q2 = Q.reshape(size, size)
        Q2 = (Q2 + Q2.T) / 2
        M += np.block([[Q2.real, -Q2.imag], [-Q2.imag, -Q2.real]])
    return M


def per_stream(blocks: ComplexArray) -> ComplexArray:
    """Block diagonal (S, n, S, n) from (S, n, n)."""
    S, n, _ = blocks.shape
    P = np.zeros((S, n, S, n), dtype=np.complex128)
    P[np.arange(S), :, np.arange(S)] = blocks
    return P


@dataclass(frozen=True, eq=False)
class NominalLinks:
    """sum_l c_l |h^T w_l|^2 for every user: what is received on the estimated channels.

    Attributes:
        W: Complex (S, n).
        h: Complex (U, n).
        c: (U, S): 1 / gamma for the user's own stream, -1 for the others.

    """

    W: ComplexArray
    h: ComplexArray
    c: FloatArray

    @property
    def values(self) -> FloatArray:
        """See `Form`."""
        return np.asarray(np.sum(self.c * np.abs(self.h @ self.W.T) ** 2, axis=1))

    @property
    def gradients(self) -> ComplexArray:
        """See `Form`."""
        G: ComplexArray = 2.0 * np.einsum("ul,ui->uli", self.c * (self.h @ self.W.T), self.h.conj())
        return G

    def curvature(self, prices: FloatArray) -> FloatArray:
        """See `Form`."""
        blocks = np.einsum("ul,ui,uj->lij", -2.0 * prices[:, None] * self.c, self.h.conj(), self.h, optimize=True)
        return quadratic(per_stream(blocks) / 2.0) * 2.0


@dataclass(frozen=True, eq=False)
class PaperLinks:
    """c_own |h^T w_own|^2 - sum_others (|h^T w_l| + radius |w_l|)^2: Prop. 3 on rank one, rounded where it has a kink.

    Attributes:
        W: Complex (S, n).
        h: Complex (U, n).
        c: (U, S): as `NominalLinks`.
        radius: (U,).
        rounding: (U,) power added to every |h^T w_l|^2: raises the interference a little, so that what is met is met.

    """

    W: ComplexArray
    h: ComplexArray
    c: FloatArray
    radius: FloatArray
    rounding: FloatArray

    def _parts(self) -> tuple[ComplexArray, FloatArray, FloatArray, FloatArray]:
        heard = self.h @ self.W.T
        a = np.abs(heard) ** 2 + self.rounding[:, None]
        n = np.broadcast_to(np.sum(np.abs(self.W) ** 2, axis=1) + 1e-12, a.shape)
        charged: FloatArray = np.where(self.c > 0.0, 0.0, self.radius[:, None])
        return heard, a, n, charged

    @property
    def values(self) -> FloatArray:
        """See `Form`."""
        heard, a, n, r = self._parts()
        return np.asarray(np.sum(self.c * (np.abs(heard) ** 2 + r**2 * n + 2 * r * np.sqrt(a * n)), axis=1))

    @property
    def gradients(self) -> ComplexArray:
        """See `Form`."""
        heard, a, n, r = self._parts()
        of_a, of_n = self.c * (1 + r * np.sqrt(n / a)), self.c * (r**2 + r * np.sqrt(a / n))
        G: ComplexArray = 2.0 * (np.einsum("ul,ui->uli", of_a * heard, self.h.conj()) + of_n[:, :, None] * self.W)
        return G

    def curvature(self, prices: FloatArray) -> FloatArray:
        """See `Form`."""
        heard, a, n, r = self._parts()
        weight = -prices[:, None] * self.c
        of_a, of_n = weight * (1 + r * np.sqrt(n / a)), weight * (r**2 + r * np.sqrt(a / n))
        blocks = 2.0 * np.einsum("ul,ui,uj->lij", of_a, self.h.conj(), self.h, optimize=True)
        S, dim = self.W.shape
        blocks += 2.0 * of_n.sum(axis=0)[:, None, None] * np.eye(dim)
        # d2 sqrt(a n) holds -1/4 sqrt(a n) of the square of d log(a / n); twice r of it is charged.
        bend = np.sqrt(np.abs(weight) * r * np.sqrt(a * n) / 2.0)
        tilt = (heard / a)[:, :, None] * self.h.conj()[:, None] - self.W / n[:, :, None]
        M = quadratic(per_stream(blocks))
        rows = np.zeros((*a.shape, S, dim), dtype=np.complex128)
        rows[:, np.arange(S), np.arange(S)] = 2.0 * bend[:, :, None] * tilt
        flat = as_real(rows).reshape(-1, 2 * S * dim)
        return M - flat.T @ flat
