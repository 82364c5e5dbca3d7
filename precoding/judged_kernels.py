"""Compiled loops of the judges: worst channels of a ball, and how much a set of Hermitian forms lacks.

They are what `worst_case.smallest_form` and an eigenvalue for every form say, and are tested against them. Checked
arithmetic throughout: no fast mathematics, and every test is written so that NaN fails it. Numba is imported, and its
cache read, when something is judged for the first time.
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["are_positive", "largest_deficit", "worst_ratios"]

_EPS = float(np.finfo(np.float64).eps)
_compiled = nb.njit(cache=True, error_model="numpy")


@_compiled
def _is_positive(A, shift):  # type: ignore[no-untyped-def]
    """Whether A + shift I has a Cholesky factor; only its lower triangle is read."""
    n = len(A)
    L = np.empty_like(A)
    for j in range(n):
        pivot = A[j, j].real + shift
        for k in range(j):
            pivot -= L[j, k].real ** 2 + L[j, k].imag ** 2
        if not (0.0 < pivot < np.inf):
            return False
        root = np.sqrt(pivot)
        for i in range(j + 1, n):
            entry = A[i, j]
            for k in range(j):
                entry -= L[i, k] * np.conj(L[j, k])
            L[i, j] = entry / root
    return True


@_compiled
def are_positive(matrices, shifts):  # type: ignore[no-untyped-def]
    """Whether all M_i are Hermitian, to shift_i, and all M_i + shift_i I positive definite.

    Args:
        matrices: Complex (m, n, n).
        shifts: (m,).

    """
    for i in range(len(matrices)):
        M = matrices[i]
        for a in range(len(M)):
            for b in range(a + 1):
                skew = M[a, b] - np.conj(M[b, a])
                if not (abs(skew.real) + abs(skew.imag) <= shifts[i]):
                    return False
        if not _is_positive(M, shifts[i]):
            return False
    return True


@_compiled
def largest_deficit(forms, rounding):  # type: ignore[no-untyped-def]
    """Smallest d >= 0 with all forms + (d - rounding) I >= 0; infinite if a form is not finite.

    A form that passes at the d of those before it costs a Cholesky factor and no eigenvalue.

    Args:
        forms: Complex Hermitian (m, n, n), contiguous.
        rounding: Added for what eigenvalues and factors round.

    """
    deficit = 0.0
    for i in range(len(forms)):
        if _is_positive(forms[i], deficit - rounding):
            continue
        if not np.isfinite(np.sum(np.abs(forms[i]))):
            return np.inf
        deficit = max(deficit, rounding - np.linalg.eigvalsh(forms[i])[0])
    return deficit


@_compiled
def _secular_root(gaps, power, eta, radius):  # type: ignore[no-untyped-def]
    """Newton on 1 / |e(eta)| from the left of the root; it never passes it."""
    for _ in range(100):
        length2, slope = 0.0, 0.0
        for i in range(len(gaps)):
            shifted = gaps[i] + eta
            if shifted > 0.0:
                part = power[i] / (shifted * shifted)
                length2 += part
                slope += part / shifted
        if length2 <= radius * radius:
            return eta
        step = (np.sqrt(length2) / radius - 1.0) * length2 / slope
        if not step > 4 * _EPS * eta:
            return eta
        eta += step
    return eta


@_compiled
def _lowest(d, z, radius):  # type: ignore[no-untyped-def]
    """Minimise sum d |z + e|^2 over |e| <= radius, d ascending; returns z + e. See `worst_case.smallest_form`."""
    z = z.copy()
    if not radius > 0.0:
        return z
    b = d * z
    gaps = d + max(0.0, -d[0])
    eta = max(0.0, np.max(np.abs(b) / radius - gaps))
    eta = _secular_root(gaps, b.real**2 + b.imag**2, eta, radius)
    missing = radius * radius
    e = np.zeros_like(z)
    for i in range(len(d)):
        if gaps[i] + eta > 0.0:
            e[i] = -b[i] / (gaps[i] + eta)
            missing -= e[i].real ** 2 + e[i].imag ** 2
    if d[0] < 0.0 and missing > 0.0:
        # The hard case. Either sign is a minimiser when b[0] = 0; otherwise the step goes down the gradient.
        size = np.abs(b[0])
        direction = -b[0] / size if size > 0.0 else np.complex128(1.0)
        along = (np.conj(direction) * e[0]).real
        e[0] += direction * (np.sqrt(along * along + missing) - along)
    return z + e


@_compiled
def _powers(streams, x, own):  # type: ignore[no-untyped-def]
    """Power of stream `own` and of all others on the conjugate channel x."""
    signal, others = 0.0, 0.0
    for l in range(streams.shape[1]):
        heard = np.complex128(0.0)
        for i in range(len(x)):
            heard += np.conj(streams[i, l]) * x[i]
        power = heard.real**2 + heard.imag**2
        if l == own:
            signal = power
        else:
            others += power
    return signal, others


@_compiled
def _largest_leakage(streams, x, radius):  # type: ignore[no-untyped-def]
    """Most power of all streams together over a ball."""
    d, V = np.linalg.eigh(-(streams @ streams.conj().T))
    z = _lowest(d, V.conj().T @ x, radius)
    return -np.sum(d * (z.real**2 + z.imag**2))


@_compiled
def _smallest_ratio(streams, x, radius, own, noise):  # type: ignore[no-untyped-def]
    """Dinkelbach's iteration: Newton on the ratio; every iterate is a ratio that some channel in the ball shows."""
    w = np.ascontiguousarray(streams[:, own])
    mine = np.outer(w, w.conj())
    others = streams @ streams.conj().T - mine
    signal, interference = _powers(streams, x, own)
    ratio = signal / (interference + noise)
    if not radius > 0.0:
        return ratio
    for _ in range(100):
        form = mine - ratio * others
        if not np.isfinite(np.sum(np.abs(form))):
            return np.nan
        d, V = np.linalg.eigh(form)
        z = _lowest(d, V.conj().T @ x, radius)
        value = np.sum(d * (z.real**2 + z.imag**2))
        if value >= ratio * noise * (1.0 - 1e-12):
            return ratio
        signal, interference = _powers(streams, V @ z, own)
        smaller = signal / (interference + noise)
        if smaller >= ratio:
            return ratio
        ratio = smaller  # NaN, if it comes to that, ends in the next turn
    return ratio


@_compiled
def worst_ratios(streams, x, radii, noise, groups, columns):  # type: ignore[no-untyped-def]
    """Smallest SINR of every user: one ball for the group of BSs that serves it, and one for each that disturbs it.

    Args:
        streams: Complex (groups, n, S) in coordinates of their span; finite.
        x: Complex (groups, users, n): conjugate channels in these coordinates; finite.
        radii: (groups, users).
        noise: (users,).
        groups: (users,) which serves.
        columns: (users,) with which stream.

    """
    worst = np.empty(len(noise))
    for u in range(len(noise)):
        disturbed = noise[u]
        for g in range(len(streams)):
            if g != groups[u]:
                disturbed += _largest_leakage(streams[g], x[g, u], radii[g, u])
        g = groups[u]
        worst[u] = _smallest_ratio(streams[g], x[g, u], radii[g, u], columns[u], disturbed)
    return worst
