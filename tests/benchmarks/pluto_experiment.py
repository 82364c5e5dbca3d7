"""`two_cells_pluto` on virtual Plutos and on simulated radios: one scenario and seed, through libiio and without."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from precoding_case import Check

from testbed import experiment
from testbed.scenario import Scenario
from testbed.summary import Summary

__all__ = ["on_virtual_plutos", "physics", "simulated"]

NAME, SEED = "two_cells_pluto", 5
DEVICE = re.compile(r'"pluto:[^"]*"')


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
        yield Scenario.parse(DEVICE.sub(lambda _: f'"{next(addresses)}"', text), str(file))
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=30)
        if "nothing was transmitting" not in said or complained:
            raise RuntimeError(said + complained)


def physics(scaled: Callable[[int], int]) -> list[Check]:
    """Angle errors over their bound, the bounds and the SINRs, side by side."""
    frames = scaled(300)
    with tempfile.TemporaryDirectory() as folder:
        with on_virtual_plutos(Path(folder)) as scenario:
            served = experiment.run(scenario, frames=frames, seed=SEED, output=Path(folder) / "virtual.h5")
        alone = experiment.run(simulated(), frames=frames, seed=SEED, output=Path(folder) / "simulated.h5")
    return [*_sensing(served, alone), *_communication(served, alone)]


def _sensing(served: Summary, alone: Summary) -> list[Check]:
    checks = []
    for one, other in zip(served.stations, alone.stations, strict=True):
        got = f"{one.ratio:.3f} [{one.ratio_low:.3f}, {one.ratio_high:.3f}], simulated {other.ratio:.3f}"
        met = one.ratio_low < other.ratio_high and other.ratio_low < one.ratio_high and one.ratio_low < 1.1
        checks.append(Check(f"{one.name}: RMSE / root CRB", "intervals meet", got, met))
        apart = one.rcrb_rad / other.rcrb_rad - 1.0
        got = f"{np.degrees(one.rcrb_rad):.4f}, simulated {np.degrees(other.rcrb_rad):.4f} deg"
        checks.append(Check(f"{one.name}: root CRB", "within 3 %", got, abs(apart) <= 0.03))
    return checks


def _communication(served: Summary, alone: Summary) -> list[Check]:
    checks = []
    for one, other in zip(served.users, alone.users, strict=True):
        got = f"{one.measured_db:.2f} (predicted {one.predicted_db:.2f}), simulated {other.measured_db:.2f} dB"
        met = abs(one.measured_db - other.measured_db) <= 0.2 and abs(one.measured_db - one.predicted_db) <= 0.2
        checks.append(Check(f"{one.name}: SINR", "within 0.2 dB", got, met))
    return checks
