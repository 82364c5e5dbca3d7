"""The contract of every radio: one suite, run over every driver that needs no hardware."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers import (
    InvalidSamplesError,
    Radio,
    RadioRequest,
    RadioSettings,
    RadioStateError,
    SettingsError,
    exchange,
    open_radios,
)
from drivers.simulated.scene import Node, Scene, Target
from recordings import Exchange, RecordingWriter

N_SAMPLES = 256
SETTINGS = RadioSettings(center_hz=5.6e9, sample_rate_hz=1e6, tx_gain_db=-10.0, rx_gain_db=40.0)
STATION = RadioRequest("station", "simulated", 4, 3)
USER = RadioRequest("user", "simulated", 0, 1)
Radios = dict[str, Radio]


def scene() -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, 4, 3),),
        users=(Node("user", (30.0, 5.0), 0.0, 0, 1),),
        serving={"user": "station"},
        targets=(Target("target", "station", (20.0, -3.0), 1.0),),
        carrier_hz=5.6e9,
        symbol_rate_hz=250e3,
        seed=3,
    )


def burst(n: int = N_SAMPLES) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (0.1 * (rng.standard_normal((4, n)) + 1j * rng.standard_normal((4, n)))).astype(np.complex64)


def simulated(_: Path) -> Radios:
    return open_radios([STATION, USER], scene())


def replayed(folder: Path) -> Radios:
    """Record two exchanges of the simulated radios, then stand in for them."""
    path = folder / "contract.h5"
    radios = simulated(folder)
    facts = {name: {"address": "simulated"} for name in radios}
    with RecordingWriter.create(path, scenario_text="", seed=3, versions={}, radios=facts) as writer:
        for radio in radios.values():
            radio.configure(SETTINGS)
        for index in range(2):
            captures = exchange(radios, {"station": burst()}, N_SAMPLES, 0.1 + index)
            writer.append(Exchange(index, {"station": burst()}, captures), {})
    for radio in radios.values():
        radio.close()
    address = f"replay:{path}"
    return open_radios([replace(STATION, address=address), replace(USER, address=address)], scene())


@pytest.fixture(params=[simulated, replayed], ids=["simulated", "replay"])
def opener(request: pytest.FixtureRequest) -> Callable[[Path], Radios]:
    return request.param


@pytest.fixture
def radios(opener: Callable[[Path], Radios], tmp_path: Path) -> Iterator[Radios]:
    opened = opener(tmp_path)
    yield opened
    for radio in opened.values():
        radio.close()


@pytest.fixture
def configured(radios: Radios) -> Radios:
    for radio in radios.values():
        radio.configure(SETTINGS)
    return radios


def go(radios: Radios, sent: np.ndarray | None = None, later_s: float = 0.1) -> dict:
    start_s = max(radio.time_s() for radio in radios.values()) + later_s
    return exchange(radios, {"station": burst() if sent is None else sent}, N_SAMPLES, start_s)


def test_captures_have_the_asked_shape_and_type(configured: Radios) -> None:
    captures = go(configured)
    assert captures["station"].samples.shape == (3, N_SAMPLES)
    assert captures["user"].samples.shape == (1, N_SAMPLES)
    assert all(capture.samples.dtype == np.complex64 for capture in captures.values())
    assert all(not capture.samples.flags.writeable for capture in captures.values())
    assert all(np.isfinite(capture.samples).all() for capture in captures.values())
    assert np.any(captures["user"].samples != 0)


def test_settings_are_read_back_into_the_capture(configured: Radios) -> None:
    capture = go(configured)["station"]
    assert dict(capture.settings) == dict(SETTINGS.as_mapping())
    assert capture.radio == "station"


def test_a_setting_out_of_range_is_refused_by_name(radios: Radios) -> None:
    with pytest.raises(SettingsError, match="rx_gain_db"):
        radios["station"].configure(replace(SETTINGS, rx_gain_db=1e6))


def test_arming_before_configuring_is_refused(radios: Radios) -> None:
    with pytest.raises(RadioStateError, match="station"):
        radios["station"].arm(burst(), N_SAMPLES, radios["station"].time_s() + 1)


def test_collecting_before_arming_is_refused(configured: Radios) -> None:
    with pytest.raises(RadioStateError, match="arm"):
        configured["user"].collect()


def test_arming_twice_is_refused(configured: Radios) -> None:
    start_s = configured["station"].time_s() + 1
    configured["station"].arm(burst(), N_SAMPLES, start_s)
    with pytest.raises(RadioStateError, match="already armed"):
        configured["station"].arm(burst(), N_SAMPLES, start_s)


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0])
def test_samples_that_must_not_be_sent_are_refused(configured: Radios, value: float) -> None:
    bad = burst()
    bad[2, 17] = value
    with pytest.raises(InvalidSamplesError, match="sample 17 of transmit channel 2"):
        go(configured, bad)


def test_a_burst_of_the_wrong_shape_is_refused(configured: Radios) -> None:
    with pytest.raises(InvalidSamplesError, match="4 transmit channels"):
        go(configured, burst()[:2])


def test_after_an_error_the_radios_can_go_on(configured: Radios) -> None:
    bad = burst()
    bad[0, 0] = np.nan
    with pytest.raises(InvalidSamplesError):
        go(configured, bad)
    assert np.isfinite(go(configured)["user"].samples).all()


def test_time_does_not_run_backwards(configured: Radios) -> None:
    before = configured["station"].time_s()
    go(configured)
    assert configured["station"].time_s() >= before


def test_the_same_seed_gives_the_same_samples(opener: Callable[[Path], Radios], tmp_path: Path) -> None:
    def all_samples(folder: Path) -> list[np.ndarray]:
        folder.mkdir()
        opened = opener(folder)
        for radio in opened.values():
            radio.configure(SETTINGS)
        samples = [capture.samples for _ in range(2) for capture in go(opened).values()]
        for radio in opened.values():
            radio.close()
        return samples

    for first, second in zip(all_samples(tmp_path / "a"), all_samples(tmp_path / "b"), strict=True):
        assert np.array_equal(first, second)


def test_a_closed_radio_answers_no_more_and_closes_again(configured: Radios) -> None:
    for radio in configured.values():
        radio.close()
        radio.close()
        radio.silence()
    with pytest.raises(RadioStateError, match="closed"):
        configured["station"].arm(burst(), N_SAMPLES, 10.0)
