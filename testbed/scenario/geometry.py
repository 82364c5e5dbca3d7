"""Where everything is and under which angle it is seen: the truth that estimates are compared with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.scenario.radios import Station, Target, User
    from testbed.scenario.scenario import Scenario

__all__ = ["SPEED_OF_LIGHT_M_S", "angle", "distance_m", "position_at", "true_arrival_angles", "true_departure_angles"]

SPEED_OF_LIGHT_M_S = 299_792_458.0
Point = tuple[float, float]


def distance_m(a: Point, b: Point) -> float:
    """Return the distance between two points."""
    return math.dist(a, b)


def angle(station: Station, point: Point) -> float:
    """Return the angle under which a station's arrays see a point.

    Args:
        station: The station.
        point: (x, y) in m.

    Returns:
        Azimuth of the point less that of broadside, in rad within [-pi, pi], counter-clockwise positive. Elements are
        numbered along broadside turned by +90 degrees, so that the angle grows towards growing index.
    """
    x, y = station.position_m
    azimuth = math.atan2(point[1] - y, point[0] - x)
    return math.remainder(azimuth - math.radians(station.orientation_deg), math.tau)


def position_at(mover: User | Target, time_s: float) -> Point:
    """Return where a user or target is at a time since the experiment began."""
    (x, y), (v_x, v_y) = mover.position_m, mover.velocity_m_s
    return x + time_s * v_x, y + time_s * v_y


def true_departure_angles(scenario: Scenario, time_s: float) -> NDArray[np.float64]:
    """Return [m, n], (J, J), rad: the angle of departure from station n towards the target of station m."""
    points = [position_at(target, time_s) for target in scenario.ordered_targets]
    return np.array([[angle(station, point) for station in scenario.stations] for point in points])


def true_arrival_angles(scenario: Scenario, time_s: float) -> NDArray[np.float64]:
    """Return [m], (J,), rad: the angle under which station m sees its own target."""
    return true_departure_angles(scenario, time_s).diagonal().copy()
