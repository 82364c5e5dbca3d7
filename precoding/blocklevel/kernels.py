"""Compiled kernels of the worst case: what `worst_links` says, for machines.

`worst_links.py` is the same in readable NumPy and what these are tested against. Here M = sum_l c_l w_l w_l^H is
decomposed in the span of the streams (one QR for all users, then S x S), and blocks of all users are summed by one
matrix product. Numba is imported, and its cache read, when a first design needs it.
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["add_stream_blocks", "curvature_of_worst", "evaluate_worst"]

# Not `nnan` and `ninf`: a value out of range must stay one.
_FAST = {"contract", "reassoc", "nsz", "arcp"}
_compiled = nb.njit(cache=True, error_model="numpy", fastmath=_FAST)


@_compiled
def _multiplier(d, b2, radius2, p, mu, n):  # type: ignore[no-untyped-def]
    """Root of |e(tau)|^2 + mu (...) = radius^2; n - len(d) further eigenvalues are zero and cancel."""
    k = len(d)
    total = 0.0
    for j in range(k):
        total += b2[j]
    lowest = d[0] if k == n else min(d[0], 0.0)
    low = max(0.0, -lowest)
    scale = np.sqrt(total / radius2) + mu * n / radius2 + abs(lowest) + 1e-12
    high = low + scale
    tau = low + 0.1 * scale
    for _ in range(80):
        left, slope = 0.0, 0.0
        for j in range(k):
            s = 1.0 / (d[j] + tau)
            left += b2[j] * s * s + mu * (s - 1.0 / tau)
            slope -= 2.0 * b2[j] * s * s * s + mu * (s * s - 1.0 / (tau * tau))
        left += mu * (1.0 / tau - 1.0 / (tau + p))
        slope -= mu * (1.0 / (tau * tau) - 1.0 / ((tau + p) * (tau + p)))
        if left > radius2:
            low = tau
        else:
            high = tau
        left = max(left, 1e-300)
        proposed = tau + 2.0 * left / min(slope, -1e-300) * (1.0 - np.sqrt(left / radius2))
        if not (low < proposed < high):
            proposed = 0.5 * (low + high)
        if abs(proposed - tau) <= 1e-13 * proposed:
            return proposed
        tau = proposed
    return tau


@_compiled
def evaluate_worst(W, h, c, radius, smoothing):  # type: ignore[no-untyped-def]
    """Worst case of every user and all that its derivatives need.

    Args:
        W: Complex (S, n), contiguous.
        h: Complex (U, n).
        c: (U, S).
        radius: (U,).
        smoothing: (U,).

    Returns:
        values (U,), gradients (U, S, n), tau (U,), error (U, n), heard (U, n), inverse (U, n, n), bending (U,).

    """
    S, n = W.shape
    U = len(h)
    Q, R = np.linalg.qr(np.ascontiguousarray(W.T))
    Q = np.ascontiguousarray(Q)
    k = R.shape[0]
    values, tau, bending = np.empty(U), np.empty(U), np.empty(U)
    error, heard = np.empty((U, n), dtype=np.complex128), np.empty((U, n), dtype=np.complex128)
    inverse = np.empty((U, n, n), dtype=np.complex128)
    gradients = np.empty((U, S, n), dtype=np.complex128)
    for u in range(U):
        mu = smoothing[u]
        d, V = np.linalg.eigh((R * c[u]) @ np.conj(R.T))
        Y = Q @ np.ascontiguousarray(V)
        b = d * (np.conj(Y.T) @ np.conj(h[u]))
        p, own = 0.0, -1
        for l in range(S):
            if c[u, l] > 0.0:
                own = l
                for i in range(n):
                    p += c[u, l] * (W[l, i].real ** 2 + W[l, i].imag ** 2)
        t = _multiplier(d, np.abs(b) ** 2, radius[u] ** 2, p, mu, n)
        shifted = d + t
        error[u] = -(Y @ (b / shifted))
        heard[u] = np.conj(h[u]) + error[u]
        inverse[u] = (Y * (1.0 / shifted - 1.0 / t)) @ np.conj(Y.T)
        for i in range(n):
            inverse[u, i, i] += 1.0 / t
        length2, log_det, bend = 0.0, -np.log1p(p / t), -mu * (1.0 / (t + p) ** 2 - 1.0 / t**2)
        for j in range(k):
            b2 = b[j].real ** 2 + b[j].imag ** 2
            length2 += b2 / shifted[j] ** 2
            log_det += np.log(shifted[j] / t)
            bend += 2.0 * b2 / shifted[j] ** 3 + mu * (1.0 / shifted[j] ** 2 - 1.0 / t**2)
        E = W @ np.conj(heard[u])
        received = 0.0
        for l in range(S):
            received += c[u, l] * (E[l].real ** 2 + E[l].imag ** 2)
        values[u] = received + t * (length2 - radius[u] ** 2) + mu * log_det
        tau[u], bending[u] = t, max(bend, 1e-12)
        spread = W @ inverse[u].T
        for l in range(S):
            for i in range(n):
                gradients[u, l, i] = 2.0 * c[u, l] * (E[l] * heard[u, i] + mu * spread[l, i])
        if own >= 0:
            gradients[u, own] -= 2.0 * mu * c[u, own] / (t + p) * W[own]
    return values, gradients, tau, error, heard, inverse, bending


@_compiled
def _add_pairs(M, of_pairs, crossed, diagonal):  # type: ignore[no-untyped-def]
    """Add Re(d^H P d + d^T X d) in place; of_pairs is P as [(l, m), (i, j)], crossed is X as [(m, i), (l, j)]."""
    S, n = diagonal.shape[:2]
    N = S * n
    for l in range(S):
        for m in range(S):
            for i in range(n):
                for j in range(n):
                    a, b = l * n + i, m * n + j
                    P = 0.5 * (of_pairs[l * S + m, i * n + j] + np.conj(of_pairs[m * S + l, j * n + i]))
                    if l == m:
                        P += diagonal[l, i, j]
                    X = 0.5 * (crossed[m * n + i, l * n + j] + crossed[l * n + j, m * n + i])
                    M[a, b] += P.real + X.real
                    M[N + a, N + b] += P.real - X.real
                    M[a, N + b] += -P.imag - X.imag
                    M[N + a, b] += P.imag - X.imag


@_compiled
def curvature_of_worst(W, c, q, smoothing, tau, error, heard, inverse, bending):  # type: ignore[no-untyped-def]
    """Second differential of -sum_u q_u values_u, real (2 S n, 2 S n) in (Re W, Im W)."""
    S, n = W.shape
    U, N = len(q), W.size
    weights = np.empty((2 * U, S * S), dtype=np.complex128)
    blocks = np.empty((2 * U, n * n), dtype=np.complex128)
    left, right = np.empty((U, N), dtype=np.complex128), np.empty((U, N), dtype=np.complex128)
    diagonal = np.zeros((S, n, n), dtype=np.complex128)
    rows, signs = np.zeros((2 * U, 2 * N)), np.zeros(2 * U)
    for u in range(U):
        mu = smoothing[u]
        x, A = heard[u], inverse[u]
        E = W @ np.conj(x)
        uw = W @ A.T  # rows A w_l
        K = np.conj(W) @ uw.T  # w_l^H A w_m
        y = A @ error[u]
        yw = W @ np.conj(y)
        p = 0.0
        for l in range(S):
            if c[u, l] > 0.0:
                for i in range(n):
                    p += c[u, l] * (W[l, i].real ** 2 + W[l, i].imag ** 2)
        beyond = tau[u] + p
        for i in range(n):
            for j in range(n):
                blocks[u, i * n + j] = A[i, j]
                blocks[U + u, i * n + j] = x[i] * np.conj(x[j])
        for l in range(S):
            for m in range(S):
                cc = 2.0 * q[u] * c[u, l] * c[u, m]
                weights[u, l * S + m] = cc * (E[l] * np.conj(E[m]) + mu * K[m, l])
                weights[U + u, l * S + m] = cc * K[m, l]
            own = max(c[u, l], 0.0)
            a = -2.0 * q[u] * c[u, l]
            weights[u, l * S + l] += a * mu
            weights[U + u, l * S + l] += a
            for i in range(n):
                diagonal[l, i, i] += 2.0 * mu * q[u] * own / beyond
        turned = uw @ A.T  # rows A A w_l
        for l in range(S):
            own = max(c[u, l], 0.0)
            for i in range(n):
                left[u, l * n + i] = (
                    2.0 * q[u] * c[u, l] * (2.0 * np.conj(E[l]) * np.conj(x[i]) + mu * np.conj(uw[l, i]))
                )
                right[u, l * n + i] = c[u, l] * np.conj(uw[l, i])
                g = c[u, l] * (-E[l] * y[i] - yw[l] * x[i] - mu * turned[l, i]) + mu * own / beyond**2 * W[l, i]
                rows[u, l * n + i] = 2.0 * g.real
                rows[u, N + l * n + i] = 2.0 * g.imag
                rows[U + u, l * n + i] = 2.0 * own * W[l, i].real
                rows[U + u, N + l * n + i] = 2.0 * own * W[l, i].imag
        signs[u] = -q[u] / bending[u]
        signs[U + u] = -mu * q[u] / beyond**2
    scaled = rows.T.copy()
    for r in range(2 * U):
        for i in range(2 * N):
            scaled[i, r] *= signs[r]
    M = scaled @ rows
    _add_pairs(M, weights.T.copy() @ blocks, left.T.copy() @ right, diagonal)
    return M


@_compiled
def add_stream_blocks(M, B):  # type: ignore[no-untyped-def]
    """Add d -> sum_l Re(d_l^H B d_l) to a real symmetric M, in place; B complex (n, n)."""
    n = len(B)
    N = len(M) // 2
    for l in range(N // n):
        for i in range(n):
            a = l * n + i
            for j in range(n):
                b = l * n + j
                re = 0.5 * (B[i, j].real + B[j, i].real)
                im = 0.5 * (B[i, j].imag - B[j, i].imag)
                M[a, b] += re
                M[N + a, N + b] += re
                M[a, N + b] -= im
                M[N + a, b] += im
