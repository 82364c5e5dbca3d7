"""Thermal noise of a receiver."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOLTZMANN", "REFERENCE_TEMPERATURE_K", "thermal_noise", "thermal_noise_power"]

BOLTZMANN = 1.380649e-23  # J/K, exact since 2019
REFERENCE_TEMPERATURE_K = 290.0  # of the noise figure's definition (IEEE)


def thermal_noise_power(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Return k T B F in watt, referred to the antenna port, at T = 290 K.

    Args:
        bandwidth_hz: B; for white noise on complex samples, the sample rate.
        noise_figure_db: F; 0 dB is a receiver that adds nothing to the noise of a matched source at 290 K.

    """
    return float(BOLTZMANN * REFERENCE_TEMPERATURE_K * bandwidth_hz * 10 ** (noise_figure_db / 10))


def thermal_noise(shape: tuple[int, ...], power: float, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Draw circular white Gaussian noise.

    Args:
        shape: Shape of the samples, time last.
        power: Mean |noise|^2 of a complex sample, half of it in I and half in Q.
        rng: Source of randomness.

    Returns:
        Noise of the given shape; single precision, which takes half the time to draw and is exact to -140 dB.

    """
    parts = rng.standard_normal((*shape[:-1], 2 * shape[-1]), dtype=np.float32)
    parts *= np.float32(np.sqrt(power / 2))
    return parts.view(np.complex64)
