"""The bench: all radios or none, within the RF policy, and silence on every way out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from drivers import DRIVERS, Radio, RadioRequest, RadioSettings, RadioStateError, SampleLossError, SettingsError
from drivers.simulated.radio import open_simulated
from drivers.simulated.scene import Scene
from recordings import Capture
from testbed.bench import LEAD_S, Bench
from testbed.errors import RfPolicyError
from testbed.frame import Frame
from testbed.scenario import Scenario

SHIPPED = Scenario.load("two_cells")
NAMES = ["west", "east", "ann", "bob", "cem", "dora", "emil", "fay"]


class Watched:
    """A simulated radio whose calls are written into one diary, and that fails where it is told to."""

    def __init__(self, name: str, radio: Radio, driver: WatchedDriver) -> None:
        self.name, self.radio, self.driver = name, radio, driver
        self.capabilities = radio.capabilities

    def configure(self, settings: RadioSettings) -> RadioSettings:
        self._note("configure")
        return self.radio.configure(settings)

    def time_s(self) -> float:
        return self.radio.time_s() + self.driver.clock_ahead_s.get(self.name, 0.0)

    def arm(self, burst: np.ndarray, n_samples: int, start_s: float) -> None:
        self._note("arm")
        self.driver.starts_s.append(start_s)
        self.driver.bursts[self.name] = burst
        self.radio.arm(burst, n_samples, start_s)

    def collect(self) -> Capture:
        self._note("collect")
        return self.radio.collect()

    def silence(self) -> None:
        self._note("silence")
        self.radio.silence()

    def close(self) -> None:
        self._note("close")
        self.radio.close()

    def _note(self, call: str) -> None:
        self.driver.diary.append((call, self.name))
        error = self.driver.failures.get((call, self.name))
        if error is not None:
            raise error


class WatchedDriver:
    def __init__(self) -> None:
        self.diary: list[tuple[str, str]] = []
        self.failures: dict[tuple[str, str], BaseException] = {}
        self.starts_s: list[float] = []
        self.bursts: dict[str, np.ndarray] = {}
        self.clock_ahead_s: dict[str, float] = {}
        self.requests: list[RadioRequest] = []

    def open(self, place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, Watched]:
        self.requests = list(requests)
        radios = open_simulated("", requests, scene)
        return {name: Watched(name, radio, self) for name, radio in radios.items()}

    def names(self, call: str) -> list[str]:
        return [name for entry, name in self.diary if entry == call]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> WatchedDriver:
    watched = WatchedDriver()
    module = ModuleType("watched_driver")
    module.open_watched = watched.open  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "watched_driver", module)
    monkeypatch.setitem(DRIVERS, "watched", ("watched_driver", "open_watched"))
    return watched


def bench(scenario: Scenario = SHIPPED, address: str = "watched") -> Bench:
    wired = replace(
        scenario,
        stations=tuple(replace(station, radio=address) for station in scenario.stations),
        users=tuple(replace(user, radio=address) for user in scenario.users),
    )
    return Bench(wired, Frame(scenario.frame, 2, 6), seed=1)


def bursts(opened: Bench, peak: float = 0.1) -> dict[str, np.ndarray]:
    return {name: np.full((6, opened.frame.n_samples), peak, dtype=np.complex64) for name in ("west", "east")}


def test_every_radio_is_asked_for_by_name_and_channels(driver: WatchedDriver) -> None:
    with bench():
        assert [(one.name, one.n_tx, one.n_rx) for one in driver.requests] == [
            *[(name, 6, 10) for name in NAMES[:2]],
            *[(name, 0, 1) for name in NAMES[2:]],
        ]


def test_settings_are_the_scenarios_and_the_applied_ones_are_kept(driver: WatchedDriver) -> None:
    with bench() as opened:
        assert list(opened.applied) == NAMES
        assert opened.applied["west"] == RadioSettings(5.6e9, 800e3, -10.0, 60.0)
        assert opened.applied["ann"] == RadioSettings(5.6e9, 800e3, 0.0, 45.0)
        assert list(opened.capabilities) == NAMES
    assert driver.names("configure") == NAMES


def test_a_user_that_sends_nothing_still_keeps_the_policys_gain(driver: WatchedDriver) -> None:
    quiet = replace(SHIPPED, rf=replace(SHIPPED.rf, max_tx_gain_db=-10.0))
    with bench(quiet) as opened:
        assert all(opened.applied[name].tx_gain_db <= -10.0 for name in NAMES)


def test_what_the_device_reads_back_is_what_counts(driver: WatchedDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A radio that rounds its gain up is judged by the rounded one."""

    def rounded(self: Watched, settings: RadioSettings) -> RadioSettings:
        return self.radio.configure(replace(settings, tx_gain_db=settings.tx_gain_db + 10.0))

    monkeypatch.setattr(Watched, "configure", rounded)
    with bench() as opened:
        assert opened.applied["west"].tx_gain_db == 0.0
        with pytest.raises(RfPolicyError, match=r"4\.0 dBm"):  # 10 dBm full scale, 0 dB, half the magnitude
            opened.exchange(0, bursts(opened, peak=0.5))


