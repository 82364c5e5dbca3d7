"""A capture: received samples and all that was true when they were taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["Capture"]


@dataclass(frozen=True)
class Capture:
    """What one radio received during one exchange.

    Attributes:
        radio: The radio's name in the scenario.
        samples: Received samples, complex64, shape (n_rx, n_samples), in units of the receiver's full scale; read-only.
        start_s: Device time of the first sample, in seconds.
        settings: Every setting of the radio as read back from it, by name (units are in the names).
        flags: What a user of the samples must know, e.g. "clipped" or "overrun"; empty for a sound capture.
    """

    radio: str
    samples: NDArray[np.complex64]
    start_s: float
    settings: Mapping[str, float]
    flags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Freeze the samples and the settings, so that nobody downstream can change what was received."""
        samples = np.ascontiguousarray(self.samples, dtype=np.complex64)
        if samples.ndim != 2:
            raise ValueError(f"capture of {self.radio}: samples have shape {samples.shape}, expected (n_rx, n_samples)")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
