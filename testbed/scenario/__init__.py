"""The experiment as written in TOML: read into frozen dataclasses and checked before anything is opened.

limits, units      what a value may be, and in which unit
reader             TOML table -> dataclass, one recursive reader
radios, options    the dataclasses: their fields are the keys
checks             what must hold across keys
geometry           true positions and angles
shipped/*.toml     scenarios that come with the testbed
"""

from __future__ import annotations

from testbed.scenario.geometry import angle, distance_m, position_at, true_arrival_angles, true_departure_angles
from testbed.scenario.options import AirOptions, Clutter, FrameOptions, RfPolicy, SchemeOptions
from testbed.scenario.radios import Impairments, Station, Target, User
from testbed.scenario.scenario import Scenario, shipped

__all__ = [
    "AirOptions",
    "Clutter",
    "FrameOptions",
    "Impairments",
    "RfPolicy",
    "Scenario",
    "SchemeOptions",
    "Station",
    "Target",
    "User",
    "angle",
    "distance_m",
    "position_at",
    "shipped",
    "true_arrival_angles",
    "true_departure_angles",
]
