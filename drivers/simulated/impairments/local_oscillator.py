"""Phase of the local oscillator: frequency offset, phase of a tune, phase noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["carrier_frequency_offset", "carrier_phase", "oscillator_phase", "phase_noise"]

Complex = NDArray[np.complexfloating]
Vector = NDArray[np.float64]


def oscillator_phase(samples: Complex, phase_rad: float | Vector) -> Complex:
    """Turn samples by a phase: multiply by exp(j phase).

    Args:
        samples: Shape (..., n_samples).
        phase_rad: One phase for all, or a path in time of shape (n_samples,) that all channels share.

    Returns:
        Turned samples, same shape and magnitude.

    """
    if not np.any(phase_rad):
        return samples
    turned: Complex = samples * np.exp(1j * np.asarray(phase_rad)).astype(samples.dtype)
    return turned


def carrier_phase(n_samples: int, offset_hz: float, sample_rate_hz: float, start_s: float = 0.0) -> Vector:
    """Return the phase 2 pi offset_hz t by which an oscillator is ahead, at t = start_s + n / sample_rate_hz.

    Args:
        n_samples: Length of the path.
        offset_hz: Frequency of the oscillator less the nominal one.
        sample_rate_hz: Sample rate.
        start_s: Time of the first sample, counted from when the phase was zero.

    Returns:
        Phase in radian, shape (n_samples,), the first within one turn.

    """
    # Whole turns before the start are dropped, so that the phase keeps its precision in a long experiment.
    turns = offset_hz * start_s % 1.0
    phase: Vector = 2 * np.pi * (turns + np.arange(n_samples, dtype=np.float64) * (offset_hz / sample_rate_hz))
    return phase


def carrier_frequency_offset(
    samples: Complex, offset_hz: float, sample_rate_hz: float, start_s: float = 0.0
) -> Complex:
    """Move the spectrum up: x(t) exp(j 2 pi offset_hz t), continuous in phase from one frame to the next.

    Args:
        samples: Shape (..., n_samples).
        offset_hz: By how much every line moves.
        sample_rate_hz: Sample rate.
        start_s: Time of the first sample, counted from when the phase was zero.

    Returns:
        Samples of the moved signal, same shape.

    """
    return oscillator_phase(samples, carrier_phase(samples.shape[-1], offset_hz, sample_rate_hz, start_s))


def phase_noise(n_samples: int, linewidth_hz: float, sample_rate_hz: float, rng: np.random.Generator) -> Vector:
    """Draw the phase path of a free-running oscillator: a Wiener process that starts at zero.

    Its increments have variance 2 pi linewidth_hz / sample_rate_hz, so that the carrier's line is a Lorentzian of that
    full width at half power. Source: A. Demir et al., "Phase noise in oscillators", IEEE Trans. Circuits Syst. I, 2000.

    Args:
        n_samples: Length of the path.
        linewidth_hz: Full width of the line at half power; 0 for a clean oscillator, which draws nothing.
        sample_rate_hz: Sample rate.
        rng: Source of randomness.

    Returns:
        Phase in radian, shape (n_samples,), for `oscillator_phase`.

    """
    path = np.zeros(n_samples)
    if linewidth_hz > 0:
        step_rad = np.sqrt(2 * np.pi * linewidth_hz / sample_rate_hz)
        np.cumsum(step_rad * rng.standard_normal(max(n_samples - 1, 0)), out=path[1:])
    return path
