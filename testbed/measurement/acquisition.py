"""Finding one station's frame among others that nobody aligned with it: when it arrives, and how far it is off.

Sync slots of stations that start apart fall onto each other, so one sequence of 32 symbols is not enough: everything
known of the preamble is used. Segments short against any offset are added without their phases, which gives the delay;
all of them with their phases, over a grid of offsets, give the offset. The joint fit (`link_fit`) does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from testbed.frame import SYNC_SEGMENTS, Frame

__all__ = ["Acquisition", "Found", "segment_share"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

SEGMENT = 16  # pilot symbols whose phases are taken for equal: half a turn at most, at the largest offset that is found
RIVAL = 0.6  # of the highest: a lower peak in the offset is not the true one, whatever else is on the air
OVERSAMPLED = 4  # the grid of offsets: steps of a quarter of what the preamble's length resolves


@dataclass(frozen=True)
class Found:
    """One station's frame in one receiver's samples.

    Attributes:
        delay_samples: Arrival, fractional.
        offset_hz: Carrier offset.
        share: Of the energy in the preamble's symbols that the segments explain, 0 to 1.
        rivals_hz: Other offsets that explain nearly as much: an antenna's pilots at one offset are its neighbour's at
            another.
    """

    delay_samples: float
    offset_hz: float
    share: float
    rivals_hz: tuple[float, ...]


class Acquisition:
    """Looks for one station's preamble; what depends on the layout alone is computed once.

    Args:
        frame: The frame's layout.
        station: Whose.
    """

    def __init__(self, frame: Frame, station: int) -> None:
        self.frame = frame
        options = frame.options
        slot, sounding = frame.sync_slot(station), frame.sounding
        self._symbols = np.r_[slot, sounding]
        preamble = frame.preamble(np.full(frame.n_stations, float(frame.n_tx)))[station]
        self._reach = options.gap_symbols * options.samples_per_symbol
        self._rows, self._edges = _segments(frame, station)
        self._whole = _orthonormal(preamble[:, self._symbols])
        resolved = OVERSAMPLED * (sounding.stop - slot.start)
        count = int(np.ceil(resolved / options.sync_symbols))
        self._cycles = np.arange(-count, count + 1) / resolved  # per symbol: as far as sync resolves
        self._turns = np.exp(-2j * np.pi * np.outer(self._cycles, self._symbols))

    def find(self, samples: Complex) -> Found:
        """Return where the station's frame fits best.

        Args:
            samples: At the receiver's antenna, (n_samples,), what is known of other stations taken off.
        """
        from testbed.measurement.acquisition_kernels import explained_share

        rate, reach = self.frame.options.samples_per_symbol, self._reach
        matched = self.frame.pulse.matched(self.frame.pulse.spectrum_of(samples))
        share = explained_share(matched, self._symbols, rate, reach, self._rows, self._edges)
        peak = int(np.argmax(share))
        heard = matched[(self._symbols * rate + peak - reach) % len(matched)]
        height = np.sum(np.abs((self._turns * heard) @ self._whole.conj().T) ** 2, axis=1)
        highest = int(np.argmax(height))
        peaks = np.flatnonzero((height[1:-1] >= height[:-2]) & (height[1:-1] > height[2:])) + 1
        rivals = [int(i) for i in peaks if i != highest and height[i] > RIVAL * height[highest]]
        offsets = [self._offset_hz(height, i) for i in (highest, *rivals)]
        delay = peak - reach + _between(share, peak)
        return Found(float(delay), offsets[0], float(share[peak]), tuple(offsets[1:]))

    def _offset_hz(self, height: Vector, peak: int) -> float:
        cycles = self._cycles[peak] + _between(height, peak) * (self._cycles[1] - self._cycles[0])
        return float(cycles * self.frame.options.symbol_rate_hz)


def segment_share(frame: Frame, station: int, symbols: Complex) -> float:
    """Return the share of the energy in a station's sync slot that its sequence explains segment by segment, 0 to 1.

    Args:
        frame: The frame's layout.
        station: Whose slot.
        symbols: Received in that slot, (sync_symbols,).
    """
    segments = (symbols * frame.sync[station].conj()).reshape(SYNC_SEGMENTS, -1)
    energy = float(np.vdot(symbols, symbols).real) * segments.shape[1]
    explained = float(np.sum(np.abs(segments.sum(axis=1)) ** 2))
    return float(explained / max(energy, np.finfo(float).tiny))


def _segments(frame: Frame, station: int) -> tuple[Complex, NDArray[np.intp]]:
    """Return rows that are orthonormal within each segment, conjugate, (n_tx, n), and the segments' edges."""
    sync, sounding = frame.options.sync_symbols, frame.options.sounding_symbols
    part = sync // SYNC_SEGMENTS
    count = max(sounding // max(SEGMENT, 2 * frame.n_tx), 1)
    edges = np.r_[np.arange(0, sync, part), sync + np.linspace(0, sounding, count + 1).astype(int)]
    rows = np.zeros((frame.n_tx, sync + sounding), dtype=complex)
    rows[0, :sync] = frame.sync[station] / np.sqrt(part)  # one antenna taper for the length of a segment
    for low, high in pairwise(edges[SYNC_SEGMENTS:]):
        rows[:, low:high] = _orthonormal(frame.pilots[station][:, low - sync : high - sync])
    return rows.conj(), edges


def _orthonormal(rows: Complex) -> Complex:
    return np.asarray(np.linalg.qr(rows.T)[0].T)


def _between(height: Vector, peak: int) -> float:
    """Return where between its neighbours a peak lies, by a parabola, -0.5 to 0.5 steps."""
    if not 0 < peak < len(height) - 1:
        return 0.0
    left, middle, right = height[peak - 1 : peak + 2]
    curvature = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)) if curvature < 0 else 0.0
