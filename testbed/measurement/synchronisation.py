"""Timing and carrier offset of a user, from its own station's synchronisation sequence.

The sequence is correlated in segments, each sent with another antenna taper; magnitudes add up whatever fades and
whatever the carrier offset. The second half repeats the first half's tapers: its phase against it is the offset. The
preamble fit (`testbed.measurement.sounding`) then makes both as good as the whole preamble allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from testbed.frame import SYNC_SEGMENTS, Frame

__all__ = ["Synchronisation", "least_quality", "synchronise"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Synchronisation:
    """When a user's frame starts and how far its oscillator is off.

    Attributes:
        delay_samples: Arrival of the own station's frame after the first sample, fractional, (n_users,).
        offset_hz: Carrier offset, received minus nominal, (n_users,); unambiguous within symbol_rate / sync_symbols.
        quality: Share of the energy in the sync slot that the sequence explains segment by segment, 0 to 1, (n_users,).
    """

    delay_samples: Vector
    offset_hz: Vector
    quality: Vector


def synchronise(frame: Frame, samples: Complex, station: NDArray[np.intp]) -> Synchronisation:
    """Estimate timing and carrier offset well enough for the preamble fit to take over.

    Args:
        frame: The frame's layout.
        samples: Received samples, (n_users, n_samples).
        station: Index of each user's own station, (n_users,).

    Returns:
        The estimates; a quality near zero says that no sequence was found.
    """
    from testbed.measurement.synchronisation_kernels import correlate_segments

    options = frame.options
    reach = options.gap_symbols * options.samples_per_symbol  # the largest start offset looked for
    starts = np.array([frame.sync_slot(n).start for n in range(frame.n_stations)])[station]
    matched = frame.pulse.matched(frame.pulse.spectrum_of(samples))
    explained, segments = correlate_segments(
        matched, starts, frame.sync[station], options.samples_per_symbol, reach, SYNC_SEGMENTS
    )
    peak, users = np.argmax(explained, axis=1), np.arange(len(samples))
    first, second = np.split(segments, 2, axis=1)
    turn = np.angle(np.sum(second * first.conj(), axis=1))
    offset_hz = turn / (2 * np.pi) * options.symbol_rate_hz / (options.sync_symbols / 2)
    return Synchronisation(peak - reach + _between(explained, peak), offset_hz, explained[users, peak])


@cache
def least_quality(frame: Frame) -> float:
    """Return the quality that noise alone exceeds in one frame of a thousand: below it there is no sync sequence.

    Of noise, segments explain a share that follows Beta(segments, symbols - segments) at each lag.
    """
    options = frame.options
    lags = 2 * options.gap_symbols * options.samples_per_symbol + 1
    others = options.sync_symbols - SYNC_SEGMENTS
    return float(betaincinv(SYNC_SEGMENTS, others, 1 - 1e-3 / lags)) if others else 0.0


def _between(height: Vector, peak: NDArray[np.intp]) -> Vector:
    """Return where between its neighbours the peak of each row lies, by a parabola, -0.5 to 0.5 samples."""
    inside = np.clip(peak, 1, height.shape[1] - 2)
    left, middle, right = (height[np.arange(len(height)), inside + step] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    move = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, 1), 0.0)
    return np.asarray(np.clip(move, -0.5, 0.5))
