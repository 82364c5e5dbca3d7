"""Several radios as one exchange: armed together, and silent together when anything goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

from drivers import Capabilities, RadioSettings, RadioStateError, Range, SampleLossError, exchange
from recordings import Capture

ANY = Range(-1e12, 1e12)
PAIR = ("a", "a")
BURST = np.full((2, 8), 0.5, dtype=np.complex64)


class ScriptedRadio:
    """A radio that notes every call in a diary shared by all radios, and raises where its script says so."""

    def __init__(self, name: str, diary: list[str], raises: dict[str, BaseException] | None = None) -> None:
        self.name = name
        self.diary = diary
        self.raises = raises or {}
        self.armed_with: tuple[np.ndarray, int, float] | None = None
        self.silent = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            "scripted", self.name, 2, 1, ANY, ANY, ANY, ANY, 0.0, 0.0, 0.0, ("a", "a"), ("a", "a"), ("a",)
        )

    def configure(self, settings: RadioSettings) -> RadioSettings:
        return settings

    def time_s(self) -> float:
        return 0.0

    def arm(self, burst: np.ndarray, n_samples: int, start_s: float) -> None:
        self._note("arm")
        self.armed_with = (burst, n_samples, start_s)
        self.silent = False

    def collect(self) -> Capture:
        self._note("collect")
        self.silent = True
        return Capture(self.name, np.zeros((1, 8), dtype=np.complex64), 0.0, {})

    def silence(self) -> None:
        self.diary.append(f"silence {self.name}")
        if "silence" in self.raises:
            raise self.raises["silence"]
        self.silent = True

    def close(self) -> None:
        self.silent = True

    def _note(self, call: str) -> None:
        self.diary.append(f"{call} {self.name}")
        if call in self.raises:
            raise self.raises[call]


def three(
    failing: dict[str, BaseException] | None = None, who: str = "b"
) -> tuple[dict[str, ScriptedRadio], list[str]]:
    diary: list[str] = []
    return {name: ScriptedRadio(name, diary, failing if name == who else None) for name in "abc"}, diary


def test_all_radios_are_armed_before_any_is_collected() -> None:
    radios, diary = three()
    exchange(radios, {"a": BURST}, 8, 1.0)
    assert diary == ["arm a", "arm b", "arm c", "collect a", "collect b", "collect c"]


def test_captures_come_in_the_order_of_the_radios() -> None:
    radios, _ = three()
    captures = exchange({name: radios[name] for name in "cab"}, {}, 8, 1.0)
    assert [(name, capture.radio) for name, capture in captures.items()] == [("c", "c"), ("a", "a"), ("b", "b")]


def test_a_radio_without_a_burst_sends_nothing_and_all_start_at_one_time() -> None:
    radios, _ = three()
    exchange(radios, {"a": BURST}, 8, 1.5)
    armed = {name: radio.armed_with for name, radio in radios.items()}
    assert armed["a"] is not None and armed["a"][0] is BURST
    assert all(given is not None and given[0].size == 0 for name, given in armed.items() if name != "a")
    assert {given[1:] for given in armed.values() if given is not None} == {(8, 1.5)}


@pytest.mark.parametrize("call", ["arm", "collect"])
@pytest.mark.parametrize("error", [SampleLossError("overrun"), RadioStateError("late"), KeyboardInterrupt()], ids=repr)
def test_a_failure_of_one_radio_silences_all_and_is_passed_on(call: str, error: BaseException) -> None:
    radios, diary = three({call: error})
    with pytest.raises(type(error)) as caught:
        exchange(radios, {"a": BURST}, 8, 1.0)
    assert caught.value is error
    assert all(radio.silent for radio in radios.values())
    assert diary[-3:] == ["silence a", "silence b", "silence c"]


def test_nothing_is_armed_after_a_radio_failed_to_arm() -> None:
    radios, diary = three({"arm": RadioStateError("late")})
    with pytest.raises(RadioStateError):
        exchange(radios, {"a": BURST}, 8, 1.0)
    assert "arm c" not in diary
    assert not any(entry.startswith("collect") for entry in diary)


def test_a_radio_that_cannot_be_silenced_leaves_no_other_transmitting() -> None:
    """An unplugged radio fails twice: when it is collected and when it is silenced."""
    unplugged: dict[str, BaseException] = {
        "collect": SampleLossError("unplugged"),
        "silence": OSError("no such device"),
    }
    radios, diary = three(unplugged, who="a")
    with pytest.raises((SampleLossError, OSError)):
        exchange(radios, {"c": BURST}, 8, 1.0)
    assert "silence c" in diary
    assert radios["c"].silent


def test_the_first_error_survives_a_second_one_while_silencing() -> None:
    first = SampleLossError("unplugged")
    radios, _ = three({"collect": first, "silence": OSError("no such device")}, who="a")
    with pytest.raises(SampleLossError) as caught:
        exchange(radios, {"c": BURST}, 8, 1.0)
    assert caught.value is first


def test_a_burst_for_nobody_is_refused() -> None:
    """A misspelt name must not become a frame of silence."""
    radios, _ = three()
    with pytest.raises((LookupError, ValueError), match="wset"):
        exchange(radios, {"wset": BURST}, 8, 1.0)
