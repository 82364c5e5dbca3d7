"""What a receiver adds that has nothing to do with the air, taken off where the guard shows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from testbed.frame import Frame

__all__ = ["without_dc"]

Complex = NDArray[np.complex128]

SIGNIFICANCE = 16.0  # squared standard errors: one sound channel in ten million would be corrected for nothing


def without_dc(frame: Frame, samples: Complex) -> Complex:
    """Subtract each channel's mean over the guard, but only where it stands out of the noise.

    A mean of noise alone is left in: subtracting it would add noise to every symbol.

    Args:
        frame: The frame's layout.
        samples: Received samples, (..., n_samples).
    """
    rate = frame.options.samples_per_symbol
    quiet = samples[..., frame.guard.start * rate : frame.guard.stop * rate]
    mean = quiet.mean(axis=-1, keepdims=True)
    variance = np.mean(np.abs(quiet - mean) ** 2, axis=-1, keepdims=True)
    offset = np.abs(mean) ** 2 > SIGNIFICANCE * variance / quiet.shape[-1]
    return samples - np.where(offset, mean, 0.0).astype(samples.dtype) if offset.any() else samples
