"""The SINR that the last sounding lets expect of a precoder, before anything of its frame was received."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding import expected_sinr
from testbed.knowledge import Knowledge
from testbed.measurement.margins import SymbolLevelBlock, expected_margin_sinr
from testbed.precoder import Precoder

__all__ = ["predict_sinr"]

Vector = NDArray[np.float64]


def predict_sinr(
    precoder: Precoder | None, block: SymbolLevelBlock | None, knowledge: Knowledge | None, *, fresh: bool
) -> Vector | None:
    """Return the expected SINR, linear, (J, K); None without a payload or before the first sounding.

    Args:
        precoder: The precoder of the payload, if there is one.
        block: The payload, if it is of symbol level.
        knowledge: What was known before the frame.
        fresh: Whether the precoder was designed on that very knowledge.
    """
    if precoder is None or knowledge is None:
        return None
    before = knowledge.sounding
    if block is not None:
        variance = np.moveaxis(knowledge.channel_variance, 0, 2).reshape(-1, len(before.channels))
        expected = expected_margin_sinr(block, before.user_noise.ravel(), variance)
        return expected.reshape(before.user_noise.shape)
    if precoder.weights is None:
        return None
    known = knowledge.channels, precoder.weights, before.user_noise, knowledge.channel_variance
    return expected_sinr(*known, fresh=fresh)
