"""Compiled search over delay and angle: where, within the gap, a station's echo begins."""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["correlate_lags"]

_compiled = nb.njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})  # a search: no bound hangs on it


@_compiled
def correlate_lags(samples, sent, first, steps):  # type: ignore[no-untyped-def]
    """Correlate every receive with every transmit antenna at lags of half a symbol.

    Args:
        samples: complex64 (n_rx, n) at two samples a symbol.
        sent: complex64 (n_tx, L), conjugate.
        first: Symbol at which `sent` is due.
        steps: Lags, from 0.

    Returns:
        complex64 (n_rx, steps, n_tx).

    """
    n_rx, (n_tx, length) = len(samples), sent.shape
    found = np.empty((n_rx, steps, n_tx), dtype=np.complex64)
    even, odd = np.empty(length, dtype=np.float32), np.empty(length, dtype=np.float32)
    real, imag = np.ascontiguousarray(sent.real), np.ascontiguousarray(sent.imag)
    for i in range(n_rx):
        for step in range(steps):
            for l in range(length):
                x = samples[i, 2 * (first + l) + step]
                even[l] = x.real
                odd[l] = x.imag
            for t in range(n_tx):
                a, b = np.float32(0.0), np.float32(0.0)
                for l in range(length):
                    a += even[l] * real[t, l] - odd[l] * imag[t, l]
                    b += even[l] * imag[t, l] + odd[l] * real[t, l]
                found[i, step, t] = complex(a, b)
    return found
