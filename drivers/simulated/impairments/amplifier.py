"""Compression of the power amplifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["power_amplifier"]

Complex = NDArray[np.complexfloating]


def power_amplifier(samples: Complex, saturation: float | None, smoothness: float) -> Complex:
    """Compress the magnitude of samples, and leave their phase: the Rapp model of a solid-state amplifier.

    With r = |x| / saturation and p the smoothness, the gain is (1 + r^(2p))^(-1/(2p)): 1 for small signals, and 1 dB
    less at r = (10^(p/10) - 1)^(1/(2p)). Source: C. Rapp, "Effects of HPA-nonlinearity on a 4-DPSK/OFDM signal", 1991.
    It has no memory: products that fall beyond half the sample rate alias, so oversample.

    Args:
        samples: What the amplifier would put out if it were linear, shape (..., n_samples).
        saturation: The largest magnitude it can put out, in the unit of samples; None for a linear amplifier.
        smoothness: p; the larger, the sharper the knee.

    Returns:
        Compressed samples, same shape and unit.

    Raises:
        ValueError: saturation or smoothness is not positive.

    """
    if saturation is None:
        return samples
    if not (saturation > 0 and smoothness > 0):
        raise ValueError(f"power amplifier: saturation {saturation:g} and smoothness {smoothness:g} must be positive")
    drive = np.abs(samples) / saturation
    # Divided by the larger of drive and 1, both powers stay at or below 1: a hard-driven amplifier does not overflow.
    larger = np.maximum(drive, 1)
    gain = ((drive / larger) ** (2 * smoothness) + larger ** (-2 * smoothness)) ** (-1 / (2 * smoothness)) / larger
    compressed: Complex = samples * gain
    return compressed
