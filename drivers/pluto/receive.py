"""From a Pluto's receive words to samples, by the shortest way: one refill, one view, one conversion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.errors import SampleLossError
from drivers.pluto.levels import RX_FULL_SCALE_DBM, RX_FULL_SCALE_WORD

__all__ = ["FULL_SCALE_DBM", "is_clipped", "samples_of"]

FULL_SCALE_DBM = RX_FULL_SCALE_DBM  # of a sample of magnitude 1
_STEP = np.float32(1 / RX_FULL_SCALE_WORD)


def samples_of(content: bytearray, n_channels: int, n_samples: int, unit: str) -> tuple[NDArray[np.complex64], bool]:
    """Return the samples in a buffer's content, and whether a converter was at its limit.

    Args:
        content: Words of all channels, interleaved: I and Q of the first, of the second, then the next sample.
        n_channels: Receive channels of the unit.
        n_samples: Samples that were asked for.
        unit: Radio and unit, for messages.

    Returns:
        Samples, (n_channels, n_samples), full scale 1; whether any of them clipped.

    Raises:
        SampleLossError: The device delivered fewer samples.
    """
    words = np.frombuffer(content, dtype="<i2")
    if words.size != 2 * n_channels * n_samples:
        raise SampleLossError(
            f"{unit}: {words.size // (2 * n_channels)} of {n_samples} samples were delivered; "
            "lower the sample rate, or shorten the frame"
        )
    samples = np.empty((n_channels, n_samples), dtype=np.complex64)
    np.multiply(
        words.reshape(n_samples, n_channels, 2).swapaxes(0, 1),
        _STEP,
        out=samples.view(np.float32).reshape(n_channels, n_samples, 2),
        dtype=np.float32,
    )
    return samples, is_clipped(words)


def is_clipped(words: NDArray[np.int16]) -> bool:
    """Whether a word is the largest or smallest that the converter can give."""
    return bool(words.max(initial=0) >= RX_FULL_SCALE_WORD - 1 or words.min(initial=0) <= -RX_FULL_SCALE_WORD)
