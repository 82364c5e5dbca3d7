"""The whole loop on radios that nobody aligned: the Plutos' scenario on simulated radios of the same faults."""

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from drivers.simulated.impairments import thermal_noise_power
from drivers.simulated.paths import Propagation
from precoding import sinr
from recordings import Recording
from testbed import experiment
from testbed.errors import AbilityError, UnalignedError
from testbed.frame import Frame
from testbed.loop import FrameDone, station_power
from testbed.measurement import Measurement
from testbed.measurement.csi_drift import channel_distance
from testbed.outcome import Outcome
from testbed.scenario import Scenario
from testbed.summary import Summary, ratio_interval
from testbed.world import scene

FRAMES, SEED = 40, 1
TEXT = re.sub('"pluto:[^"]*"', '"simulated"', Scenario.load("two_cells_pluto").text)
SCENARIO = Scenario.parse(TEXT, "apart.toml")
ALIGNED = Scenario.parse(
    re.sub("start_spread_s.*|impairments = {.*}", "", TEXT), "aligned.toml"
)  # the same on one clock and one oscillator
FRAME = Frame(SCENARIO.frame, SCENARIO.n_stations, SCENARIO.n_tx)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[FrameDone], Summary]:
    path, frames = tmp_path_factory.mktemp("apart") / "apart.h5", list[FrameDone]()
    summary = experiment.run(SCENARIO, frames=FRAMES, seed=SEED, output=path, listeners=[frames.append])
    return path, frames, summary


@cache
def true_channels() -> np.ndarray:
    """Every link's channel, (J, J, K, n_tx): nobody moves."""
    channels = np.zeros((2, 2, 1, 2), dtype=complex)
    stations, users = ["west", "east"], ["ann", "bob"]
    for path in Propagation(scene(SCENARIO, SEED)).at(0.0):
        if path.kind == "user":
            channels[stations.index(path.tx), users.index(path.rx), 0] += path.gain * path.tx_response
    return channels


def within(hits: int, trials: int, probability: float) -> bool:
    return bool(binom.ppf(0.001, trials, probability) <= hits <= binom.ppf(0.999, trials, probability))


def outcomes(frames: list[FrameDone]) -> list[Outcome]:
    return [done.outcome for done in frames]


def test_every_capture_says_that_nobody_aligned_it(recorded: tuple[Path, list[FrameDone], Summary]) -> None:
    for done in recorded[1]:
        assert {capture.flags for capture in done.captures.values()} == {("time-unaligned",)}


def test_a_replay_is_equal_to_the_bit_as_a_whole_and_in_part(recorded: tuple[Path, list[FrameDone], Summary]) -> None:
    path, frames, _ = recorded
    with Recording.open(path) as recording:
        assert {"link_delay_s", "link_offset_hz"} <= set(recording.result_names)
    for part in (slice(0, 12), slice(20, 24)):
        again: list[FrameDone] = []
        assert not experiment.replay(path, frames=part, listeners=[again.append]).differences
        for done in again:
            for name, value in done.outcome.as_results().items():
                assert value.tobytes() == frames[done.index].outcome.as_results()[name].tobytes(), name


def test_starts_and_crystals_are_those_of_the_scene(recorded: tuple[Path, list[FrameDone], Summary]) -> None:
    delays = np.array([outcome.link_delay_s for outcome in outcomes(recorded[1])])  # (T, J, J, K)
    assert np.max(np.abs(delays)) < 150e-6 + 0.2e-6  # half a spread each, of station and user
    apart = delays[:, 1] - delays[:, 0]
    assert np.std(apart) == pytest.approx(150e-6 / np.sqrt(6), rel=0.3)
    assert np.allclose(apart[:, 0], apart[:, 1], atol=0.1e-6)  # stations start apart by the same for every user
    offsets = np.array([outcome.link_offset_hz for outcome in outcomes(recorded[1])])
    ppm = np.array([[0.3 - 0.5, 0.3 + 0.2], [-0.4 - 0.5, -0.4 + 0.2]])[..., None]
    assert np.abs(offsets.mean(axis=0) - ppm * 2.45e3).max() < 1.0
    for outcome in outcomes(recorded[1]):
        own = np.arange(2)
        assert outcome.link_delay_s is not None
        assert np.array_equal(outcome.user_delay_s, outcome.link_delay_s[own, own])


def test_channels_keep_their_balls_and_their_phases(recorded: tuple[Path, list[FrameDone], Summary]) -> None:
    """Up to a phase of each link, which no precoder of CBF sees; it stays near the frame's before, for foresight."""
    soundings = [outcome.sounding for outcome in outcomes(recorded[1])]
    inside = [channel_distance(true_channels(), one.channels, cooperative=False) < one.csi_radius for one in soundings]
    assert np.mean(inside) > 0.95  # a phase that is fitted away leaves less error than the ball allows for
    for before, after in pairwise(soundings):
        turn = np.angle(np.sum(before.channels.conj() * after.channels, axis=-1))
        assert np.abs(turn).max() < 1e-9
    drift = np.array([outcome.channel_drift for outcome in outcomes(recorded[1])[1:]])
    noise = np.mean([2 * 2 * one.error_variance for one in soundings], axis=0)
    assert np.all(np.abs(drift.mean(axis=0)) < 4 * drift.std(axis=0) / np.sqrt(len(drift)))
    assert np.all(drift.std(axis=0) < noise)


