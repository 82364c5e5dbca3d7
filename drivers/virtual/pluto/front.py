"""Between words and waves: what a unit radiates and what its converters make of what arrives, for given settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from drivers.pluto.levels import RX_FULL_SCALE_DBM, RX_FULL_SCALE_WORD, TX_FULL_SCALE_DBM
from drivers.simulated.front_end import FrontEnd, Oscillator, receive, root_watt, transmit
from drivers.simulated.impairments import carrier_phase, thermal_noise, thermal_noise_power
from drivers.virtual.history import History
from drivers.virtual.medium import is_heard, moved_carrier
from drivers.virtual.phase_noise import PhaseNoise
from drivers.virtual.pluto.waveform import Waveform

__all__ = ["Converted", "Radiation", "ReceiveState", "TransmitState", "convert"]

Complex = NDArray[np.complexfloating]

# Automatic gain control: the mean level that it stays below, the firmware's inner threshold.
AGC_TARGET_DBFS = -10.0
# Noise of the receive converters themselves, rms in I and in Q, in steps: about that of the rounding. It is what a real
# unit reads with an open input at its lowest gain, where the noise of the amplifiers is far below a step.
CONVERTER_NOISE_STEPS = 0.3


@dataclass(frozen=True)
class TransmitState:
    """Everything that decides what a unit radiates.

    Attributes:
        playing: What the converters play; nothing is silence.
        center_hz: Carrier that the oscillator is set to.
        phase_rad: Its phase at air time zero; every tune may draw another.
        gain_db: Gain of each channel, 0 or negative.
        swapped: Whether the first two antenna cables are exchanged.
    """

    playing: tuple[Waveform, ...]
    center_hz: float
    phase_rad: float
    gain_db: tuple[float, ...]
    swapped: bool = False


@dataclass(frozen=True)
class ReceiveState:
    """Everything that decides what a unit makes of what arrives.

    Attributes:
        center_hz: Carrier that the oscillator is set to.
        phase_rad: Its phase at air time zero.
        gain_db: Gain of each channel, or None for automatic control.
        loopback: Whether transmit words come back as receive words, without any air.
        deaf: Whether the oscillator is off.
    """

    center_hz: float
    phase_rad: float
    gain_db: tuple[float | None, ...]
    loopback: bool = False
    deaf: bool = False


@dataclass(frozen=True, eq=False)
class Converted:
    """A block from the receive converters.

    Attributes:
        words: I and Q, 12 bits, shape (n_rx, n, 2).
        gain_db: The gain of each channel, chosen by the automatic control where it is on.
        level_dbm: Mean power at each antenna port, with the receiver's noise.
    """

    words: NDArray[np.int16]
    gain_db: tuple[int | float, ...]
    level_dbm: tuple[float, ...]


class Radiation:
    """What a unit radiates over air time: a `Transmitter` of the medium."""

    def __init__(self, front_end: FrontEnd, states: History[TransmitState], noise: PhaseNoise) -> None:
        # Clock errors are in the sample rates, a late start is in the waveforms' starts, and words have their 12 bits.
        self._front_end = replace(front_end, sample_clock_offset_ppm=0.0, start_offset_s=0.0, dac_bits=None)
        self._states, self._noise = states, noise

    def ports(self, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Complex | None:
        """See `drivers.virtual.medium.Transmitter`."""
        spans = self._states.between(start_s, start_s + n / sample_rate_hz)
        ports: Complex | None = None
        for from_s, until_s, state in spans:
            if not state.playing or not is_heard(state.center_hz, center_hz, sample_rate_hz):
                continue
            part = self._radiated(state, start_s, n, sample_rate_hz)
            part = moved_carrier(part, state.center_hz, center_hz, start_s, sample_rate_hz)
            first, last = (int(np.clip(np.ceil((t - start_s) * sample_rate_hz), 0, n)) for t in (from_s, until_s))
            if first > 0 or last < n:
                part = part.copy()
                part[:, :first] = 0
                part[:, last:] = 0
            ports = part if ports is None else ports + part
        return ports

    def _radiated(self, state: TransmitState, start_s: float, n: int, sample_rate_hz: float) -> Complex:
        digital = sum((one.samples(start_s, n, sample_rate_hz) for one in state.playing[1:]),
                      start=state.playing[0].samples(start_s, n, sample_rate_hz))  # fmt: skip
        lo = _oscillator(self._front_end, state, self._noise, start_s, n, sample_rate_hz)
        ports = np.concatenate(
            [
                transmit(
                    digital[i : i + 1], self._front_end, lo, sample_rate_hz, root_watt(TX_FULL_SCALE_DBM + gain_db)
                )
                for i, gain_db in enumerate(state.gain_db)
            ]
        )
        return ports[::-1] if state.swapped else ports


def convert(
    ports: Complex, state: ReceiveState, front_end: FrontEnd, noise: PhaseNoise, start_s: float,
    sample_rate_hz: float, gain_range_db: tuple[int, int], rng: np.random.Generator,
) -> Converted:  # fmt: skip
    """Return what the receive converters make of a window.

    Args:
        ports: What arrives, root-watt, shape (n_rx, n).
        state: The unit's settings.
        front_end: What is imperfect in it.
        noise: The phase noise of its receive oscillator.
        start_s: Air time of the first sample.
        sample_rate_hz: Its true sample rate.
        gain_range_db: What the automatic gain control may choose from.
        rng: Source of the thermal noise.
    """
    ideal = replace(front_end, sample_clock_offset_ppm=0.0, start_offset_s=0.0, adc_bits=None)
    lo = _oscillator(ideal, state, noise, start_s, ports.shape[1], sample_rate_hz)
    words = np.empty((*ports.shape, 2), dtype=np.int16)
    gains: list[float] = []
    levels: list[float] = []
    for i, port in enumerate(ports):
        noise_w = thermal_noise_power(sample_rate_hz, front_end.noise_figure_db)
        level_dbm = 10 * np.log10(float(np.vdot(port, port).real) / port.size + noise_w) + 30
        gain_db = state.gain_db[i]
        if gain_db is None:
            gain_db = float(np.clip(np.floor(AGC_TARGET_DBFS + RX_FULL_SCALE_DBM - level_dbm), *gain_range_db))
        full_scale = root_watt(RX_FULL_SCALE_DBM - gain_db)
        noisy = replace(ideal, noise_figure_db=_noise_figure_db(noise_w, sample_rate_hz, full_scale))
        words[i] = _words(_received(port, noisy, lo, sample_rate_hz, full_scale, rng))
        gains.append(gain_db)
        levels.append(float(level_dbm))
    return Converted(words, tuple(gains), tuple(levels))


def _received(
    port: Complex, front_end: FrontEnd, lo: Oscillator, sample_rate_hz: float, full_scale: float,
    rng: np.random.Generator,
) -> NDArray[np.complex64]:  # fmt: skip
    """Return the samples of a channel, (n,), with noise; noise alone needs no turning and is twice as fast."""
    plain = not (front_end.iq_gain_db or front_end.iq_phase_deg or front_end.dc_offset)
    if plain and not port.any():
        noise_w = thermal_noise_power(sample_rate_hz, front_end.noise_figure_db)
        return thermal_noise(port.shape, noise_w / full_scale**2, rng)
    samples, _ = receive(port[np.newaxis], front_end, lo, sample_rate_hz, full_scale, rng)
    return samples.reshape(port.shape)


def _noise_figure_db(noise_w: float, sample_rate_hz: float, full_scale_root_watt: float) -> float:
    """Return the noise figure of amplifiers and converters together."""
    converter_w = 2 * (CONVERTER_NOISE_STEPS / RX_FULL_SCALE_WORD * full_scale_root_watt) ** 2
    return min(float(10 * np.log10((noise_w + converter_w) / thermal_noise_power(sample_rate_hz, 0.0))), 60.0)


@lru_cache(maxsize=16)
def _steady(n: int, phase_rad: float) -> NDArray[np.float64]:
    steady = np.full(n, phase_rad)
    steady.flags.writeable = False
    return steady


def _words(samples: NDArray[np.complex64]) -> NDArray[np.int16]:
    """Return 12-bit words, (n, 2), for samples of full scale 1; what is beyond saturates."""
    scaled = np.ascontiguousarray(samples).view(np.float32) * np.float32(RX_FULL_SCALE_WORD)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -RX_FULL_SCALE_WORD, RX_FULL_SCALE_WORD - 1, out=scaled)
    return scaled.astype(np.int16).reshape(-1, 2)


def _oscillator(
    front_end: FrontEnd,
    state: TransmitState | ReceiveState,
    noise: PhaseNoise,
    start_s: float,
    n: int,
    sample_rate_hz: float,
) -> Oscillator:
    """Return a unit's oscillator over a window; its phase is a function of air time alone."""
    last_s = start_s + (n - 1) / sample_rate_hz
    if not (front_end.carrier_offset_ppm or front_end.phase_noise_linewidth_hz):  # the usual case, and much cheaper
        return Oscillator(0.0, _steady(n, state.phase_rad), _steady(n, 0.0), last_s)
    offset_hz = state.center_hz * front_end.carrier_offset_ppm * 1e-6
    noise_rad = noise.phase_rad(start_s, n, sample_rate_hz)
    phase_rad = carrier_phase(n, offset_hz, sample_rate_hz, start_s) + state.phase_rad + noise_rad
    return Oscillator(offset_hz, phase_rad, noise_rad, last_s)
