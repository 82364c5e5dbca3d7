"""Who takes part: stations with their cells' users and targets, and what is imperfect in a radio."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from testbed.scenario.limits import Address, Limit, Name

__all__ = ["DRIVERS", "Impairments", "Point", "Station", "Target", "User"]

# An address per driver, as an error message shows it.
DRIVERS = ("simulated", "replay:run.h5", "pluto:ip:192.168.2.1", "usrp:addr=192.168.10.2")

Label = Annotated[str, Name()]
RadioAddress = Annotated[str, Address(DRIVERS)]
Coordinate = Annotated[float, Limit(-1e5, 1e5)]
Point = tuple[Coordinate, Coordinate]
Speed = Annotated[float, Limit(-100, 100)]
Velocity = tuple[Speed, Speed]
Degrees = Annotated[float, Limit(-360, 360)]
Gain = Annotated[float, Limit(-100, 100)]
PartsPerMillion = Annotated[float, Limit(-100, 100)]
Bits = Annotated[int, Limit(4, 24)]


@dataclass(frozen=True)
class Impairments:
    """What is imperfect in a radio; None is unsaid, which is ideal unless a default says otherwise.

    Attributes:
        carrier_offset_ppm: Error of the carrier frequency.
        sample_clock_offset_ppm: Error of the sample clock.
        start_offset_s: How late the radio starts.
        start_spread_s: Width of the interval about that in which each exchange starts, for nobody aligns the radio.
        random_phase: Whether every tune starts with another oscillator phase.
        phase_noise_linewidth_hz: 3 dB linewidth of a Wiener oscillator.
        iq_gain_db: Gain of I over Q.
        iq_phase_deg: Error of the right angle between I and Q.
        dc_offset: Constant added to the samples, as a fraction of full scale.
        pa_saturation_dbm: Saturated output power per port of the amplifier (Rapp); without it the amplifier is linear.
        pa_smoothness: Rapp's smoothness p.
        dac_bits: Bits of the transmit converters; without it they are ideal.
        adc_bits: Bits of the receive converters; without it they are ideal.
        noise_figure_db: Noise figure of the receiver.
    """

    carrier_offset_ppm: PartsPerMillion | None = None
    sample_clock_offset_ppm: PartsPerMillion | None = None
    start_offset_s: Annotated[float, Limit(-1, 1)] | None = None
    start_spread_s: Annotated[float, Limit(0, 1)] | None = None
    random_phase: bool | None = None
    phase_noise_linewidth_hz: Annotated[float, Limit(0, 1e6)] | None = None
    iq_gain_db: Annotated[float, Limit(-6, 6)] | None = None
    iq_phase_deg: Annotated[float, Limit(-45, 45)] | None = None
    dc_offset: Annotated[float, Limit(-1, 1)] | None = None
    pa_saturation_dbm: Annotated[float, Limit(-60, 60)] | None = None
    pa_smoothness: Annotated[float, Limit(0.5, 20)] | None = None
    dac_bits: Bits | None = None
    adc_bits: Bits | None = None
    noise_figure_db: Annotated[float, Limit(0, 60)] | None = None

    def over(self, default: Impairments) -> Impairments:
        """Return these impairments, with what they leave unsaid taken from a default."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(default, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True)
class Station:
    """A base station: half-wavelength line arrays for transmission and reception with one phase centre.

    Attributes:
        name: Unique among stations, users and targets.
        position_m: Phase centre (x, y).
        orientation_deg: Azimuth of broadside; a point at azimuth phi is seen under the angle phi - orientation_deg, and
            angles grow towards elements of growing index.
        n_tx: Transmit antennas.
        n_rx: Receive antennas.
        radio: Address of its radio.
        power_dbm: Power budget over all antennas.
        tx_gain_db: Transmit gain to set.
        rx_gain_db: Receive gain to set.
        antenna_gain_dbi: Gain of one element.
        impairments: What is imperfect in its simulated radio; what is unsaid is as in the air's impairments.
    """

    name: Label
    position_m: Point
    orientation_deg: Degrees
    n_tx: Annotated[int, Limit(1, 1024)]
    n_rx: Annotated[int, Limit(2, 1024)]
    radio: RadioAddress
    power_dbm: Annotated[float, Limit(-150, 60)]
    tx_gain_db: Gain
    rx_gain_db: Gain
    antenna_gain_dbi: Annotated[float, Limit(-60, 60)] = 0.0
    impairments: Impairments = field(default_factory=Impairments)

    @property
    def key(self) -> str:
        """Where it stands in the scenario, as messages name it."""
        return f'stations "{self.name}"'


@dataclass(frozen=True)
class User:
    """A user with one receive antenna.

    Attributes:
        name: Unique among stations, users and targets.
        station: Name of its serving station.
        position_m: Where it is at time 0.
        radio: Address of its radio.
        rx_gain_db: Receive gain to set.
        velocity_m_s: Constant velocity.
        antenna_gain_dbi: Gain of its antenna.
        impairments: What is imperfect in its simulated radio; what is unsaid is as in the air's impairments.
    """

    name: Label
    station: Label
    position_m: Point
    radio: RadioAddress
    rx_gain_db: Gain
    velocity_m_s: Velocity = (0.0, 0.0)
    antenna_gain_dbi: Annotated[float, Limit(-60, 60)] = 0.0
    impairments: Impairments = field(default_factory=Impairments)

    @property
    def key(self) -> str:
        """Where it stands in the scenario, as messages name it."""
        return f'users "{self.name}"'


@dataclass(frozen=True)
class Target:
    """A point target of constant radar cross section, sensed by one station.

    Attributes:
        name: Unique among stations, users and targets.
        station: Name of the station that estimates its angle.
        position_m: Where it is at time 0.
        rcs_m2: Radar cross section.
        velocity_m_s: Constant velocity.
        reflection_phase_deg: Phase of its reflection; None draws it from the seed.
    """

    name: Label
    station: Label
    position_m: Point
    rcs_m2: Annotated[float, Limit(0, 1e6, above=True)]
    velocity_m_s: Velocity = (0.0, 0.0)
    reflection_phase_deg: Degrees | None = None

    @property
    def key(self) -> str:
        """Where it stands in the scenario, as messages name it."""
        return f'targets "{self.name}"'
