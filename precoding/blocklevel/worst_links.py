"""The exact worst case over a CSI ball as a smooth form of the weights, from below.

For M = sum_l c_l w_l w_l^H, what a user receives at worst is min over |e| <= radius of (h + e)^T M (h + e)^*, by strong
duality of the trust region

    max over t of  t (|h|^2 - radius^2) - t^2 h^T (M + t I)^-1 h^*,   M + t I > 0.

It has a kink where the worst channel is not unique (the hard case), and optima like to sit there. Adding

    mu [log det(I + M / t) - log(1 + p / t)] <= 0,   p = c_own |w_own|^2,

smooths the kink and can only lower the value, since M <= c_own w_own w_own^H: what holds for the form holds exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.forms import as_real, per_stream, quadratic

__all__ = ["WorstLinks", "law_of_errors", "worst_links"]

_ITERATIONS = 80
_LEAST_BENDING = 1e-12


@dataclass(frozen=True, eq=False)
class WorstLinks:
    """Worst case for every user of what it receives from one cluster; a `Form`.

    Attributes:
        W: Complex (S, n).
        c: (U, S): 1 / gamma for the user's own stream, -1 for the others.
        mu: (U,) smoothing in units of the noise.
        tau: (U,) multiplier of the ball.
        error: Complex (U, n): conj(e) at the worst.
        heard: Complex (U, n): conj(h + e).
        inverse: Complex (U, n, n): (M + tau I)^-1.
        bending: (U,) minus the second derivative by tau.
        values: (U,).

    """

    W: ComplexArray
    c: FloatArray
    mu: FloatArray
    tau: FloatArray
    error: ComplexArray
    heard: ComplexArray
    inverse: ComplexArray
    bending: FloatArray
    values: FloatArray

    @property
    def _amplitudes(self) -> ComplexArray:
        """(h + e)^T w_l, (U, S)."""
        amplitudes: ComplexArray = self.heard.conj() @ self.W.T
        return amplitudes

    @property
    def _own(self) -> tuple[FloatArray, FloatArray]:
        """C of the own stream, zero elsewhere, (U, S), and tau + p, (U,)."""
        own: FloatArray = np.maximum(self.c, 0.0)
        return own, self.tau + own @ np.sum(np.abs(self.W) ** 2, axis=1)

    @property
    def gradients(self) -> ComplexArray:
        """See `Form`."""
        own, beyond = self._own
        G = np.einsum("ul,ui->uli", self.c * self._amplitudes, self.heard)
        mu = self.mu[:, None]
        G += (mu * self.c)[:, :, None] * np.einsum("uij,lj->uli", self.inverse, self.W)
        G -= (mu * own / beyond[:, None])[:, :, None] * self.W
        doubled: ComplexArray = 2.0 * G
        return doubled

    def curvature(self, prices: FloatArray) -> FloatArray:
        """See `Form`."""
        c, E, x, A = self.c, self._amplitudes, self.heard, self.inverse
        own, beyond = self._own
        q, mu = prices, self.mu
        u = np.einsum("uij,lj->uli", A, self.W)  # A^-1 w_l
        K = np.einsum("li,umi->ulm", self.W.conj(), u)  # w_l^H A^-1 w_m
        cc = 2.0 * q[:, None, None] * c[:, :, None] * c[:, None, :]
        xx = np.einsum("ui,uj->uij", x, x.conj())
        P = per_stream(
            np.einsum("ul,uij->lij", -2.0 * q[:, None] * c, xx + mu[:, None, None] * A, optimize=True)
            + np.einsum("ul->l", 2.0 * (mu * q)[:, None] * own / beyond[:, None])[:, None, None] * np.eye(x.shape[1])
        )
        swapped = K.swapaxes(1, 2)
        U, S, n = len(q), *self.W.shape
        with_A = (cc * (E[:, :, None] * E.conj()[:, None] + mu[:, None, None] * swapped)).reshape(U, S * S)
        of_pairs = with_A.T @ A.reshape(U, n * n) + (cc * swapped).reshape(U, S * S).T @ xx.reshape(U, n * n)
        P += of_pairs.reshape(S, S, n, n).swapaxes(1, 2)
        Q = np.einsum("ulm,ui,ulj->limj", 2.0 * cc * E.conj()[:, None], x.conj(), u.conj(), optimize=True)
        Q += np.einsum("ulm,umi,ulj->limj", mu[:, None, None] * cc, u.conj(), u.conj(), optimize=True)
        M = quadratic(P, Q)
        turn = as_real(self._turn(E, u))
        M -= (turn * (q / self.bending)[:, None]).T @ turn
        swell = as_real(2.0 * own[:, :, None] * self.W)
        M -= (swell * (mu * q / beyond**2)[:, None]).T @ swell
        return M

    def _turn(self, E: ComplexArray, u: ComplexArray) -> ComplexArray:
        """Gradient of the derivative by tau, (U, S, n)."""
        own, beyond = self._own
        y = np.einsum("uij,uj->ui", self.inverse, self.error)
        turn = -E[:, :, None] * y[:, None] - (y.conj() @ self.W.T)[:, :, None] * self.heard[:, None]
        turn -= self.mu[:, None, None] * np.einsum("uij,ulj->uli", self.inverse, u)
        turn = self.c[:, :, None] * turn + (self.mu[:, None] * own / beyond[:, None] ** 2)[:, :, None] * self.W
        doubled: ComplexArray = 2.0 * turn
        return doubled


def worst_links(W: ComplexArray, h: ComplexArray, c: FloatArray, radius: FloatArray, mu: FloatArray) -> WorstLinks:
    """Evaluate the worst case of every user.

    Args:
        W: Complex (S, n).
        h: Complex (U, n).
        c: (U, S).
        radius: (U,), above 0.
        mu: (U,) smoothing, at least 0.

    """
    n = W.shape[1]
    d, V = np.linalg.eigh((c[:, None, :] * W.T) @ W.conj())  # M = sum_l c_l w_l w_l^H
    b = d * np.einsum("uij,ui->uj", V.conj(), h.conj())
    p = np.maximum(c, 0.0) @ np.sum(np.abs(W) ** 2, axis=1)
    tau = _multiplier(d, np.abs(b) ** 2, radius**2, p, mu)
    shifted = d + tau[:, None]
    error = -np.einsum("uij,uj->ui", V, b / shifted)
    heard = h.conj() + error
    length2 = np.sum(np.abs(b / shifted) ** 2, axis=1)
    received = np.sum(c * np.abs(heard.conj() @ W.T) ** 2, axis=1)
    log_det = np.sum(np.log(shifted / tau[:, None]), axis=1) - np.log1p(p / tau)
    bending = 2.0 * np.sum(np.abs(b) ** 2 / shifted**3, axis=1)
    bending += mu * (np.sum(shifted**-2.0, axis=1) - (n - 1) / tau**2 - (tau + p) ** -2.0)
    return WorstLinks(
        W=W,
        c=c,
        mu=mu,
        tau=tau,
        error=error,
        heard=heard,
        inverse=np.einsum("uij,uj,ukj->uik", V, 1.0 / shifted, V.conj(), optimize=True),
        bending=np.maximum(bending, _LEAST_BENDING),
        values=received + tau * (length2 - radius**2) + mu * log_det,
    )


def law_of_errors(radii: FloatArray, worst: ComplexArray, inverse: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return mean and covariance of a law of errors within a ball, |mean|^2 + trace <= radius^2, as prices want it.

    The mean is the worst error, and what it leaves of the ball goes where the smoothing spreads it.

    Args:
        radii: (U,).
        worst: Complex (U, n).
        inverse: Complex (U, n, n): (M + tau I)^-1.

    """
    error = worst * np.minimum(1.0, radii / np.maximum(np.linalg.norm(worst, axis=1), 1e-300))[:, None]
    left = np.maximum(radii**2 - np.sum(np.abs(error) ** 2, axis=1), 0.0)
    spread = inverse * (left / np.einsum("uii->u", inverse).real)[:, None, None]
    return error, spread


