"""Compiled search for all angles of one echo when all signals are known: amplitudes eliminated, Newton at the end.

The model is Y = a(theta) sum_n alpha_n v(theta_n)^T X_n + Z. With M = Y X^H, G = X X^H of the stacked signals, angles
explain u K^-1 u^H / n_rx of the energy: u_n = a^H M_n v_n^*, K_nk = v_n^T G_nk v_k^*.
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["maximise_jointly"]

STARTS = 3  # directions of arrival, those whose upper bound may still beat what was found
ROUNDS, SAME = 3, 1e-9  # of searches for the others' angles and climbs from there, at most, and when nothing changed
STEPS, OFFSET, CLOSE = 8, 1e-4, 1e-5  # of Newton on central differences, in sines
RIDGE = 1e-9  # of K: a station with one stream leaves its angle free, which must not divide by zero
_compiled = nb.njit(cache=True, error_model="numpy")


@_compiled
def _ray(n, u):  # type: ignore[no-untyped-def]
    """Steering vector (n,) of the sine u."""
    v = np.empty(n, dtype=np.complex128)
    z, v[0] = np.exp(1j * np.pi * u), np.exp(-0.5j * np.pi * (n - 1) * u)
    for i in range(1, n):
        v[i] = v[i - 1] * z
    return v


@_compiled
def _explained(u, K, L):  # type: ignore[no-untyped-def]
    """Return u K^-1 u^H = |L^-1 u^H|^2 for K = L L^H, by a Cholesky factor with a ridge; L (J, J) is scratch."""
    n, trace, value = len(u), 0.0, 0.0
    for i in range(n):
        trace += K[i, i].real
    ridge = RIDGE * trace
    x = np.empty(n, dtype=np.complex128)
    for i in range(n):
        for j in range(i):
            entry = K[i, j]
            for k in range(j):
                entry -= L[i, k] * np.conj(L[j, k])
            L[i, j] = entry / L[j, j].real
        pivot = K[i, i].real + ridge
        for k in range(i):
            pivot -= L[i, k].real ** 2 + L[i, k].imag ** 2
        L[i, i] = np.sqrt(max(pivot, ridge))
        x[i] = np.conj(u[i])
        for k in range(i):
            x[i] -= L[i, k] * x[k]
        x[i] /= L[i, i].real
        value += x[i].real ** 2 + x[i].imag ** 2
    return value


@_compiled
def _set_path(M, G, own, rays, j, u, K):  # type: ignore[no-untyped-def]
    """Bring entry j of u and row and column j of K up to date with rays (J, n_tx) and, for the own path, nothing else.

    M (J, n_tx) is already beamformed: a^H M.
    """
    J, n = rays.shape
    correlation = 0.0j
    for t in range(n):
        correlation += M[j, t] * np.conj(rays[j, t])
    u[j] = correlation
    for k in range(J):
        entry = 0.0j
        for t in range(n):
            part = 0.0j
            for r in range(n):
                part += G[j, t, k, r] * np.conj(rays[k, r])
            entry += rays[j, t] * part
        K[j, k] = entry
        K[k, j] = np.conj(entry)


@_compiled
def _beamform(M, sine, beam):  # type: ignore[no-untyped-def]
    """Set beam (J, n_tx) = a(sine)^H M for M (n_rx, J, n_tx)."""
    n_rx, J, n = M.shape
    a = _ray(n_rx, sine)
    beam[:] = 0.0
    for i in range(n_rx):
        w = np.conj(a[i])
        for j in range(J):
            for t in range(n):
                beam[j, t] += w * M[i, j, t]


@_compiled
def _value(M, G, own, sines, rays, beam, u, K, L):  # type: ignore[no-untyped-def]
    """Energy explained by all angles, times n_rx."""
    _beamform(M, sines[own], beam)
    for j in range(len(sines)):
        rays[j] = _ray(rays.shape[1], sines[j])
    for j in range(len(sines)):
        _set_path(beam, G, own, rays, j, u, K)
    return _explained(u, K, L)


@_compiled
def _scan(M, G, own, j, sines, lowest, spacing, count, rays, beam, u, K, L):  # type: ignore[no-untyped-def]
    """Set sines[j] to the best of a grid, the others as they are."""
    best, where = _value(M, G, own, sines, rays, beam, u, K, L), sines[j]
    for i in range(count):
        sine = lowest + i * spacing
        rays[j] = _ray(rays.shape[1], sine)
        if j == own:
            _beamform(M, sine, beam)
            for k in range(len(sines)):
                u[k] = 0.0
                for t in range(rays.shape[1]):
                    u[k] += beam[k, t] * np.conj(rays[k, t])
        _set_path(beam, G, own, rays, j, u, K)
        value = _explained(u, K, L)
        if value > best:
            best, where = value, sine
    sines[j] = where


@_compiled
def _on_grid(grid, block, fixed):  # type: ignore[no-untyped-def]
    """Return r^T B f^* for every ray r of a grid (count, n), with B (n, n) and f (n,)."""
    return grid @ (block @ np.conj(fixed))


@_compiled
def _scan_pair(M, G, own, j, k, sines, lowest, spacing, count, rays, beam, u, K, L):  # type: ignore[no-untyped-def]
    """Set sines[j] and sines[k], neither the own one, to the best of a grid of both, the others as they are."""
    best, n = _value(M, G, own, sines, rays, beam, u, K, L), rays.shape[1]
    first, second = sines[j], sines[k]
    grid = np.empty((count, n), dtype=np.complex128)
    for i in range(count):
        grid[i] = _ray(n, lowest + i * spacing)
    heard_j, heard_k = np.conj(grid) @ beam[j], np.conj(grid) @ beam[k]
    with_j = np.empty((len(sines), count), dtype=np.complex128)
    with_k = np.empty((len(sines), count), dtype=np.complex128)
    for i in range(len(sines)):
        with_j[i] = _on_grid(grid, np.ascontiguousarray(G[j, :, i]), rays[i])
        with_k[i] = _on_grid(grid, np.ascontiguousarray(G[k, :, i]), rays[i])
    crossed = grid @ np.ascontiguousarray(G[j, :, k]) @ np.ascontiguousarray(np.conj(grid).T)
    own_j = grid @ np.ascontiguousarray(G[j, :, j])
    own_k = grid @ np.ascontiguousarray(G[k, :, k])
    for a in range(count):
        u[j] = heard_j[a]
        for i in range(len(sines)):
            K[j, i], K[i, j] = with_j[i, a], np.conj(with_j[i, a])
        K[j, j] = np.sum(own_j[a] * np.conj(grid[a]))
        for b in range(count):
            u[k] = heard_k[b]
            for i in range(len(sines)):
                if i != j:
                    K[k, i], K[i, k] = with_k[i, b], np.conj(with_k[i, b])
            K[k, k] = np.sum(own_k[b] * np.conj(grid[b]))
            K[j, k], K[k, j] = crossed[a, b], np.conj(crossed[a, b])
            value = _explained(u, K, L)
            if value > best:
                best, first, second = value, lowest + a * spacing, lowest + b * spacing
    sines[j], sines[k] = first, second


@_compiled
def _search(M, G, own, sines, lowest, spacing, count, rays, beam, u, K, L):  # type: ignore[no-untyped-def]
    """Set all angles but the own one to the best of grids: in pairs where there are more than one.

    Stations that send the same streams are told apart by their angles alone: one at a time, they end in each other's
    place.
    """
    J = len(sines)
    if J == 2:
        _scan(M, G, own, 1 - own, sines, lowest, spacing, count, rays, beam, u, K, L)
    for j in range(J):
        for k in range(j):
            if J > 2 and j != own and k != own:
                _scan_pair(M, G, own, j, k, sines, lowest, spacing, count, rays, beam, u, K, L)


@_compiled
def _newton(M, G, own, sines, lowest, highest, rays, beam, u, K, L):  # type: ignore[no-untyped-def]
    """Climb from sines by Newton steps, halved until they climb; return the value reached."""
    J = len(sines)
    here = _value(M, G, own, sines, rays, beam, u, K, L)
    slope, bend, trial = np.empty(J), np.empty((J, J)), np.empty(J)
    plus, minus = np.empty(J), np.empty(J)
    for _ in range(STEPS):
        for i in range(J):
            trial[:] = sines
            trial[i] += OFFSET
            plus[i] = _value(M, G, own, trial, rays, beam, u, K, L)
            trial[i] -= 2 * OFFSET
            minus[i] = _value(M, G, own, trial, rays, beam, u, K, L)
            slope[i] = (plus[i] - minus[i]) / (2 * OFFSET)
            bend[i, i] = (plus[i] + minus[i] - 2 * here) / OFFSET**2
        for i in range(J):
            for j in range(i):
                trial[:] = sines
                trial[i] += OFFSET
                trial[j] += OFFSET
                both = _value(M, G, own, trial, rays, beam, u, K, L)
                bend[i, j] = (both - plus[i] - plus[j] + here) / OFFSET**2
                trial[i] -= 2 * OFFSET
                trial[j] -= 2 * OFFSET
                neither = _value(M, G, own, trial, rays, beam, u, K, L)
                bend[i, j] = 0.5 * (bend[i, j] + (neither - minus[i] - minus[j] + here) / OFFSET**2)
                bend[j, i] = bend[i, j]
        values, vectors = np.linalg.eigh(-bend)
        floor = 1e-9 * max(abs(values[-1]), abs(values[0]))
        move = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), floor + 1e-300))
        largest = np.max(np.abs(move))
        scale = min(1.0, 0.5 * OFFSET * 1e3 / largest) if largest > 0.0 else 0.0  # half a beam of 20 elements at most
        if largest < CLOSE:  # slopes tell the top to 1e-12, values to 1e-8 only: the last step is not judged
            sines[:] = np.minimum(np.maximum(sines + move, lowest), highest)
            here = _value(M, G, own, sines, rays, beam, u, K, L)
            break
        climbed = False
        for _ in range(6):
            trial[:] = np.minimum(np.maximum(sines + scale * move, lowest), highest)
            value = _value(M, G, own, trial, rays, beam, u, K, L)
            if value > here:
                climbed = True
                break
            scale *= 0.5
        if not climbed:
            break
        sines[:], here = trial, value
    return here


@_compiled
def _vertex(height, peak):  # type: ignore[no-untyped-def]
    """Return where between its neighbours a peak of a grid lies, by a parabola, -0.5 to 0.5 steps."""
    if peak == 0 or peak == len(height) - 1:
        return 0.0
    curvature = height[peak - 1] - 2.0 * height[peak] + height[peak + 1]
    return 0.5 * (height[peak - 1] - height[peak + 1]) / curvature if curvature < 0.0 else 0.0


@_compiled
def maximise_jointly(M, G, own, upper, lowest, highest):  # type: ignore[no-untyped-def]
    """Return the sines of all departure angles (J,) that explain most; the own one is the angle of arrival.

    Args:
        M: Complex (n_rx, J, n_tx).
        G: Complex (J, n_tx, J, n_tx).
        own: Index of the listening station.
        upper: (count,) energy, times n_rx, that any combination of all streams explains, for directions of arrival from
            lowest to highest: an upper bound of the criterion, so a start below the best value found is not needed.
        lowest: Smallest sine.
        highest: Largest.

    """
    _, J, n = M.shape
    count = len(upper)
    spacing = (highest - lowest) / (count - 1)
    rays, beam = np.empty((J, n), dtype=np.complex128), np.empty((J, n), dtype=np.complex128)
    u, K = np.zeros(J, dtype=np.complex128), np.zeros((J, J), dtype=np.complex128)
    L = np.zeros((J, J), dtype=np.complex128)
    left = upper.copy()
    best, found, sines = -1.0, np.zeros(J), np.zeros(J)
    for _ in range(STARTS):
        peak = int(np.argmax(left))
        if not left[peak] > best:
            break
        sines[:] = 0.0
        sines[own] = lowest + (peak + _vertex(upper, peak)) * spacing
        value = 0.0
        for _ in range(ROUNDS):
            if J > 1:
                _search(M, G, own, sines, lowest, spacing, count, rays, beam, u, K, L)
            climbed = _newton(M, G, own, sines, lowest, highest, rays, beam, u, K, L)
            if J == 1 or climbed <= value * (1.0 + SAME):
                break
            value = climbed
        value = max(value, climbed)
        if value > best:
            best = value
            found[:] = sines
        first, last = peak, peak  # the whole hill is done with
        while first > 0 and left[first - 1] <= left[first]:
            first -= 1
        while last < count - 1 and left[last + 1] <= left[last]:
            last += 1
        left[first : last + 1] = -np.inf
    return found
