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
        flags: What a user of the samples must know, e.g. "clipped" or "time-unaligned" (the radio has no timed start,
            its driver estimated the delay and took out whole samples of it); empty for a sound capture.
        measured: What the driver found out about this exchange, by name (units are in the names), such as how far the
            integers sent were from the samples asked for; what was not measured is missing or NaN.
    """

    radio: str
    samples: NDArray[np.complex64]
    start_s: float
    settings: Mapping[str, float]
    flags: tuple[str, ...] = field(default=())
    measured: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze the samples and what goes with them, so that nobody downstream can change what was received."""
        samples = np.ascontiguousarray(self.samples, dtype=np.complex64)
        if samples.ndim != 2:
            raise ValueError(f"capture of {self.radio}: samples have shape {samples.shape}, expected (n_rx, n_samples)")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        object.__setattr__(self, "measured", MappingProxyType(dict(self.measured)))
