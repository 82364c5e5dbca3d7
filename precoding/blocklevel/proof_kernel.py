"""Compiled: whether the prices of the interior point prove an objective already, so that it may stop."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["is_dual_feasible"]

_compiled = nb.njit(cache=True, error_model="numpy")  # no fastmath in what ends a search


@_compiled
def is_dual_feasible(stations, rise, c, q, heard, spread, sensing):  # type: ignore[no-untyped-def]
    """Whether B_l + rise * diag(stations) >= 0 for every stream l of a cluster.

    B_l = diag(stations) - sensing - sum_u q_u c_ul X_u, with X_u = x x^H + Y of each user.

    Args:
        stations: (n,) price of the power of every coordinate.
        rise: How much dearer power may be.
        c: (U, S) 1 / gamma for the own stream, -1 for others.
        q: (U,) prices.
        heard: Complex (U, n): x.
        spread: Complex (U, n, n): Y, or of no size in its last axes.
        sensing: Complex (n, n).

    """
    U, S = c.shape
    n = len(stations)
    X = np.zeros((U, n, n), dtype=np.complex128)
    common = -sensing
    for u in range(U):
        for i in range(n):
            for j in range(n):
                X[u, i, j] = q[u] * heard[u, i] * np.conj(heard[u, j])
                if spread.shape[1] > 0:
                    X[u, i, j] += q[u] * spread[u, i, j]
        common += X[u]
    scale = 1.0 / np.sqrt(stations)
    B = np.empty((n, n), dtype=np.complex128)
    for l in range(S):
        B[:, :] = common
        for u in range(U):
            if c[u, l] > 0.0:
                B -= (1.0 + c[u, l]) * X[u]
        for i in range(n):
            for j in range(n):
                B[i, j] *= scale[i] * scale[j]
            B[i, i] += 1.0 + rise
        for j in range(n):  # Cholesky, which fails where B is not positive definite
            pivot = B[j, j].real
            for k in range(j):
                pivot -= B[j, k].real ** 2 + B[j, k].imag ** 2
            if not pivot > 0.0:
                return False
            root = np.sqrt(pivot)
            B[j, j] = root
            for i in range(j + 1, n):
                total = B[i, j]
                for k in range(j):
                    total -= B[i, k] * np.conj(B[j, k])
                B[i, j] = total / root
    return True
