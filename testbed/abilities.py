"""Whether the radios that were opened can do what the experiment asks of them: in phase, and close enough in time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from drivers import Capabilities
from testbed.errors import AbilityError
from testbed.scenario import Scenario

__all__ = ["require_abilities"]


def require_abilities(scenario: Scenario, capabilities: Mapping[str, Capabilities]) -> None:
    """Refuse an experiment that its radios cannot do.

    Args:
        scenario: The experiment.
        capabilities: What each radio can do, by name.

    Raises:
        AbilityError: A precoder would combine transmit channels that do not keep their relative phase, the radios may
            start further apart than the frame's gaps, or a waveform needs starts that they do not have.
    """
    _require_coherence(scenario, capabilities)
    _require_gaps(scenario, capabilities)
    _require_alignment(scenario, capabilities)


def _require_coherence(scenario: Scenario, capabilities: Mapping[str, Capabilities]) -> None:
    """A precoder weighs the channels of a station against each other; a cooperative one those of all stations."""
    reference = scenario.reference
    if reference.external and reference.phase_calibration == "per-frame":
        return
    names = [station.name for station in scenario.stations]
    groups = [names] if scenario.scheme.name.endswith("comp") else [[name] for name in names]
    for group in groups:
        first: dict[str, str] = {}
        for name in group:
            for label in capabilities[name].tx_coherence:
                first.setdefault(label, name)
        if len(first) > 1:
            (one, at), (other, there) = list(first.items())[:2]
            raise AbilityError(
                f"{scenario.scheme.name} combines transmit channels of {at} ({one}) and {there} ({other}), which share "
                "no oscillator and keep no phase to each other; use one unit per station and a scheme per station "
                "(cbf), or say that a reference and a phase calibration in every frame are used: [reference] "
                'external = true, phase_calibration = "per-frame"'
            )


def _require_alignment(scenario: Scenario, capabilities: Mapping[str, Capabilities]) -> None:
    """Symbol by symbol, a waveform counts on what the other stations send at the very time."""
    apart = [name for name, able in capabilities.items() if able.start_spread_s]
    if apart and scenario.scheme.name.startswith("slp") and scenario.n_stations > 1:
        raise AbilityError(
            f"{scenario.scheme.name} shapes every symbol against those of the other stations, but {apart[0]} "
            f"({capabilities[apart[0]].model}) has no timed start; use blp-cbf, or radios that start together"
        )


def _require_gaps(scenario: Scenario, capabilities: Mapping[str, Capabilities]) -> None:
    """What one station sends late must not reach into another part of the frame."""
    frame = scenario.frame
    name, able = max(capabilities.items(), key=lambda item: item[1].start_spread_s)
    need = math.ceil(round(able.start_spread_s * frame.symbol_rate_hz, 9))
    if frame.gap_symbols < need:
        raise AbilityError(
            f"radios like {name} ({able.model}) start up to {1e6 * able.start_spread_s:.0f} us apart, "
            f"frame.gap_symbols = {frame.gap_symbols} allows {1e6 * frame.gap_symbols / frame.symbol_rate_hz:.0f} us; "
            f"it must be at least {need} at {frame.symbol_rate_hz:g} symbols/s"
        )
