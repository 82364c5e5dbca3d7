"""From addresses to radios: all or none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

import pytest

from drivers import DRIVERS, RadioNotFoundError, RadioRequest, open_radios
from drivers.simulated.scene import Node, Scene

STATION = RadioRequest("station", "simulated", 4, 3)
USER = RadioRequest("user", "simulated", 0, 1)


def scene() -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, 4, 3),),
        users=(Node("user", (30.0, 5.0), 0.0, 0, 1),),
        serving={"user": "station"},
        targets=(),
        carrier_hz=5.6e9,
        symbol_rate_hz=250e3,
    )


class Opened:
    """What a scripted driver opens: a thing that can be closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class ScriptedDriver:
    """Notes what is opened together; raises at an address called `broken`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.radios: dict[str, Opened] = {}

    def open(self, place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, Opened]:
        self.calls.append((place, [request.name for request in requests]))
        if place == "broken":
            raise RadioNotFoundError("nothing at broken")
        if place == "interrupted":
            raise KeyboardInterrupt
        opened = {request.name: Opened(request.name) for request in requests}
        self.radios |= opened
        return opened


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ScriptedDriver:
    scripted = ScriptedDriver()
    module = ModuleType("scripted_driver")
    module.open_scripted = scripted.open  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "scripted_driver", module)
    monkeypatch.setitem(DRIVERS, "scripted", ("scripted_driver", "open_scripted"))
    return scripted


def request(name: str, address: str) -> RadioRequest:
    return RadioRequest(name, address, 1, 1)


def test_an_unknown_driver_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RadioNotFoundError, match=r"radio west.*'simulatd'.*did you mean 'simulated'"):
        open_radios([request("west", "simulatd")], scene())


def test_an_address_like_no_driver_is_refused_with_those_there_are() -> None:
    with pytest.raises(RadioNotFoundError, match=r"'tcp://x'.*there are: simulated, replay"):
        open_radios([request("west", "tcp://x")], scene())


def test_nothing_is_opened_if_any_address_is_unknown(driver: ScriptedDriver) -> None:
    with pytest.raises(RadioNotFoundError):
        open_radios([request("a", "scripted:1"), request("b", "scriptd:1")], scene())
    assert driver.calls == []


def test_radios_of_one_address_are_opened_together(driver: ScriptedDriver) -> None:
    open_radios([request("a", "scripted:1"), request("b", "scripted:2"), request("c", "scripted:1")], scene())
    assert driver.calls == [("1", ["a", "c"]), ("2", ["b"])]


def test_an_address_keeps_its_own_colons(driver: ScriptedDriver) -> None:
    open_radios([request("a", "scripted:ip:192.168.2.1")], scene())
    assert driver.calls == [("ip:192.168.2.1", ["a"])]


def test_radios_come_in_the_order_of_the_requests(driver: ScriptedDriver) -> None:
    asked = [request("a", "scripted:1"), request("b", "scripted:2"), request("c", "scripted:1")]
    assert list(open_radios(asked, scene())) == ["a", "b", "c"]


@pytest.mark.parametrize(("place", "error"), [("broken", RadioNotFoundError), ("interrupted", KeyboardInterrupt)])
def test_if_a_later_driver_fails_the_earlier_radios_are_closed(
    driver: ScriptedDriver, place: str, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        open_radios(
            [request("a", "scripted:1"), request("b", "scripted:1"), request("c", f"scripted:{place}")], scene()
        )
    assert {name: radio.closed for name, radio in driver.radios.items()} == {"a": 1, "b": 1}


def test_a_radio_that_cannot_be_closed_keeps_no_other_open(
    driver: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(self: Opened) -> None:
        self.closed += 1
        if self.name == "a":
            raise OSError("unplugged")

    monkeypatch.setattr(Opened, "close", close)
    with pytest.raises((RadioNotFoundError, OSError)):
        open_radios([request("a", "scripted:1"), request("b", "scripted:1"), request("c", "scripted:broken")], scene())
    assert {name: radio.closed for name, radio in driver.radios.items()} == {"a": 1, "b": 1}


def test_simulated_radios_share_one_air() -> None:
    radios = open_radios([STATION, USER], scene())
    assert radios["station"].capabilities.n_tx == 4
    assert radios["user"].capabilities.n_rx == 1
    assert radios["station"]._air is radios["user"]._air  # type: ignore[attr-defined]


@pytest.mark.parametrize(("n_tx", "n_rx"), [(3, 3), (4, 2)])
def test_a_simulated_radio_with_other_antennas_than_asked_for_is_refused(n_tx: int, n_rx: int) -> None:
    with pytest.raises(RadioNotFoundError, match=f"station.*4 transmit and 3 receive.*{n_tx} and {n_rx}"):
        open_radios([RadioRequest("station", "simulated", n_tx, n_rx)], scene())


def test_a_radio_that_is_not_in_the_scene_is_refused_with_those_that_are() -> None:
    with pytest.raises(RadioNotFoundError, match=r"nobody.*station, user"):
        open_radios([RadioRequest("nobody", "simulated", 0, 1)], scene())


def test_a_simulated_radio_takes_no_address() -> None:
    with pytest.raises(RadioNotFoundError, match="takes no address"):
        open_radios([RadioRequest("station", "simulated:0", 4, 3)], scene())
