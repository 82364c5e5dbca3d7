"""A whole experiment: run one on a bench into a recording, or run a recording again."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration import LevelCalibration
from precoding import InfeasibleError
from recordings import Exchange, Recording, RecordingWriter
from testbed.bench import Bench
from testbed.designer import Decision, LiveDesigner, RecordedDesigner
from testbed.errors import RequestError
from testbed.frame import Frame
from testbed.knowledge import Knowledge, after
from testbed.loop import FrameDone, Loop, station_power
from testbed.measurement import warm_up
from testbed.outcome import Outcome
from testbed.precoder import Precoder
from testbed.scenario import Scenario
from testbed.summary import Summary, summarise

__all__ = ["Replayed", "frame_indices", "record", "replay", "run"]

Listener = Callable[[FrameDone], None]


def run(
    scenario: Scenario,
    *,
    frames: int,
    seed: int,
    output: Path,
    overwrite: bool = False,
    listeners: Sequence[Listener] = (),
) -> Summary:
    """Run an experiment into a recording.

    Args:
        scenario: The experiment.
        frames: Number of frames; the first only sounds.
        seed: Of payload and simulated physics.
        output: The recording to write.
        overwrite: Whether an existing file may be replaced.
        listeners: Called with every frame when it is safely in the file.

    Returns:
        The summary.

    Raises:
        TestbedError, DriverError, PrecodingError, RecordingError: Why it failed; the recording is whole up to that
        frame.
    """
    with Bench(scenario, _frame(scenario), seed) as bench:
        radios = {name: _radio_facts(scenario, bench, name) for name in bench.capabilities}
        designer = LiveDesigner(scenario, station_power(scenario))
        designer.warm_up()
        warm_up()
        loop = Loop(scenario, seed, bench, _calibrations(bench), designer)
        writer = RecordingWriter.create(
            output, scenario_text=scenario.text, seed=seed, versions=versions(), radios=radios, overwrite=overwrite
        )
        starts, outcomes = [], []
        with writer, closing(bench):  # whatever happens, silence comes before the tidying of the file
            for done in _naming_the_user(scenario, loop.run(range(frames))):
                record(writer, done)
                starts.append(done.start_s)
                outcomes.append(done.outcome)
                for listener in listeners:
                    listener(done)
    return summarise(scenario, starts, outcomes)


@dataclass(frozen=True)
class Replayed:
    """A replay's result.

    Attributes:
        summary: As for a run.
        scenario: Of the recording.
        first: First frame replayed.
        differences: For each result that is not bit for bit the recorded one: name, frame and both values, in words.
    """

    summary: Summary
    scenario: Scenario
    first: int
    differences: tuple[str, ...]


def replay(
    path: Path, *, frames: slice = slice(None), check_sent: bool = True, listeners: Sequence[Listener] = ()
) -> Replayed:
    """Run the same measurement on the captures of a recording.

    The precoders are those recorded: a design is a decision of the day. Everything else is computed again.

    Args:
        path: The recording.
        frames: Which frames.
        check_sent: Whether the samples to send must be those recorded; False for new frame layouts on old captures.
        listeners: Called with every frame.

    Raises:
        RequestError: The recording has no such frames.
        ReplayMismatchError: Settings or samples differ from the recorded ones.
        RecordingError: The file cannot be read.
    """
    with Recording.open(path) as recording:
        scenario = Scenario.parse(recording.scenario_text, str(path))
        indices = frame_indices(recording, frames)
        knowledge = _knowledge_before(recording, indices.start, scenario.frame.period_s)
        designer = RecordedDesigner(lambda index: _recorded_decision(recording, index))
        address = f"replay:{path}?first={indices.start}&tx={'check' if check_sent else 'ignore'}"
        rewired = replace(
            scenario,
            stations=tuple(replace(station, radio=address) for station in scenario.stations),
            users=tuple(replace(user, radio=address) for user in scenario.users),
        )
        starts, outcomes, differences = [], [], []
        with Bench(rewired, _frame(scenario), recording.seed) as bench:
            loop = Loop(rewired, recording.seed, bench, _calibrations(bench), designer)
            for done in loop.run(indices, knowledge):
                differences += _differences(recording, done)
                starts.append(done.start_s)
                outcomes.append(done.outcome)
                for listener in listeners:
                    listener(done)
    return Replayed(summarise(scenario, starts, outcomes), scenario, indices.start, tuple(differences))


def frame_indices(recording: Recording, frames: slice) -> range:
    """Return the numbers of the frames asked for.

    Raises:
        RequestError: There is none, or one is not in the recording.
    """
    first, last = frames.start or 0, recording.n_frames if frames.stop is None else frames.stop
    if not first < last <= recording.n_frames:
        asked = f"no frames {first}:{last} to replay" if recording.n_frames else "no frame to replay"
        raise RequestError(f"{recording.path}: {asked}; the recording holds {recording.n_frames} whole frames")
    return range(first, last)


def versions() -> Mapping[str, str]:
    """Return the versions that a result depends on."""
    names = ("isac-testbed", "numpy", "scipy", "cvxpy", "clarabel", "h5py")
    return {name: importlib.metadata.version(name) for name in names} | {"python": platform.python_version()}


def _naming_the_user(scenario: Scenario, frames: Iterator[FrameDone]) -> Iterator[FrameDone]:
    """Yield frames; where a design is infeasible, say whose name stands behind the core's numbers."""
    try:
        yield from frames
    except InfeasibleError as error:
        m, k = error.user
        user, station = scenario.ordered_users[m * scenario.users_per_cell + k], scenario.stations[error.station]
        raise InfeasibleError(
            f"user {user.name} of {user.station} limits, at the power of {station.name}: {error}",
            user=error.user,
            station=error.station,
            max_sinr_db=error.max_sinr_db,
        ) from error


