"""Compiled kernels of the interior point of slp-cbf: one small Newton block per symbol and BS, all symbols at once.

A symbol vector x_s is kept as 2 d real numbers, real parts above imaginary ones, and the symbol axis comes last, so
that every loop over symbols runs in SIMD registers. Limits of BS n and symbol s, by user:

    own      c = Re(conj(r) q) - radius |x| - D,  q = h^T x       for every edge of its region, D its depth
    foreign  c = a - radius |x| - |(q, 0.05 a)|                   for the level a that may leak to it

The rounding 0.05 a makes a leakage smooth at q = 0, and costs 0.1 % of its level.
"""

from __future__ import annotations

import numpy as np

from precoding.symbollevel.compiled import compiled

__all__ = ["back", "blocks", "limits", "slopes"]

_ROUND = 0.05  # of the level
_CHUNK = 16  # symbols worked on at once: what they need stays in the first cache


@compiled
def limits(q, norm2, edges, own, radius, level, cw, cl, sw, sl, pw, pl):  # type: ignore[no-untyped-def]
    """Evaluate all limits of one BS; slacks that are less than their limits are raised to them.

    Args:
        q: (2 U, L) what users receive.
        norm2: (L,) |x|^2.
        edges: (2, U, edges, L).
        own: (U,).
        radius: (U,).
        level: (U,) the depth D of own users and the leakage a allowed to others.
        cw: (U, edges, L), to be filled with the limits of own users.
        cl: (U, L), to be filled with those of foreign users.
        sw: (U, edges, L) slacks.
        sl: (U, L).
        pw: (U, edges, L) penalties on what a limit misses its slack by.
        pl: (U, L).

    Returns:
        Sum of the logarithms of the slacks, and the penalty.

    """
    U, n_edges, L = cw.shape
    logs = penalty = 0.0
    for u in range(U):
        if own[u]:
            for e in range(n_edges):
                for s in range(L):
                    reach = edges[0, u, e, s] * q[u, s] + edges[1, u, e, s] * q[U + u, s]
                    c = reach - radius[u] * np.sqrt(norm2[s]) - level[u]
                    slack = max(sw[u, e, s], c)
                    cw[u, e, s], sw[u, e, s] = c, slack
                    logs += np.log(slack)
                    penalty += pw[u, e, s] * (slack - c)
        else:
            for s in range(L):
                leaked = np.sqrt(q[u, s] ** 2 + q[U + u, s] ** 2 + (_ROUND * level[u]) ** 2)
                c = level[u] - radius[u] * np.sqrt(norm2[s]) - leaked
                slack = max(sl[u, s], c)
                cl[u, s], sl[u, s] = c, slack
                logs += np.log(slack)
                penalty += pl[u, s] * (slack - c)
    return logs, penalty


@compiled
def blocks(  # type: ignore[no-untyped-def]
    Hr, Hi, X, q, norm2, edges, own, radius, level, cw, cl, sw, sl, yw, yl, mu, M, V, A
):
    """Factor the Newton blocks of one BS and apply their half-inverse to all columns that leave them.

    Args:
        Hr: (U, 2 d) rows that give the real part of q.
        Hi: (U, 2 d) the imaginary part.
        X: (2 d, L).
        q: (2 U, L).
        norm2: (L,).
        edges: (2, U, edges, L).
        own: (U,).
        radius: (U,).
        level: (U,) D or a.
        cw: (U, edges, L) limits of own users.
        cl: (U, L) of foreign ones.
        sw: (U, edges, L) slacks of own users' limits.
        sl: (U, L) of foreign ones'.
        yw: (U, edges, L) multipliers.
        yl: (U, L).
        mu: Of the barrier.
        M: (2 d, 2 d) part of the Hessian that all symbols share.
        V: (columns, 2 d, L): to be filled are the first U, the couplings with the levels, and the last, the right
            side; those between are given. All leave as L^-1 V.
        A: (2 d, 2 d, L), leaves as the Cholesky factors L.

    Returns:
        (U,) curvature in each level, and (U,) its right side; whether all blocks were positive definite.

    """
    U, _, L = cw.shape
    bend, pull, sound = np.zeros(U), np.zeros(U), True
    pairs, size = np.empty((10, U, _CHUNK)), np.empty(_CHUNK)
    for first in range(0, L, _CHUNK):
        n = min(_CHUNK, L - first)
        along = np.zeros((3, _CHUNK))
        for s in range(n):
            size[s] = np.sqrt(norm2[first + s]) + 1e-150
        for u in range(U):
            if own[u]:
                each = _own_rows(edges[:, u], radius[u], cw[u], sw[u], yw[u], mu, first, n, size, pairs[:, u], along)
            else:
                each = _foreign_rows(
                    q[u], q[U + u], radius[u], level[u], cl[u], sl[u], yl[u], mu, first, n, size, pairs[:, u], along
                )
            bend[u] += each[0]
            pull[u] += each[1]
        _fill(Hr, Hi, X, M, first, n, size, pairs, along, V, A)
        sound = _half_solved(A, V, first, n) and sound
    return bend, pull, sound


