"""Have everything that is computed once and kept ready before the first frame."""

from __future__ import annotations

import numpy as np

from testbed.measurement.noncentral_f import noncentrality
from testbed.measurement.sinr import CONFIDENCE

__all__ = ["warm_up"]


def warm_up() -> None:
    """Compute the tables behind the SINR's interval, so that no frame waits for them."""
    tail = (1 - CONFIDENCE) / 2
    for probability in (tail, 1 - tail):
        noncentrality(np.ones(1), 100.0, probability)
