"""Compiled searches for one angle: every criterion is made of trigonometric polynomials of its sine u.

With steering vectors of a line array a^H R a is a sum over the diagonals of R, and a^H M v* one over the antidiagonals
of M: a direction costs as many products as there are antennas, and derivatives come with it. Numba is imported when
the first frame is measured; a bench does that before it opens (`testbed.measurement.warm_up`).
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = [
    "ADAPTIVE_GLRT",
    "CAPON",
    "MATCHED",
    "STRUCTURED",
    "antidiagonals",
    "clarity",
    "diagonals",
    "fit_structured",
    "maximise",
    "whiteness",
]

STRUCTURED, CAPON, ADAPTIVE_GLRT, MATCHED = 0, 1, 2, 3
STARTS = 3  # of Newton: side lobes that noise may have raised above the main one by less than the grid resolves
STEPS = 12  # of Newton; four are the rule
_TINY = float(np.finfo(np.float64).tiny)
_compiled = nb.njit(cache=True, error_model="numpy")


@_compiled
def diagonals(R):  # type: ignore[no-untyped-def]
    """Return c, (n,): a^H R a = c_0 + 2 Re sum c_k exp(-j pi k u) for Hermitian R (n, n)."""
    n = len(R)
    c = np.zeros(n, dtype=np.complex128)
    for i in range(n):
        for j in range(i + 1):
            c[i - j] += R[i, j]
    return c


@_compiled
def antidiagonals(M):  # type: ignore[no-untyped-def]
    """Return s, (m + n - 1,): a^H M v* = sum s_k exp(-j pi (k - (m + n - 2) / 2) u) for M (m, n)."""
    m, n = M.shape
    s = np.zeros(m + n - 1, dtype=np.complex128)
    for i in range(m):
        for j in range(n):
            s[i + j] += M[i, j]
    return s


@_compiled
def _form(c, u):  # type: ignore[no-untyped-def]
    """A real polynomial of `diagonals`, with its first and second derivative."""
    z = np.exp(-1j * np.pi * u)
    w, value, slope, bend = 1.0 + 0.0j, c[0].real, 0.0, 0.0
    for k in range(1, len(c)):
        w *= z
        t = c[k] * w
        value += 2 * t.real
        slope += 2 * np.pi * k * t.imag
        bend -= 2 * (np.pi * k) ** 2 * t.real
    return max(value, _TINY), slope, bend


@_compiled
def _energy(s, u):  # type: ignore[no-untyped-def]
    """|p|^2 of a complex polynomial of `antidiagonals`, with its first and second derivative."""
    z, middle = np.exp(-1j * np.pi * u), (len(s) - 1) / 2
    w = np.exp(1j * np.pi * middle * u)
    p, dp, ddp = 0.0j, 0.0j, 0.0j
    for k in range(len(s)):
        t, turn = s[k] * w, np.pi * (k - middle)
        p += t
        dp -= 1j * turn * t
        ddp -= turn**2 * t
        w *= z
    value = p.real**2 + p.imag**2
    slope = 2 * (p.real * dp.real + p.imag * dp.imag)
    bend = 2 * (dp.real**2 + dp.imag**2 + p.real * ddp.real + p.imag * ddp.imag)
    return max(value, _TINY), slope, bend


@_compiled
def _criterion(kind, first, second, cross, total, n_rx, length, u):  # type: ignore[no-untyped-def]
    """Value, slope and curvature of a criterion at u; see `maximise`."""
    a, da, dda = _form(first, u)
    b, db, ddb = _form(second, u)
    q, dq, ddq = _energy(cross, u)
    if kind == MATCHED:
        return np.log(q / b), dq / q - db / b, ddq / q - (dq / q) ** 2 - ddb / b + (db / b) ** 2
    if kind != STRUCTURED:
        weight = 2.0 if kind == CAPON else 1.0
        value = np.log(q) - weight * np.log(a) - np.log(b)
        slope = dq / q - weight * da / a - db / b
        bend = ddq / q - (dq / q) ** 2 - weight * (dda / a - (da / a) ** 2) - ddb / b + (db / b) ** 2
        return value, slope, bend
    # Energy along a is divided into what the own symbols explain, p, and the rest; elsewhere there is noise alone.
    p = q / (n_rx * b)
    dp = dq / (n_rx * b) - p * db / b
    ddp = ddq / (n_rx * b) - 2 * dp * db / b - p * ddb / b
    rest, drest, ddrest = max(a - p, _TINY), da - dp, dda - ddp
    noise = max(total - a, _TINY)
    if rest * (n_rx - 1) > noise:  # interference from the target stands out of the noise
        value = -np.log(rest / length) - (n_rx - 1) * np.log(noise / (length * (n_rx - 1)))
        slope = -drest / rest + (n_rx - 1) * da / noise
        bend = -ddrest / rest + (drest / rest) ** 2 + (n_rx - 1) * (dda / noise + (da / noise) ** 2)
        return length * value, length * slope, length * bend
    left = max(total - p, _TINY)
    size = length * n_rx
    return -size * np.log(left / size), size * dp / left, size * (ddp / left + (dp / left) ** 2)


@_compiled
def maximise(kind, first, second, cross, total, n_rx, length, lowest, highest, count):  # type: ignore[no-untyped-def]
    """Return the sine in [lowest, highest] that maximises a criterion: a grid, then Newton from its highest peaks.

    Args:
        kind: STRUCTURED: `first` / n_rx of Ryy, `second` of Rxx, `cross` of Ryx, `total` = tr Ryy.
            CAPON: |b|^2 / (a^2 s), `first` of Ryy^-1, `second` of Rxx, `cross` of Ryy^-1 Ryx.
            ADAPTIVE_GLRT: |b|^2 / (a d), `second` of Rxx - Rxy Ryy^-1 Ryx.
            MATCHED: |c|^2 / s.
        first: `diagonals` of the receive form.
        second: Conjugate `diagonals` of the transmit form: it belongs to v^T R v*.
        cross: `antidiagonals` of the mixed form.
        total: Received energy.
        n_rx: Receive antennas.
        length: Snapshots.
        lowest: Smallest sine looked at.
        highest: Largest.
        count: Directions of the grid.

    """
    spacing = (highest - lowest) / (count - 1)
    height = np.empty(count)
    for i in range(count):
        height[i] = _criterion(kind, first, second, cross, total, n_rx, length, lowest + i * spacing)[0]
    best, where = -np.inf, 0.0
    for _ in range(STARTS):
        peak = int(np.argmax(height))
        if height[peak] == -np.inf:
            break
        u = lowest + peak * spacing
        low, high = max(u - spacing, lowest), min(u + spacing, highest)
        value = height[peak]
        for _ in range(STEPS):
            value, slope, bend = _criterion(kind, first, second, cross, total, n_rx, length, u)
            if slope > 0.0:
                low = u
            else:
                high = u
            to = u - slope / bend if bend < 0.0 else 0.5 * (low + high)
            if not low <= to <= high:
                to = 0.5 * (low + high)
            moved, u = abs(to - u), to
            if moved < 1e-10:
                break
        if value > best:
            best, where = value, u
        left = peak  # the whole hill is done with
        while left > 0 and height[left - 1] <= height[left] and height[left - 1] > -np.inf:
            left -= 1
        right = peak
        while right < count - 1 and height[right + 1] <= height[right] and height[right + 1] > -np.inf:
            right += 1
        height[left : right + 1] = -np.inf
    return where


@_compiled
def whiteness(R, u):  # type: ignore[no-untyped-def]
    """Return log det and trace of Hermitian R (n, n) in the n - 1 dimensions orthogonal to direction u.

    det(B^H R B) = det(R) a^H R^-1 a and tr(B^H R B) = tr R - a^H R a for a of unit length; -inf if R is singular.
    """
    n = len(R)
    L = np.zeros_like(R)
    a = np.exp(1j * np.pi * (np.arange(n) - (n - 1) / 2) * u) / np.sqrt(n)
    log_det, inverse, energy, trace = 0.0, 0.0, 0.0, 0.0
    x = np.empty(n, dtype=np.complex128)
    for i in range(n):
        trace += R[i, i].real
        for j in range(i):
            entry = R[i, j]
            for k in range(j):
                entry -= L[i, k] * np.conj(L[j, k])
            L[i, j] = entry / L[j, j]
            energy += 2 * (np.conj(a[i]) * R[i, j] * a[j]).real
        energy += (np.conj(a[i]) * R[i, i] * a[i]).real
        pivot = R[i, i].real
        for k in range(i):
            pivot -= L[i, k].real ** 2 + L[i, k].imag ** 2
        if not pivot > 1e-14 * R[i, i].real:
            return -np.inf, trace - energy
        L[i, i] = np.sqrt(pivot)
        log_det += np.log(pivot)
        x[i] = a[i]
        for k in range(i):
            x[i] -= L[i, k] * x[k]
        x[i] /= L[i, i].real
        inverse += x[i].real ** 2 + x[i].imag ** 2
    return log_det + np.log(inverse), trace - energy


@_compiled
def clarity(inverse, unexplained, adapted, u):  # type: ignore[no-untyped-def]
    """Return ln(a^H Q^-1 a / a^H Ryy^-1 a) of a direction; the arguments are polynomials of `ADAPTIVE_GLRT`."""
    level = _form(inverse, u)[0] * _form(unexplained, u)[0]
    return np.log1p(_energy(adapted, u)[0] / max(level, _TINY))


@_compiled
def fit_structured(Ryy, Ryx, Rxx, length, lowest, highest, count):  # type: ignore[no-untyped-def]
    """Return the structured estimate and what speaks against it.

    Args:
        Ryy: Complex (n_rx, n_rx); Ryx (n_rx, n_tx) and Rxx (n_tx, n_tx) likewise.
        Ryx: See `Ryy`.
        Rxx: See `Ryy`.
        length: Snapshots.
        lowest: Smallest sine looked at.
        highest: Largest.
        count: Directions of the grid.

    Returns:
        The sine; log det and trace of what is orthogonal to it (`whiteness`); the sine from which the own symbols are
        heard most clearly in noise of any covariance, and by how much more clearly, in nats a snapshot (0 if Ryy is
        singular).

    """
    n_rx = len(Ryy)
    total = 0.0
    for i in range(n_rx):
        total += Ryy[i, i].real
    first, second, cross = diagonals(Ryy / n_rx), np.conj(diagonals(Rxx)), antidiagonals(Ryx)
    sine = maximise(STRUCTURED, first, second, cross, total, n_rx, length, lowest, highest, count)
    log_det, trace = whiteness(Ryy, sine)
    if not np.isfinite(log_det):
        return sine, log_det, trace, sine, 0.0
    inverse = np.linalg.inv(Ryy)
    adapted = inverse @ Ryx
    level = diagonals(inverse)
    unexplained, cross = np.conj(diagonals(Rxx - np.conj(Ryx.T) @ adapted)), antidiagonals(adapted)
    clearest = maximise(ADAPTIVE_GLRT, level, unexplained, cross, total, n_rx, length, lowest, highest, count)
    gain = clarity(level, unexplained, cross, clearest) - clarity(level, unexplained, cross, sine)
    return sine, log_det, trace, clearest, max(gain, 0.0)
