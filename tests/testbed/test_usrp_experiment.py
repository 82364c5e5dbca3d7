"""The whole experiment on virtual N210s, through the unmodified libuhd: `two_cells_usrp` as it is shipped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from side_by_side import Run, aligned, emulated, expected_sinr_db, largest_rcrb_rad, noise_excess_db, run
from usrp_physics import simulated

from drivers import DeviceLostError, VendorLibraryError
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.server_process import wait_for_endings
from recordings import Recording
from testbed import experiment
from testbed.loop import FrameDone
from testbed.scenario import Scenario

FRAMES, SEED = 16, 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def boards() -> Iterator[None]:
    """Virtual ones, on the shipped addresses; in the end none may transmit."""
    try:
        interpreter_with_uhd()
    except VendorLibraryError as error:
        pytest.skip(str(error))
    with emulated("two_cells_usrp", SEED):
        yield
        wait_for_endings()


@pytest.fixture(scope="module")
def over_usrps(boards: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(Scenario.load("two_cells_usrp"), FRAMES, SEED, tmp_path_factory.mktemp("usrp") / "usrp.h5")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same experiment on simulated radios."""
    return run(simulated(), FRAMES, SEED, tmp_path_factory.mktemp("simulated") / "simulated.h5")


def test_the_first_sounding_finds_the_channels_of_the_simulated_radios(over_usrps: Run, alone: Run) -> None:
    """Link by link in volts, within what noise allows both, apart from a phase that no precoder cares about."""
    one, its = over_usrps.soundings[0], alone.soundings[0]
    apart = np.linalg.norm(aligned(one.channels, its.channels) - its.channels, axis=-1)
    assert (apart < one.csi_radius + its.csi_radius).all()
    assert (apart < 0.1 * np.linalg.norm(its.channels, axis=-1)).all()


def test_the_physics_is_that_of_the_simulated_radios(over_usrps: Run, alone: Run) -> None:
    """Noise, bounds and errors over them; and what users get, of the same precoders on the simulated radios' channels.

    Precoders are compared frame by frame, for the walking targets want a new one every other frame. The bounds that
    they are designed for scatter by 8 % with the reflections that a sounding finds.
    """
    for excess_db in noise_excess_db(over_usrps, alone):
        assert excess_db == pytest.approx(0.0, abs=0.8)  # four deviations, as for the bounds
    assert largest_rcrb_rad(over_usrps) == pytest.approx(largest_rcrb_rad(alone), rel=0.1)
    for here, there in zip(over_usrps.summary.stations, alone.summary.stations, strict=True):
        assert here.ratio_low < there.ratio_high
        assert here.ratio_high > there.ratio_low
    measured_db = [user.measured_db for user in over_usrps.summary.users]
    assert measured_db == pytest.approx(expected_sinr_db(over_usrps, alone), abs=0.2)


def test_sensing_and_communication_are_as_promised(over_usrps: Run) -> None:
    summary = over_usrps.summary
    assert (summary.payload_frames, summary.clipped_frames, summary.faulty) == (FRAMES - 1, 0, {})
    for user in summary.users:
        assert user.low_db - 0.3 < user.predicted_db < user.high_db + 0.3
        assert user.measured_db > user.promised_db - 0.1
    for station in summary.stations:
        assert station.ratio_low < 1.1
        assert station.ratio_high > 0.9
        assert station.array_output_snr_db > 25


def test_every_frame_started_on_all_boards_at_once_and_replays_to_the_bit(over_usrps: Run) -> None:
    period_s = Scenario.load("two_cells_usrp").frame.period_s
    captures = [list(done.captures.values()) for done in over_usrps.frames]
    starts_s = np.array([[capture.start_s for capture in frame] for frame in captures])
    assert np.ptp(starts_s, axis=1).max() < 1e-8
    assert np.diff(starts_s[:, 0]).min() > period_s - 1e-8
    assert {capture.measured["tunes"] for frame in captures for capture in frame} == {1.0}
    assert experiment.replay(over_usrps.path).differences == ()


def servers() -> list[int]:
    """Radio servers that this process started, the youngest last."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == os.getpid() and any(word.endswith(b"drivers/usrp/server") for word in words):
            found.append(int(place.name))
    return sorted(found)


def test_a_radio_server_that_is_killed_ends_the_run_and_the_recording_is_whole(boards: None, tmp_path: Path) -> None:
    killed_s = []

    def kill_one(done: FrameDone) -> None:
        if done.index == 3:
            os.kill(servers()[2], signal.SIGKILL)  # they are started in the scenario's order: ann's
            killed_s.append(time.monotonic())

    wait_for_endings()
    path = tmp_path / "killed.h5"
    with pytest.raises(DeviceLostError, match=r"frame 4: radio ann: its radio server .* ended by signal 9"):
        experiment.run(Scenario.load("two_cells_usrp"), frames=9, seed=5, output=path, listeners=[kill_one])
    assert time.monotonic() - killed_s[0] < 2.0  # all others silenced and closed, too; `make bench-usrp` is stricter
    with Recording.open(path) as recording:
        assert recording.n_frames == 4
        recording.exchange(3)
