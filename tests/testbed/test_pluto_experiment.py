"""The whole experiment on virtual Plutos, through unmodified pyadi-iio and libiio: `two_cells_pluto` as shipped."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from drivers import VendorLibraryError
from drivers.pluto.vendor import libraries
from precoding import sinr
from testbed import experiment
from testbed.loop import FrameDone
from testbed.scenario import Scenario
from testbed.summary import Summary

ROOT = Path(__file__).parents[2]
FRAMES, SEED = 16, 5
DEVICE = re.compile(r'(?<=^radio = )"pluto:[^"]*"', re.MULTILINE)
TEXT = Scenario.load("two_cells_pluto").text

pytestmark = pytest.mark.slow


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
def over_plutos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The run, on whatever ports are free; in the end no unit may transmit."""
    try:
        libraries()
    except VendorLibraryError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("plutos")
    anywhere = iter(range(1, 100))
    file = folder / "two_cells_pluto.toml"
    file.write_text(DEVICE.sub(lambda _: f'"pluto:ip:192.168.2.{next(anywhere)}"', TEXT))
    command = [sys.executable, "-m", "testbed", "emulate", str(file), "--seed", str(SEED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while "Ctrl-C" not in said:
            said += (line := process.stdout.readline())
            assert line, process.stderr.read()
        addresses = iter(re.findall(r"pluto:ip:127\.0\.0\.1:\d+", said))
        try:
            yield run(Scenario.parse(DEVICE.sub(lambda _: f'"{next(addresses)}"', TEXT), file), folder / "plutos.h5")
        finally:
            process.send_signal(signal.SIGTERM)
            said, complained = process.communicate(timeout=30)
        assert (said, complained) == ("ended; nothing was transmitting\n", "")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same experiment on simulated radios."""
    scenario = Scenario.parse(DEVICE.sub('"simulated"', TEXT), "simulated.toml")
    return run(scenario, tmp_path_factory.mktemp("simulated") / "simulated.h5")


def test_every_capture_says_that_its_delay_was_estimated(over_plutos: Run) -> None:
    captures = [capture for done in over_plutos.frames for capture in done.captures.values()]
    assert {capture.flags for capture in captures} == {("time-unaligned",)}
    sent = [capture.measured["tx_evm_db"] for capture in captures if capture.radio in ("west", "east")]
    assert len(sent) == 2 * FRAMES
    assert all(-90 < evm_db < -40 for evm_db in sent)  # 12 bits, some decibels below full scale


def test_the_physics_is_that_of_the_simulated_radios(over_plutos: Run, alone: Run) -> None:
    """Channels apart from phases that no unit knows of another, noise apart from 12 bits, and the largest bound.

    Designs differ: a station with slack may do this or that. What users get is compared for the same precoder, on the
    channels that the simulated radios found.
    """
    one, its = over_plutos.frames[0].outcome.sounding, alone.frames[0].outcome.sounding
    turned = np.sum(its.channels.conj() * one.channels, axis=-1, keepdims=True)
    apart = np.linalg.norm(one.channels - its.channels * turned / np.abs(turned), axis=-1)
    assert np.all(apart < 0.01 * np.linalg.norm(its.channels, axis=-1) + one.csi_radius + its.csi_radius)
    assert np.all((one.user_noise > 0.8 * its.user_noise) & (one.user_noise < 1.6 * its.user_noise))
    assert np.allclose(one.radar_noise, its.radar_noise, rtol=0.3)
    largest = [max(run.frames[-1].decision.precoder.rcrb_rad) for run in (over_plutos, alone)]
    assert largest[0] == pytest.approx(largest[1], rel=0.03)
    for here, there in zip(over_plutos.summary.stations, alone.summary.stations, strict=True):
        assert here.ratio_low < min(1.1, there.ratio_high)
        assert here.ratio_high > max(0.9, there.ratio_low)
    weights = over_plutos.frames[-1].decision.precoder.weights
    expected_db = 10 * np.log10(sinr(its.channels, weights, one.user_noise)).ravel()
    measured_db = [user.measured_db for user in over_plutos.summary.users]
    assert measured_db == pytest.approx(expected_db, abs=0.2)


def test_sensing_and_communication_are_as_promised(over_plutos: Run) -> None:
    summary = over_plutos.summary
    assert (summary.payload_frames, summary.clipped_frames, summary.faulty) == (FRAMES - 1, 0, {})
    for user in summary.users:
        assert user.measured_db == pytest.approx(user.predicted_db, abs=0.2)
        assert user.measured_db > user.promised_db - 0.1
        assert user.symbol_error_rate == 0


def test_it_replays_to_the_bit(over_plutos: Run) -> None:
    assert experiment.replay(over_plutos.path).differences == ()
