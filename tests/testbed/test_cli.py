"""The command line as a clumsy and as a hostile user meets it: words, outputs and screens."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

import drivers.simulated.radio
from recordings import Recording

ROOT = Path(__file__).parents[2]
RunProcess = Callable[..., subprocess.CompletedProcess[str]]
Call = Callable[..., tuple[int, str, str]]


def change(scenario: Path, old: str, new: str) -> Path:
    """Change a scenario's text, and name an output beside it."""
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new))
    return scenario.with_name("x.h5")


def table_lines(text: str) -> list[str]:
    """Return the lines that carry results."""
    return [line.rstrip() for line in text.splitlines() if line.strip().startswith(("west", "ann", "Precoders"))]


def test_help_answers_at_once(run_process: RunProcess) -> None:
    def seconds() -> float:
        begin = perf_counter()
        assert run_process("--help").returncode == 0
        return perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.3


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, testbed.cli\n"
        "try: testbed.cli.main(['run', '--help'])\n"
        "except SystemExit: print(sorted({'numpy', 'cvxpy', 'scipy', 'h5py', 'rich'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("required: COMMAND", ""),
        ("'rnu'.*'run'", "rnu"),
        ("--fraems", "run two_cells --fraems 3"),
        ("--over", "run two_cells --over"),
        ("--frames: 'ten' is not a whole number", "run two_cells --frames ten"),
        ("--frames: 0 is too few", "run two_cells --frames 0"),
        ("--seed: '-1' is not", "run two_cells --seed=-1"),
        ("'5' is not of the form A:B", "replay run.h5 --frames 5"),
        ("'x' is not a whole number", "replay run.h5 --frames 1:x"),
        ("did you mean two_cells", "run two_cellz"),
        ("did you mean two_cells", "info two_cellz"),
        ("two_cells: no such file", "replay two_cells"),
    ],
)
def test_a_wrong_command_ends_with_2(refused: Callable[..., None], words: str, arguments: str) -> None:
    refused(2, words, *arguments.split())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[users]]", "[[users", "small.toml: not TOML"),
        ("n_tx = 4", "n_txx = 4", "n_txx.*n_tx"),
        ("max_output_dbm = 3.0", "max_output_dbm = -60.0", "max_output_dbm = -60"),
    ],
)
def test_a_wrong_scenario_ends_with_2(
    refused: Callable[..., None], scenario: Path, old: str, new: str, words: str
) -> None:
    output = change(scenario, old, new)
    refused(2, words, "run", scenario, "--output", output)
    assert not output.exists()


@pytest.mark.parametrize("arguments", [["--debug", "run", "none"], ["run", "none", "--debug"]])
def test_debug_shows_the_traceback_and_keeps_the_status(call: Call, arguments: list[str]) -> None:
    status, _, error = call(*arguments)
    assert status == 2
    assert "Traceback" in error
    assert "ScenarioError" in error
    assert error.splitlines()[-1].startswith("testbed: none: ")


def test_a_fault_of_the_program_is_one_line_too(call: Call, scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in\nthe air")

    monkeypatch.setattr(drivers.simulated.radio, "receive", fail)
    status, _, error = call("run", scenario, "--quiet", "--output", scenario.with_name("x.h5"))
    assert (status, error) == (1, "testbed: unexpected ZeroDivisionError: in the air (--debug shows where)\n")


def test_info_says_in_words_what_a_recording_holds(call: Call, recorded: tuple[Path, str]) -> None:
    status, text, error = call("info", recorded[0])
    assert (status, error) == (0, "")
    for words in ("8 whole frames, complete", "seed 1", "numpy", "west +simulated", "designs at frames 1", "walker"):
        assert re.search(words, text), words
    for package in ("testbed", "precoding", "drivers", "calibration", "recordings"):
        assert re.search(rf"{package} +{ROOT / package}\n", text)


def test_info_and_scenarios_know_all_that_is_shipped(call: Call) -> None:
    names = [
        "paper",
        "two_cells",
        "two_cells_comp",
        "two_cells_dirty",
        "two_cells_pluto",
        "two_cells_slp",
        "two_cells_usrp",
    ]
    assert [line.split()[0] for line in call("scenarios")[1].splitlines()] == names
    for name in names:
        status, text, _ = call("info", name)
        assert status == 0
        assert "station" in text
        assert "target" in text


def test_an_existing_output_is_replaced_only_if_told(call: Call, refused: Callable[..., None], scenario: Path) -> None:
    output = scenario.with_name("precious.h5")
    output.write_text("my thesis")
    refused(2, "precious.h5 exists already", "run", scenario, "--output", output)
    assert output.read_text() == "my thesis"
    assert call("run", scenario, "--frames", 2, "--output", output, "--overwrite", "--quiet") == (0, "", "")
    with Recording.open(output) as recording:
        assert (recording.status, recording.n_frames) == ("complete", 2)


def test_an_output_that_cannot_be_written_is_refused(refused: Callable[..., None], scenario: Path) -> None:
    refused(2, "no folder", "run", scenario, "--output", scenario.parent / "none" / "x.h5")
    refused(2, "no folder", "run", scenario, "--output", scenario / "x.h5")
    refused(1, "cannot be created", "run", scenario, "--output", "/proc/x.h5")  # not even root may write there
    assert list(scenario.parent.iterdir()) == [scenario]


def test_the_default_output_is_in_runs(call: Call, scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scenario.parent)
    status, text, _ = call("run", scenario, "--frames", 2)
    (output,) = Path("runs").iterdir()
    assert status == 0
    assert f"recorded in {output}\n" in text


def test_tables_are_whole_on_80_columns(recorded: tuple[Path, str]) -> None:
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "testbed", "replay", str(recorded[0])]
    shown = b""
    with subprocess.Popen(command, cwd=ROOT, stdout=terminal, env=environment | {"TERM": "xterm"}):
        os.close(terminal)
        with contextlib.suppress(OSError):  # EIO is how a terminal says that its last writer is gone
            while part := os.read(screen, 65536):
                shown += part
    os.close(screen)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r", "\n")
    assert "…" not in text + recorded[1]
    assert max(map(len, text.splitlines())) <= 80
    assert table_lines(text)[:2] == table_lines(recorded[1])[:2]  # every number as wide as it is
