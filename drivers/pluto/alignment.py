"""Finding a transmission again in a capture of a radio without a timed start.

Such a radio sends its burst over and over, and a capture is one period of it, rotated by a delay that nobody told. A
burst is correlated with the capture at all delays at once (circularly, by Fourier transforms), in segments so short
that the carrier offset between two units does not turn within one; their powers are added, over segments and over all
pairs of channels: non-coherent detection (Proakis & Salehi, Digital Communications, 5th ed., section 4.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.stats
from numpy.typing import NDArray

__all__ = ["AUDIBLE", "Arrival", "arrival", "circular_mean", "circular_spread", "period", "segment_spectra"]

Samples = NDArray[np.complexfloating]

TURN = 0.4  # of a turn: how far the largest offset may turn a segment; it costs sinc(0.4)^2, 2.4 dB
MOST_SEGMENTS = 64  # enough to find a frame; of a longer burst the strongest count
AT_ONCE = 6  # segments correlated together: few enough to stay in the cache
BESIDE = 64  # what lies within this part of the period of the peak, its own flanks, tells nothing of the noise
AUDIBLE = 4.0  # quality from which on an arrival counts: noise alone does so once in 10,000 captures


@dataclass(frozen=True)
class Arrival:
    """Where a burst was found in a capture.

    Attributes:
        lag: Delay of the burst in the capture, in samples, 0 to n_samples - 1.
        quality: Minus the decimal logarithm of the probability that noise alone has such a peak at any delay.
    """

    lag: int
    quality: float

    @property
    def audible(self) -> bool:
        """Whether it is an arrival rather than noise."""
        return self.quality >= AUDIBLE


def period(burst: Samples, n_samples: int) -> Samples:
    """Return one period of a burst, (n_tx, n_samples): with the silence that follows it."""
    padded = np.zeros((len(burst), n_samples), dtype=np.complex64)
    padded[:, : burst.shape[1]] = burst
    return padded


def segment_spectra(burst: Samples, sample_rate_hz: float, offset_hz: float) -> Samples:
    """Return the Fourier transforms of a burst's segments, each in its place in a period.

    Args:
        burst: One period, (n_tx, n_samples).
        sample_rate_hz: Its sample rate.
        offset_hz: Largest carrier offset against the receiver; 0 if they share an oscillator: there is one segment.

    Returns:
        Shape (n_segments, n_tx, n_samples).
    """
    n_tx, n = burst.shape
    count = int(np.ceil(n / max(1.0, TURN * sample_rate_hz / offset_hz))) if offset_hz else 1
    edges = np.linspace(0, n, count + 1).astype(int)
    energies = np.add.reduceat(np.sum(np.abs(burst) ** 2, axis=0), edges[:-1])
    strongest = [k for k in np.argsort(-energies, kind="stable")[:MOST_SEGMENTS] if energies[k] > 0]
    parts = np.zeros((len(strongest), n_tx, n), dtype=np.complex64)
    for part, k in zip(parts, strongest, strict=True):
        part[:, edges[k] : edges[k + 1]] = burst[:, edges[k] : edges[k + 1]]
    return np.asarray(scipy.fft.fft(parts, overwrite_x=True))


def arrival(received: Samples, spectra: Samples) -> Arrival:
    """Find a burst in one period of its circular transmission.

    Args:
        received: Samples, (n_rx, n_samples).
        spectra: The burst's `segment_spectra`.
    """
    n = received.shape[1]
    spectrum = scipy.fft.fft(np.asarray(received, dtype=np.complex64))[:, None]
    power = np.zeros(n)
    for first in range(0, len(spectra), AT_ONCE):
        crossed = spectra[first : first + AT_ONCE, None].conj() * spectrum
        parts = scipy.fft.ifft(crossed, overwrite_x=True).reshape(-1, n).view(np.float32)
        np.multiply(parts, parts, out=parts)
        squares = parts.sum(axis=0)
        power += squares[::2]  # of real and of imaginary parts
        power += squares[1::2]
    lag = int(np.argmax(power))
    return Arrival(lag, _quality(power, lag))


def circular_mean(lags: list[int], n_samples: int) -> int:
    """Return the mean of delays on a circle of n_samples, to the whole sample."""
    turns = np.exp(2j * np.pi * np.array(lags) / n_samples)
    return round(float(np.angle(turns.sum())) / (2 * np.pi) * n_samples) % n_samples


def circular_spread(lags: list[int], n_samples: int) -> int:
    """Return the length of the shortest arc of a circle of n_samples that holds all delays; 0 for fewer than two."""
    if len(lags) < 2:
        return 0
    placed = np.sort(np.array(lags) % n_samples)
    gaps = np.diff(placed, append=placed[0] + n_samples)
    return int(n_samples - gaps.max())


def _quality(power: NDArray[np.float64], lag: int) -> float:
    """Compare a peak with the rest: a sum of powers of Gaussian noise is nearly Gamma distributed, by two moments."""
    n = len(power)
    distance = np.abs(np.arange(n) - lag)
    rest = power[np.minimum(distance, n - distance) > max(1, n // BESIDE)]
    mean, variance = (float(rest.mean()), float(rest.var())) if rest.size else (0.0, 0.0)
    if not power[lag] > 0:
        return 0.0
    if not (mean > 0 and variance > 0):
        return float("inf")
    tail = float(scipy.stats.gamma.logsf(power[lag], mean**2 / variance, scale=variance / mean)) + np.log(n)
    return max(0.0, float(-tail / np.log(10)))
