"""A replay radio answers what was recorded, or says by name what differs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers import RadioNotFoundError, RadioRequest, RadioSettings, ReplayMismatchError
from drivers.replay import ReplayRadio, open_replay
from recordings import Capture, Exchange, RecordingWriter

SETTINGS = RadioSettings(center_hz=5.6e9, sample_rate_hz=1e6, tx_gain_db=-10.0, rx_gain_db=40.0)
WEST, USER = RadioRequest("west", "", 2, 3), RadioRequest("user", "", 0, 1)
N = 32


def burst(index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    return (0.1 * (rng.standard_normal((2, N)) + 1j * rng.standard_normal((2, N)))).astype(np.complex64)


def capture(name: str, n_rx: int, index: int) -> Capture:
    return Capture(name, np.full((n_rx, N), index + 1j), 0.1 * index, SETTINGS.as_mapping())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    radios = {"west": {"model": "simulated"}, "user": {"model": "simulated"}}
    with RecordingWriter.create(tmp_path / "a.h5", scenario_text="", seed=1, versions={}, radios=radios) as writer:
        for index in range(3):
            captures = {"west": capture("west", 3, index), "user": capture("user", 1, index)}
            writer.append(Exchange(index, {"west": burst(index)}, captures), {"clipped": False})
    return tmp_path / "a.h5"


def configured(path: Path, first: int = 0, *, check_sent: bool = True) -> ReplayRadio:
    radio = open_replay(path, [WEST], first=first, check_sent=check_sent)["west"]
    radio.configure(SETTINGS)
    return radio


def test_every_exchange_is_answered_with_its_capture(path: Path) -> None:
    radio = configured(path)
    for index in range(3):
        assert radio.time_s() == pytest.approx(0.1 * index)  # the stored float, through one multiplication
        radio.arm(burst(index), N, 0.0)
        assert np.array_equal(radio.collect().samples, capture("west", 3, index).samples)
    radio.close()


def test_what_the_radios_could_do_together_is_as_recorded(tmp_path: Path) -> None:
    """A recording of radios that started apart, on oscillators of their own, is judged as they were."""
    facts = {"tx_coherence": "serial7 serial8", "tx_kept_over_tunes": "a b", "start_spread_s": 150e-6}
    path = tmp_path / "b.h5"
    with RecordingWriter.create(path, scenario_text="", seed=1, versions={}, radios={"west": facts}) as writer:
        writer.append(Exchange(0, {"west": burst(0)}, {"west": capture("west", 3, 0)}), {})
    radio = open_replay(path, [WEST])["west"]
    assert radio.capabilities.tx_coherence == ("serial7", "serial8")
    assert radio.capabilities.tx_kept_over_tunes == ("a", "b")
    assert radio.capabilities.start_spread_s == 150e-6
    radio.close()


def test_a_recording_that_does_not_say_so_is_of_coherent_radios(path: Path) -> None:
    radio = open_replay(path, [WEST])["west"]
    assert radio.capabilities.tx_coherence == ("recorded", "recorded")
    assert radio.capabilities.start_spread_s == 0.0
    radio.close()


def test_a_replay_can_begin_later(path: Path) -> None:
    radio = configured(path, first=2)
    radio.arm(burst(2), N, 0.0)
    assert radio.collect().samples[0, 0] == 2 + 1j
    radio.close()


def test_a_changed_sample_is_refused_by_name(path: Path) -> None:
    radio, changed = configured(path), burst(1)
    radio.arm(burst(0), N, 0.0)
    radio.collect()
    changed[1, 7] += 2.0**-20  # four times the tolerance
    with pytest.raises(ReplayMismatchError, match="frame 1, radio west: sample 7 of transmit channel 1"):
        radio.arm(changed, N, 0.0)
    radio.close()


def test_the_last_bit_of_another_processor_is_accepted(path: Path) -> None:
    radio, changed = configured(path), burst(0)
    changed[0, 0] += 2.0**-24  # a quarter of the tolerance
    radio.arm(changed, N, 0.0)
    assert radio.collect().radio == "west"
    radio.close()


def test_another_length_is_refused_by_name(path: Path) -> None:
    radio = configured(path, check_sent=False)
    with pytest.raises(ReplayMismatchError, match="frame 0, radio west"):
        radio.arm(burst(0), N + 1, 0.0)
    radio.close()


def test_ignoring_what_is_sent_gives_the_captures_all_the_same(path: Path) -> None:
    radio = configured(path, check_sent=False)
    radio.arm(0.5 * burst(0), N, 0.0)
    assert np.array_equal(radio.collect().samples, capture("west", 3, 0).samples)
    radio.close()


@pytest.mark.parametrize("name", list(SETTINGS.as_mapping()))
def test_a_changed_setting_is_refused_by_name(path: Path, name: str) -> None:
    radio = open_replay(path, [WEST])["west"]
    with pytest.raises(ReplayMismatchError, match=f"frame 0, radio west: {name}"):
        radio.configure(replace(SETTINGS, **{name: getattr(SETTINGS, name) * (1 + 1e-6)}))
    radio.close()


def test_a_radio_that_was_not_recorded_is_refused_with_the_nearest_name(path: Path) -> None:
    with pytest.raises(RadioNotFoundError, match="west"):
        open_replay(path, [replace(WEST, name="wets")])


def test_other_channels_are_refused(path: Path) -> None:
    with pytest.raises(RadioNotFoundError, match="3 receive channels"):
        open_replay(path, [replace(WEST, n_rx=4)])


def test_after_the_last_frame_the_error_says_how_many_there_are(path: Path) -> None:
    radio = configured(path, first=2)
    radio.arm(burst(2), N, 0.0)
    radio.collect()
    with pytest.raises(ReplayMismatchError, match="holds 3"):
        radio.arm(burst(2), N, 0.0)
    radio.close()


def test_the_file_is_closed_with_its_last_radio(path: Path) -> None:
    west, user = open_replay(path, [WEST, USER]).values()
    west.close()
    assert user.time_s() == 0.0
    user.close()
    path.unlink()
    with pytest.raises(RadioNotFoundError, match="no such file"):
        open_replay(path, [WEST])