@pytest.mark.parametrize("error", [SettingsError("no such gain"), KeyboardInterrupt()], ids=repr)
def test_if_one_radio_cannot_be_configured_none_stays_open(driver: WatchedDriver, error: BaseException) -> None:
    driver.failures["configure", "bob"] = error
    with pytest.raises(type(error)), bench():
        pytest.fail("the bench must not open")
    assert driver.names("close") == NAMES
    assert driver.names("arm") == []


def test_a_bench_that_failed_to_open_can_be_opened_again(driver: WatchedDriver) -> None:
    driver.failures["configure", "bob"] = SettingsError("busy")
    opened = bench()
    with pytest.raises(SettingsError):
        opened.__enter__()
    driver.failures.clear()
    with opened:
        assert opened.exchange(0, bursts(opened)).keys() == set(NAMES)


@pytest.mark.parametrize("error", [RuntimeError("elsewhere"), KeyboardInterrupt(), SystemExit(), None], ids=repr)
def test_every_way_out_silences_all_before_it_closes_any(driver: WatchedDriver, error: BaseException | None) -> None:
    def leave() -> None:
        with bench():
            if error is not None:
                raise error

    if error is None:
        leave()
    else:
        with pytest.raises(type(error)):
            leave()
    ends = [entry for entry in driver.diary if entry[0] in ("silence", "close")]
    assert ends == [("silence", name) for name in NAMES] + [("close", name) for name in NAMES]


@pytest.mark.parametrize("call", ["silence", "close"])
def test_a_radio_that_fails_on_the_way_out_leaves_no_other_on_the_air(driver: WatchedDriver, call: str) -> None:
    """An unplugged radio can be neither silenced nor closed; the others must be."""
    with pytest.raises(OSError, match="unplugged"), bench():
        driver.failures[call, "west"] = OSError("unplugged")
    assert driver.names("silence")[-7:] == NAMES[1:]
    assert driver.names("close")[-7:] == NAMES[1:]


def test_the_failure_that_ended_the_run_is_not_hidden_by_one_on_the_way_out(driver: WatchedDriver) -> None:
    with pytest.raises(SampleLossError, match="overrun"), bench():
        driver.failures["close", "west"] = OSError("unplugged")
        raise SampleLossError("overrun")


def test_closing_twice_does_nothing(driver: WatchedDriver) -> None:
    opened = bench()
    with opened:
        pass
    seen = len(driver.diary)
    opened.close()
    assert len(driver.diary) == seen


def test_nothing_is_sent_outside_the_context(driver: WatchedDriver) -> None:
    opened = bench()
    with pytest.raises(Exception):  # noqa: B017  (which error is not promised, that there is one is)
        opened.exchange(0, bursts(opened))
    with opened:
        pass
    with pytest.raises(Exception):  # noqa: B017
        opened.exchange(0, bursts(opened))
    assert driver.names("arm") == []


