"""What the commands do; the rim of the program, where clocks, screens and default file names live."""

from __future__ import annotations

import importlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration import CalibrationError
from drivers import DriverError
from precoding import PrecodingError
from recordings import Recording, RecordingError
from testbed import emulation, experiment
from testbed.description import describe_recording, describe_scenario
from testbed.errors import ReplayError, RequestError, TestbedError
from testbed.loop import FrameDone
from testbed.report import print_summary
from testbed.scenario import Scenario, shipped

__all__ = ["OUR_ERRORS", "emulate", "info", "replay", "run", "scenarios"]

OUR_ERRORS = (TestbedError, DriverError, PrecodingError, RecordingError, CalibrationError)
Listener = Callable[[FrameDone], None]
PACKAGES = ("testbed", "precoding", "drivers", "calibration", "recordings")


def run(
    name: str, frames: int, seed: int, output: Path | None, *, overwrite: bool, quiet: bool, check: Listener
) -> int:
    """Run a scenario into a recording and print its result; `check` may end it after any frame."""
    scenario = Scenario.load(name)
    output = output or _fresh_output(scenario)
    if not output.parent.is_dir():
        raise RequestError(f"{output} cannot be written: there is no folder {output.parent}; make it, or name another")
    console = _console(quiet)
    console.print(f"{scenario.title}\nrecording to {output}", soft_wrap=True)
    with _progress(console, frames) as advance:
        summary = experiment.run(
            scenario, frames=frames, seed=seed, output=output, overwrite=overwrite, listeners=[check, advance]
        )  # fmt: skip
    print_summary(console, scenario, summary)
    console.print(f"\nrecorded in {output}\nreplay with  testbed replay {shlex.quote(str(output))}", soft_wrap=True)
    return 0


def replay(file: Path, frames: slice, *, check_sent: bool, quiet: bool, check: Listener) -> int:
    """Replay a recording, print its result and whether it is the recorded one; `check` may end it after any frame."""
    console = _console(quiet)
    with Recording.open(file) as recording:
        indices = experiment.frame_indices(recording, frames)
        if recording.status != "complete":
            console.print(
                f"this recording is not complete: {recording.status}; {recording.n_frames} frames are whole",
                style="bold yellow",
            )
    with _progress(console, len(indices)) as advance:
        replayed = experiment.replay(file, frames=frames, check_sent=check_sent, listeners=[check, advance])
    print_summary(console, replayed.scenario, replayed.summary)
    if not check_sent:
        console.print("! the samples to send were not compared with those recorded (--tx ignore)", style="bold yellow")
    if check_sent and replayed.differences:
        raise ReplayError(
            f"{file}: {len(replayed.differences)} results differ from the recorded ones, "
            f"first {replayed.differences[0]}; "
            "the software or the processor is not the one that recorded: compare `testbed info`"
        )
    equal = (
        f"differ from the recorded ones in {len(replayed.differences)} places"
        if replayed.differences
        else "equal the recorded ones to the bit"
    )
    console.print(f"\nthe results of frames {indices.start} to {indices[-1]} {equal}")
    return 0


def info(what: str) -> int:
    """Say what is in a recording or a scenario, and where each package came from."""
    console = _console(quiet=False)
    if what not in shipped() and Path(what).suffix != ".toml" and Path(what).exists():
        with Recording.open(Path(what)) as recording:
            lines = describe_recording(what, recording)
    else:
        lines = describe_scenario(Scenario.load(what))
    for line in lines:
        console.print(line, soft_wrap=True)
    console.print("\npackages")
    for name in PACKAGES:
        console.print(f"  {name:<12} {Path(str(importlib.import_module(name).__file__)).parent}", soft_wrap=True)
    return 0


def scenarios() -> int:
    """List the shipped scenarios."""
    console = _console(quiet=False)
    for name, title in shipped().items():
        console.print(f"{name:<18} {title}", soft_wrap=True)
    return 0


def emulate(name: str, seed: int, *, paced: bool, faults: Sequence[str], check: Callable[[], None]) -> int:
    """Serve a scenario's radios as virtual devices until `check` raises KeyboardInterrupt: that is its normal end."""
    console = _console(quiet=False)
    scenario = Scenario.load(name)
    with emulation.serve(scenario, seed, paced=paced, faults=faults) as bench:
        try:
            for line in emulation.describe(scenario, bench, paced=bench.paced):
                console.print(line, soft_wrap=True)
            while True:
                check()
                time.sleep(0.1)
        except KeyboardInterrupt:
            transmitting = bench.transmitting  # before its clients are cut, which silences it
    console.print(emulation.last_words(transmitting), soft_wrap=True)
    return 0


def _fresh_output(scenario: Scenario) -> Path:
    """Return the default output, in a folder that is made if need be."""
    folder = Path("runs")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make the folder {folder.resolve()}: {error.strerror}; use --output FILE") from error
    return folder / f"{datetime.now().astimezone():%Y-%m-%d_%H%M%S}_{scenario.name}.h5"


def _console(quiet: bool) -> Console:
    """Return a console that prints names and paths as they are, wide enough for the tables also without a terminal."""
    width = None if sys.stdout.isatty() else 140
    return Console(quiet=quiet, width=width, markup=False, emoji=False, highlight=False)


@contextmanager
def _progress(console: Console, frames: int) -> Iterator[Listener]:
    """Show a bar while frames go by; yields the listener that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=console.quiet) as bar:
        task = bar.add_task("frames", total=frames)

        def advance(done: FrameDone) -> None:
            word = "designed" if done.decision.fresh else "frames  "
            bar.update(task, advance=1, description=word)

        yield advance
