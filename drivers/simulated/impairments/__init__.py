"""Impairments: what a real radio is known to spoil, each a pure function of complex samples, channels first, time last.

Every function returns its input itself when its parameter says that nothing is wrong, keeps the precision of its input,
and takes any leading axes. Each is held against its closed form in `tests/physics/test_impairments.py`.
"""

from drivers.simulated.impairments.amplifier import power_amplifier
from drivers.simulated.impairments.converter import convert
from drivers.simulated.impairments.local_oscillator import (
    carrier_frequency_offset,
    carrier_phase,
    oscillator_phase,
    phase_noise,
)
from drivers.simulated.impairments.noise import thermal_noise, thermal_noise_power
from drivers.simulated.impairments.quadrature import dc_offset, iq_imbalance, iq_imbalance_coefficients
from drivers.simulated.impairments.timing import fractional_delay, sample_clock_offset

__all__ = [
    "carrier_frequency_offset",
    "carrier_phase",
    "convert",
    "dc_offset",
    "fractional_delay",
    "iq_imbalance",
    "iq_imbalance_coefficients",
    "oscillator_phase",
    "phase_noise",
    "power_amplifier",
    "sample_clock_offset",
    "thermal_noise",
    "thermal_noise_power",
]