def _multiplier(d: FloatArray, b2: FloatArray, radius2: FloatArray, p: FloatArray, mu: FloatArray) -> FloatArray:
    """Root of |e(tau)|^2 + mu (...) = radius^2: the left side is convex and falls; Newton on its inverse root."""
    n = d.shape[1]
    low = np.maximum(0.0, -d[:, 0])
    scale = np.sqrt(b2.sum(axis=1) / radius2) + mu * n / radius2 + np.abs(d[:, 0]) + 1e-12
    high = low + scale
    tau = low + 0.1 * scale
    for _ in range(_ITERATIONS):
        shifted = d + tau[:, None]
        left = np.sum(b2 / shifted**2, axis=1)
        slope = -2.0 * np.sum(b2 / shifted**3, axis=1)
        left += mu * (np.sum(1.0 / shifted - 1.0 / tau[:, None], axis=1) + 1.0 / tau - 1.0 / (tau + p))
        slope -= mu * (np.sum(shifted**-2.0 - tau[:, None] ** -2.0, axis=1) + tau**-2.0 - (tau + p) ** -2.0)
        above = left > radius2
        low, high = np.where(above, tau, low), np.where(above, high, tau)
        left = np.maximum(left, 1e-300)
        step = 2.0 * left / np.minimum(slope, -1e-300) * (1.0 - np.sqrt(left / radius2))
        proposed = tau + step
        outside = ~((proposed > low) & (proposed < high))
        proposed = np.where(outside, 0.5 * (low + high), proposed)
        if np.all(np.abs(proposed - tau) <= 1e-13 * proposed):
            break
        tau = proposed
    return np.asarray(tau, dtype=np.float64)
