"""True positions and angles, against cases computed by hand and against the symmetries of the plane."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.scenario import (
    Scenario,
    Station,
    angle,
    distance_m,
    position_at,
    true_arrival_angles,
    true_departure_angles,
)

ROUNDING = 1e-9  # rad: a few roundings of coordinates up to 2,000 m seen from at least 1 m

Coordinates = st.floats(-1000, 1000)
Degrees = st.floats(-360, 360)


ANY_STATION = Scenario.load("two_cells").stations[0]


def station(x: float, y: float, orientation_deg: float) -> Station:
    return replace(ANY_STATION, position_m=(x, y), orientation_deg=orientation_deg)


@pytest.mark.parametrize(
    ("orientation_deg", "point", "expected_deg"),
    [
        (0, (1, 0), 0),
        (0, (1, 1), 45),
        (0, (0, -1), -90),
        (90, (0, 5), 0),
        (90, (-5, 5), 45),
        (180, (-3, 0), 0),
        (180, (-1, -math.sqrt(3)), 60),
        (-180, (-1, math.sqrt(3)), -60),
        (350, (1, 0), 10),
    ],
)
def test_angle_counts_counter_clockwise_from_broadside(
    orientation_deg: float, point: tuple[float, float], expected_deg: float
) -> None:
    assert angle(station(0, 0, orientation_deg), point) == pytest.approx(math.radians(expected_deg), abs=ROUNDING)


def test_a_positive_angle_is_nearer_to_the_element_of_higher_index() -> None:
    array = station(0, 0, 30)
    point = (8.0, 8.0)  # azimuth 45 degrees: 15 degrees off broadside
    axis = np.array([-math.sin(math.radians(30)), math.cos(math.radians(30))])  # broadside turned by +90 degrees
    low, high = -0.1 * axis, 0.1 * axis
    assert angle(array, point) > 0
    assert distance_m(tuple(high), point) < distance_m(tuple(low), point)


@given(x=Coordinates, y=Coordinates, orientation=Degrees, r=st.floats(1, 1000), theta=st.floats(-1.5, 1.5))
def test_a_point_placed_under_an_angle_is_seen_under_it(
    x: float, y: float, orientation: float, r: float, theta: float
) -> None:
    azimuth = math.radians(orientation) + theta
    point = (x + r * math.cos(azimuth), y + r * math.sin(azimuth))
    assert angle(station(x, y, orientation), point) == pytest.approx(theta, abs=ROUNDING)
    assert distance_m((x, y), point) == pytest.approx(r, abs=ROUNDING)


@given(orientation=Degrees, turn=Degrees, shift_x=Coordinates, shift_y=Coordinates, theta=st.floats(-1.5, 1.5))
def test_turning_and_shifting_everything_changes_no_angle(
    orientation: float, turn: float, shift_x: float, shift_y: float, theta: float
) -> None:
    azimuth = math.radians(orientation) + theta
    before = angle(station(0, 0, orientation), (10 * math.cos(azimuth), 10 * math.sin(azimuth)))
    turned = azimuth + math.radians(turn)
    point = (shift_x + 10 * math.cos(turned), shift_y + 10 * math.sin(turned))
    assert angle(station(shift_x, shift_y, orientation + turn), point) == pytest.approx(before, abs=ROUNDING)


def test_targets_move_with_constant_velocity() -> None:
    target = replace(Scenario.load("two_cells").targets[0], position_m=(1.0, 2.0), velocity_m_s=(3.0, -4.0))
    assert position_at(target, 0.0) == (1.0, 2.0)
    assert position_at(target, 0.5) == (2.5, 0.0)


def test_departure_angles_are_from_station_n_towards_the_target_of_station_m() -> None:
    scenario = Scenario.load("two_cells")
    west, east = scenario.stations
    first, second = scenario.targets
    scenario = replace(
        scenario,
        stations=(replace(west, position_m=(0.0, 0.0)), replace(east, position_m=(20.0, 0.0))),
        # Written in the other order, and moving: the target of west is at (10, 10), that of east at (15, -5) after 2 s.
        targets=(
            replace(second, position_m=(15.0, -7.0), velocity_m_s=(0.0, 1.0)),
            replace(first, position_m=(8.0, 10.0), velocity_m_s=(1.0, 0.0)),
        ),
    )
    # West looks along +x, east along -x, so that from east a target above is at a negative angle.
    expected = np.array([[math.pi / 4, -math.pi / 4], [-math.atan2(5, 15), math.pi / 4]])
    np.testing.assert_allclose(true_departure_angles(scenario, 2.0), expected, atol=ROUNDING)
    np.testing.assert_allclose(true_arrival_angles(scenario, 2.0), [math.pi / 4, math.pi / 4], atol=ROUNDING)


def test_the_paper_scenario_has_the_angles_it_announces() -> None:
    degrees = np.degrees(true_departure_angles(Scenario.load("paper"), 0.0))
    # Positions are written to a centimetre: 0.05 degrees at 12 m.
    np.testing.assert_allclose(degrees, [[10, -25], [-25, 10]], atol=0.05)


def test_targets_of_the_courtyard_stay_10_degrees_off_the_users_for_400_frames() -> None:
    scenario = Scenario.load("two_cells")
    for m, own in enumerate(scenario.stations):
        users = [angle(own, user.position_m) for user in scenario.users if user.station == own.name]
        for time_s in np.linspace(0, 400 * scenario.frame.period_s, 9):
            apart = np.abs(np.array(users) - true_arrival_angles(scenario, time_s)[m])
            assert np.degrees(apart.min()) >= 10
