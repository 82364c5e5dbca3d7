"""`two_cells_pluto` on virtual Plutos and on simulated radios: one scenario and seed, through libiio and without."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from precoding_case import Check

from precoding import sinr
from testbed import experiment
from testbed.loop import FrameDone
from testbed.precoder import Precoder
from testbed.scenario import Scenario
from testbed.summary import Summary

__all__ = ["on_virtual_plutos", "physics", "simulated"]

NAME, SEED = "two_cells_pluto", 5
DEVICE = re.compile(r'(?<=^radio = )"pluto:[^"]*"', re.MULTILINE)


def simulated() -> Scenario:
    """The experiment on simulated radios, which start apart and drift as the units do."""
    return Scenario.parse(DEVICE.sub('"simulated"', Scenario.load(NAME).text), "simulated.toml")


@contextmanager
def on_virtual_plutos(folder: Path) -> Iterator[Scenario]:
    """Serve the experiment's units on free ports; yields it with their addresses.

    Raises:
        RuntimeError: The emulator ended otherwise than silent.
    """
    anywhere = iter(range(1, 100))
    text = DEVICE.sub(lambda _: f'"pluto:ip:192.168.2.{next(anywhere)}"', Scenario.load(NAME).text)
    file = folder / f"{NAME}.toml"
    file.write_text(text)
    command = [sys.executable, "-m", "testbed", "emulate", str(file), "--seed", str(SEED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += (line := process.stdout.readline())
            if not line:
                raise RuntimeError(process.communicate()[1])
        addresses = iter(re.findall(r"pluto:ip:127\.0\.0\.1:\d+", said))
        try:
            yield Scenario.parse(DEVICE.sub(lambda _: f'"{next(addresses)}"', text), str(file))
        finally:
            process.send_signal(signal.SIGTERM)
            said, complained = process.communicate(timeout=30)
        if "nothing was transmitting" not in said or complained:
            raise RuntimeError(said + complained)


def physics(scaled: Callable[[int], int]) -> list[Check]:
    """Angle errors over their bound, the largest bound, and SINRs of one precoder, side by side.

    Designs differ where a station has slack: what is compared for the users is the precoder of the virtual units, on
    the channels that the simulated radios found.
    """
    with tempfile.TemporaryDirectory() as folder:
        with on_virtual_plutos(Path(folder)) as scenario:
            served = _run(scenario, scaled(300), Path(folder) / "virtual.h5")
        alone = _run(simulated(), scaled(300), Path(folder) / "simulated.h5")
    return [*_sensing(served, alone), *_communication(served, alone)]


@dataclass
class _Run:
    summary: Summary
    frames: list[FrameDone]

    @property
    def precoder(self) -> Precoder:
        precoder = self.frames[-1].decision.precoder
        assert precoder is not None
        return precoder


def _run(scenario: Scenario, frames: int, output: Path) -> _Run:
    done: list[FrameDone] = []
    return _Run(experiment.run(scenario, frames=frames, seed=SEED, output=output, listeners=[done.append]), done)


def _sensing(served: _Run, alone: _Run) -> list[Check]:
    checks = []
    for one, other in zip(served.summary.stations, alone.summary.stations, strict=True):
        got = f"{one.ratio:.3f} [{one.ratio_low:.3f}, {one.ratio_high:.3f}], simulated {other.ratio:.3f}"
        met = one.ratio_low < other.ratio_high and other.ratio_low < one.ratio_high and one.ratio_low < 1.1
        checks.append(Check(f"{one.name}: RMSE / root CRB", "intervals meet", got, met))
    largest = [np.degrees(max(run.precoder.rcrb_rad)) for run in (served, alone)]
    got = f"{largest[0]:.4f}, simulated {largest[1]:.4f} deg"
    return [*checks, Check("largest root CRB designed for", "within 3 %", got, abs(largest[0] / largest[1] - 1) < 0.03)]


def _communication(served: _Run, alone: _Run) -> list[Check]:
    checks = []
    channels = alone.frames[0].outcome.sounding.channels
    noise = np.mean([done.outcome.sounding.user_noise for done in served.frames], axis=0)
    clean = np.mean([done.outcome.sounding.user_noise for done in alone.frames], axis=0)
    weights = served.precoder.weights
    expected_db = 10 * np.log10(sinr(channels, weights, noise)).ravel()
    more_db = 10 * np.log10(noise / clean).ravel()
    for user, expected, more in zip(served.summary.users, expected_db, more_db, strict=True):
        got = f"{user.measured_db:.2f}, on the simulated channels {expected:.2f} dB; 12 bits add {more:.2f} dB of noise"
        checks.append(Check(f"{user.name}: SINR", "within 0.2 dB", got, abs(user.measured_db - expected) <= 0.2))
    return checks
