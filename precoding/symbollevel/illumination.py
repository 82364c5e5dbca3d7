"""Compiled sensing of slp-comp: the small dual of the linearised Fisher problem, and the climb without users.

W = B X are the lit coordinates (r of them, each of one BS), E_m the Jacobians on them, u_m = [1, -y_m] the weights of
the nuisances, Q_m = sum_l u_l E_ml, T = sum_m mu_m Q_m^H Q_m, lambda the prices of power.
"""

from __future__ import annotations

import numpy as np

from precoding.symbollevel.compiled import compiled, gram, stacked

__all__ = [
    "LEAST_LAMBDA",
    "couplings",
    "fisher_blocks",
    "illuminator",
    "information",
    "lambdas",
    "mixture",
    "nuisances",
    "sense",
    "shares",
]

LEAST_LAMBDA = 1e-4  # of the sum: a BS that is hardly used must not divide by zero
_HALVINGS = 30


@compiled
def illuminator(E, y):  # type: ignore[no-untyped-def]
    """Q_m of every BS, complex (J, 2, r), from E, complex (J, p, 2, r), and y (J, p - 1)."""
    J, p, _, r = E.shape
    Q = E[:, 0].copy()
    for m in range(J):
        for i in range(1, p):
            for j in range(2):
                for k in range(r):
                    Q[m, j, k] -= y[m, i - 1] * E[m, i, j, k]
    return Q


