"""The front end: in which order a radio spoils what it sends and receives.

    transmit: DAC -> IQ imbalance, DC offset -> gain -> amplifier -> oscillator -> sample clock -> start offset
    receive:  start offset -> sample clock -> thermal noise -> oscillator -> gain -> IQ imbalance, DC offset -> ADC

One oscillator and one sample clock serve both directions, so that a station sees none of their offsets in its own
echoes, but for what the oscillator's phase changes during the delay. At the antenna port samples are complex envelopes
at the nominal carrier in root-watt: mean |x|^2 is the power at one port in watt.

Not modelled: analogue filters, spread between the channels of a radio, AM/PM conversion, converter non-linearity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import SettingsError
from drivers.simulated.impairments import (
    carrier_phase,
    convert,
    dc_offset,
    fractional_delay,
    iq_imbalance,
    oscillator_phase,
    phase_noise,
    power_amplifier,
    sample_clock_offset,
    thermal_noise,
    thermal_noise_power,
)

__all__ = ["FrontEnd", "Oscillator", "oscillator", "receive", "root_watt", "transmit"]

Complex = NDArray[np.complexfloating]
Vector = NDArray[np.float64]

_ALLOWED = {
    "carrier_offset_ppm": (-100, 100),
    "sample_clock_offset_ppm": (-100, 100),
    "start_offset_s": (-1, 1),
    "start_spread_s": (0, 1),
    "random_phase": (False, True),
    "phase_noise_linewidth_hz": (0, 1e6),
    "iq_gain_db": (-6, 6),
    "iq_phase_deg": (-45, 45),
    "dc_offset": (-1, 1),
    "pa_saturation_dbm": (-60, 60),
    "pa_smoothness": (0.5, 20),
    "dac_bits": (4, 24),
    "adc_bits": (4, 24),
    "noise_figure_db": (0, 60),
}


@dataclass(frozen=True)
class FrontEnd:
    """What is imperfect in a radio; the default is ideal, which leaves the thermal noise k T B.

    Attributes:
        carrier_offset_ppm: By how much the oscillator is above the carrier it was tuned to.
        sample_clock_offset_ppm: By how much the sample clock runs fast; all clocks agree when an exchange starts.
        start_offset_s: How late the radio starts, sending and receiving.
        start_spread_s: Width of the interval about that in which every exchange starts anew, anywhere: nobody aligns
            this radio with the others. Its captures say "time-unaligned".
        random_phase: Whether every tune starts with another oscillator phase.
        phase_noise_linewidth_hz: Full width at half power of the oscillator's line.
        iq_gain_db: Gain of I over Q, of both directions.
        iq_phase_deg: By how much I and Q fall short of a right angle, in both directions.
        dc_offset: Constant added in both directions, as a fraction of full scale; sent, it is the oscillator's leakage.
        pa_saturation_dbm: Saturated power of a port's amplifier; None for a linear one.
        pa_smoothness: Rapp's p, the sharpness of the amplifier's knee.
        dac_bits: Bits of the transmit converters; None for ideal ones.
        adc_bits: Bits of the receive converters; None for ideal ones.
        noise_figure_db: Noise figure of the receiver.

    """

    carrier_offset_ppm: float = 0.0
    sample_clock_offset_ppm: float = 0.0
    start_offset_s: float = 0.0
    start_spread_s: float = 0.0
    random_phase: bool = False
    phase_noise_linewidth_hz: float = 0.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_offset: float = 0.0
    pa_saturation_dbm: float | None = None
    pa_smoothness: float = 2.0
    dac_bits: int | None = None
    adc_bits: int | None = None
    noise_figure_db: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no radio is.

        Raises:
            SettingsError: Naming the field, its value and what is allowed; it is a ValueError.

        """
        for name, (low, high) in _ALLOWED.items():
            value = getattr(self, name)
            optional = name in ("pa_saturation_dbm", "dac_bits", "adc_bits")
            if value is None and optional:
                continue
            whole = name.endswith("_bits")
            if value is None or not low <= value <= high or (whole and not isinstance(value, int)):
                kind = "a whole number from " if whole else ""
                also = ", or none for an ideal one" if optional else ""
                raise SettingsError(f"front end: {name} = {value} is not allowed; use {kind}{low:g} to {high:g}{also}")


@dataclass(frozen=True, eq=False)
class Oscillator:
    """The local oscillator of a radio during one exchange, shared by its transmitter and its receiver.

    Attributes:
        offset_hz: Its frequency less the nominal carrier.
        phase_rad: Its phase ahead of the nominal carrier at every sample (offset, tune and noise), shape (n_samples,).
        noise_rad: The part of the phase that is noise, shape (n_samples,).
        last_s: Device time of the last sample.

    """

    offset_hz: float
    phase_rad: Vector
    noise_rad: Vector
    last_s: float


