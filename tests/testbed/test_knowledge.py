"""What the loop knows between two frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.knowledge import SMOOTHING, Knowledge, after
from testbed.outcome import Outcome, Sounding
from testbed.tracking import MISSES

J, K, N_TX, N_RX = 2, 3, 4, 5
PERIOD_S = 0.01
POWER = np.array([1e-4, 2e-4])


def sounding(rng: np.random.Generator) -> Sounding:
    return Sounding(
        channels=rng.standard_normal((J, J, K, N_TX)) + 1j * rng.standard_normal((J, J, K, N_TX)),
        error_variance=rng.uniform(0.1, 1, (J, J, K)),
        csi_radius=rng.uniform(0.1, 1, (J, J, K)),
        user_noise=rng.uniform(1, 2, (J, K)) * 1e-14,
        departure_angles_rad=rng.uniform(-1, 1, (J, J)),
        reflections=rng.standard_normal((J, J)) + 1j * rng.standard_normal((J, J)),
        radar_noise=rng.uniform(1, 2, J) * 1e-14,
    )


def outcomes(count: int, seed: int = 0) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    users, stations = np.zeros((J, K)), np.zeros(J)
    return [
        Outcome(
            sounding=sounding(rng),
            user_delay_s=users,
            user_offset_hz=users,
            sync_quality=users,
            echo_delay_s=stations,
            angle_rad=rng.uniform(-1, 1, J),
            estimator=np.zeros(J, dtype=np.int64),
            p_value=stations,
            fit_p_value=stations,
            angle_deviation_rad=np.full(J, 10.0),  # so little is known that nothing is doubted
            expected_rmse_rad=stations,
            predicted_angle_rad=stations,
            predicted_deviation_rad=stations,
            echo_faults=np.zeros(J, dtype=np.int64),
            user_faults=np.zeros((J, K), dtype=np.int64),
            rcrb_rad=np.full(J, np.nan),
            design_rcrb_rad=stations,
            array_output_snr=stations,
            promised_sinr=users,
            predicted_sinr=users,
            sinr=users,
            sinr_low=users,
            sinr_high=users,
            channel_drift=np.zeros((J, J, K)),
            prediction_error=np.zeros((J, J, K)),
            channel_p_value=users,
            symbol_errors=np.zeros((J, K), dtype=np.int64),
            signal=users,
            intra_cell=users,
            inter_cell=users,
            noise=users,
            margin_quantiles=np.zeros((J, K, 11)),
            clipped=False,
            designed=False,
            design_gap=np.nan,
        )
        for _ in range(count)
    ]


def folded(rows: list[Outcome]) -> Knowledge:
    knowledge = Knowledge.first(rows[0], PERIOD_S)
    for outcome in rows[1:]:
        knowledge = knowledge.after(outcome, PERIOD_S)
    return knowledge


@given(count=st.integers(1, 40), seed=st.integers(0, 1000))
def test_noise_is_the_plain_mean_over_all_frames(count: int, seed: int) -> None:
    rows = outcomes(count, seed)
    knowledge = folded(rows)
    assert knowledge.frames == count
    for name in ("user_noise", "radar_noise"):
        mean = np.mean([getattr(row.sounding, name) for row in rows], axis=0)
        assert np.allclose(getattr(knowledge.sounding, name), mean, rtol=1e-13, atol=0)  # 40 roundings


def test_channels_and_echoes_are_the_last() -> None:
    rows = outcomes(4)
    knowledge = folded(rows)
    for name in ("channels", "error_variance", "csi_radius", "reflections"):
        assert np.array_equal(getattr(knowledge.sounding, name), getattr(rows[-1].sounding, name)), name


def test_cross_angles_forget_by_the_smoothing_weight() -> None:
    """A step is reached to 1 - (1 - w)^n after n frames."""
    first, second = outcomes(2)
    step = folded([first] + 5 * [second]).sounding.departure_angles_rad - first.sounding.departure_angles_rad
    whole = second.sounding.departure_angles_rad - first.sounding.departure_angles_rad
    assert step == pytest.approx(whole * (1 - (1 - SMOOTHING) ** 5), rel=1e-12)  # double precision


def test_cross_angles_that_stay_are_kept() -> None:
    row = outcomes(1)[0]
    kept = folded(10 * [row]).sounding.departure_angles_rad
    assert kept == pytest.approx(row.sounding.departure_angles_rad, rel=1e-13)  # double precision


def test_smoothing_reduces_the_scatter_of_cross_angles_as_its_weight_says() -> None:
    """First-order smoothing of white errors leaves w / (2 - w) of their variance."""
    rng = np.random.default_rng(1)
    still = outcomes(1)[0]
    noisy = [
        replace(still, sounding=replace(still.sounding, departure_angles_rad=rng.standard_normal((J, J))))
        for _ in range(4000)
    ]
    knowledge, seen = folded(noisy[:100]), []
    for outcome in noisy[100:]:
        knowledge = knowledge.after(outcome, PERIOD_S)
        seen.append(knowledge.sounding.departure_angles_rad)
    # 4 angles of 3900 frames, correlated over some 9: 1700 independent values, 3.4 % standard error of a variance.
    assert np.var(seen) == pytest.approx(SMOOTHING / (2 - SMOOTHING), rel=0.15)


def test_nothing_that_went_in_is_changed() -> None:
    first, second = outcomes(2)
    knowledge = Knowledge.first(first, PERIOD_S)
    before = first.sounding.user_noise.copy(), first.sounding.departure_angles_rad.copy()
    knowledge.after(second, PERIOD_S).network(POWER, N_RX, 32)
    assert np.array_equal(first.sounding.user_noise, before[0])
    assert np.array_equal(first.sounding.departure_angles_rad, before[1])


def test_the_network_takes_the_tracked_angles_for_the_own_paths() -> None:
    knowledge = folded(outcomes(3))
    network = knowledge.network(POWER, N_RX, 32)
    departure = knowledge.sounding.departure_angles_rad
    assert np.array_equal(network.arrival_angles, knowledge.angle_rad)
    assert np.array_equal(network.departure_angles.diagonal(), knowledge.angle_rad)
    assert network.departure_angles[0, 1] == departure[0, 1]
    assert network.departure_angles[1, 0] == departure[1, 0]
    assert departure[0, 0] != knowledge.angle_rad[0]  # else the test could not tell


def test_the_network_is_all_that_was_sounded() -> None:
    knowledge = folded(outcomes(3))
    network = knowledge.network(POWER, N_RX, 32)
    for name in ("channels", "reflections", "user_noise", "radar_noise", "csi_radius"):
        assert np.array_equal(getattr(network, name), getattr(knowledge.sounding, name)), name
    assert np.array_equal(network.power, POWER)
    assert (network.n_rx, network.block_length) == (N_RX, 32)


def test_the_reflections_of_a_doubted_angle_are_doubted_too() -> None:
    """An outlier changes nothing; a target that really is elsewhere is found when it is seen there again."""
    first, second, third = outcomes(3)
    sure = np.full(J, 1e-3)
    here = replace(first, angle_deviation_rad=sure)
    steady = replace(second, angle_rad=first.angle_rad, angle_deviation_rad=sure)
    knowledge = Knowledge.first(here, PERIOD_S)
    for _ in range(100):
        knowledge = knowledge.after(steady, PERIOD_S)
    jump = replace(third, angle_rad=first.angle_rad + np.array([0.0, 0.1]), angle_deviation_rad=sure)
    doubting = knowledge.after(jump, PERIOD_S)
    assert doubting.angle_rad == pytest.approx(first.angle_rad, abs=1e-3)
    assert np.array_equal(doubting.sounding.reflections[1], knowledge.sounding.reflections[1])
    assert np.array_equal(doubting.sounding.reflections[0], jump.sounding.reflections[0])
    again = doubting
    for _ in range(MISSES - 1):
        again = again.after(jump, PERIOD_S)
    assert again.angle_rad[1] == pytest.approx(jump.angle_rad[1])


def test_what_was_not_received_stays_as_it_was() -> None:
    first, second = outcomes(2)
    knowledge = Knowledge.first(first, PERIOD_S)
    channels = second.sounding.channels.copy()
    channels[:, 0, 1] = np.nan
    reflections = second.sounding.reflections.copy()
    reflections[1] = np.nan
    lost = replace(
        second,
        sounding=replace(second.sounding, channels=channels, reflections=reflections),
        angle_rad=np.array([second.angle_rad[0], np.nan]),
        angle_deviation_rad=np.array([10.0, np.nan]),
    )
    after_it = knowledge.after(lost, PERIOD_S)
    assert np.array_equal(after_it.sounding.channels[:, 0, 1], first.sounding.channels[:, 0, 1])
    assert np.array_equal(after_it.sounding.channels[:, 1], channels[:, 1])
    assert np.array_equal(after_it.sounding.reflections[1], first.sounding.reflections[1])
    assert after_it.angle_rad[1] == knowledge.tracks.after(PERIOD_S).angle_rad[1]


def test_a_first_frame_that_lacks_anything_teaches_nothing() -> None:
    first = outcomes(1)[0]
    assert after(None, first, PERIOD_S) is not None
    lost = replace(first, sounding=replace(first.sounding, radar_noise=np.array([1.0, np.nan])))
    assert after(None, lost, PERIOD_S) is None
    assert after(None, replace(first, clipped=True), PERIOD_S) is None
