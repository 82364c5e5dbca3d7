"""The scene: where everything stands, how it moves and what it reflects. Plain numbers; the physics is in `paths`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.simulated.front_end import FrontEnd

__all__ = ["Clutter", "Node", "NormalisedGains", "Scene", "Target"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """A radio with its antennas: half-wavelength uniform linear arrays with a common phase centre.

    Attributes:
        name: The radio's name.
        position_m: Phase centre of both arrays.
        orientation_rad: Azimuth of broadside; a point at azimuth phi is seen under the angle phi - orientation_rad.
        n_tx: Transmit antennas (0 for a user).
        n_rx: Receive antennas.
        antenna_gain: Gain of one element over isotropic, linear, the same in every direction.
        velocity_m_s: Constant velocity.
        front_end: What the radio does to its samples.
    """

    name: str
    position_m: Point
    orientation_rad: float
    n_tx: int
    n_rx: int
    antenna_gain: float = 1.0
    velocity_m_s: Point = (0.0, 0.0)
    front_end: FrontEnd = field(default_factory=FrontEnd)


@dataclass(frozen=True)
class Target:
    """A point target of constant radar cross section (Swerling 0) that belongs to one station's cell."""

    name: str
    station: str
    position_m: Point
    rcs_m2: float
    velocity_m_s: Point = (0.0, 0.0)
    phase_rad: float = 0.0


@dataclass(frozen=True)
class Clutter:
    """A static point reflector, seen by every station."""

    position_m: Point
    rcs_m2: float


@dataclass(frozen=True)
class NormalisedGains:
    """Path gains in the paper's terms instead of a link budget; geometry gives angles only, all delays are zero.

    Attributes:
        echo_snr: |alpha_mm|^2 L P / sigma^2, linear (paper, section VI: 1).
        reflection_ratio: |alpha_mn|^2 / |alpha_mm|^2 for n != m (paper: 1/3).
        user_snr: P / sigma_C^2 for a unit-variance channel entry, linear.
        user_ratio: Variance of an inter-cell channel entry over that of an own-cell one (1/3).
        block_length: L, the symbols of a payload.
        power_w: P, a station's power.
    """

    echo_snr: float
    reflection_ratio: float
    user_snr: float
    user_ratio: float
    block_length: int
    power_w: float


@dataclass(frozen=True)
class Scene:
    """Everything that joins the radios of a simulated bench.

    Attributes:
        stations: Base stations, in the order of the scenario.
        users: Users, all of one station before those of the next.
        serving: Name of the serving station by user name.
        targets: One per station, in the stations' order.
        carrier_hz: Carrier frequency.
        symbol_rate_hz: The bandwidth in which normalised gains count noise.
        rician_k: Power of the line of sight over that of the scattered rays, linear; inf for pure line of sight.
        scattering_rays: Rays of the scattered part of a user's channel.
        intercell_reflections: Station n to target m to station m, the ICR of paper eq. (5).
        other_targets: Reflections off the other cells' targets, which eq. (5) counts as noise.
        clutter: Static reflectors.
        leakage: Power gain from a transmit to a receive antenna of the same station, linear; 0 for none.
        normalised: Gains in the paper's terms, or None for the link budget.
        seed: Seeds everything drawn once per experiment (rays, phases) and the noise.
    """

    stations: tuple[Node, ...]
    users: tuple[Node, ...]
    serving: Mapping[str, str]
    targets: tuple[Target, ...]
    carrier_hz: float
    symbol_rate_hz: float
    rician_k: float = float("inf")
    scattering_rays: int = 16
    intercell_reflections: bool = True
    other_targets: bool = False
    clutter: tuple[Clutter, ...] = ()
    leakage: float = 0.0
    normalised: NormalisedGains | None = None
    seed: int = 0

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All radios: stations, then users."""
        return self.stations + self.users
