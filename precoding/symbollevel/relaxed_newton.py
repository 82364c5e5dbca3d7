"""One Newton step on the relaxed dual: every p_s is eliminated in closed form, then every y_s, symbol by symbol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.relaxed_dual import Point, RelaxedDual

__all__ = ["newton_direction"]


def newton_direction(dual: RelaxedDual, at: Point, mu: float) -> tuple[Point, Point]:
    """Gradient and Newton direction of the dual function with its barrier.

    c_s^H B^-1 c_s / 4 changes by x e + e K e / 2 with e = dc - 2 dB x and K = (2 B)^-1. In the eigenvectors of B that
    is diagonal, and so is all that concerns p but one rank.
    """
    C, T = at.theta.shape
    q = at.y.shape[2]
    b, V = np.linalg.eigh(dual.form(at.theta))
    Vh = V.conj().swapaxes(1, 2)
    k = np.concatenate([0.5 / b, 0.5 / b], axis=1)[:, None]
    x = k * _turned(dual.pull(at), V)
    forms = Vh[:, None] @ dual.forms @ V[:, None]
    by_theta = _real(forms @ _complex(x).swapaxes(1, 2)[:, None]).transpose(0, 3, 2, 1)  # B_i x
    moves = np.concatenate([_real(Vh[:, None] @ dual.rows), -2.0 * by_theta], axis=3)  # e = moves (dy, dtheta)
    g_theta, H_theta = _of_theta(dual, at.theta, b, forms, mu)
    g_theta -= np.einsum("clnt,cln->ct", by_theta, x)
    g_y, H_y, bend = _of_y(dual, at.y, mu)
    g_y += np.einsum("clnq,cln->clq", moves[..., :q], x)
    if not dual.uncertain:
        H = moves.swapaxes(2, 3) @ (k[..., None] * moves)
        H[..., :q, :q] += H_y
        d_theta, d_y = _solved(dual, g_theta, H_theta, g_y, H, bend)
        nothing = np.zeros_like(at.p)
        return Point(g_theta, g_y, nothing), Point(d_theta, d_y, nothing)
    balls = _Balls(dual.norm_price(at.y), _turned(at.p, V), x, k, mu)
    norms = np.concatenate([dual.norms, np.zeros((C, T))], axis=1)[:, None]
    H, g = balls.eliminated(moves, norms)
    H[..., :q, :q] += H_y
    d_theta, d_y = _solved(dual, g_theta + g[..., q:].sum(axis=1), H_theta, g_y + g[..., :q], H, bend)
    d = np.concatenate([d_y, np.broadcast_to(d_theta[:, None], (*d_y.shape[:2], T))], axis=2)
    g_p, d_p = (_complex(part) @ V.swapaxes(1, 2) for part in (balls.gradient, balls.step(moves, norms, d)))
    g_y -= (balls.alpha * balls.w)[..., None] * dual.norms[:, None]
    return Point(g_theta, g_y, g_p), Point(d_theta, d_y, d_p)


@dataclass(frozen=True, eq=False)
class _Balls:
    """The barrier -mu log(w^2 - |p|^2) = alpha (|dp|^2 - dw^2) / 2 + beta (w dw - p dp)^2 / 2 + ..., to be rid of p.

    The square is max over tau of tau (w dw - p dp) - tau^2 / (2 beta): then all that concerns p is diagonal.
    """

    w: FloatArray  # (C, L)
    p: FloatArray  # (C, L, 2 N)
    x: FloatArray
    k: FloatArray
    mu: float

    @property
    def slack(self) -> FloatArray:
        return np.asarray(self.w**2 - np.sum(self.p**2, axis=2))

    @property
    def alpha(self) -> FloatArray:
        return 2.0 * self.mu / self.slack

    @property
    def gradient(self) -> FloatArray:
        """By p."""
        return self.alpha[..., None] * self.p - self.x

    @property
    def _pairs(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        t = 1.0 / (self.k + self.alpha[..., None])
        omega = self.slack**2 / (4.0 * self.mu) + np.sum(t * self.p**2, axis=2)
        return t, omega, np.asarray(np.sum(t * self.p * self.gradient, axis=2))

    def eliminated(self, moves: FloatArray, norms: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Hessian by (y, theta), and what is to be added to the gradient."""
        t, omega, level = self._pairs
        stiff = self.k * t * self.alpha[..., None]  # (2 B + 1 / alpha)^-1
        along = self._along(moves, norms, t)
        H = moves.swapaxes(2, 3) @ (stiff[..., None] * moves)
        H += along[..., :, None] * along[..., None, :] / omega[..., None, None]
        H -= self.alpha[..., None, None] * norms[..., :, None] * norms[..., None, :]
        g = np.einsum("clnq,cln->clq", moves, self.k * t * self.gradient) + (level / omega)[..., None] * along
        return H, g - (self.alpha * self.w)[..., None] * norms

    def step(self, moves: FloatArray, norms: FloatArray, d: FloatArray) -> FloatArray:
        """Step of p that belongs to a step of (y, theta)."""
        t, omega, level = self._pairs
        tau = (np.sum(self._along(moves, norms, t) * d, axis=2) + level) / omega
        e = (moves @ d[..., None])[..., 0]
        return np.asarray(t * (self.k * e - self.gradient + tau[..., None] * self.p))

    def _along(self, moves: FloatArray, norms: FloatArray, t: FloatArray) -> FloatArray:
        return np.asarray(self.w[..., None] * norms - np.einsum("clnq,cln->clq", moves, self.k * t * self.p))


