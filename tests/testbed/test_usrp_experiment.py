"""The whole experiment on virtual N210s, through the unmodified libuhd: `two_cells_usrp` as it is shipped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from drivers import DeviceLostError, VendorLibraryError
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.server_process import wait_for_endings
from recordings import Recording
from testbed import experiment
from testbed.loop import FrameDone
from testbed.scenario import Scenario
from testbed.summary import Summary

ROOT = Path(__file__).parents[2]
FRAMES, SEED = 16, 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emulated() -> Iterator[subprocess.Popen[str]]:
    try:
        interpreter_with_uhd()
    except VendorLibraryError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "testbed", "emulate", "two_cells_usrp", "--seed", str(SEED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        yield process
        wait_for_endings()
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=30)
        assert (said, complained) == ("ended; nothing was transmitting\n", "")


@dataclass
class Run:
    """A run: its summary, recording and frames."""

    summary: Summary
    path: Path
    frames: list[FrameDone]


def run(scenario: Scenario, path: Path) -> Run:
    frames: list[FrameDone] = []
    return Run(experiment.run(scenario, frames=FRAMES, seed=SEED, output=path, listeners=[frames.append]), path, frames)


@pytest.fixture(scope="module")
def over_usrps(emulated: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(Scenario.load("two_cells_usrp"), tmp_path_factory.mktemp("usrp") / "usrp.h5")


def simulated() -> Scenario:
    """The same experiment on simulated radios, whose full scale is another."""
    text = Scenario.load("two_cells_usrp").text
    lines = ['radio = "simulated"' if line.startswith("radio = ") else line for line in text.splitlines()]
    return Scenario.parse("\n".join(lines).replace("tx_gain_db = 15.0", "tx_gain_db = -10.0"), "simulated.toml")


def test_the_first_sounding_finds_the_channels_of_the_simulated_radios(over_usrps: Run, tmp_path: Path) -> None:
    """Link by link in volts, within what noise allows both, apart from a phase that no precoder cares about."""
    one = over_usrps.frames[0].outcome.sounding
    its = run(simulated(), tmp_path / "simulated.h5").frames[0].outcome.sounding
    turned = np.sum(its.channels.conj() * one.channels, axis=-1, keepdims=True)
    apart = np.linalg.norm(one.channels - its.channels * turned / np.abs(turned), axis=-1)
    assert (apart < one.csi_radius + its.csi_radius).all()
    assert (apart < 0.1 * np.linalg.norm(its.channels, axis=-1)).all()
    assert np.allclose(one.user_noise, its.user_noise, rtol=0.3)
    assert np.allclose(one.radar_noise, its.radar_noise, rtol=0.3)


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


def test_a_radio_server_that_is_killed_ends_the_run_and_the_recording_is_whole(
    emulated: subprocess.Popen[str], tmp_path: Path
) -> None:
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