@compiled
def _solve(A, b):  # type: ignore[no-untyped-def]
    """A^-1 b of a semidefinite matrix, scaled to unit diagonal and regularised by 1e-9; by Cholesky, for few rows."""
    n = len(b)
    x, M = np.empty(n), np.empty((n, n))
    for i in range(n):
        x[i] = 1.0 / np.sqrt(max(A[i, i], 1e-300))
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j] * x[i] * x[j]
            if i == j:
                total += 1e-9
            for k in range(j):
                total -= M[i, k] * M[j, k]
            M[i, j] = np.sqrt(max(total, 1e-12)) if i == j else total / M[j, j]
    z = b * x
    for i in range(n):
        for k in range(i):
            z[i] -= M[i, k] * z[k]
        z[i] /= M[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            z[i] -= M[k, i] * z[k]
        z[i] /= M[i, i]
    return z * x


@compiled
def couplings(E, Q, station, R, C, Omega, BH, HH):  # type: ignore[no-untyped-def]
    """A (J, J, J), b (J, J), t (J,) of |sum_m mu_m G_m + H^H omega|_n^2 = mu' A_n mu + 2 b_n' mu + t_n, and c (J,)."""
    J, r = len(E), len(R)
    A, b, t, c = np.zeros((J, J, J)), np.zeros((J, J)), np.zeros(J), np.zeros(J)
    U = len(Omega)
    for i in range(J):
        QR, QC = np.dot(Q[i], R), np.dot(Q[i], C)
        c[i] = -np.sum(QR * np.conj(Q[i])).real
        for j in range(J):
            S = np.dot(QR, np.conj(Q[j].T))
            for k in range(r):
                pair = 0.0
                for a in range(2):
                    for d in range(2):
                        pair += (Q[j, d, k] * np.conj(Q[i, a, k]) * S[a, d]).real
                A[station[k], i, j] += 4.0 * pair
        for k in range(r):
            for a in range(2):
                heard = 0.0j
                for u in range(U):
                    heard += QC[a, u] * np.conj(BH[k, u])
                b[station[k], i] += 2.0 * (heard * np.conj(Q[i, a, k])).real
    for n in range(J):
        t[n] = np.sum(HH[n] * Omega.T).real
    return A, b, t, c


@compiled
def _norms2(A, b, t, mu):  # type: ignore[no-untyped-def]
    J = len(mu)
    total = t.copy()
    for n in range(J):
        for i in range(J):
            total[n] += 2.0 * b[n, i] * mu[i]
            for j in range(J):
                total[n] += mu[i] * A[n, i, j] * mu[j]
    return np.maximum(total, 0.0)


@compiled
def lambdas(A, b, t, mu, cap):  # type: ignore[no-untyped-def]
    """Prices of power, (J,)."""
    lam = np.sqrt(_norms2(A, b, t, mu)) / cap
    return np.maximum(lam, LEAST_LAMBDA * np.sum(lam) + 1e-30)


@compiled
def shares(A, b, t, c, cap, mu):  # type: ignore[no-untyped-def]
    """Minimise over the simplex sum_n cap_n sqrt(mu' A_n mu + 2 b_n' mu + t_n) + c' mu, pair by pair, by bisection."""
    J = len(mu)
    for _ in range(1 if J == 2 else 3):
        for i in range(J):
            for j in range(i + 1, J):
                low, high = 0.0, mu[i] + mu[j]
                both = high
                for _ in range(_HALVINGS):
                    mu[i] = 0.5 * (low + high)
                    mu[j] = both - mu[i]
                    slope = c[i] - c[j]
                    for n in range(J):
                        size2, along = t[n], b[n, i] - b[n, j]
                        for k in range(J):
                            size2 += 2.0 * b[n, k] * mu[k]
                            along += (A[n, i, k] - A[n, j, k]) * mu[k]
                            for h in range(J):
                                size2 += mu[k] * A[n, k, h] * mu[h]
                        slope += cap[n] * along / np.sqrt(max(size2, 1e-300))
                    if slope > 0.0:
                        high = mu[i]
                    else:
                        low = mu[i]


@compiled
def fisher_blocks(E, R):  # type: ignore[no-untyped-def]
    """E_m R E_m^H of every BS, complex (J, 2 p, 2 p); R complex (r, r)."""
    J, p, _, r = E.shape
    flat = E.reshape(J * 2 * p, r)
    left = np.dot(flat, R)
    S = np.empty((J, 2 * p, 2 * p), dtype=np.complex128)
    for m in range(J):
        rows = slice(2 * p * m, 2 * p * (m + 1))
        S[m] = np.dot(left[rows], np.ascontiguousarray(np.conj(flat[rows]).T))
    return S


@compiled
def _fisher(S):  # type: ignore[no-untyped-def]
    """Re tr of every 2 x 2 block of S, (p, p)."""
    p = len(S) // 2
    F = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            F[i, j] = S[2 * i, 2 * j].real + S[2 * i + 1, 2 * j + 1].real
    return F


@compiled
def information(E, R):  # type: ignore[no-untyped-def]
    """Smallest Schur complement over all BSs of their Fisher matrices at R = W W^H."""
    S, least = fisher_blocks(E, R), np.inf
    for m in range(len(E)):
        F = _fisher(S[m])
        least = min(least, F[0, 0] - np.sum(F[0, 1:] * _solve(F[1:, 1:], F[1:, 0])))
    return least


@compiled
def nuisances(E, S, y, mu, lam_of, R, heard, steps):  # type: ignore[no-untyped-def]
    """Newton steps in the nuisance weights y as variables of the dual; y is changed in place.

    S is E R E^H, heard B H^H omega W_0^H, lam_of the price of power of each lit coordinate.
    """
    J, p, _, r = E.shape
    Z = fisher_blocks(E, np.diag((1.0 / lam_of).astype(np.complex128)))
    u, residual = np.ones(p), np.empty(p - 1)
    for _ in range(steps):
        Q = illuminator(E, y)
        moved = 2.0 * np.dot(mixture(Q, mu), R) + heard
        for k in range(r):
            moved[k] /= lam_of[k]
        cross = moved + np.conj(moved.T) - R
        for m in range(J):
            seen = np.dot(Q[m], cross)  # cross is Hermitian: E_a cross Q^H = (Q cross E_a^H)^H
            for a in range(1, p):
                u[a] = -y[m, a - 1]
                total = 0.0
                for i in range(2):
                    for k in range(r):
                        total += (seen[i, k] * np.conj(E[m, a, i, k])).real
                residual[a - 1] = total
            M = _fisher(S[m])[1:, 1:] + 2.0 * mu[m] * _stiffness(S[m], Z[m], u)
            y[m] += _solve(M, residual)


@compiled
def _stiffness(S, Z, u):  # type: ignore[no-untyped-def]
    """Re tr L^-1 K_a R K_b^H for K_a = E_a^H Q + Q^H E_a, from S = E R E^H and Z = E L^-1 E^H; (p - 1, p - 1)."""
    p = len(u)
    SQ, ZQ = np.zeros((2 * p, 2), dtype=np.complex128), np.zeros((2 * p, 2), dtype=np.complex128)
    SQQ, ZQQ = np.zeros((2, 2), dtype=np.complex128), np.zeros((2, 2), dtype=np.complex128)
    for k in range(2 * p):
        for i in range(p):
            for j in range(2):
                SQ[k, j] += u[i] * S[k, 2 * i + j]
                ZQ[k, j] += u[i] * Z[k, 2 * i + j]
    for i in range(p):
        for k in range(2):
            for j in range(2):
                SQQ[k, j] += u[i] * SQ[2 * i + k, j]
                ZQQ[k, j] += u[i] * ZQ[2 * i + k, j]
    M = np.empty((p - 1, p - 1))
    for a in range(1, p):
        for b in range(a, p):
            total = 0.0
            for i in range(2):
                for j in range(2):
                    total += (Z[2 * b + i, 2 * a + j] * SQQ[j, i] + ZQQ[i, j] * S[2 * a + j, 2 * b + i]).real
                    total += (SQ[2 * b + i, j] * ZQ[2 * a + j, i] + ZQ[2 * b + i, j] * SQ[2 * a + j, i]).real
            M[a - 1, b - 1] = total
            M[b - 1, a - 1] = total
    return M


@compiled
def mixture(Q, mu):  # type: ignore[no-untyped-def]
    """T = sum_m mu_m Q_m^H Q_m."""
    r = Q.shape[2]
    T = np.zeros((r, r), dtype=np.complex128)
    for m in range(len(Q)):
        for i in range(2):
            for k in range(r):
                left = mu[m] * np.conj(Q[m, i, k])
                for j in range(r):
                    T[k, j] += left * Q[m, i, j]
    return T


@compiled
def sense(E, station, cap, W, y, mu, steps, y_steps, settled):  # type: ignore[no-untyped-def]
    """Climb without users, every iterate at full power; W, y and mu are changed in place to those of the best.

    Returns:
        Its information, and the prices of power.

    """
    J, r = len(E), len(station)
    best_W, best_y, best_mu, best, calm = W.copy(), y.copy(), mu.copy(), -1.0, 0
    lam = np.ones(J)
    best_lam = lam.copy()
    C, Omega = np.zeros((r, 1), dtype=np.complex128), np.zeros((1, 1), dtype=np.complex128)
    BH, HH = np.zeros((r, 1), dtype=np.complex128), np.zeros((J, 1, 1), dtype=np.complex128)
    R = gram(W, W)
    for _ in range(steps):
        A, b, t, c = couplings(E, illuminator(E, y), station, R, C, Omega, BH, HH)
        shares(A, b, t, c, cap, mu)
        lam = lambdas(A, b, t, mu, cap)
        nuisances(E, fisher_blocks(E, R), y, mu, lam[station], R, np.zeros_like(R), y_steps)
        W[:] = np.dot(stacked(2.0 * mixture(illuminator(E, y), mu)), W)
        power = np.zeros(J)
        for k in range(r):
            power[station[k]] += np.sum(W[k] ** 2) + np.sum(W[r + k] ** 2)
        for k in range(r):
            factor = cap[station[k]] / np.sqrt(max(power[station[k]], 1e-300))
            W[k] *= factor
            W[r + k] *= factor
        R = gram(W, W)
        reached = information(E, R)
        calm = calm + 1 if reached < best * (1.0 + settled) else 0
        if reached > best:
            best, best_W[:], best_y[:], best_mu[:], best_lam[:] = reached, W, y, mu, lam
        if calm == 4:
            break
    W[:], y[:], mu[:] = best_W, best_y, best_mu
    return best, best_lam
