"""How the experiment is made: frame, scheme, RF policy and the simulated air."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from testbed.scenario.limits import BelongsTo, Choice, Limit
from testbed.scenario.radios import Impairments, Point

__all__ = ["AirOptions", "Clutter", "FrameOptions", "ReferenceOptions", "RfPolicy", "SchemeOptions"]

Frequency = Annotated[float, Limit(0, 1e12, above=True)]
Count = Annotated[int, Limit(1, 100_000)]
Silence = Annotated[int, Limit(0, 100_000)]
Decibel = Limit(-100, 100)
LINK_BUDGET = BelongsTo("model", "link-budget")
NORMALISED = BelongsTo("model", "normalised")


@dataclass(frozen=True)
class FrameOptions:
    """Rates and lengths of a frame: guard, sync of each station, gap, sounding, gap, payload, tail.

    Attributes:
        symbol_rate_hz: Symbols per second.
        samples_per_symbol: Samples per symbol.
        roll_off: Of the root-raised-cosine pulse.
        modulation: Constellation of the payload.
        payload_symbols: L, the precoded symbols.
        sounding_symbols: Length of the orthogonal sounding sequences.
        sync_symbols: Length of each station's synchronisation sequence.
        guard_symbols: Silence at the start, in which every receiver measures its noise.
        tail_symbols: Silence at the end.
        gap_symbols: Silence before the sounding and before the payload; no path may be longer.
        period_s: From the start of a frame to the start of the next.
    """

    symbol_rate_hz: Annotated[float, Limit(0, 1e9, above=True)]
    samples_per_symbol: Annotated[int, Limit(2, 64)] = 4
    roll_off: Annotated[float, Limit(0.05, 1)] = 0.25
    modulation: Annotated[str, Choice(("qpsk", "bpsk", "8psk"))] = "qpsk"
    payload_symbols: Annotated[int, Limit(16, 100_000)] = 128
    sounding_symbols: Count = 64
    sync_symbols: Annotated[int, Limit(8, 4096, multiple_of=8)] = 32
    guard_symbols: Count = 48
    tail_symbols: Silence = 32
    gap_symbols: Count = 8
    period_s: Annotated[float, Limit(0, 3600, above=True)] = 0.01

    def n_symbols(self, n_stations: int) -> int:
        """Return the length of a frame, silences included, in symbols."""
        sync = n_stations * self.sync_symbols
        sent = sync + self.sounding_symbols + self.payload_symbols
        return self.guard_symbols + sent + 2 * self.gap_symbols + self.tail_symbols

    def duration_s(self, n_stations: int) -> float:
        """Return the length of a frame in seconds."""
        return self.n_symbols(n_stations) / self.symbol_rate_hz


@dataclass(frozen=True)
class SchemeOptions:
    """Which precoder is designed, and when it is designed anew.

    Attributes:
        name: The precoding scheme: block-level (blp) or symbol-level (slp), each station for its own users (cbf) or all
            for all (comp). A symbol-level waveform is designed for every frame, whatever the thresholds say.
        min_sinr_db: SINR promised to every user.
        robustness: "exact" keeps the promise for every channel within the CSI radius, "none" for the measured channel.
        redesign_angle_deg: A tracked angle that has moved by more than this since the design makes a new one.
        redesign_csi_radii: So does a channel that has moved by more than this many CSI radii; two soundings of the same
            channel differ by 1.1 radii in the mean and 2 radii once in 10,000 (6 antennas).
        csi_confidence: Probability that the true channel lies within the CSI radius.
        csi_drift: Whether the radius covers the drift until the payload, too, as measured from sounding to sounding, or
            by what predictions missed it where these are better.
        angle_spread: Whether block-level designs sense for all that the tracks leave open about the angles (the
            information expected over them), or for where the targets are expected alone.
        design_time_s: Time that a design may take, after the first; what is feasible by then is loaded, with its gap to
            the proved bound, else the precoder before stays, promising what is left of it. Without a limit the same
            seed gives the same precoders on any machine.
    """

    name: Annotated[str, Choice(("blp-cbf", "blp-comp", "slp-cbf", "slp-comp"))]
    min_sinr_db: Annotated[float, Limit(-30, 60)]
    robustness: Annotated[str, Choice(("exact", "none"), planned=("paper",))] = "exact"
    redesign_angle_deg: Annotated[float, Limit(0, 180, above=True)] = 2.0
    redesign_csi_radii: Annotated[float, Limit(0, 1e6, above=True, infinite=True)] = 3.0
    csi_confidence: Annotated[float, Limit(0.5, 1, below=True)] = 0.95
    csi_drift: bool = True
    angle_spread: bool = False
    design_time_s: Annotated[float, Limit(0, 3600, above=True, infinite=True)] = math.inf


@dataclass(frozen=True)
class RfPolicy:
    """What may be radiated here; nothing is sent outside it.

    Attributes:
        frequency_range_hz: Lowest and highest carrier frequency.
        max_tx_gain_db: Largest transmit gain.
        max_output_dbm: Largest peak power of one antenna port.
    """

    frequency_range_hz: tuple[Frequency, Frequency]
    max_tx_gain_db: Annotated[float, Decibel]
    max_output_dbm: Annotated[float, Limit(-150, 60)]


@dataclass(frozen=True)
class ReferenceOptions:
    """What keeps transmit channels of different devices in phase, if anything does.

    A precoder for channels that share no oscillator is refused unless both are given.

    Attributes:
        external: Whether all radios run on one external reference: equal frequencies, though every tune ends in another
            phase.
        phase_calibration: "per-frame" if the phases between devices are measured anew in every frame and the sounding
            carries them, "none" if they are not.
    """

    external: bool = False
    phase_calibration: Annotated[str, Choice(("none", "per-frame"))] = "none"


@dataclass(frozen=True)
class Clutter:
    """A static reflector, seen by every station.

    Attributes:
        position_m: Where it stands (x, y).
        rcs_m2: Radar cross section.
    """

    position_m: Point
    rcs_m2: Annotated[float, Limit(0, 1e6, above=True)]


@dataclass(frozen=True)
class AirOptions:
    """The air between simulated radios.

    Attributes:
        model: "link-budget" (Friis and radar equation from the geometry) or "normalised" (the paper's ratios).
        noise_figure_db: Of every radio whose impairments do not say otherwise.
        intercell_reflections: Whether a station also hears the others by way of its own target, as in paper eq. (5).
        other_targets: Whether the other cells' targets reflect, too; paper eq. (5) counts them as noise.
        impairments: Of every radio whose own impairments do not say otherwise.
        rician_k_db: Line of sight over scattered power of a user's channel; inf for pure line of sight.
        scattering_rays: Rays of the scattered part.
        clutter: Static reflectors.
        leakage_isolation_db: From a transmit to a receive antenna of the same station; inf for no leakage.
        echo_snr_db: |alpha_m|^2 L P / sigma^2 (paper, section VI: 0 dB).
        intercell_power_ratio: Power of a reflection between cells over that of the own echo.
        user_snr_db: P / sigma_C^2 of a channel of unit variance.
        user_intercell_power_ratio: Variance of a channel between cells over that of an own channel.
    """

    model: Annotated[str, Choice(("link-budget", "normalised"))] = "link-budget"
    noise_figure_db: Annotated[float, Limit(0, 60)] = 6.0
    intercell_reflections: bool = True
    other_targets: bool = False
    impairments: Impairments = field(default_factory=Impairments)
    rician_k_db: Annotated[float, Limit(-100, 100, infinite=True), LINK_BUDGET] = math.inf
    scattering_rays: Annotated[int, Limit(1, 1024), LINK_BUDGET] = 16
    clutter: Annotated[tuple[Clutter, ...], LINK_BUDGET] = ()
    leakage_isolation_db: Annotated[float, Limit(0, 300, infinite=True), LINK_BUDGET] = math.inf
    echo_snr_db: Annotated[float, Decibel, NORMALISED] = 0.0
    intercell_power_ratio: Annotated[float, Limit(0, 1e6), NORMALISED] = 1 / 3
    user_snr_db: Annotated[float, Decibel, NORMALISED] = 30.0
    user_intercell_power_ratio: Annotated[float, Limit(0, 1e6), NORMALISED] = 1 / 3
