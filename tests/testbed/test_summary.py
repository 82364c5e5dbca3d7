"""An experiment in a few numbers: on errors that are known, they must be right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from drivers.simulated.paths import Propagation
from testbed.measurement.health import NO_SYNC, UNEXPLAINED
from testbed.outcome import Outcome, Sounding
from testbed.scenario import Scenario, true_arrival_angles
from testbed.summary import Summary, ratio_interval, summarise
from testbed.world import scene

SCENARIO = Scenario.load("two_cells")
STILL = replace(SCENARIO, targets=tuple(replace(target, velocity_m_s=(0.0, 0.0)) for target in SCENARIO.targets))
TRUE = true_arrival_angles(STILL, 0.0)
J, K, N_TX = 2, 3, 6


def sounding() -> Sounding:
    links = np.ones((J, J, K))
    return Sounding(
        np.ones((J, J, K, N_TX), complex),
        links,
        links,
        links[0],
        np.zeros((J, J)),
        np.ones((J, J), complex),
        np.ones(J),
    )


def outcome(
    error: np.ndarray | None = None,
    bound: float = 0.01,
    sinr: np.ndarray | float = 20.0,
    *,
    payload: bool = True,
    received: bool = True,
) -> Outcome:
    """A frame whose angles miss the truth by a given error."""
    users, nothing = np.ones((J, K)), np.full((J, K), np.nan)
    measured = sinr * users if payload and received else nothing
    stations = np.ones(J) if payload else np.full(J, np.nan)
    return Outcome(
        sounding=sounding(),
        user_delay_s=users,
        user_offset_hz=users,
        sync_quality=users,
        echo_delay_s=np.ones(J),
        angle_rad=TRUE + (np.zeros(J) if error is None else error),
        estimator=np.array([0, 1]),
        p_value=stations,
        fit_p_value=stations,
        angle_deviation_rad=bound * np.ones(J),
        expected_rmse_rad=3 * bound * stations,
        predicted_angle_rad=TRUE + 0.002,
        predicted_deviation_rad=np.full(J, 0.001),
        echo_faults=np.array([0, UNEXPLAINED]),
        user_faults=np.full((J, K), 0 if received else NO_SYNC),
        rcrb_rad=bound * stations,
        design_rcrb_rad=2 * bound * stations,
        array_output_snr=100.0 * stations,
        promised_sinr=10.0 * measured / measured if payload else nothing,
        predicted_sinr=15.0 * measured / measured if payload else nothing,
        sinr=measured,
        sinr_low=0.8 * measured,
        sinr_high=1.2 * measured,
        channel_drift=np.zeros((J, J, K)),
        prediction_error=np.zeros((J, J, K)),
        channel_p_value=0.5 * measured / measured if payload else nothing,
        symbol_errors=np.full((J, K), 32),
        signal=measured,
        intra_cell=0.1 * measured,
        inter_cell=0.01 * measured,
        noise=0.001 * measured,
        margin_quantiles=np.full((J, K, 11), np.nan),
        clipped=False,
        designed=False,
        design_gap=1e-5,
    )


def summary(rows: list[Outcome], scenario: Scenario = STILL) -> Summary:
    return summarise(scenario, [0.01 * index for index in range(len(rows))], rows)


def test_errors_are_against_the_scenarios_geometry() -> None:
    rows = [outcome(np.array([0.02, -0.01])), outcome(np.array([-0.04, -0.01]))]
    west, east = summary(rows).stations
    assert west.true_rad == pytest.approx(TRUE[0])
    assert west.estimated_rad == pytest.approx(TRUE[0] - 0.01)
    assert west.rmse_rad == pytest.approx(np.sqrt((0.02**2 + 0.04**2) / 2))
    assert east.rmse_rad == pytest.approx(0.01)
    assert east.ratio == pytest.approx(1.0)
    assert (west.rcrb_rad, west.design_rcrb_rad) == pytest.approx((0.01, 0.02))
    assert west.array_output_snr_db == pytest.approx(20.0)


def test_the_ratio_is_taken_frame_by_frame() -> None:
    """Bounds that change between frames must not be averaged before the division."""
    rows = [outcome(np.array([0.01, 0.01]), bound=0.01), outcome(np.array([0.1, 0.1]), bound=0.1)]
    assert summary(rows).stations[0].ratio == pytest.approx(1.0)


def test_estimators_are_counted_by_name() -> None:
    west, east = summary([outcome()] * 3).stations
    assert west.estimators == {"structured-ml": 3}
    assert east.estimators == {"capon": 3}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_the_interval_of_the_ratio_covers_as_often_as_it_says(count: int) -> None:
    rng = np.random.default_rng(count)
    ratios = np.sqrt(np.mean(rng.standard_normal((1000, count)) ** 2, axis=1))
    low, high = np.array([ratio_interval(ratio, count) for ratio in ratios]).T
    assert 0.93 <= np.mean((low < 1) & (high > 1)) <= 0.97  # 1000 draws: 0.7 % standard error


def test_the_interval_through_a_whole_summary_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        bounds = rng.uniform(0.001, 0.01, 5)
        rows = [outcome(bound * rng.standard_normal(2), bound=float(bound)) for bound in bounds]
        covered += [row.ratio_low < 1 < row.ratio_high for row in summary(rows).stations]
    assert 0.92 <= np.mean(covered) <= 0.98  # 600 draws: 0.9 % standard error


def test_the_interval_has_the_asked_tails() -> None:
    low, high = ratio_interval(1.2, 50, confidence=0.9)
    assert chi2.cdf(50 * (1.2 / low) ** 2, 50) == pytest.approx(0.95)
    assert chi2.cdf(50 * (1.2 / high) ** 2, 50) == pytest.approx(0.05)


def test_frames_without_payload_are_left_out() -> None:
    sounded = outcome(np.array([1.0, 1.0]), payload=False)
    both = summary([sounded, outcome(np.array([0.01, 0.01])), outcome(np.array([-0.01, 0.01]))])
    assert (both.frames, both.payload_frames) == (3, 2)
    assert both.stations[0].rmse_rad == pytest.approx(0.01)
    assert both.users[0].measured_db == pytest.approx(10 * np.log10(20.0))


def test_outliers_tracks_and_what_the_model_does_not_explain_are_told() -> None:
    rows = [outcome(np.array([0.06, 0.01]))] + 3 * [outcome(np.array([0.04, 0.01]))]
    west, east = summary(rows).stations
    assert (west.outlier_share, east.outlier_share) == (0.25, 0.0)  # more than five root bounds off
    assert west.track_ratio == pytest.approx(2.0)
    assert west.expected_rmse_rad == pytest.approx(0.03)
    assert (west.unexplained_share, east.unexplained_share) == (0.0, 1.0)


def test_frames_that_a_radio_did_not_receive_are_counted_by_what_was_missing() -> None:
    whole = summary([outcome(), outcome(received=False), outcome()])
    assert whole.faulty == {"no sync": 1}
    assert whole.payload_frames == 2


def test_the_powers_of_paper_eq_31_are_under_the_own_signal() -> None:
    user = summary([outcome(), outcome(sinr=40.0)]).users[0]
    assert (user.intra_cell_db, user.inter_cell_db, user.noise_db) == pytest.approx((-10.0, -20.0, -30.0))
    assert user.symbol_error_rate == pytest.approx(32 / SCENARIO.frame.payload_symbols)


def test_a_single_payload_frame_has_no_interval_but_a_mean() -> None:
    row = summary([outcome(np.array([0.01, 0.01]))])
    assert row.users[0].measured_db == pytest.approx(10 * np.log10(20.0))
    assert np.isnan([row.users[0].low_db, row.users[0].high_db]).all()
    assert row.stations[0].ratio_low < row.stations[0].ratio < row.stations[0].ratio_high


@pytest.mark.parametrize("rows", [[], [outcome(payload=False)]], ids=["no frame", "a frame that only sounds"])
def test_without_payload_there_is_nothing_to_summarise(rows: list[Outcome]) -> None:
    row = summary(rows)
    assert (row.frames, row.payload_frames, row.stations, row.users) == (len(rows), 0, (), ())


def test_designs_and_clipped_frames_are_counted_over_all_frames() -> None:
    rows = [replace(outcome(payload=False), clipped=True), replace(outcome(), designed=True, clipped=True), outcome()]
    assert (summary(rows).designs, summary(rows).clipped_frames) == (1, 2)


def test_starts_and_outcomes_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="zip"):
        summarise(STILL, [0.0], [outcome(), outcome()])


def test_mean_and_interval_of_the_sinr_are_students() -> None:
    values = np.array([18.0, 20.0, 25.0])
    user = summary([outcome(sinr=value) for value in values]).users[0]
    half = 4.302653 * values.std(ddof=1) / np.sqrt(3)  # 97.5 % quantile of Student's t with 2 degrees of freedom
    assert user.measured_db == pytest.approx(10 * np.log10(values.mean()))
    assert 10 ** (user.low_db / 10) == pytest.approx(values.mean() - half, rel=1e-6)
    assert 10 ** (user.high_db / 10) == pytest.approx(values.mean() + half, rel=1e-6)
    assert (user.promised_db, user.predicted_db) == pytest.approx((10.0, 10 * np.log10(15.0)))


def test_the_interval_of_the_sinr_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(150):
        users = summary([outcome(sinr=20 + rng.standard_normal((J, K))) for _ in range(8)]).users
        covered += [user.low_db < 10 * np.log10(20.0) < user.high_db for user in users]
    assert 0.93 <= np.mean(covered) <= 0.97  # 900 draws: 0.7 % standard error


def test_a_frame_is_kept_if_its_interval_reaches_the_promise() -> None:
    above, reaching, below = (outcome(sinr=value) for value in (12.0, 9.0, 5.0))  # 9 * 1.2 > 10 > 5 * 1.2
    assert summary([above, reaching, below]).users[0].kept_share == pytest.approx(2 / 3)


def test_users_are_named_in_the_order_of_their_stations() -> None:
    shuffled = replace(STILL, users=STILL.users[::-1])
    sinr = np.arange(1.0, 7.0).reshape(J, K)
    rows = summary([outcome(sinr=sinr), outcome(sinr=sinr)], shuffled).users
    assert [row.station for row in rows] == 3 * ["west"] + 3 * ["east"]
    assert [row.name for row in rows] == [user.name for user in shuffled.ordered_users]
    assert 10 ** (np.array([row.measured_db for row in rows]) / 10) == pytest.approx(sinr.ravel())


def test_the_truth_moves_with_the_target() -> None:
    """The estimate is of the payload: the truth is the angle under which the simulation sends the frame's echo."""
    fast = replace(SCENARIO, targets=tuple(replace(t, velocity_m_s=(0.0, -20.0)) for t in SCENARIO.targets))
    start_s = 0.1
    middle_s = start_s + fast.frame_duration_s / 2  # an exchange sees the scene as it stands in its middle
    paths = [path for path in Propagation(scene(fast, 1)).at(middle_s) if path.kind == "echo"]
    seen = np.array([np.arcsin(np.angle(path.rx_response[1] / path.rx_response[0]) / np.pi) for path in paths])
    exact = replace(outcome(), angle_rad=seen)
    for row in summarise(fast, [start_s], [exact]).stations:
        # A hundredth of a degree; the bound of the shipped scenarios is 0.14 degrees. In half a frame the target moves
        # 18 mm, which is 0.07 degrees.
        assert np.degrees(row.rmse_rad) < 0.01
