"""What makes a capture unfit for an estimate, told by the samples alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEAD_CHANNEL", "FAULTS", "NO_SYNC", "SILENT", "UNEXPLAINED", "fault_names", "inspect_channels"]

Complex = NDArray[np.complex128]

# A fault is a bit; an outcome stores their sum.
SILENT, DEAD_CHANNEL, NO_SYNC, UNEXPLAINED = 1, 2, 4, 8
FAULTS = {
    SILENT: "silent capture",
    DEAD_CHANNEL: "dead channel",
    NO_SYNC: "no sync",
    UNEXPLAINED: "not explained by the model",
}
DEAD = 1e-3  # of the median channel's energy: 30 dB below it; antennas of one array differ by a few dB


def inspect_channels(samples: Complex) -> int:
    """Return the faults of one radio's capture: nothing at all was received, or one channel is far below the others.

    Args:
        samples: Received samples, (n_rx, n_samples).
    """
    flat = np.ascontiguousarray(samples).view(np.float64)
    energy = np.sort(np.einsum("ij,ij->i", flat, flat))
    middle = energy[len(energy) // 2]
    if not middle > 0.0:
        return SILENT
    return DEAD_CHANNEL if energy[0] < DEAD * middle else 0


def fault_names(faults: int) -> tuple[str, ...]:
    """Return what a stored sum of faults says."""
    return tuple(name for bit, name in FAULTS.items() if faults & bit)