def _solved(
    dual: RelaxedDual, g_theta: FloatArray, H_theta: FloatArray, g_y: FloatArray, H: FloatArray, bend: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve H d = -g with sum unity dtheta = 0; psi couples all symbols, through the step of its sums."""
    C, T = g_theta.shape
    q, S = g_y.shape[2], len(bend) if np.any(bend) else 0
    sums, bend = dual.sums[:S], bend[:S, :S]
    tall = np.broadcast_to(sums.transpose(1, 2, 0)[:, None], (*g_y.shape, S))
    solved = np.linalg.solve(H[..., :q, :q], np.concatenate([g_y[..., None], H[..., :q, q:], tall], axis=3))
    by_g, by_theta, by_sum = solved[..., 0], solved[..., 1 : T + 1], solved[..., T + 1 :]
    mixed = H[..., :q, q:].reshape(C, -1, T)  # over symbols and their prices
    schur = H_theta + H[..., q:, q:].sum(axis=1) - mixed.swapaxes(1, 2) @ by_theta.reshape(C, -1, T)
    M, right = np.zeros((C * T + S + 1, C * T + S + 1)), np.zeros(C * T + S + 1)
    price, added = slice(C * T), slice(C * T, C * T + S)
    for c in range(C):
        M[c * T : (c + 1) * T, c * T : (c + 1) * T] = schur[c]
    M[price, -1] = M[-1, price] = dual.unity.ravel()
    M[added, price] = np.einsum("scq,clqt->sct", sums, by_theta).reshape(S, C * T)
    M[price, added] = -M[added, price].T @ bend
    M[added, added] = np.eye(S) + np.einsum("scq,clqr->sr", sums, by_sum) @ bend
    right[price] = (np.einsum("cit,ci->ct", mixed, by_g.reshape(C, -1)) - g_theta).ravel()
    right[added] = -np.einsum("scq,clq->s", sums, by_g)
    found = np.linalg.solve(M, right)
    d_theta = found[price].reshape(C, T)
    d_y = -(by_g + np.einsum("clqt,ct->clq", by_theta, d_theta) + by_sum @ (bend @ found[added]))
    return d_theta, d_y


def _of_theta(
    dual: RelaxedDual, theta: FloatArray, b: FloatArray, forms: ComplexArray, mu: float
) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian of what depends on theta alone: cost, and barriers of B, of Z and of prices."""
    C, T = theta.shape
    priced = dual.paid > 0.0
    positive = np.where(priced, theta, 1.0)
    g = dual.paid - np.where(priced, mu / positive, 0.0)
    H = np.zeros((C, T, T))
    H[:, np.arange(T), np.arange(T)] = np.where(priced, mu / positive**2, 0.0)
    root = np.linalg.inv(np.linalg.cholesky(dual.sensing(theta)))[:, :, None]
    lifted = root @ dual.lift @ root.swapaxes(-1, -2)
    scaled = forms / np.sqrt(b[:, None, :, None] * b[:, None, None, :])
    for relative in (scaled, *lifted.swapaxes(0, 1)):
        flat = relative.reshape(C, T, -1)
        g -= mu * np.einsum("ctii->ct", relative).real
        H += mu * (flat.conj() @ flat.swapaxes(1, 2)).real
    return g, H


def _of_y(dual: RelaxedDual, y: FloatArray, mu: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradient and Hessian of psi and of the barriers of y alone, and the bend of psi that couples all symbols."""
    _, slope, bend = dual.psi(y, mu)
    g = np.repeat(np.einsum("s,scq->cq", slope, dual.sums)[:, None], y.shape[1], axis=1)
    H = np.zeros((*y.shape, y.shape[2]))
    linear, triples = dual.cones(y)
    at = np.arange(dual.n_linear)
    g[..., at] -= mu / linear
    H[..., at, at] += mu / linear**2
    sign = np.array([-1.0, -1.0, 1.0])
    for i in range(triples.shape[2]):
        signed = sign * triples[:, :, i]
        slack = np.sum(signed * triples[:, :, i], axis=2)[..., None]
        step = -2.0 * signed / slack
        at = dual.n_linear + 3 * i + np.arange(3)
        g[..., at] += mu * step
        H[..., at[:, None], at] += mu * (
            step[..., :, None] * step[..., None, :] - 2.0 * np.diag(sign) / slack[..., None]
        )
    return g, H, bend


def _turned(vectors: ComplexArray, V: ComplexArray) -> FloatArray:
    """(C, L, N) vectors in the coordinates V, real and imaginary parts side by side."""
    return _real((vectors @ V.conj())[..., None])[..., 0]


def _real(A: ComplexArray) -> FloatArray:
    return np.concatenate([A.real, A.imag], axis=2)


def _complex(a: FloatArray) -> ComplexArray:
    N = a.shape[2] // 2
    return np.asarray(a[..., :N] + 1j * a[..., N:])
