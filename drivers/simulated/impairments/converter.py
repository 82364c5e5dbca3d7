"""Quantisation and clipping of a converter, digital to analogue or back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["convert"]

Complex = NDArray[np.complexfloating]


def convert(samples: Complex, bits: int | None, full_scale: float = 1.0) -> tuple[Complex, int]:
    """Round I and Q, each on its own, to the codes of a converter and limit them to its range.

    The codes are symmetric and mid-tread: -(2^(bits-1) - 1) to 2^(bits-1) - 1, the largest one at full_scale, as
    drivers of transceivers scale floats. Silence stays silence, and a full-scale sine does not clip; its
    signal-to-noise ratio is 6.02 bits + 1.76 dB (W. R. Bennett, 1948), less 20 log10 of 2^(bits-1) over 2^(bits-1) - 1
    for the code given up.

    Args:
        samples: Samples before the converter, shape (..., n_samples).
        bits: Resolution, at least 2; None for an ideal converter, which has neither steps nor a full scale.
        full_scale: Magnitude of I or of Q at the largest code, in the unit of samples.

    Returns:
        The converted samples, and how many complex samples clipped: those of which I or Q lies more than half a step
        beyond full scale.

    Raises:
        ValueError: bits is below 2.

    """
    if bits is None:
        return samples, 0
    if bits < 2:
        raise ValueError(f"converter: {bits} bits leave no code on either side of zero; use 2 or more")
    largest = 2 ** (bits - 1) - 1
    step = full_scale / largest
    real = samples.real.dtype
    codes = np.rint(np.ascontiguousarray(samples).view(real) * real.type(1 / step))
    clipped = 0
    if codes.size and max(codes.max(), -codes.min()) > largest:
        beyond = np.abs(codes) > largest
        clipped = int(np.count_nonzero(beyond[..., 0::2] | beyond[..., 1::2]))
        codes = np.clip(codes, -largest, largest)
    codes *= real.type(step)
    return codes.view(samples.dtype), clipped
