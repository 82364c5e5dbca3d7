"""The whole loop on the clean bench, 400 frames a scheme, against the truth that only the simulation knows."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from calibration import LevelCalibration
from drivers.simulated.impairments import thermal_noise_power
from drivers.simulated.paths import Propagation
from precoding import sinr
from testbed.bench import Bench
from testbed.designer import LiveDesigner
from testbed.frame import Frame
from testbed.loop import FrameDone, Loop, station_power
from testbed.outcome import Outcome
from testbed.scenario import Scenario
from testbed.summary import Summary, ratio_interval, summarise
from testbed.world import scene

FRAMES, SEED = 400, 1
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    scenario: Scenario
    outcomes: list[Outcome]
    summary: Summary
    inside_ball: np.ndarray
    true_sinr: np.ndarray
    covered: np.ndarray
    kept: np.ndarray


def true_channels(scenario: Scenario, propagation: Propagation, time_s: float) -> np.ndarray:
    """Every link's channel at an instant, (J, J, K, n_tx), from the paths themselves."""
    users = [user.name for user in scenario.ordered_users]
    stations = [station.name for station in scenario.stations]
    channels = np.zeros((2, 2, 3, 6), dtype=complex)
    for path in propagation.at(time_s):
        if path.kind == "user":
            m, k = divmod(users.index(path.rx), 3)
            channels[stations.index(path.tx), m, k] += path.gain * path.tx_response
    return channels


@cache
def run(name: str) -> Run:
    scenario = Scenario.load(name)
    propagation = Propagation(scene(scenario, SEED))
    noise_w = thermal_noise_power(scenario.frame.symbol_rate_hz, scenario.air.noise_figure_db)
    with Bench(scenario, Frame(scenario.frame, 2, 6), SEED) as bench:
        calibrations = {
            name: LevelCalibration.nominal(able, bench.applied[name]) for name, able in bench.capabilities.items()
        }
        loop = Loop(scenario, SEED, bench, calibrations, LiveDesigner(scenario, station_power(scenario)))
        frames: list[FrameDone] = list(loop.run(range(FRAMES)))
    ball, true, covered, kept = [], [], [], []
    for done in frames:
        channels = true_channels(scenario, propagation, done.start_s)
        error = np.linalg.norm(done.outcome.sounding.channels - channels, axis=-1)
        ball.append(error < done.outcome.sounding.csi_radius)
        if done.decision.precoder is not None:
            value = sinr(channels, done.decision.precoder.weights, noise_w)
            true.append(value)
            covered.append((done.outcome.sinr_low <= value) & (value <= done.outcome.sinr_high))
            kept.append(value >= done.outcome.promised_sinr)
    outcomes = [done.outcome for done in frames]
    summary = summarise(scenario, [done.start_s for done in frames], outcomes)
    return Run(scenario, outcomes, summary, *map(np.array, (ball, true, covered, kept)))


SCHEMES = pytest.mark.parametrize("name", ["two_cells", "two_cells_comp"])


@SCHEMES
def test_angle_errors_are_at_the_bound(name: str) -> None:
    """CBF against Slepian-Bangs, CoMP against Prop. 2; per cell and pooled, interval around 1 and below 1.15.

    The seed fixes symbols and noise, but a precoder's last digits are the processor's, and from them on frames are
    another draw on every kind of machine. So what must lie around 1 are intervals that miss it in one sound bench of a
    thousand; what must be excluded is excluded at 95 % (the two cells at 97.5 % each).
    """
    rows = run(name).summary.stations
    assert all(row.array_output_snr_db >= 15 for row in rows)
    pooled = float(np.sqrt(np.mean([row.ratio**2 for row in rows])))
    frames = 2 * (FRAMES - 1)
    low, high = ratio_interval(pooled, frames, confidence=0.999)
    assert low < 1.0 < high
    assert ratio_interval(pooled, frames)[1] < 1.15
    for cell in rows:
        low, high = ratio_interval(cell.ratio, FRAMES - 1, confidence=0.999)
        assert low < 1.0 < high
        assert ratio_interval(cell.ratio, FRAMES - 1, confidence=0.975)[1] < 1.2


@SCHEMES
def test_sinr_intervals_cover_the_truth(name: str) -> None:
    covered = run(name).covered
    assert covered.size >= 2000
    assert 0.93 <= covered.mean() <= 0.97


@SCHEMES
def test_measured_sinr_is_the_predicted_one(name: str) -> None:
    rows = run(name).summary.users
    assert abs(np.mean([row.measured_db - row.predicted_db for row in rows])) < 0.1


@SCHEMES
def test_measured_sinr_is_the_true_one(name: str) -> None:
    result = run(name)
    measured = np.array([outcome.sinr for outcome in result.outcomes if np.isfinite(outcome.sinr).all()])
    difference_db = 10 * np.log10(measured.mean(axis=0) / result.true_sinr.mean(axis=0))
    assert np.abs(difference_db).max() < 0.1  # 399 frames of 128 symbols: 0.03 dB standard error


def test_the_csi_ball_holds_the_true_channel_as_often_as_it_says() -> None:
    inside = np.concatenate([run(name).inside_ball.reshape(-1) for name in ("two_cells", "two_cells_comp")])
    assert inside.size >= 5000
    assert 0.94 <= inside.mean() <= 0.96


@SCHEMES
def test_the_promise_holds_for_the_true_channels(name: str) -> None:
    """The CSI ball holds each true channel with 95 %; what the worst case leaves makes broken promises rare."""
    kept = run(name).kept
    assert kept.sum() >= binom.ppf(0.001, kept.size, 0.95)


@SCHEMES
def test_the_choice_of_estimator_is_the_models(name: str) -> None:
    """Eq. (5) as printed: structured ML but for the false alarms of a test at one in a thousand."""
    rows = run(name).summary.stations
    used = {key: sum(row.estimators.get(key, 0) for row in rows) for key in ("structured-ml", "capon")}
    if name == "two_cells":
        assert used["capon"] <= binom.ppf(0.999, 2 * FRAMES, 1e-3)
        assert used["structured-ml"] > 0
    else:
        assert used == {"structured-ml": 0, "capon": 0}
