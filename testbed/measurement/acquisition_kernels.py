"""Compiled search over delays for a preamble whose segments are explained by a few rows each."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["explained_share"]

_compiled = nb.njit(cache=True, error_model="numpy")


@_compiled
def explained_share(matched, symbols, rate, reach, rows, edges):  # type: ignore[no-untyped-def]
    """Return the share of the preamble's energy that its segments explain, at all lags, (2 reach + 1,).

    Args:
        matched: Samples after the matched filter, complex (n_samples,); a circle.
        symbols: At which the preamble is due, (n,).
        rate: Samples per symbol.
        reach: Largest lag in samples, both ways.
        rows: Orthonormal within each segment, conjugate, complex (n_rows, n); rows of zeros explain nothing.
        edges: Where segments begin, and the last one ends, (n_segments + 1,).

    """
    share = np.zeros(2 * reach + 1)
    heard = np.empty(len(symbols), dtype=np.complex128)
    for lag in range(2 * reach + 1):
        energy = explained = 0.0
        for i in range(len(symbols)):
            x = matched[(symbols[i] * rate + lag - reach) % len(matched)]
            energy += x.real**2 + x.imag**2
            heard[i] = x
        for s in range(len(edges) - 1):
            for row in range(len(rows)):
                total = 0.0j
                for i in range(edges[s], edges[s + 1]):
                    total += heard[i] * rows[row, i]
                explained += total.real**2 + total.imag**2
        if energy > 0.0:
            share[lag] = explained / energy
    return share
