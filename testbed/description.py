"""A scenario or a recording in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recordings import Recording
from testbed.scenario import Scenario, angle, distance_m, true_arrival_angles

__all__ = ["describe_recording", "describe_scenario"]


def describe_scenario(scenario: Scenario) -> list[str]:
    """Return lines that say what a scenario is."""
    return list(_scenario_lines(scenario))


def describe_recording(path: str, recording: Recording) -> list[str]:
    """Return lines that say what is in a recording."""
    scenario = Scenario.parse(recording.scenario_text, path)
    lines = [
        f"recording {path}: {recording.n_frames} whole frames, {recording.status}",
        f"seed {recording.seed}; " + ", ".join(f"{name} {version}" for name, version in recording.versions.items()),
        "radios",
    ]
    for name, facts in recording.radios.items():
        model, serial, address, n_tx, n_rx = (
            facts.get(key, "unknown") for key in ("model", "serial", "address", "n_tx", "n_rx")
        )
        lines.append(f"  {name:<12} {model} {serial} at {address}, {n_tx} tx, {n_rx} rx")
    lines += [f"designs at frames {', '.join(str(design.index_from) for design in recording.designs) or 'none'}"]
    lines += [f"results {', '.join(recording.result_names) or 'none'}", "scenario"]
    return lines + [f"  {line}" for line in _scenario_lines(scenario)]


def _scenario_lines(scenario: Scenario) -> Iterator[str]:
    frame, scheme = scenario.frame, scenario.scheme
    yield scenario.title
    yield (
        f"{scheme.name}, {scheme.robustness} robustness, at least {scheme.min_sinr_db:g} dB SINR; "
        f"{scenario.carrier_hz / 1e9:g} GHz, {frame.symbol_rate_hz / 1e3:g} ksymbol/s, {frame.modulation.upper()}"
    )
    yield (
        f"frame of {1e3 * scenario.frame_duration_s:.3g} ms every {1e3 * frame.period_s:g} ms: "
        f"{frame.sounding_symbols} symbols sounding, "
        f"{frame.payload_symbols} payload; air: {scenario.air.model}"
    )
    arrival = np.degrees(true_arrival_angles(scenario, 0.0))
    for m, station in enumerate(scenario.stations):
        target = scenario.ordered_targets[m]
        yield (
            f"station {station.name} at {station.position_m} m, broadside {station.orientation_deg:g} deg, "
            f"{station.n_tx} tx, "
            f"{station.n_rx} rx, {station.power_dbm:g} dBm, radio {station.radio}"
        )
        yield (
            f"  target {target.name} at {distance_m(station.position_m, target.position_m):.1f} m "
            f"under {arrival[m]:.1f} deg, "
            f"{target.rcs_m2:g} m2, velocity {target.velocity_m_s} m/s"
        )
        for user in scenario.ordered_users[m * scenario.users_per_cell : (m + 1) * scenario.users_per_cell]:
            seen = np.degrees(angle(station, user.position_m))
            yield (
                f"  user {user.name} at {distance_m(station.position_m, user.position_m):.1f} m under {seen:.1f} deg, "
                f"velocity {user.velocity_m_s} m/s, radio {user.radio}"
            )