# What a limit adds to a block: a quadratic form in (Re q, Im q, x^T dx / |x|), couplings of these with the level, and a
# right side. `pairs` holds of every user 11, 12, 22, 13, 23 of the form, 3 couplings and 2 right sides; `along` sums
# over users what |x| bends by, 33 of the form, and the third right side.


@compiled
def _own_rows(edges, radius, cw, sw, yw, mu, first, n, size, pairs, along):  # type: ignore[no-untyped-def]
    """Of one own user in a chunk; returns the curvature in its depth and its right side."""
    bend = pull = 0.0
    pairs[:] = 0.0
    for e in range(len(cw)):
        for s in range(n):
            at = first + s
            er, ei, y = edges[0, e, at], edges[1, e, at], yw[e, at]
            w = y / sw[e, at]
            push = mu / sw[e, at] - w * (cw[e, at] - sw[e, at])
            pairs[0, s] += w * er * er
            pairs[1, s] += w * er * ei
            pairs[2, s] += w * ei * ei
            pairs[3, s] -= w * er * radius
            pairs[4, s] -= w * ei * radius
            pairs[5, s] -= w * er
            pairs[6, s] -= w * ei
            pairs[7, s] += w * radius
            pairs[8, s] += push * er
            pairs[9, s] += push * ei
            along[0, s] += y * radius / size[s]
            along[1, s] += w * radius * radius
            along[2, s] -= push * radius
            bend += w
            pull -= push
    return bend, pull


@compiled
def _foreign_rows(  # type: ignore[no-untyped-def]
    q_re, q_im, radius, level, cl, sl, yl, mu, first, n, size, pairs, along
):
    """Of one foreign user in a chunk; returns the curvature in the level of leakage and its right side."""
    bend = pull = 0.0
    third = _ROUND * level
    for s in range(n):
        at = first + s
        y = yl[at]
        over = 1.0 / np.sqrt(q_re[at] * q_re[at] + q_im[at] * q_im[at] + third * third)
        d1, d2, d3 = -q_re[at] * over, -q_im[at] * over, -third * over
        w, p, stiff = y / sl[at], 1.0 + _ROUND * d3, y * over
        push = mu / sl[at] - w * (cl[at] - sl[at])
        pairs[0, s] = stiff * (1.0 - d1 * d1) + w * d1 * d1
        pairs[1, s] = (w - stiff) * d1 * d2
        pairs[2, s] = stiff * (1.0 - d2 * d2) + w * d2 * d2
        pairs[3, s], pairs[4, s] = -w * radius * d1, -w * radius * d2
        pairs[5, s], pairs[6, s] = (w * p - stiff * _ROUND * d3) * d1, (w * p - stiff * _ROUND * d3) * d2
        pairs[7, s] = -w * radius * p
        pairs[8, s], pairs[9, s] = push * d1, push * d2
        along[0, s] += y * radius / size[s]
        along[1, s] += w * radius * radius
        along[2, s] -= push * radius
        bend += w * p * p + stiff * _ROUND * _ROUND * (1.0 - d3 * d3)
        pull += push * p
    return bend, pull


@compiled
def _fill(Hr, Hi, X, M, first, n, size, pairs, along, V, A):  # type: ignore[no-untyped-def]
    """Write a chunk of blocks (lower triangles), couplings and right sides."""
    U, N = Hr.shape
    last = len(V) - 1
    unit, beside = np.empty((N, _CHUNK)), np.empty((N, _CHUNK))
    part = slice(first, first + n)
    for i in range(N):
        right = V[last, i, part]
        for s in range(n):
            unit[i, s] = X[i, first + s] / size[s]
            beside[i, s] = 0.5 * (along[1, s] - along[0, s]) * unit[i, s]
            right[s] = along[2, s] * unit[i, s]
        for u in range(U):
            hr, hi, coupled = Hr[u, i], Hi[u, i], V[u, i, part]
            for s in range(n):
                beside[i, s] += pairs[3, u, s] * hr + pairs[4, u, s] * hi
                right[s] += pairs[8, u, s] * hr + pairs[9, u, s] * hi
                coupled[s] = pairs[5, u, s] * hr + pairs[6, u, s] * hi + pairs[7, u, s] * unit[i, s]
        for j in range(i + 1):
            row = A[i, j, part]
            for s in range(n):
                row[s] = M[i, j] + beside[i, s] * unit[j, s] + unit[i, s] * beside[j, s]
            if i == j:
                for s in range(n):
                    row[s] += along[0, s]
            for u in range(U):
                c11, c22 = Hr[u, i] * Hr[u, j], Hi[u, i] * Hi[u, j]
                c12 = Hr[u, i] * Hi[u, j] + Hi[u, i] * Hr[u, j]
                for s in range(n):
                    row[s] += c11 * pairs[0, u, s] + c12 * pairs[1, u, s] + c22 * pairs[2, u, s]


