"""The loop: a frame knows what the frame before has shown, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calibration import LevelCalibration
from testbed.bench import Bench
from testbed.designer import Decision, Designer, LiveDesigner, RecordedDesigner
from testbed.frame import Frame
from testbed.knowledge import Knowledge
from testbed.loop import FrameDone, Loop, payload_rng, station_power
from testbed.scenario import Scenario

SHIPPED = Scenario.load("two_cells")
SCENARIO = replace(SHIPPED, scheme=replace(SHIPPED.scheme, robustness="none"))
SEED, FRAMES = 4, 6


class Listening:
    """Notes what a designer is asked with."""

    def __init__(self, designer: Designer) -> None:
        self.designer = designer
        self.asked: list[tuple[int, Knowledge | None]] = []

    def decide(self, index: int, knowledge: Knowledge | None, symbols: np.ndarray) -> Decision:
        self.asked.append((index, knowledge))
        return self.designer.decide(index, knowledge, symbols)


def run(
    indices: range,
    designer: Designer | None = None,
    knowledge: Knowledge | None = None,
    scenario: Scenario = SCENARIO,
    seed: int = SEED,
) -> list[FrameDone]:
    with Bench(scenario, Frame(scenario.frame, 2, 6), seed) as bench:
        calibrations = {
            name: LevelCalibration.nominal(can, bench.applied[name]) for name, can in bench.capabilities.items()
        }
        designer = designer or LiveDesigner(scenario, station_power(scenario))
        return list(Loop(scenario, seed, bench, calibrations, designer).run(indices, knowledge))


@cache
def through() -> tuple[list[FrameDone], Listening]:
    listening = Listening(LiveDesigner(SCENARIO, station_power(SCENARIO)))
    return run(range(FRAMES), listening), listening


def knowledge_before(frames: list[FrameDone], index: int) -> Knowledge:
    knowledge = Knowledge.first(frames[0].outcome, SCENARIO.frame.period_s)
    for done in frames[1:index]:
        knowledge = knowledge.after(done.outcome, SCENARIO.frame.period_s)
    return knowledge


def same(one: Knowledge | None, other: Knowledge | None) -> bool:
    if one is None or other is None:
        return one is other
    names = one.sounding.__dataclass_fields__
    return (
        one.frames == other.frames
        and np.array_equal(one.angle_rad, other.angle_rad)
        and all(np.array_equal(getattr(one.sounding, name), getattr(other.sounding, name)) for name in names)
    )


def expected_burst(waveform: np.ndarray | None) -> np.ndarray:
    """What the stations' converters are given: 10 dBm full scale at -10 dB is 1 mW for a sample of one."""
    ports = Frame(SCENARIO.frame, 2, 6).modulate(waveform, station_power(SCENARIO))
    return np.asarray((ports / np.sqrt(1e-3)).astype(np.complex64))


def test_the_first_frame_only_sounds() -> None:
    first = through()[0][0]
    assert first.decision == Decision(None, fresh=False)
    assert np.isnan(first.outcome.sinr).all()
    assert np.isnan(first.outcome.rcrb_rad).all()
    assert np.isfinite(first.outcome.angle_rad).all()
    assert np.allclose(first.sent["east"], expected_burst(None)[1], rtol=0, atol=1e-7)  # single precision


def test_every_later_frame_has_a_payload() -> None:
    for done in through()[0][1:]:
        assert done.decision.precoder is not None
        assert np.isfinite(done.outcome.sinr).all()
        assert np.isfinite(done.outcome.predicted_sinr).all()


def test_each_decision_is_taken_on_the_frames_before_alone() -> None:
    frames, listening = through()
    assert [index for index, _ in listening.asked] == list(range(FRAMES))
    assert listening.asked[0][1] is None
    for index, knowledge in listening.asked[1:]:
        assert same(knowledge, knowledge_before(frames, index))


def test_what_comes_later_changes_nothing_before() -> None:
    """The first frames of a longer run are those of a shorter one, to the bit."""
    for short, long in zip(run(range(3)), through()[0], strict=False):
        assert all(np.array_equal(short.captures[name].samples, long.captures[name].samples) for name in long.captures)
        for name, value in long.outcome.as_results().items():
            assert np.array_equal(short.outcome.as_results()[name], value, equal_nan=True), name


