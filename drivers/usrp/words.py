"""How faithfully 16-bit words carry what is to be sent, and whether what was received filled them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FULL_SCALE", "evm_db", "n_clipped"]

FULL_SCALE = 32767  # UHD's word for a component of magnitude 1, sent or received
_LOUD = 0.25  # clipping in front of the decimator leaves components of this size or more
_EQUAL = 4  # so many components at the largest value are no coincidence above that size


def evm_db(samples: NDArray[np.complex64]) -> float:
    """Return the power of what rounding to words does over that of the samples, (n_tx, n), in dB; NaN for silence."""
    parts = np.ascontiguousarray(samples).view(np.float32)
    power = float(np.sum(np.square(parts), dtype=float))
    if not power:
        return float("nan")
    scaled = parts * np.float32(FULL_SCALE)
    error = float(np.sum(np.square(np.rint(scaled) - scaled), dtype=float)) / FULL_SCALE**2
    return float(10 * np.log10(max(error, 1e-30 * power) / power))


def n_clipped(samples: NDArray[np.complex64]) -> int:
    """Return how many components of received samples, (n_rx, n), lie at the end of the converter's range.

    UHD scales words by a factor that depends on the rate, so that the end is not known in advance: a converter that is
    full gives the same largest component again and again.
    """
    parts = np.ascontiguousarray(samples).view(np.float32)
    largest = max(float(parts.max(initial=0.0)), -float(parts.min(initial=0.0)))
    n = int(np.count_nonzero(np.abs(parts) >= largest * (1 - 1e-6))) if largest >= _LOUD else 0
    return n if n >= _EQUAL else 0
