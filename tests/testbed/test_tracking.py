"""Tracks of targets against what a Kalman filter must do."""

from __future__ import annotations

import numpy as np
import pytest

from testbed.tracking import GATE, MISSES, Tracks

PERIOD_S, NOISE_RAD = 0.01, np.radians(0.2)


def followed(truth: np.ndarray, seen: np.ndarray, noise_rad: float = NOISE_RAD) -> tuple[np.ndarray, np.ndarray]:
    """Errors of prediction and the deviations claimed, frame by frame, of one target."""
    variance = np.array([noise_rad**2])
    tracks = Tracks.started(seen[:1], variance)
    errors, claimed = [], []
    for true, estimate in zip(truth[1:], seen[1:], strict=True):
        tracks = tracks.after(PERIOD_S)
        errors.append(tracks.angle_rad[0] - true)
        claimed.append(tracks.deviation_rad[0])
        tracks = tracks.corrected(np.array([estimate]), variance)
    return np.array(errors), np.array(claimed)


def test_a_steady_target_is_followed_better_than_it_is_seen() -> None:
    rng = np.random.default_rng(0)
    truth = 0.3 + 0.1 * PERIOD_S * np.arange(4000)
    errors, claimed = followed(truth, truth + NOISE_RAD * rng.standard_normal(4000))
    assert np.sqrt(np.mean(errors[100:] ** 2)) < 0.7 * NOISE_RAD
    assert np.all(np.isfinite(claimed))


def test_the_filter_claims_what_it_gets_wrong() -> None:
    """With the acceleration that it assumes, the normalised errors have mean square 1."""
    from testbed.tracking import ACCELERATION_RAD_S2

    rng = np.random.default_rng(1)
    normalised = []
    for _ in range(40):
        gusts = ACCELERATION_RAD_S2 * rng.standard_normal(300)
        rate = np.concatenate([[0.0], np.cumsum(gusts[:-1]) * PERIOD_S])
        truth = np.cumsum(np.concatenate([[0.0], rate[:-1] * PERIOD_S + gusts[:-1] * PERIOD_S**2 / 2]))
        errors, claimed = followed(truth, truth + NOISE_RAD * rng.standard_normal(300))
        normalised.append(np.mean((errors[60:] / claimed[60:]) ** 2))
    # 40 runs of some 20 independent errors each: 5 % standard error of a mean square, four of them allowed.
    assert np.mean(normalised) == pytest.approx(1.0, abs=0.2)


def test_an_outlier_changes_nothing_and_a_jump_is_believed_when_it_comes_again() -> None:
    variance = np.full(2, NOISE_RAD**2)
    tracks = Tracks.started(np.array([0.1, -0.4]), variance)
    for _ in range(50):
        tracks = tracks.after(PERIOD_S).corrected(np.array([0.1, -0.4]), variance)
    tracks = tracks.after(PERIOD_S)
    jump = np.array([0.1, -0.4 + 2 * GATE * NOISE_RAD])
    doubting = tracks.corrected(jump, variance)
    assert doubting.angle_rad[1] == tracks.angle_rad[1]
    assert doubting.missed.tolist() == [0, 1]
    again = doubting
    for _ in range(MISSES - 1):
        again = again.after(PERIOD_S).corrected(jump, variance)
    assert again.angle_rad[1] == jump[1]
    assert again.missed.tolist() == [0, 0]
    assert doubting.after(PERIOD_S).corrected(np.array([0.1, -0.4]), variance).missed.tolist() == [0, 0]


def test_what_is_not_seen_is_predicted_with_less_and_less_trust() -> None:
    variance = np.array([NOISE_RAD**2])
    tracks = Tracks.started(np.array([0.2]), variance)
    for step in range(1, 50):
        tracks = tracks.after(PERIOD_S).corrected(np.array([0.2 + 0.2 * PERIOD_S * step]), variance)
    blind, deviations = tracks, []
    for _ in range(20):
        blind = blind.after(PERIOD_S).corrected(np.array([np.nan]), np.array([np.nan]))
        deviations.append(blind.deviation_rad[0])
    assert np.all(np.diff(deviations) > 0)
    assert blind.angle_rad[0] == pytest.approx(tracks.angle_rad[0] + 20 * PERIOD_S * 0.2, abs=0.002)
    assert blind.missed[0] == 0