@compiled
def _half_solved(A, V, first, n):  # type: ignore[no-untyped-def]
    """Cholesky factors of a chunk of blocks in place, and L^-1 V; the diagonal of L is kept inverted."""
    N, sound = A.shape[0], True
    part = slice(first, first + n)
    for j in range(N):
        for i in range(j, N):
            row = A[i, j, part]
            for k in range(j):
                x, y = A[i, k, part], A[j, k, part]
                for s in range(n):
                    row[s] -= x[s] * y[s]
            if i == j:
                for s in range(n):
                    sound = sound and row[s] > 0.0
                    row[s] = 1.0 / np.sqrt(max(row[s], 1e-12))
            else:
                y = A[j, j, part]
                for s in range(n):
                    row[s] *= y[s]
    for c in range(len(V)):
        for i in range(N):
            to = V[c, i, part]
            for k in range(i):
                x, y = A[i, k, part], V[c, k, part]
                for s in range(n):
                    to[s] -= x[s] * y[s]
            y = A[i, i, part]
            for s in range(n):
                to[s] *= y[s]
    return sound


@compiled
def back(A, x):  # type: ignore[no-untyped-def]
    """L^-T x in place, x (2 d, L)."""
    N, L = x.shape
    for first in range(0, L, _CHUNK):
        n = min(_CHUNK, L - first)
        part = slice(first, first + n)
        for i in range(N - 1, -1, -1):
            to = x[i, part]
            for k in range(i + 1, N):
                a, y = A[k, i, part], x[k, part]
                for s in range(n):
                    to[s] -= a[s] * y[s]
            y = A[i, i, part]
            for s in range(n):
                to[s] *= y[s]


@compiled
def slopes(  # type: ignore[no-untyped-def]
    q, norm2, dq, inner, edges, own, radius, level, dlevel, cw, cl, sw, sl, yw, yl, mu, dsw, dsl, dyw, dyl
):
    """Fill the steps of slacks, dsw and dsl, and multipliers, dyw and dyl; arguments as in `blocks`.

    dq (2 U, L) is the step of q, inner (L,) is x^T dx, dlevel (U,).

    Returns:
        Reciprocals of the largest steps that keep slacks and multipliers positive.

    """
    U, n_edges, L = cw.shape
    primal = dual = 0.0
    for u in range(U):
        if own[u]:
            for e in range(n_edges):
                for s in range(L):
                    step = edges[0, u, e, s] * dq[u, s] + edges[1, u, e, s] * dq[U + u, s] - dlevel[u]
                    step -= radius[u] * inner[s] / (np.sqrt(norm2[s]) + 1e-150)
                    y, over = yw[u, e, s], 1.0 / sw[u, e, s]
                    step += cw[u, e, s] - sw[u, e, s]
                    dsw[u, e, s], dyw[u, e, s] = step, (mu - y * step) * over - y
                    primal, dual = max(primal, -step * over), max(dual, -dyw[u, e, s] / y)
        else:
            for s in range(L):
                size = np.sqrt(norm2[s]) + 1e-150
                third = _ROUND * level[u]
                leaked = np.sqrt(q[u, s] ** 2 + q[U + u, s] ** 2 + third * third)
                step = dlevel[u] * (1.0 - _ROUND * third / leaked) - radius[u] * inner[s] / size
                step -= (q[u, s] * dq[u, s] + q[U + u, s] * dq[U + u, s]) / leaked
                y, over = yl[u, s], 1.0 / sl[u, s]
                step += cl[u, s] - sl[u, s]
                dsl[u, s], dyl[u, s] = step, (mu - y * step) * over - y
                primal, dual = max(primal, -step * over), max(dual, -dyl[u, s] / y)
    return primal, dual
