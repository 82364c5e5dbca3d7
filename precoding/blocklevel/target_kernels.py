"""Compiled kernels of the targets' effective information: values, slopes and second differential; see `targets.py`."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["evaluate_targets", "target_curvature"]

# Not `nnan` and `ninf`: a value out of range must stay one.
_FAST = {"contract", "reassoc", "nsz", "arcp"}
_compiled = nb.njit(cache=True, error_model="numpy", fastmath=_FAST)


@_compiled
def _fisher(W, D, seen, F):  # type: ignore[no-untyped-def]
    """Fill seen, D_i W, and the Fisher matrix F, in place."""
    p, r, n = D.shape
    flat = np.dot(W, np.ascontiguousarray(D.reshape(p * r, n).T))
    for i in range(p):
        for l in range(len(W)):
            for a in range(r):
                seen[i, l, a] = flat[l, i * r + a]
        for j in range(i + 1):
            total = 0.0
            for l in range(len(W)):
                for a in range(r):
                    x, y = seen[i, l, a], seen[j, l, a]
                    total += x.real * y.real + x.imag * y.imag
            F[i, j], F[j, i] = total, total


@_compiled
def evaluate_targets(W, D, prior):  # type: ignore[no-untyped-def]
    """Effective information of every target of a cluster and all that derivatives need.

    Args:
        W: Complex (S, n), contiguous.
        D: Complex (M, p, r, n).
        prior: Information added to every nuisance.

    Returns:
        values (M,), jacobian (M, 2 S n), root (M, p - 1, p - 1), lower triangular, with root^T root the inverse of
        the nuisances' information, z (M, p), Dz (M, r, n), seen (M, p, S, r), mixed (M, S, r), the sum of all
        log-determinants, and its gradient (2 S n,).

    """
    M, p, r, n = D.shape
    S = len(W)
    N = S * n
    values, jacobian = np.zeros(M), np.empty((M, 2 * N))
    root, z = np.empty((M, p - 1, p - 1)), np.ones((M, p))
    Dz, seen = np.zeros((M, r, n), dtype=np.complex128), np.empty((M, p, S, r), dtype=np.complex128)
    mixed, spread, pull = np.zeros((M, S, r), dtype=np.complex128), 0.0, np.zeros(2 * N)
    F = np.empty((p, p))
    for m in range(M):
        _fisher(W, D[m], seen[m], F)
        inner = F[1:, 1:].copy()
        for i in range(p - 1):
            inner[i, i] += prior
        # The factor first: of nearly singular information an inverse by itself would not be definite any more.
        root[m] = np.linalg.inv(np.linalg.cholesky(inner))
        inverse = np.dot(root[m].T, root[m])
        for i in range(p - 1):
            spread -= 2.0 * np.log(root[m, i, i])
            z[m, i + 1] = -np.sum(inverse[i] * F[1:, 0])
        for i in range(p):
            Dz[m] += z[m, i] * D[m, i]
            mixed[m] += z[m, i] * seen[m, i]
            values[m] += z[m, i] * np.sum(F[i] * z[m])
            if i > 0:
                values[m] += prior * z[m, i] ** 2
        G = np.dot(mixed[m], np.conj(Dz[m]))
        spread_gradient = np.zeros((S, n), dtype=np.complex128)
        for i in range(p - 1):
            back = np.zeros((S, r), dtype=np.complex128)
            for j in range(p - 1):
                back += inverse[i, j] * seen[m, j + 1]
            spread_gradient += np.dot(back, np.conj(D[m, i + 1]))
        for l in range(S):
            for i in range(n):
                a = l * n + i
                jacobian[m, a], jacobian[m, N + a] = 2.0 * G[l, i].real, 2.0 * G[l, i].imag
                pull[a] += 2.0 * spread_gradient[l, i].real
                pull[N + a] += 2.0 * spread_gradient[l, i].imag
    return values, jacobian, root, z, Dz, seen, mixed, spread, pull


@_compiled
def _flatten(rows, at, T, scale):  # type: ignore[no-untyped-def]
    S, n = T.shape
    for l in range(S):
        for k in range(n):
            rows[at, l * n + k] = scale * T[l, k].real
            rows[at, (S + l) * n + k] = scale * T[l, k].imag


@_compiled
def target_curvature(D, roots, Dz, seen, mixed, prices, barrier):  # type: ignore[no-untyped-def]
    """Second differential of -prices . values - barrier * log-determinants: a block of every stream, rows to square.

    Args:
        D: Complex (M, p, r, n).
        roots: (M, p - 1, p - 1), lower triangular.
        Dz: Complex (M, r, n).
        seen: Complex (M, p, S, r).
        mixed: Complex (M, S, r).
        prices: (M,).
        barrier: 0 leaves the log-determinants out.

    Returns:
        Complex (n, n), and (R, 2 S n).

    """
    M, p, r, n = D.shape
    S, q = seen.shape[2], p - 1
    each = q + (q * (q + 1) // 2 if barrier > 0.0 else 0)
    rows = np.empty((M * each, 2 * S * n))
    block = np.zeros((n, n), dtype=np.complex128)
    for m in range(M):
        root = roots[m]
        at = m * each
        E = np.zeros((q, r, n), dtype=np.complex128)
        back = np.zeros((q, S, r), dtype=np.complex128)
        for i in range(q):
            for j in range(i + 1):
                E[i] += root[i, j] * D[m, j + 1]
                back[i] += root[i, j] * seen[m, j + 1]
        weight = np.sqrt(2.0 * prices[m])
        conj_Dz = np.conj(Dz[m])
        for i in range(q):
            _flatten(rows, at, np.dot(back[i], conj_Dz) + np.dot(mixed[m], np.conj(E[i])), weight)
            at += 1
        block -= 2.0 * prices[m] * np.dot(conj_Dz.T, Dz[m])
        if barrier > 0.0:
            for i in range(q):
                conj_E = np.conj(E[i])
                block -= 2.0 * barrier * np.dot(conj_E.T, E[i])
                for j in range(i + 1):
                    T = np.dot(back[j], conj_E) + np.dot(back[i], np.conj(E[j]))
                    _flatten(rows, at, T, np.sqrt(barrier) * (1.0 if i == j else np.sqrt(2.0)))
                    at += 1
    return block, rows