def test_a_run_twice_gives_the_same_results_to_the_bit() -> None:
    again = run(range(FRAMES))
    for one, other in zip(again, through()[0], strict=True):
        for name, value in other.outcome.as_results().items():
            assert one.outcome.as_results()[name].tobytes() == value.tobytes(), f"frame {one.index}: {name}"


def test_another_seed_gives_another_payload_and_noise() -> None:
    other = run(range(2), seed=SEED + 1)[1]
    one = through()[0][1]
    assert not np.array_equal(one.sent["west"], other.sent["west"])
    assert not np.array_equal(one.captures["ann"].samples, other.captures["ann"].samples)


def test_a_part_of_a_run_sends_what_the_whole_sent() -> None:
    """Decisions and knowledge of the whole run given, the samples to send are equal to the bit; only noise is not."""
    frames, _ = through()
    designer = RecordedDesigner(lambda index: frames[index].decision)
    part = run(range(3, FRAMES), designer, knowledge_before(frames, 3))
    assert [done.index for done in part] == [3, 4, 5]
    for one, whole in zip(part, frames[3:], strict=True):
        assert one.start_s == whole.start_s
        assert all(np.array_equal(one.sent[name], whole.sent[name]) for name in whole.sent)
        assert np.array_equal(one.outcome.promised_sinr, whole.outcome.promised_sinr)
        assert one.outcome.designed == whole.outcome.designed
    # The prediction rests on the knowledge before the frame alone: no noise of this run is in it yet.
    assert np.array_equal(part[0].outcome.predicted_sinr, frames[3].outcome.predicted_sinr)


def test_a_part_of_a_run_starts_at_its_place_in_time() -> None:
    frames, _ = through()
    assert [done.start_s for done in frames] == pytest.approx([0.01 * index for index in range(FRAMES)])
    starts = [done.captures["ann"].start_s for done in frames]
    assert np.diff(starts) == pytest.approx(SCENARIO.frame.period_s)
    assert all(len({capture.start_s for capture in done.captures.values()}) == 1 for done in frames)


def test_any_frames_payload_can_be_drawn_again_alone() -> None:
    draws = {
        (seed, index): payload_rng(seed, index).integers(4, size=64).tobytes() for seed in (1, 2) for index in range(50)
    }
    assert len(set(draws.values())) == len(draws)
    assert payload_rng(1, 7).integers(4, size=64).tobytes() == draws[1, 7]


def test_power_is_in_watt() -> None:
    unequal = replace(SCENARIO, stations=(replace(SCENARIO.stations[0], power_dbm=20.0), SCENARIO.stations[1]))
    assert station_power(unequal) == pytest.approx([0.1, 1e-4])


def test_what_is_sent_is_the_precoded_payload_of_that_very_frame() -> None:
    frame = Frame(SCENARIO.frame, 2, 6)
    for done in through()[0][1:]:
        assert done.decision.precoder is not None
        symbols = frame.draw(payload_rng(SEED, done.index), 3)
        expected = expected_burst(done.decision.precoder.waveform(symbols))
        sent = np.stack([done.sent[name] for name in ("west", "east")])
        assert np.allclose(sent, expected, rtol=0, atol=1e-7)  # half a unit in the last place of single precision


def test_nothing_is_lost_when_a_caller_stops_early() -> None:
    """The loop is lazy: frames that nobody asks for are not sent."""
    with Bench(SCENARIO, Frame(SCENARIO.frame, 2, 6), SEED) as bench:
        calibrations = {
            name: LevelCalibration.nominal(can, bench.applied[name]) for name, can in bench.capabilities.items()
        }
        loop = Loop(SCENARIO, SEED, bench, calibrations, LiveDesigner(SCENARIO, station_power(SCENARIO)))
        frames = loop.run(range(100))
        first = next(frames)
        now_s = next(iter(bench._radios.values())).time_s()
        assert now_s == pytest.approx(first.captures["west"].start_s + bench.frame.duration_s)


def test_a_clipped_capture_marks_its_frame() -> None:
    deaf = tuple(replace(user, rx_gain_db=100.0) for user in SCENARIO.users)
    air = replace(SCENARIO.air, impairments=replace(SCENARIO.air.impairments, adc_bits=12))
    done = run(range(1), scenario=replace(SCENARIO, users=deaf, air=air))[0]
    assert done.outcome.clipped
    assert not through()[0][0].outcome.clipped
