"""Putting captures back in place: whom each unit hears where, how far apart they started, and by how much to turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import SampleLossError
from drivers.pluto.alignment import Arrival, circular_mean, circular_spread, period
from drivers.pluto.separation import Transmission, arrivals

__all__ = ["LARGEST_OFFSET_HZ", "Placed", "hearings", "placed", "spread_s"]

Samples = NDArray[np.complex64]

LARGEST_OFFSET_HZ = 5e3  # between two units: 2 ppm at 2.4 GHz, of trimmed crystals


@dataclass(frozen=True)
class Placed:
    """A capture in its place.

    Attributes:
        samples: (n_channels, n_samples), turned by whole samples.
        measured: The delay taken out, its quality, and how far apart the transmitters started; NaN for what is not
            heard. See `Capture.measured`.
    """

    samples: Samples
    measured: Mapping[str, float]


def hearings(
    captured: Mapping[str, Samples], sent: Mapping[str, Samples], sample_rate_hz: float
) -> dict[str, dict[str, Arrival]]:
    """Return, by receiver, where it hears which transmitter.

    Args:
        captured: By unit, (n_channels, n_samples), all of one length.
        sent: By transmitting unit, (n_tx, n), of which there may be silent ones.
        sample_rate_hz: The common sample rate.
    """
    n_samples = next(samples.shape[1] for samples in captured.values())
    foreign = {
        name: Transmission(period(burst, n_samples), sample_rate_hz, LARGEST_OFFSET_HZ) for name, burst in sent.items()
    }
    # One oscillator serves both directions of a unit: its own burst may be correlated as a whole.
    own = {name: Transmission(one.burst, sample_rate_hz, 0.0) for name, one in foreign.items()}
    return {
        name: arrivals(samples, foreign | ({name: own[name]} if name in own else {}))
        for name, samples in captured.items()
    }


def spread_s(heard: Mapping[str, Arrival], n_samples: int, sample_rate_hz: float) -> float:
    """Return how far apart the transmitters that a unit hears started, in seconds; NaN for fewer than two."""
    lags = [one.lag for one in heard.values() if one.audible]
    return circular_spread(lags, n_samples) / sample_rate_hz if len(lags) > 1 else float("nan")


def placed(unit: str, samples: Samples, heard: Mapping[str, Arrival], sample_rate_hz: float) -> Placed:
    """Turn a capture so that the frame is in its place: by the unit's own burst if it hears it, else by the mean.

    Args:
        unit: The unit's name.
        samples: What it captured.
        heard: Where it hears whom; empty if everybody is silent.
        sample_rate_hz: The sample rate.

    Raises:
        SampleLossError: Somebody transmits, but it hears nobody.
    """
    audible = {name: one for name, one in heard.items() if one.audible}
    if heard and not audible:
        best = max(one.quality for one in heard.values())
        raise SampleLossError(
            f"{unit}: hears none of the transmitters (quality {best:.1f}); look at antennas and gains, and whether the "
            f"carriers agree within {LARGEST_OFFSET_HZ:g} Hz"
        )
    used = [audible[unit]] if unit in audible else list(audible.values())
    n_samples = samples.shape[1]
    lag = circular_mean([one.lag for one in used], n_samples) if used else 0
    measured = {
        "delay_s": lag / sample_rate_hz if used else np.nan,
        "delay_quality": min((one.quality for one in used), default=np.nan),
        "start_spread_s": spread_s(heard, n_samples, sample_rate_hz),
    }
    return Placed(np.roll(samples, -lag, axis=1), measured)
