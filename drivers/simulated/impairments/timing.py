"""Faults of timing: a late start, and a sample clock that runs fast or slow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

__all__ = ["fractional_delay", "sample_clock_offset"]

Complex = NDArray[np.complexfloating]

# Silence between the end of the signal and its front, which are neighbours for the FFT: what a signal cut at the end
# rings at the front is below -46 dB.
ROOM = 64

# The interpolator: sinc under a Kaiser window, whose transition band is 0.8 to 1.2 of half the sample rate. TAPS and
# BETA hold the largest error of a tone below -90 dB up to 0.8 (tested).
TAPS = 32
BETA = 10.0
BLOCK = 32  # samples interpolated by one small matrix product; larger wastes products with zero, smaller wastes calls


def fractional_delay(samples: Complex, delay_s: float, sample_rate_hz: float) -> Complex:
    """Delay a signal by any time, in the same window: what leaves it is lost, what enters is silence.

    Whole samples are shifted, the rest (at most half a sample) is a phase in the spectrum: exact for a band-limited
    signal that rises and falls inside the window.

    Args:
        samples: Shape (..., n_samples).
        delay_s: Delay; negative for an advance.
        sample_rate_hz: Sample rate.

    Returns:
        x(t - delay_s), same shape.

    """
    delay = delay_s * sample_rate_hz
    if delay == 0 or samples.size == 0:
        return samples
    whole = round(delay)
    return _shifted(_within_a_sample(samples, delay - whole), whole)


def _within_a_sample(samples: Complex, delay: float) -> Complex:
    """Delay by a part of a sample, by the phase of the spectrum."""
    if delay == 0:
        return samples
    n_samples = samples.shape[-1]
    n_fft = scipy.fft.next_fast_len(n_samples + ROOM)
    spectrum = scipy.fft.fft(samples, n_fft)
    spectrum *= np.exp(-2j * np.pi * delay * scipy.fft.fftfreq(n_fft)).astype(spectrum.dtype)
    delayed: Complex = scipy.fft.ifft(spectrum, overwrite_x=True)[..., :n_samples]
    return delayed


def _shifted(samples: Complex, whole: int) -> Complex:
    """Delay by whole samples."""
    n_samples = samples.shape[-1]
    whole = min(max(whole, -n_samples), n_samples)
    shifted = np.zeros_like(samples)
    if whole >= 0:
        shifted[..., whole:] = samples[..., : n_samples - whole]
    else:
        shifted[..., :whole] = samples[..., -whole:]
    return shifted


def sample_clock_offset(samples: Complex, offset_ppm: float) -> Complex:
    """Play samples from a clock that runs fast: y[n] = x(n (1 + offset_ppm 1e-6)), the first sample unmoved.

    Every frequency is multiplied by 1 + offset_ppm 1e-6. This is a transmitter's view; a receiver whose clock runs fast
    by e takes its samples at n / (1 + e), which is an offset of -e / (1 + e). Interpolation is band-limited, with an
    error below -90 dB up to 0.8 of half the sample rate. Before and after the samples there is silence: within 16
    samples of either end a signal that has not faded is distorted.

    Args:
        samples: Shape (..., n_samples).
        offset_ppm: By how much the clock runs fast, in parts per million; negative for slow.

    Returns:
        The samples as seen from the nominal clock, same shape.

    """
    if offset_ppm == 0 or samples.size == 0:
        return samples
    n_samples = samples.shape[-1]
    reach, interpolator = _interpolator(n_samples, offset_ppm, samples.real.dtype.char)
    rows = np.ascontiguousarray(samples.reshape(-1, n_samples).T).view(samples.real.dtype)
    silence = np.zeros((1, rows.shape[1]), dtype=rows.dtype)
    blocks = np.concatenate([rows, silence])[reach]
    played = np.matmul(interpolator, blocks).reshape(-1, rows.shape[1])[:n_samples]
    return np.ascontiguousarray(played.view(samples.dtype).T).reshape(samples.shape)


@lru_cache(maxsize=64)  # two per radio: it is the same in every frame, and dear to compute
def _interpolator(n_samples: int, offset_ppm: float, dtype: str) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Return, per block, the samples in reach, shape (n_blocks, width), and their weights, (n_blocks, BLOCK, width)."""
    n_blocks = -(-n_samples // BLOCK)
    position = np.arange(n_blocks * BLOCK).reshape(n_blocks, BLOCK) * (1 + offset_ppm * 1e-6)
    first = np.floor(position[:, :1]).astype(np.intp) - TAPS // 2
    width = TAPS + 2 + int(np.ceil(BLOCK * (1 + abs(offset_ppm) * 1e-6)))
    reach = first + np.arange(width)
    distance = position[:, :, np.newaxis] - reach[:, np.newaxis, :]
    inside = 1 - (2 * distance / TAPS) ** 2
    window = np.where(inside >= 0, np.i0(BETA * np.sqrt(np.maximum(inside, 0))) / np.i0(BETA), 0)
    # Outside the signal is silence, the row after its last sample.
    reach = np.where((reach >= 0) & (reach < n_samples), reach, n_samples)
    return reach, (np.sinc(distance) * window).astype(dtype)
