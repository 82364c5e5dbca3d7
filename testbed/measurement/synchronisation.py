"""Timing and carrier offset of a user, from its own station's synchronisation sequence.

The sequence is correlated in segments, each sent with another antenna taper; magnitudes add up whatever fades and
whatever the carrier offset. The second half repeats the first half's tapers: its phase against it is the offset. The
preamble fit (`testbed.measurement.sounding`) then makes both as good as the whole preamble allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.frame import SYNC_SEGMENTS, Frame

__all__ = ["Synchronisation", "synchronise"]

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
    options = frame.options
    reach = options.gap_symbols * options.samples_per_symbol  # the largest start offset looked for
    lags = np.arange(-reach, reach + 1)
    starts = np.array([frame.sync_slot(n).start for n in range(frame.n_stations)])[station]
    at = (starts[:, None] + np.arange(options.sync_symbols)) * options.samples_per_symbol
    matched = frame.pulse.matched(frame.pulse.spectrum_of(samples))
    around = np.take_along_axis(matched[:, None], at[:, None] + lags[:, None], axis=2)  # (n_users, lags, sync_symbols)
    segments = (around * frame.sync[station].conj()[:, None]).reshape(*around.shape[:2], SYNC_SEGMENTS, -1).sum(axis=-1)
    energy = np.sum(np.abs(around) ** 2, axis=-1) * (options.sync_symbols / SYNC_SEGMENTS)
    explained = np.sum(np.abs(segments) ** 2, axis=-1) / np.maximum(energy, np.finfo(float).tiny)
    peak = np.argmax(explained, axis=1)
    users = np.arange(len(samples))
    first, second = np.split(segments[users, peak], 2, axis=1)
    turn = np.angle(np.sum(second * first.conj(), axis=1))
    offset_hz = turn / (2 * np.pi) * options.symbol_rate_hz / (options.sync_symbols / 2)
    return Synchronisation(lags[peak] + _between(explained, peak), offset_hz, explained[users, peak])


def _between(height: Vector, peak: NDArray[np.intp]) -> Vector:
    """Return where between its neighbours the peak of each row lies, by a parabola, -0.5 to 0.5 samples."""
    inside = np.clip(peak, 1, height.shape[1] - 2)
    left, middle, right = (height[np.arange(len(height)), inside + step] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    move = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, 1), 0.0)
    return np.asarray(np.clip(move, -0.5, 0.5))
