"""What a recording is made of: exchanges of all radios, and the designs in force at the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from recordings.capture import Capture
from recordings.errors import UnfitFrameError

__all__ = ["Exchange", "StoredDesign"]


@dataclass(frozen=True)
class Exchange:
    """What all radios of a bench sent and received at one time.

    Attributes:
        index: Number of the frame.
        sent: What each transmitting radio sent, complex64, (n_tx, n_samples), full scale 1; read-only.
        captures: What each radio received.
    """

    index: int
    sent: Mapping[str, NDArray[np.complex64]]
    captures: Mapping[str, Capture]

    def __post_init__(self) -> None:
        """Freeze the samples; the caller's own array stays writeable."""
        frozen = {}
        for name, samples in self.sent.items():
            view = np.ascontiguousarray(samples, dtype=np.complex64).view()
            if view.ndim != 2:
                raise ValueError(f"samples sent by {name} have shape {view.shape}, expected (n_tx, n_samples)")
            view.flags.writeable = False
            frozen[name] = view
        object.__setattr__(self, "sent", MappingProxyType(frozen))
        object.__setattr__(self, "captures", MappingProxyType(dict(self.captures)))

    def require_finite(self) -> None:
        """Refuse samples that are no numbers.

        Raises:
            UnfitFrameError: A sample is NaN or infinite; the message names the first.
        """
        received = {f"{name} received": capture.samples for name, capture in self.captures.items()}
        for what, samples in (received | {f"{name} sent": sent for name, sent in self.sent.items()}).items():
            if not np.isfinite(samples).all():
                channel, sample = np.argwhere(~np.isfinite(samples))[0]
                raise UnfitFrameError(
                    f"frame {self.index}: sample {sample} of channel {channel} that radio {what} is "
                    f"{samples[channel, sample]}; a recording holds finite samples only: "
                    "look into the driver or the burst"
                )


@dataclass(frozen=True)
class StoredDesign:
    """A design as it was recorded.

    Attributes:
        index_from: First frame that it was used in; it is in force until the next design's first frame.
        arrays: Its arrays by name.
        attributes: Everything else by name.
    """

    index_from: int
    arrays: Mapping[str, NDArray[np.generic]]
    attributes: Mapping[str, str | float]
