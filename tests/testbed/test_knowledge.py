"""What the loop knows between two frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.knowledge import SMOOTHING, Knowledge
from testbed.outcome import Outcome, Sounding

J, K, N_TX, N_RX = 2, 3, 4, 5
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
            rcrb_rad=np.full(J, np.nan),  # frames that only sounded: nothing is doubted
            design_rcrb_rad=stations,
            array_output_snr=stations,
            promised_sinr=users,
            predicted_sinr=users,
            sinr=users,
            sinr_low=users,
            sinr_high=users,
            clipped=False,
            designed=False,
            design_gap=np.nan,
        )
        for _ in range(count)
    ]


def folded(rows: list[Outcome]) -> Knowledge:
    knowledge = Knowledge(rows[0].sounding, rows[0].angle_rad)
    for outcome in rows[1:]:
        knowledge = knowledge.after(outcome)
    return knowledge


@given(count=st.integers(1, 40), seed=st.integers(0, 1000))
def test_noise_is_the_plain_mean_over_all_frames(count: int, seed: int) -> None:
    rows = outcomes(count, seed)
    knowledge = folded(rows)
    assert knowledge.frames == count
    for name in ("user_noise", "radar_noise"):
        mean = np.mean([getattr(row.sounding, name) for row in rows], axis=0)
        assert np.allclose(getattr(knowledge.sounding, name), mean, rtol=1e-13, atol=0)  # 40 roundings


def test_channels_echoes_and_angles_are_the_last() -> None:
    rows = outcomes(4)
    knowledge = folded(rows)
    for name in ("channels", "error_variance", "csi_radius", "reflections"):
        assert np.array_equal(getattr(knowledge.sounding, name), getattr(rows[-1].sounding, name)), name
    assert np.array_equal(knowledge.angle_rad, rows[-1].angle_rad)


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
        knowledge = knowledge.after(outcome)
        seen.append(knowledge.sounding.departure_angles_rad)
    # 4 angles of 3900 frames, correlated over some 9: 1700 independent values, 3.4 % standard error of a variance.
    assert np.var(seen) == pytest.approx(SMOOTHING / (2 - SMOOTHING), rel=0.15)


def test_nothing_that_went_in_is_changed() -> None:
    first, second = outcomes(2)
    knowledge = Knowledge(first.sounding, first.angle_rad)
    before = first.sounding.user_noise.copy(), first.sounding.departure_angles_rad.copy()
    knowledge.after(second).network(POWER, N_RX, 32)
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


def test_a_jump_is_believed_when_it_comes_twice() -> None:
    """An outlier and its reflections change nothing; a target that really is elsewhere is found one frame later."""
    first, second, third = outcomes(3)
    start = Knowledge(first.sounding, first.angle_rad)
    here = start.angle_rad
    steady = replace(second, angle_rad=here, rcrb_rad=np.full(J, 1e-3))
    jump = replace(third, angle_rad=here + np.array([0.0, 0.1]), rcrb_rad=np.full(J, 1e-3))
    tracked = start.after(steady)
    doubting = tracked.after(jump)
    assert np.array_equal(doubting.angle_rad, here)
    assert np.array_equal(doubting.sounding.reflections[1], tracked.sounding.reflections[1])
    assert np.array_equal(doubting.sounding.reflections[0], jump.sounding.reflections[0])
    assert np.array_equal(doubting.after(steady).angle_rad, here)
    assert np.array_equal(doubting.after(jump).angle_rad, jump.angle_rad)
