"""From a scenario to the scene that simulated radios share: units converted, what is random drawn from the seed."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from drivers.simulated.front_end import FrontEnd
from drivers.simulated.scene import Clutter, Node, NormalisedGains, Scene, Target
from testbed.scenario import Scenario, Station, User

__all__ = ["scene"]


def scene(scenario: Scenario, seed: int) -> Scene:
    """Return the physics of a scenario, for `drivers.open_radios`.

    Args:
        scenario: The experiment.
        seed: Of everything random in it.
    """
    air = scenario.air
    phases = np.random.default_rng([seed, 2]).uniform(0, 2 * np.pi, len(scenario.ordered_targets))
    return Scene(
        stations=tuple(_station(scenario, station) for station in scenario.stations),
        users=tuple(_user(scenario, user) for user in scenario.ordered_users),
        serving={user.name: user.station for user in scenario.users},
        targets=tuple(
            Target(
                target.name,
                target.station,
                target.position_m,
                target.rcs_m2,
                target.velocity_m_s,
                float(drawn if target.reflection_phase_deg is None else np.radians(target.reflection_phase_deg)),
            )
            for target, drawn in zip(scenario.ordered_targets, phases, strict=True)
        ),
        carrier_hz=scenario.carrier_hz,
        symbol_rate_hz=scenario.frame.symbol_rate_hz,
        rician_k=float(10 ** (air.rician_k_db / 10)),
        scattering_rays=air.scattering_rays,
        intercell_reflections=air.intercell_reflections,
        other_targets=air.other_targets,
        clutter=tuple(Clutter(clutter.position_m, clutter.rcs_m2) for clutter in air.clutter),
        leakage=float(10 ** (-air.leakage_isolation_db / 10)),
        normalised=_normalised(scenario),
        seed=seed,
    )


def _station(scenario: Scenario, station: Station) -> Node:
    return Node(
        name=station.name,
        position_m=station.position_m,
        orientation_rad=float(np.radians(station.orientation_deg)),
        n_tx=station.n_tx,
        n_rx=station.n_rx,
        antenna_gain=float(10 ** (station.antenna_gain_dbi / 10)),
        front_end=_front_end(scenario, station),
    )


def _user(scenario: Scenario, user: User) -> Node:
    return Node(
        name=user.name,
        position_m=user.position_m,
        orientation_rad=0.0,
        n_tx=0,
        n_rx=1,
        antenna_gain=float(10 ** (user.antenna_gain_dbi / 10)),
        velocity_m_s=user.velocity_m_s,
        front_end=_front_end(scenario, user),
    )


def _front_end(scenario: Scenario, radio: Station | User) -> FrontEnd:
    """Return what is imperfect in a radio; what nobody said is ideal."""
    said = {name: value for name, value in asdict(scenario.impairments_of(radio)).items() if value is not None}
    return FrontEnd(**said)


def _normalised(scenario: Scenario) -> NormalisedGains | None:
    air = scenario.air
    if air.model != "normalised":
        return None
    return NormalisedGains(
        echo_snr=float(10 ** (air.echo_snr_db / 10)),
        reflection_ratio=air.intercell_power_ratio,
        user_snr=float(10 ** (air.user_snr_db / 10)),
        user_ratio=air.user_intercell_power_ratio,
        block_length=scenario.frame.payload_symbols,
        power_w=float(10 ** ((scenario.stations[0].power_dbm - 30) / 10)),
    )
