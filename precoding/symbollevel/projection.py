"""Compiled projections of symbol vectors on their regions: dual coordinate ascent, constraint by constraint.

A waveform is told by nu, the prices of the edges of the regions, and omega = sum_e r nu.
"""

from __future__ import annotations

import numpy as np

from precoding.symbollevel.compiled import CHUNK, compiled, gram, stacked

__all__ = ["begin", "least_power", "project"]


@compiled
def project(q, nu, omega, K, edges, theta, ball, sweeps):  # type: ignore[no-untyped-def]
    """Dual coordinate ascent on every symbol, constraint by constraint; q, nu and omega are changed in place.

    A row of H is either a user's, whose signal must lie in a wedge, Re(conj(r) q) >= theta for every edge, or a
    leakage, |q| <= theta.

    Args:
        q: (2 U, L) received signals H X, kept up to date.
        nu: (U, edges, L) prices of the edges, >= 0.
        omega: (2 U, L) sum_e r nu, or minus the price of a leakage as a vector.
        K: Complex (U, U), how prices move received signals.
        edges: (2, U, edges, L) inward normals, real and imaginary parts.
        theta: (U, L) depth to reach, or leakage allowed.
        ball: (U,) whether the row is a leakage.
        sweeps: Passes over all constraints.

    """
    U, n_edges, L = nu.shape
    re, im = np.empty(CHUNK), np.empty(CHUNK)
    for first in range(0, L, CHUNK):
        n = min(CHUNK, L - first)
        part = slice(first, first + n)
        for _ in range(sweeps):
            for u in range(U):
                curvature = 1.0 / K[u, u].real
                for e in range(1 if ball[u] else n_edges):
                    qr, qi, wr, wi, goal = (
                        q[u, part],
                        q[U + u, part],
                        omega[u, part],
                        omega[U + u, part],
                        theta[u, part],
                    )
                    if ball[u]:
                        for s in range(n):
                            zr, zi = qr[s] - wr[s] / curvature, qi[s] - wi[s] / curvature
                            size = np.sqrt(zr * zr + zi * zi) + 1e-300
                            pull = curvature * max(size - goal[s], 0.0) / size
                            re[s], im[s] = -pull * zr - wr[s], -pull * zi - wi[s]
                    else:
                        er, ei, price = edges[0, u, e, part], edges[1, u, e, part], nu[u, e, part]
                        for s in range(n):
                            new = max(price[s] + curvature * (goal[s] - er[s] * qr[s] - ei[s] * qi[s]), 0.0)
                            moved = new - price[s]
                            price[s] = new
                            re[s], im[s] = er[s] * moved, ei[s] * moved
                    for j in range(U):
                        a, b = K[j, u].real, K[j, u].imag
                        if a == 0.0 and b == 0.0:
                            continue
                        qr, qi = q[j, part], q[U + j, part]
                        for s in range(n):
                            qr[s] += a * re[s] - b * im[s]
                            qi[s] += a * im[s] + b * re[s]
                    for s in range(n):
                        wr[s] += re[s]
                        wi[s] += im[s]


