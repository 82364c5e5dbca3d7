"""Compiled block coordinate descent of slp-comp on the small dual of the linearised problem.

The notation is that of `illumination` and `projection`. The waveform is X_n = (B^H 2 T W_0 + H^H omega)_n / lambda_n.
"""

from __future__ import annotations

import numpy as np

from precoding.symbollevel.compiled import compiled, gram, stacked
from precoding.symbollevel.illumination import (
    LEAST_LAMBDA,
    couplings,
    fisher_blocks,
    illuminator,
    information,
    lambdas,
    mixture,
    nuisances,
    shares,
)
from precoding.symbollevel.projection import project

__all__ = ["ascend"]


@compiled
def ascend(  # type: ignore[no-untyped-def]
    E, station, cap, BH, HH, edges, depth, radii, W, before, norms, nu, omega, y, mu, lam, pace, gamma,
    steps, inner, sweeps, y_steps, settled, history,
):  # fmt: skip
    """Climb from W; W, before (the W before it), norms, nu, omega, y, mu, lam, pace and gamma change in place.

    Args:
        E: Complex (J, p, 2, r).
        station: (r,) the BS of each lit coordinate.
        cap: (J,) sqrt(L P_n).
        BH: Complex (r, U), B_n H_n^H.
        HH: Complex (J, U, U), H_n H_n^H.
        edges: (2, U, edges, L).
        depth: (U,) to reach on the estimated channel.
        radii: (U,) of the CSI balls.
        W: (2 r, L).
        before: (2 r, L).
        norms: (L,) |x_s|, over all BSs.
        nu: (U, edges, L).
        omega: (2 U, L).
        y: (J, p - 1).
        mu: (J,).
        lam: (J,).
        pace: (3,) Nesterov's t, last information, and how often in a row it settled.
        gamma: (2 r, L), 2 T W_0: with omega and lam it is the waveform.
        steps: Iterations.
        inner: Passes of block descent an iteration.
        sweeps: Of the projection a pass.
        y_steps: Newton steps of the nuisances a pass.
        settled: Relative change of information that counts as none; four times in a row ends it.
        history: (steps,) smallest information after each iteration.

    Returns:
        Iterations made.

    """
    r, real_BH = len(station), stacked(BH)
    for step in range(steps):
        ahead = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * pace[0] ** 2))
        W0 = W + min((pace[0] - 1.0) / ahead, 0.9) * (W - before)
        pace[0] = ahead
        before[:] = W
        theta = depth.reshape(-1, 1) + radii.reshape(-1, 1) * norms
        _descend(E, station, cap, BH, HH, edges, theta, W0, nu, omega, y, mu, lam, gamma, inner, sweeps, y_steps)
        W[:] = gamma + np.dot(real_BH, omega)
        lam[:] = _power_prices(gamma, W, gram(omega, omega), HH, station, cap)
        for k in range(r):
            W[k] /= lam[station[k]]
            W[r + k] /= lam[station[k]]
        _fill_norms(norms, W, gamma, omega, BH, HH, lam, station)
        reached = information(E, gram(W, W))
        history[step] = reached
        pace[2] = pace[2] + 1.0 if abs(reached - pace[1]) <= settled * abs(reached) else 0.0
        if reached < (1.0 - 1e-3) * pace[1]:
            pace[0] = 1.0
            before[:] = W
        pace[1] = reached
        if pace[2] >= 4.0 or not np.isfinite(reached):
            return step + 1
    return steps


@compiled
def _descend(  # type: ignore[no-untyped-def]
    E, station, cap, BH, HH, edges, theta, W0, nu, omega, y, mu, lam, gamma, inner, sweeps, y_steps
):  # fmt: skip
    """Passes of block descent on the dual of the problem linearised at W0: shares, nuisances, regions."""
    U, L = HH.shape[1], W0.shape[1]
    q, nobody = np.empty((2 * U, L)), np.zeros(U, dtype=np.bool_)
    R = gram(W0, W0)
    S = fisher_blocks(E, R)
    for _ in range(inner):
        C, Omega = gram(W0, omega), gram(omega, omega)
        A, b, t, c = couplings(E, illuminator(E, y), station, R, C, Omega, BH, HH)
        shares(A, b, t, c, cap, mu)
        lam[:] = lambdas(A, b, t, mu, cap)
        nuisances(E, S, y, mu, lam[station], R, np.dot(BH, np.conj(C.T)), y_steps)
        gamma[:] = np.dot(stacked(2.0 * mixture(illuminator(E, y), mu)), W0)
        K = np.zeros((U, U), dtype=np.complex128)
        for n in range(len(E)):
            K += HH[n] / lam[n]
        hear = np.conj(BH.T) / lam[station]
        q[:] = np.dot(stacked(hear), gamma) + np.dot(stacked(K), omega)
        project(q, nu, omega, K, edges, theta, nobody, sweeps)


@compiled
def _power_prices(gamma, pushed, Omega, HH, station, cap):  # type: ignore[no-untyped-def]
    """|B^H gamma + H^H omega|_n / cap_n; pushed = gamma + B H^H omega."""
    J, r, L = len(cap), len(station), gamma.shape[1]
    lam = np.empty(J)
    for n in range(J):
        lam[n] = np.sum(HH[n] * Omega.T).real
    for k in range(2 * r):
        total = 0.0
        for s in range(L):
            total += gamma[k, s] * (2.0 * pushed[k, s] - gamma[k, s])
        lam[station[k % r]] += total
    lam = np.sqrt(np.maximum(lam, 0.0)) / cap
    return np.maximum(lam, LEAST_LAMBDA * np.sum(lam) + 1e-30)


@compiled
def _fill_norms(norms, W, gamma, omega, BH, HH, lam, station):  # type: ignore[no-untyped-def]
    """|x_s| of x_n = (B^H gamma + H^H omega)_n / lam_n, over all BSs, without forming x."""
    r, U, L, J = len(station), HH.shape[1], W.shape[1], len(lam)
    norms[:] = 0.0
    # |x_n|^2 = |gamma_n|^2 / lam_n^2 + 2 Re gamma_n^H BH omega / lam_n^2 + omega^H HH_n omega / lam_n^2;
    # W holds (gamma + BH omega) / lam.
    M = np.zeros((U, U), dtype=np.complex128)
    for n in range(J):
        M += HH[n] / lam[n] ** 2
    V = np.dot(stacked(M), omega)
    for i in range(2 * U):
        for s in range(L):
            norms[s] += omega[i, s] * V[i, s]
    for k in range(2 * r):
        weight = 1.0 / lam[station[k % r]]
        for s in range(L):
            norms[s] += gamma[k, s] * weight * (2.0 * W[k, s] - gamma[k, s] * weight)
    for s in range(L):
        norms[s] = np.sqrt(max(norms[s], 0.0))