def test_promises_are_kept_and_sinr_is_what_the_channels_make_of_the_precoder(
    recorded: tuple[Path, list[FrameDone], Summary],
) -> None:
    noise_w = thermal_noise_power(SCENARIO.frame.symbol_rate_hz, SCENARIO.air.noise_figure_db)
    ratio, covered = [], 0
    for done in recorded[1][1:]:
        assert done.decision.precoder is not None
        true = sinr(true_channels(), done.decision.precoder.weights, noise_w)
        assert np.all(true >= done.outcome.promised_sinr)
        covered += int(np.sum((done.outcome.sinr_low <= true) & (true <= done.outcome.sinr_high)))
        ratio.append(done.outcome.sinr / true)
    assert np.max(np.abs(10 * np.log10(np.mean(ratio, axis=0)))) < 0.1
    # Interference 40 dB over the noise: the interval ends at a hundredth of a decibel there, and covers more than 95 %
    assert covered >= binom.ppf(0.001, 2 * len(ratio), 0.95)
    assert recorded[2].designs == 1  # a link's phase is no reason to design anew


def test_angles_are_at_their_bound(recorded: tuple[Path, list[FrameDone], Summary]) -> None:
    for station in recorded[2].stations:
        assert station.array_output_snr_db > 15
        assert station.estimators == {"structured-ml": FRAMES - 1}
        low, high = ratio_interval(station.ratio, FRAMES - 1, confidence=0.999)  # a draw of its own on every processor
        assert low < 1 < high
        assert station.unexplained_share == 0


def test_the_same_on_one_clock_gives_the_same_within_its_noise(
    recorded: tuple[Path, list[FrameDone], Summary], tmp_path: Path
) -> None:
    """Sensing and CSI lose nothing by stations that start apart; SINR is that of the channels in either case."""
    aligned: list[FrameDone] = []
    output = tmp_path / "aligned.h5"
    summary = experiment.run(ALIGNED, frames=FRAMES, seed=SEED, output=output, listeners=[aligned.append])
    for one, other in zip(recorded[2].stations, summary.stations, strict=True):
        assert abs(one.array_output_snr_db - other.array_output_snr_db) < 0.5
        assert one.rcrb_rad == pytest.approx(other.rcrb_rad, rel=0.1)
        lows, highs = zip(
            *(ratio_interval(run.ratio, FRAMES - 1, confidence=0.999) for run in (one, other)), strict=True
        )
        assert max(lows) < min(highs)
    for done in aligned:
        assert done.outcome.link_delay_s is None
    radii = [np.mean([one.sounding.csi_radius for one in outcomes(run)[1:]]) for run in (recorded[1], aligned)]
    assert radii[0] < radii[1]  # the whole preamble tells more than its sounding, whatever the starts cost


def test_streams_of_two_stations_together_are_refused(tmp_path: Path) -> None:
    scheme = replace(SCENARIO.scheme, name="blp-comp", robustness="none")
    with pytest.raises(AbilityError, match=r"blp-comp combines transmit channels of west .* and east"):
        experiment.run(replace(SCENARIO, scheme=scheme), frames=3, seed=SEED, output=tmp_path / "refused.h5")


def test_symbols_that_count_on_those_of_another_cell_are_refused(
    recorded: tuple[Path, list[FrameDone], Summary],
) -> None:
    done = recorded[1][1]
    assert done.decision.precoder is not None
    symbols = FRAME.draw(np.random.default_rng(0), 1)
    block = replace(done.decision.precoder, scheme="slp-cbf", samples=np.zeros((2, 2, 128)), symbols=symbols)
    measurement = Measurement(FRAME, station_power(SCENARIO), cooperative=False, confidence=0.95)
    silence = np.zeros((2, FRAME.n_samples), dtype=complex)
    with pytest.raises(UnalignedError, match=r"slp-cbf needs stations that start together.*blp-cbf"):
        measurement.measure(
            [silence, silence],
            silence,
            np.zeros((2, 2, FRAME.n_samples), dtype=complex),
            precoder=block,
            symbols=symbols,
            knowledge=None,
            fresh=True,
            clipped=False,
            unaligned=True,
        )


def test_one_cell_alone_is_aligned_with_itself_and_may_use_any_scheme(tmp_path: Path) -> None:
    """Its users find its start and carrier as they do on any bench."""
    text = re.sub(r'\[\[(stations|users|targets)\]\]\nname = "(east|bob|stroller)"\n(.+\n)*', "", TEXT)
    alone = Scenario.parse(text, "alone.toml")
    assert (alone.n_stations, len(alone.users)) == (1, 1)
    alone = replace(alone, scheme=replace(alone.scheme, name="blp-comp"))
    frames: list[FrameDone] = []
    summary = experiment.run(alone, frames=12, seed=SEED, output=tmp_path / "alone.h5", listeners=[frames.append])
    assert all("time-unaligned" in done.captures["west"].flags for done in frames)
    assert summary.users[0].kept_share == 1.0
    assert summary.stations[0].ratio_low < 1 < summary.stations[0].ratio_high