def _frame(scenario: Scenario) -> Frame:
    return Frame(scenario.frame, len(scenario.stations), scenario.stations[0].n_tx)


def _calibrations(bench: Bench) -> Mapping[str, LevelCalibration]:
    return {name: LevelCalibration.nominal(able, bench.applied[name]) for name, able in bench.capabilities.items()}


def _radio_facts(scenario: Scenario, bench: Bench, name: str) -> Mapping[str, str | float]:
    stations = {station.name: station.radio for station in scenario.stations}
    address = (stations | {user.name: user.radio for user in scenario.users})[name]
    able = bench.capabilities[name]
    return {
        "address": address,
        "model": able.model,
        "serial": able.serial,
        "n_tx": able.n_tx,
        "n_rx": able.n_rx,
        "tx_full_scale_dbm": able.tx_full_scale_dbm,
        "rx_full_scale_dbm": able.rx_full_scale_dbm,
        "start_spread_s": able.start_spread_s,
        "tx_coherence": " ".join(able.tx_coherence),
        "tx_kept_over_tunes": " ".join(able.tx_kept_over_tunes),
        "rx_kept_over_tunes": " ".join(able.rx_kept_over_tunes),
        "calibration": LevelCalibration.nominal(able, bench.applied[name]).identity,
    }


def record(writer: RecordingWriter, done: FrameDone) -> None:
    """Append a frame to a recording, its design first if it is a new one."""
    precoder = done.decision.precoder
    if done.decision.fresh and precoder is not None:
        writer.add_design(done.index, precoder.arrays(), precoder.attributes())
    writer.append(Exchange(done.index, done.sent, done.captures), done.outcome.as_results())


def _recorded_decision(recording: Recording, index: int) -> Decision:
    stored = recording.design(index)
    if stored is None:
        return Decision(None, fresh=False)
    return Decision(Precoder.stored(stored.arrays, stored.attributes), fresh=stored.index_from == index)


def _recorded_outcome(recording: Recording, index: int) -> Outcome:
    return Outcome.from_results({name: recording.results(name)[index] for name in recording.result_names})


def _knowledge_before(recording: Recording, index: int, period_s: float) -> Knowledge | None:
    """Fold the recorded outcomes of all earlier frames, so that a part of a recording replays as the whole does."""
    knowledge: Knowledge | None = None
    for earlier in range(index):
        knowledge = after(knowledge, _recorded_outcome(recording, earlier), period_s)
    return knowledge


def _differences(recording: Recording, done: FrameDone) -> list[str]:
    """Return, in words, where a replayed frame's numbers are not the recorded ones to the bit."""
    found = []
    for name, value in done.outcome.as_results().items():
        recorded = recording.results(name)[done.index]
        if not np.array_equal(value, recorded, equal_nan=value.dtype.kind in "fc"):
            unequal = (value != recorded) & ~(np.isnan(value) & np.isnan(recorded))
            where = np.unravel_index(np.argmax(np.atleast_1d(unequal)), np.atleast_1d(value).shape)
            place = ", ".join(map(str, where))
            found.append(
                f"frame {done.index}, {name}[{place}]: {np.atleast_1d(value)[where]!r} now, "
                f"{np.atleast_1d(recorded)[where]!r} recorded"
            )
    return found