def test_frames_start_a_period_apart_and_after_the_lead(driver: WatchedDriver) -> None:
    driver.clock_ahead_s["emil"] = 5.0
    with bench() as opened:
        for index in range(3):
            opened.exchange(index, bursts(opened))
        assert [opened.start_s(index) for index in (0, 1, 7)] == pytest.approx([0.0, 0.01, 0.07])
    # Of all clocks the latest counts; 8 radios are armed for each frame.
    expected = np.repeat(5.0 + LEAD_S + 0.01 * np.arange(3), 8)
    assert driver.starts_s == pytest.approx(expected, abs=1e-12)  # double precision


def test_captures_come_from_all_radios_with_their_shape(driver: WatchedDriver) -> None:
    with bench() as opened:
        captures = opened.exchange(0, bursts(opened))
        assert list(captures) == NAMES
        assert captures["west"].samples.shape == (10, opened.frame.n_samples)
        assert captures["fay"].samples.shape == (1, opened.frame.n_samples)
        assert captures["west"].settings["tx_gain_db"] == -10.0


def test_a_frame_in_the_past_is_refused_and_the_next_one_runs(driver: WatchedDriver) -> None:
    with bench() as opened:
        opened.exchange(5, bursts(opened))
        with pytest.raises(RadioStateError, match="west"):
            opened.exchange(2, bursts(opened))
        assert opened.exchange(6, bursts(opened)).keys() == set(NAMES)


def test_too_much_output_is_refused_by_name_level_and_limit_and_nothing_is_sent(driver: WatchedDriver) -> None:
    loud = replace(SHIPPED, stations=tuple(replace(s, tx_gain_db=0.0) for s in SHIPPED.stations))
    with bench(loud) as opened:
        sent = bursts(opened)
        sent["east"][3, 1000] = 0.5j  # 10 dBm full scale, one sample 6.02 dB below it
        with pytest.raises(RfPolicyError, match=r"frame 4: radio east .* 4\.0 dBm .*max_output_dbm is 3 dBm"):
            opened.exchange(4, sent)
    assert driver.names("arm") == []


@pytest.mark.parametrize(("below_db", "allowed"), [(0.01, True), (-0.01, False)])
def test_the_limit_is_met_to_a_hundredth_of_a_decibel(driver: WatchedDriver, below_db: float, allowed: bool) -> None:
    loud = replace(SHIPPED, stations=tuple(replace(s, tx_gain_db=0.0) for s in SHIPPED.stations))
    with bench(loud) as opened:
        sent = bursts(opened, peak=10 ** ((3.0 - 10.0 - below_db) / 20))
        if allowed:
            opened.exchange(0, sent)
        else:
            with pytest.raises(RfPolicyError):
                opened.exchange(0, sent)


def test_an_attenuated_radio_may_use_its_full_scale(driver: WatchedDriver) -> None:
    with bench() as opened:  # 10 dBm full scale at -10 dB
        assert opened.exchange(0, bursts(opened, peak=1.0)).keys() == set(NAMES)


def test_silence_is_within_every_policy(driver: WatchedDriver) -> None:
    with bench() as opened:
        opened.exchange(0, bursts(opened, peak=0.0))
    assert driver.names("collect") == NAMES


def test_samples_that_are_no_numbers_are_not_sent(driver: WatchedDriver) -> None:
    with bench() as opened:
        sent = bursts(opened)
        sent["west"][0, 7] = np.nan
        with pytest.raises(ValueError, match="west"):
            opened.exchange(0, sent)
    assert driver.names("collect") == []


def test_a_burst_for_a_radio_that_is_not_there_is_refused_in_words(driver: WatchedDriver) -> None:
    with bench() as opened:
        sent = bursts(opened)
        sent["wset"] = sent.pop("west")
        with pytest.raises((LookupError, ValueError), match="wset"):
            opened.exchange(0, sent)
    assert driver.names("arm") == []


@pytest.mark.parametrize("error", [SampleLossError("overrun"), KeyboardInterrupt()], ids=repr)
def test_a_failure_in_an_exchange_silences_all_at_once(driver: WatchedDriver, error: BaseException) -> None:
    with bench() as opened:
        driver.failures["collect", "cem"] = error
        with pytest.raises(type(error)):
            opened.exchange(0, bursts(opened))
        assert driver.names("silence") == NAMES
        driver.failures.clear()
        assert opened.exchange(1, bursts(opened)).keys() == set(NAMES)
