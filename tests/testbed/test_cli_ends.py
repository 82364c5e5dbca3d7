"""However an experiment ends, it says so in one line, and the frames before are safe."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import drivers.simulated.radio
from recordings import Recording, RecordingWriter
from testbed.bench import Bench

ROOT = Path(__file__).parents[2]
Call = Callable[..., tuple[int, str, str]]


def change(scenario: Path, old: str, new: str) -> Path:
    """Change a scenario's text, and name an output beside it."""
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new))
    return scenario.with_name("x.h5")


@pytest.mark.parametrize(("radio", "count"), [("west", 7), ("ann", 8)])  # two radios receive in turn: this is frame 3
def test_nan_samples_end_the_experiment_by_name(
    refused: Callable[..., None], scenario: Path, monkeypatch: pytest.MonkeyPatch, radio: str, count: int
) -> None:
    receive, calls = drivers.simulated.radio.receive, iter(range(1, 1000))

    def spoiled(*arguments: object) -> tuple[np.ndarray, bool]:
        samples, clipped = receive(*arguments)
        return (
            np.where(np.arange(samples.shape[1]) == 5, np.nan, samples) if next(calls) == count else samples
        ), clipped

    monkeypatch.setattr(drivers.simulated.radio, "receive", spoiled)
    output = scenario.with_name("nan.h5")
    refused(1, f"frame 3: sample 5 of channel 0 that radio {radio} received", "run", scenario, "--output", output)
    with Recording.open(output) as recording:
        assert recording.n_frames == 3
        assert recording.status.startswith("failed: UnfitFrameError: frame 3")


def test_an_infeasible_sinr_names_the_user_and_what_is_possible(refused: Callable[..., None], scenario: Path) -> None:
    output = change(scenario, "min_sinr_db = 6.0", "min_sinr_db = 60.0")
    refused(1, r"user ann of west limits.* can have \d+\.\d+ dB", "run", scenario, "--output", output)
    with Recording.open(output) as recording:
        assert recording.n_frames == 1
        assert recording.status.startswith("failed: InfeasibleError: user ann")


def test_a_burst_beyond_the_rf_policy_is_not_sent(refused: Callable[..., None], scenario: Path) -> None:
    output = change(scenario, "max_output_dbm = 3.0", "max_output_dbm = -15.0")
    refused(1, "frame 0: radio west would put out", "run", scenario, "--output", output)
    with Recording.open(output) as recording:
        assert recording.n_frames == 0
        assert recording.status.startswith("failed: RfPolicyError")
    refused(2, "no frame to replay; the recording holds 0", "replay", output)


def test_silence_comes_before_the_file_is_closed(
    refused: Callable[..., None], scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, silence, close = [], Bench.close, RecordingWriter.close
    monkeypatch.setattr(Bench, "close", lambda self: (order.append("silence"), silence(self)))
    monkeypatch.setattr(RecordingWriter, "close", lambda self, status: (order.append("file"), close(self, status)))
    output = change(scenario, "min_sinr_db = 6.0", "min_sinr_db = 60.0")
    refused(1, "limits", "run", scenario, "--output", output)
    assert order[:2] == ["silence", "file"]


@contextlib.contextmanager
def running(scenario: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """Start an endless experiment and wait until some frames are in its file."""
    command = [sys.executable, "-m", "testbed", "run", str(scenario), "--frames", "1000000", "--output", str(output)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # pytest itself may run in the background
    ) as run:
        try:
            # 1 MB is reserved ahead of a frame of 25 kB, so that some ten frames are written then
            while not output.exists() or output.stat().st_size < 1_300_000:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(0.02)
                    pytest.fail(run.stderr.read())
            yield run
        finally:
            run.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_whole_and_says_so(call: Call, scenario: Path, number: signal.Signals) -> None:
    output = scenario.with_name("x.h5")
    with running(scenario, output) as run:
        run.send_signal(number)
        run.send_signal(number)  # an impatient user
        _, error = run.communicate(timeout=30)
    assert (run.returncode, error) == (1, "testbed: interrupted; what was recorded is whole\n")
    with Recording.open(output) as recording:
        assert recording.status == "interrupted"
        frames = recording.n_frames
    assert frames >= 2
    status, text, _ = call("replay", output, "--frames", "0:2")
    assert status == 0
    assert f"not complete: interrupted; {frames} frames are whole" in text


def test_an_interrupt_inside_a_finalizer_is_not_lost(
    refused: Callable[..., None], scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops what is raised there, and h5py and NumPy run finalizers all the time."""

    class Fragile:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    receive, calls = drivers.simulated.radio.receive, iter(range(1, 1000))

    def interrupted(*arguments: object) -> tuple[np.ndarray, bool]:
        if next(calls) == 7:
            Fragile()
        return receive(*arguments)

    monkeypatch.setattr(drivers.simulated.radio, "receive", interrupted)
    output = scenario.with_name("x.h5")
    refused(1, "interrupted", "run", scenario, "--frames", 20, "--output", output)
    with Recording.open(output) as recording:
        assert (recording.status, recording.n_frames) == ("interrupted", 4)  # the frame under way is still recorded


def test_an_interrupt_inside_exec_ends_with_status_1(tmp_path: Path) -> None:
    """Imports are full of exec (dataclasses, named tuples); `python -m` kills itself after a bare KeyboardInterrupt."""
    (tmp_path / "interrupted.py").write_text(
        "import sys, signal, testbed.cli, testbed.commands\n"
        "testbed.commands.scenarios = lambda: exec('signal.raise_signal(signal.SIGINT)', globals())\n"
        "sys.argv[1:] = ['scenarios']\n"
        "sys.exit(testbed.cli.main())"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "interrupted"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "testbed: interrupted; what was recorded is whole\n")


def test_signals_are_given_back(call: Call) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert call("scenarios")[0] == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_killed_run_can_be_replayed(call: Call, scenario: Path) -> None:
    output = scenario.with_name("x.h5")
    with running(scenario, output) as run:
        run.kill()
        run.communicate(timeout=30)
    status, text, error = call("replay", output)
    assert (status, error) == (0, "")
    assert "not complete: running" in text
    assert "equal the recorded ones to the bit" in text


def test_a_recording_in_the_making_is_neither_read_nor_replaced(refused: Callable[..., None], scenario: Path) -> None:
    output = scenario.with_name("x.h5")
    with running(scenario, output) as run:
        refused(2, "another program is writing it", "replay", output)
        refused(1, "nobody using it", "run", scenario, "--output", output, "--overwrite")
        run.terminate()
        run.communicate(timeout=30)
    with Recording.open(output) as recording:
        assert recording.status == "interrupted"
        recording.exchange(recording.n_frames - 1)


def test_a_full_disk_keeps_the_frames_before(call: Call, scenario: Path) -> None:
    disk = scenario.with_name("disk")
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        status, _, line = call("run", scenario, "--frames", 1000, "--output", disk / "x.h5")
        assert status == 1
        assert line.count("\n") == 1
        safe = int(re.search(rf"{disk / 'x.h5'}: could not write .* (\d+) frames are safe", line).group(1))
        with Recording.open(disk / "x.h5") as recording:
            assert recording.n_frames == safe > 2
            assert recording.status.startswith("failed: RecordingWriteError")
        assert call("replay", disk / "x.h5")[0] == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