def oscillator(
    front_end: FrontEnd,
    center_hz: float,
    n_samples: int,
    sample_rate_hz: float,
    start_s: float,
    tune_phase_rad: float,
    rng: np.random.Generator,
    previous: Oscillator | None = None,
) -> Oscillator:
    """Return a radio's oscillator for one exchange.

    Args:
        front_end: What is imperfect in the radio.
        center_hz: The nominal carrier it is tuned to.
        n_samples: Samples of the exchange.
        sample_rate_hz: Sample rate.
        start_s: Device time of the first sample; the offset turns the phase from device time zero on, without a jump.
        tune_phase_rad: Phase of this tune at device time zero; the caller draws it at a tune if front_end.random_phase.
        rng: Source of the phase noise.
        previous: The oscillator of the exchange before, on the same tune: its phase noise wanders on in the pause.
            Without it, phase noise starts at zero.

    """
    offset_hz = center_hz * front_end.carrier_offset_ppm * 1e-6
    linewidth_hz = front_end.phase_noise_linewidth_hz
    noise_rad = phase_noise(n_samples, linewidth_hz, sample_rate_hz, rng)
    if previous is not None and linewidth_hz > 0:
        pause_s = max(start_s - previous.last_s, 0.0)
        noise_rad += previous.noise_rad[-1] + np.sqrt(2 * np.pi * linewidth_hz * pause_s) * rng.standard_normal()
    phase_rad = carrier_phase(n_samples, offset_hz, sample_rate_hz, start_s) + tune_phase_rad + noise_rad
    return Oscillator(offset_hz, phase_rad, noise_rad, start_s + (n_samples - 1) / sample_rate_hz)


def transmit(
    burst: Complex, front_end: FrontEnd, lo: Oscillator, sample_rate_hz: float, full_scale_root_watt: float
) -> NDArray[np.complex64]:
    """Return what leaves the antenna ports.

    Args:
        burst: Digital samples, shape (n_tx, n_samples), magnitude up to 1 (held by `drivers.check_burst`), padded with
            zeros to the length of the exchange.
        front_end: What is imperfect in the radio.
        lo: Its oscillator in this exchange.
        sample_rate_hz: Sample rate.
        full_scale_root_watt: Magnitude at the port of a digital sample of magnitude 1, by a linear amplifier.

    Returns:
        Complex envelopes at the nominal carrier in root-watt, shape (n_tx, n_samples).

    Raises:
        ValueError: The burst is not as long as the oscillator's exchange.

    """
    _require_length(burst, lo)
    digital: Complex = burst.astype(np.complex64, copy=False)
    x, _ = convert(digital, front_end.dac_bits)
    x = dc_offset(iq_imbalance(x, front_end.iq_gain_db, front_end.iq_phase_deg), front_end.dc_offset)
    saturation = None if front_end.pa_saturation_dbm is None else root_watt(front_end.pa_saturation_dbm)
    x = power_amplifier(x * full_scale_root_watt, saturation, front_end.pa_smoothness)
    x = oscillator_phase(x, lo.phase_rad)
    x = sample_clock_offset(x, front_end.sample_clock_offset_ppm)
    x = fractional_delay(x, front_end.start_offset_s, sample_rate_hz)
    return x.astype(np.complex64, copy=False)


def receive(
    samples_root_watt: Complex,
    front_end: FrontEnd,
    lo: Oscillator,
    sample_rate_hz: float,
    full_scale_root_watt: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.complex64], int]:
    """Return the digital samples of what reaches the antenna ports, with thermal noise.

    Args:
        samples_root_watt: Complex envelopes at the nominal carrier in root-watt, shape (n_rx, n_samples).
        front_end: What is imperfect in the radio.
        lo: Its oscillator in this exchange.
        sample_rate_hz: Sample rate, and bandwidth of the noise.
        full_scale_root_watt: Magnitude at the port that gives a digital sample of magnitude 1.
        rng: Source of the thermal noise.

    Returns:
        Digital samples, shape (n_rx, n_samples), and how many of them clipped.

    Raises:
        ValueError: The samples are not as long as the oscillator's exchange.

    """
    _require_length(samples_root_watt, lo)
    # In units of full scale from the start: the gain commutes with all that comes before the ADC.
    x: Complex = (samples_root_watt / full_scale_root_watt).astype(np.complex64, copy=False)
    x = fractional_delay(x, -front_end.start_offset_s, sample_rate_hz)
    fast = front_end.sample_clock_offset_ppm
    x = sample_clock_offset(x, -fast / (1 + fast * 1e-6))
    noise_power = thermal_noise_power(sample_rate_hz, front_end.noise_figure_db) / full_scale_root_watt**2
    x = x + thermal_noise(x.shape, noise_power, rng)
    x = oscillator_phase(x, -lo.phase_rad)
    x = dc_offset(iq_imbalance(x, front_end.iq_gain_db, front_end.iq_phase_deg), front_end.dc_offset)
    x, clipped = convert(x, front_end.adc_bits)
    return x.astype(np.complex64, copy=False), clipped


def root_watt(level_dbm: float) -> float:
    """Return the magnitude in root-watt of a complex envelope of constant power, given in dBm."""
    return float(np.sqrt(10 ** ((level_dbm - 30) / 10)))


def _require_length(samples: Complex, lo: Oscillator) -> None:
    if samples.shape[-1] != lo.phase_rad.size:
        raise ValueError(
            f"front end: {samples.shape[-1]} samples in an exchange of {lo.phase_rad.size}; pad the burst with zeros"
        )
