"""Checks of the geometry: where stations, users, targets and clutter may not stand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, product
from typing import TYPE_CHECKING

from testbed.scenario.geometry import SPEED_OF_LIGHT_M_S, angle, distance_m

if TYPE_CHECKING:
    from testbed.scenario.radios import Point, Station, User
    from testbed.scenario.scenario import Scenario

__all__ = ["all_are_in_front", "delays_fit_the_gap", "nobody_is_too_close"]

Findings = Iterator[tuple[str, str]]

_NEAREST_M = 1.0  # closer, a point is in an array's near field and Friis gives nonsense


def all_are_in_front(scenario: Scenario) -> Findings:
    """Nobody stands behind its station: a line array cannot tell front from back."""
    stations = {station.name: station for station in scenario.stations}
    for one in scenario.members:
        degrees = math.degrees(angle(stations[one.station], one.position_m))
        if abs(degrees) >= 90:
            seen = (
                f"is {degrees:.0f} degrees off broadside of {one.station}; it must be within 90, in front of the array"
            )
            remedy = f"move it or turn orientation_deg of {one.station}"
            yield f"{one.key}.position_m", f"= {list(one.position_m)} {seen}: {remedy}"


def nobody_is_too_close(scenario: Scenario) -> Findings:
    """Everything is in the far field of everything else."""
    places: list[tuple[str, Point]] = [(one.key, one.position_m) for one in (*scenario.radios, *scenario.targets)]
    for (key, place), (other, point) in combinations(places + _clutter(scenario), 2):
        if (apart_m := distance_m(place, point)) < _NEAREST_M:
            near = f"is {apart_m:.2f} m from {key}; it must be at least {_NEAREST_M:g} m away"
            yield f"{other}.position_m", f"= {list(point)} {near}"


def delays_fit_the_gap(scenario: Scenario) -> Findings:
    """What one part of a frame leaves in the air is gone before the next part is measured."""
    frame = scenario.frame
    gap_s = frame.gap_symbols / frame.symbol_rate_hz
    for key, way_m, start_s in _ways(scenario):
        late_s = way_m / SPEED_OF_LIGHT_M_S + start_s
        if late_s > gap_s:
            way = f"makes a path of {way_m:.0f} m that ends {late_s:.3g} s late, start offsets included"
            yield f"{key}.position_m", f"{way}; frame.gap_symbols = {frame.gap_symbols} allows {gap_s:.3g} s"


def _ways(scenario: Scenario) -> Iterator[tuple[str, float, float]]:
    """Yield the key, length in m and start offsets in s of every way from a station to a user or back to a station."""

    def late_s(radio: Station | User) -> float:
        impairments = scenario.impairments_of(radio)
        return abs(impairments.start_offset_s or 0.0) + (impairments.start_spread_s or 0.0) / 2

    for user, sender in product(scenario.users, scenario.stations):
        yield user.key, distance_m(sender.position_m, user.position_m), late_s(sender) + late_s(user)
    reflectors: list[tuple[str, Point]] = [(target.key, target.position_m) for target in scenario.targets]
    for (key, point), sender, receiver in product(
        reflectors + _clutter(scenario), scenario.stations, scenario.stations
    ):
        way_m = distance_m(sender.position_m, point) + distance_m(point, receiver.position_m)
        yield key, way_m, late_s(sender) + (0.0 if receiver is sender else late_s(receiver))


def _clutter(scenario: Scenario) -> list[tuple[str, Point]]:
    clutter = scenario.air.clutter
    return [(f"air.clutter[{i} of {len(clutter)}]", one.position_m) for i, one in enumerate(clutter, 1)]
