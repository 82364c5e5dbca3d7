"""Several transmitters in one capture: the strongest is found and taken out, then the next (successive cancellation).

Frames of different stations share parts that only long correlation tells apart (sounding sequences that are orthogonal
over their length, not over a segment): beside a stronger station a weaker one would be found where the stronger is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from drivers.pluto.alignment import Arrival, arrival, segment_spectra

__all__ = ["Heard", "Transmission", "arrivals", "hear", "without"]

Samples = NDArray[np.complexfloating]

LONG = 4  # segments of a period in which a carrier offset is looked for: the more, the coarser
FINER = 4  # how much finer than the resolution of such a segment offsets are tried
FITTED = 16  # segments of a period in which a transmission is fitted and taken out
TAPS = (-1, 0, 1)  # samples around the delay: the true one lies between samples, and paths differ


@dataclass(frozen=True, eq=False)
class Transmission:
    """What may be in a capture; what is computed of it serves all captures of an exchange.

    Attributes:
        burst: One period of what was sent, (n_tx, n_samples).
        sample_rate_hz: The common sample rate.
        offset_hz: Largest carrier offset against the receiver; 0 if they share an oscillator.
    """

    burst: Samples
    sample_rate_hz: float
    offset_hz: float

    @cached_property
    def spectra(self) -> Samples:
        """See `segment_spectra`."""
        return segment_spectra(self.burst, self.sample_rate_hz, self.offset_hz)

    @cached_property
    def spanned(self) -> list[tuple[slice, Samples]]:
        """Long segments, and an orthonormal basis, (n, rank), of what the burst's channels span in each."""
        return [(part, _basis(self.burst[:, part])) for part in _cuts(self.burst.shape[1], LONG)]

    @cached_property
    def fitted(self) -> list[tuple[slice, Samples]]:
        """Shorter segments, and a basis of what the burst spans in each when it comes by paths of several delays."""
        shifted = np.concatenate([np.roll(self.burst, tap, axis=1) for tap in TAPS])
        return [(part, _basis(shifted[:, part])) for part in _cuts(self.burst.shape[1], FITTED)]


@dataclass(frozen=True)
class Heard:
    """A transmission at its likeliest place in a capture.

    Attributes:
        arrival: Its delay.
        offset_hz: Its carrier offset.
        explained: The energy it explains, in that of the samples.
    """

    arrival: Arrival
    offset_hz: float
    explained: float


def arrivals(received: Samples, sent: Mapping[str, Transmission]) -> dict[str, Arrival]:
    """Find all transmissions in one period, the strongest first, each in what the stronger ones leave.

    Args:
        received: Samples, (n_rx, n_samples).
        sent: What may be in them, by name of the transmitter.

    Returns:
        An arrival per transmission that is not silence, audible or not.
    """
    left = {name: one for name, one in sent.items() if np.any(one.burst)}
    found: dict[str, Arrival] = {}
    while len(left) > 1:
        heard = {name: hear(received, one) for name, one in left.items()}
        name = max(heard, key=lambda one: heard[one].explained)
        found[name] = heard[name].arrival
        strongest = left.pop(name)
        if found[name].audible:
            received = without(received, strongest, heard[name])
    for name, last in left.items():
        found[name] = arrival(received, last.spectra)
    return {name: found[name] for name in sent if name in found}


def hear(received: Samples, sent: Transmission) -> Heard:
    """Find one transmission in a capture, (n_rx, n_samples), audible or not.

    At its delay the carrier offset is that at which it explains most: on a grid, then a parabola through three.
    """
    at = arrival(received, sent.spectra)
    aligned = np.roll(received, -at.lag, axis=1)
    n_fft = FINER * (-(-received.shape[1] // LONG))
    step_hz = sent.sample_rate_hz / n_fft
    half = int(np.ceil(sent.offset_hz / step_hz)) + 1 if sent.offset_hz else 0
    explained = np.zeros(2 * half + 1)
    for part, basis in sent.spanned:
        spectra = scipy.fft.fft(basis.T.conj()[:, None] * aligned[None, :, part], n_fft)
        explained += np.sum(np.abs(spectra[..., np.arange(-half, half + 1)]) ** 2, axis=(0, 1))
    best = int(np.argmax(explained))
    offset_hz = step_hz * (best - half + _vertex(explained, best))
    return Heard(at, offset_hz, float(explained[best]))


def without(received: Samples, sent: Transmission, heard: Heard) -> Samples:
    """Return a capture, (n_rx, n_samples), without a transmission as it was heard, by least squares in segments."""
    lag, n = heard.arrival.lag, received.shape[1]
    aligned = np.roll(received, -lag, axis=1).astype(np.complex64)
    turning = np.exp(2j * np.pi * heard.offset_hz * np.arange(n) / sent.sample_rate_hz).astype(np.complex64)
    for part, basis in sent.fitted:
        still = (aligned[:, part] * turning[part].conj()).T
        aligned[:, part] -= (basis @ (basis.conj().T @ still)).T * turning[part]
    return np.asarray(np.roll(aligned, lag, axis=1))


def _vertex(values: NDArray[np.float64], best: int) -> float:
    """Return where, from the best of values, the parabola through it and its neighbours peaks, in steps."""
    if not 0 < best < len(values) - 1:
        return 0.0
    before, at, after = values[best - 1 : best + 2]
    bend = before - 2 * at + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def _basis(rows: Samples) -> Samples:
    """Return an orthonormal basis of what rows of samples span, (n_samples, rank)."""
    left, values, _ = np.linalg.svd(rows.T, full_matrices=False)
    return np.asarray(left[:, values > 1e-3 * max(float(np.max(values, initial=0.0)), 1e-30)])


def _cuts(n_samples: int, count: int) -> list[slice]:
    edges = np.linspace(0, n_samples, min(count, n_samples) + 1).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]
