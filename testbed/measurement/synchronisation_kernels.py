"""Compiled correlation of many lags with a sequence sent in segments."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["correlate_segments"]

_compiled = nb.njit(cache=True, error_model="numpy")


@_compiled
def correlate_segments(matched, starts, sequences, rate, reach, segments):  # type: ignore[no-untyped-def]
    """Correlate each user's samples with its sequence, segment by segment, at all lags.

    Args:
        matched: Complex (n_users, n_samples).
        starts: Symbol at which each user's sequence is due, (n_users,).
        sequences: Complex (n_users, n_symbols).
        rate: Samples per symbol.
        reach: Largest lag in samples, both ways.
        segments: Of the sequence, equally long.

    Returns:
        The share of the energy that the segments explain, (n_users, 2 reach + 1), and their correlations at the largest
        share, complex (n_users, segments).

    """
    users, length = sequences.shape
    last, part = matched.shape[1] - 1, length // segments
    share = np.zeros((users, 2 * reach + 1))
    peak = np.zeros((users, segments), dtype=np.complex128)
    now = np.empty(segments, dtype=np.complex128)
    for u in range(users):
        best = -1.0
        for lag in range(2 * reach + 1):
            energy = explained = 0.0
            for s in range(segments):
                total = 0.0j
                for i in range(s * part, (s + 1) * part):
                    at = (starts[u] + i) * rate + lag - reach
                    x = matched[u, min(max(at, 0), last)]
                    energy += x.real**2 + x.imag**2
                    total += x * np.conj(sequences[u, i])
                now[s] = total
                explained += total.real**2 + total.imag**2
            if energy > 0.0:
                share[u, lag] = explained / (energy * part)
            if share[u, lag] > best:
                best = share[u, lag]
                peak[u] = now
    return share, peak
