"""A scenario: the experiment as written in TOML, checked before anything is opened."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from testbed.errors import ScenarioError
from testbed.scenario.checks import CHECKS
from testbed.scenario.limits import Limit, did_you_mean
from testbed.scenario.options import AirOptions, FrameOptions, ReferenceOptions, RfPolicy, SchemeOptions
from testbed.scenario.radios import Impairments, Station, Target, User
from testbed.scenario.reader import Place, read

__all__ = ["Scenario", "shipped"]

_SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class Scenario:
    """One experiment: J stations, K users and one target each, and what is done with them.

    Attributes:
        title: What it is, in a line.
        carrier_hz: Carrier frequency of all radios.
        stations: The J base stations.
        users: The users, as written; `ordered_users` is in the stations' order.
        targets: The targets, as written; `ordered_targets` is in the stations' order.
        frame: Rates and lengths.
        scheme: Which precoder is designed.
        rf: What may be radiated.
        air: What joins simulated radios.
        reference: What keeps transmit channels of different devices in phase.
        text: The TOML text it was read from, for the recording.
        name: Name of a shipped scenario, or of the file without its ending.
    """

    title: str
    carrier_hz: Annotated[float, Limit(0, 1e12, above=True)]
    stations: tuple[Station, ...]
    users: tuple[User, ...]
    targets: tuple[Target, ...]
    frame: FrameOptions
    scheme: SchemeOptions
    rf: RfPolicy
    air: AirOptions = field(default_factory=AirOptions)
    reference: ReferenceOptions = field(default_factory=ReferenceOptions)
    text: str = field(default="", repr=False)
    name: str = ""

    @classmethod
    def load(cls, name_or_path: str | Path) -> Scenario:
        """Read a shipped scenario by its name, or any other by the path of its file.

        Raises:
            ScenarioError: There is no such scenario, or it cannot be run as written.
        """
        names = [file.stem for file in _shipped_files()]
        path = _SHIPPED / f"{name_or_path}.toml" if str(name_or_path) in names else Path(name_or_path)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            problem = f"{name_or_path}: neither a file nor a shipped scenario; shipped are {', '.join(names)}"
            raise ScenarioError("; ".join([problem, *did_you_mean(path.stem, names)])) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{path}: cannot be read as a TOML file: {error}") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, where: str | Path) -> Scenario:
        """Read a scenario from its text.

        Args:
            text: TOML.
            where: The file it comes from, for messages and for its name.

        Raises:
            ScenarioError: It is no TOML, has unknown, missing or impossible values, or contradicts itself.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(f"{where}: not TOML: {error}") from error
        scenario = read(cls, table, Place(str(where)), {"text": text, "name": Path(where).stem})
        for check in CHECKS:
            for key, problem in check(scenario):
                raise Place(str(where), key).error(problem)
        return scenario

    @cached_property
    def ordered_users(self) -> tuple[User, ...]:
        """The users, all K of one station before those of the next: user k of cell m stands at m * K + k."""
        order = [station.name for station in self.stations]
        return tuple(sorted(self.users, key=lambda user: order.index(user.station)))

    @cached_property
    def ordered_targets(self) -> tuple[Target, ...]:
        """The targets in the stations' order: target m is sensed by station m."""
        order = [station.name for station in self.stations]
        return tuple(sorted(self.targets, key=lambda target: order.index(target.station)))

    @property
    def radios(self) -> tuple[Station | User, ...]:
        """Everyone with a radio: stations, then users, as written."""
        return (*self.stations, *self.users)

    @property
    def members(self) -> tuple[User | Target, ...]:
        """Everyone who belongs to a station and may move: users, then targets, as written."""
        return (*self.users, *self.targets)

    @property
    def n_stations(self) -> int:
        """J, the number of stations and of targets."""
        return len(self.stations)

    @property
    def users_per_cell(self) -> int:
        """K, the number of users of each station."""
        return len(self.users) // len(self.stations)

    @property
    def n_tx(self) -> int:
        """Transmit antennas of each station."""
        return self.stations[0].n_tx

    @property
    def n_rx(self) -> int:
        """Receive antennas of each station."""
        return self.stations[0].n_rx

    @property
    def frame_duration_s(self) -> float:
        """Length of a frame, silences included."""
        return self.frame.duration_s(self.n_stations)

    def impairments_of(self, radio: Station | User) -> Impairments:
        """Return what is imperfect in a radio: what it says itself, else what the air says of all; None is ideal."""
        of_all = self.air.impairments.over(Impairments(noise_figure_db=self.air.noise_figure_db))
        return radio.impairments.over(of_all)


def shipped() -> Mapping[str, str]:
    """Return the titles of the shipped scenarios by name."""
    tables = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in _shipped_files()}
    return MappingProxyType({name: str(table["title"]) for name, table in tables.items()})


def _shipped_files() -> list[Path]:
    return sorted(_SHIPPED.glob("*.toml"))