@compiled
def least_power(HH, edges, depth, radii, limits, rounds, sweeps):  # type: ignore[no-untyped-def]
    """Waveform X_n = H_n^H omega / w_n of least weighted power with all symbols exactly in their regions.

    A closed-form scaling of every symbol ends it: the regions are shifted cones. Weights w grow at a BS whose power is
    over its limit. Nothing is proven when it fails.

    Args:
        HH: Complex (J, U, U).
        edges: (2, U, edges, L).
        depth: (U,).
        radii: (U,).
        limits: (J,) L P_n.
        rounds: Refreshes of the error terms and the weights.
        sweeps: Of the projection a round.

    Returns:
        omega (2 U, L), w (J,), energies (J,), and whether all is within the limits.

    """
    J, U = HH.shape[:2]
    n_edges, L = edges.shape[2:]
    nu, omega, q = np.zeros((U, n_edges, L)), np.zeros((2 * U, L)), np.zeros((2 * U, L))
    theta, ball = np.empty((U, L)), np.zeros(U, dtype=np.bool_)
    w, norms, energies = np.ones(J), np.zeros(L), np.zeros(J)
    scale = np.ones(L)
    for i in range(rounds):
        K = np.zeros((U, U), dtype=np.complex128)
        M = np.zeros((U, U), dtype=np.complex128)
        for n in range(J):
            K += HH[n] / w[n]
            M += HH[n] / w[n] ** 2
        q[:] = np.dot(stacked(K), omega)
        for s in range(L):
            for u in range(U):
                theta[u, s] = depth[u] + radii[u] * norms[s]
        project(q, nu, omega, K, edges, theta, ball, sweeps)
        V = np.dot(stacked(M), omega)
        inside = True
        for s in range(L):
            size = 0.0
            for k in range(2 * U):
                size += omega[k, s] * V[k, s]
            norms[s] = np.sqrt(max(size, 0.0))
            scale[s] = 0.0
            for u in range(U):
                for e in range(n_edges):
                    reach = edges[0, u, e, s] * q[u, s] + edges[1, u, e, s] * q[U + u, s] - radii[u] * norms[s]
                    inside = inside and reach > 0.0
                    scale[s] = max(scale[s], depth[u] / reach)
        Omega = gram(omega * scale, omega * scale)
        over = 0.0
        for n in range(J):
            energies[n] = np.sum(HH[n] * Omega.T).real / w[n] ** 2
            over = max(over, energies[n] / limits[n])
        if inside and over < 0.9 and i >= 2:
            return omega * scale, w, energies, True
        if i >= 2:
            for n in range(J):
                w[n] *= max(energies[n] / limits[n] / over, 1e-2) ** 0.5
    return omega * scale, w, energies, inside and over < 1.0


@compiled
def begin(z, hear, K, edges, depth, radii, phases, sweeps):  # type: ignore[no-untyped-def]
    """Turn the base vector of every symbol to the phase from which its regions are nearest.

    Args:
        z: (2 r, L) base vectors in lit coordinates.
        hear: Complex (U, r), what users receive of lit coordinates.
        K: Complex (U, U), of the weighted distance.
        edges: (2, U, edges, L).
        depth: (U,).
        radii: (U,).
        phases: How many are tried, evenly spread over a turn.
        sweeps: Of the projection.

    Returns:
        The phase (L,), and the prices nu (U, edges, L) and omega (2 U, L) there.

    """
    U, L = len(depth), z.shape[1]
    n_edges = edges.shape[2]
    q0, theta, ball = np.dot(stacked(hear), z), np.empty((U, L)), np.zeros(U, dtype=np.bool_)
    for s in range(L):
        norm = np.sqrt(np.sum(z[:, s] ** 2))
        for u in range(U):
            theta[u, s] = depth[u] + radii[u] * norm
    best, angle = np.full(L, np.inf), np.zeros(L)
    best_nu, best_omega = np.zeros((U, n_edges, L)), np.zeros((2 * U, L))
    for i in range(phases):
        phase = 2.0 * np.pi * i / phases
        c, d = np.cos(phase), np.sin(phase)
        q = c * q0
        q[:U] -= d * q0[U:]
        q[U:] += d * q0[:U]
        nu, omega = np.zeros((U, n_edges, L)), np.zeros((2 * U, L))
        start = q.copy()
        project(q, nu, omega, K, edges, theta, ball, sweeps)
        for s in range(L):
            cost = 0.0
            for k in range(2 * U):
                cost += omega[k, s] * (q[k, s] - start[k, s])
            if cost < best[s]:
                best[s], angle[s] = cost, phase
                best_nu[:, :, s], best_omega[:, s] = nu[:, :, s], omega[:, s]
    return angle, best_nu, best_omega
