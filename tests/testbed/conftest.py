"""The command line as a process and as a function, a small experiment, and a recording of it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.cli import main

ROOT = Path(__file__).parents[2]
SCENARIO = """
title = "One small cell [bold] :smile:"
carrier_hz = 5.6e9
frame = { symbol_rate_hz = 200e3, samples_per_symbol = 2, roll_off = 1.0, payload_symbols = 32, sounding_symbols = 16, \
sync_symbols = 16, guard_symbols = 32, tail_symbols = 16 }
scheme = { name = "blp-cbf", min_sinr_db = 6.0, robustness = "none", redesign_angle_deg = 20.0, \
redesign_csi_radii = inf }
rf = { frequency_range_hz = [5.47e9, 5.725e9], max_tx_gain_db = 0.0, max_output_dbm = 3.0 }

[[stations]]
name = "west"
position_m = [0.0, 0.0]
orientation_deg = 0.0
n_tx = 4
n_rx = 6
radio = "simulated"
power_dbm = -10.0
tx_gain_db = -10.0
rx_gain_db = 60.0

[[users]]
name = "ann"
station = "west"
position_m = [7.07, -8.43]
radio = "simulated"
rx_gain_db = 45.0

[[targets]]
name = "walker"
station = "west"
position_m = [8.34, 8.63]
rcs_m2 = 0.15
"""

RunProcess = Callable[..., subprocess.CompletedProcess[str]]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def run_process() -> RunProcess:
    """Run the command line as a process of its own."""

    def run_process(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "testbed", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    return run_process


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in this process; gives status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def refused(call: Call) -> Callable[..., None]:
    """Require an exit status and one line on standard error with some words in it, and no traceback."""

    def refused(status: int, words: str, *arguments: object) -> None:
        found, _, line = call(*arguments)
        assert found == status, line
        assert line.startswith("testbed: ")
        assert line.endswith("\n")
        assert line.count("\n") == 1
        assert "unexpected" not in line
        assert re.search(words, line), line

    return refused


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(SCENARIO)
    return tmp_path / "small.toml"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory, run_process: RunProcess) -> tuple[Path, str]:
    """A recording made by a process of its own, and what that printed; nobody may change it."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "small.toml").write_text(SCENARIO)
    ended = run_process("run", folder / "small.toml", "--frames", 8, "--output", folder / "run.h5")
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder / "run.h5", ended.stdout


@pytest.fixture
def copy(recorded: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copy(recorded[0], tmp_path / "copy.h5"))
