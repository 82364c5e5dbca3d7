"""Predicted channels: against the band-limited processes they are for, and those they are not for."""

from __future__ import annotations

import numpy as np
import pytest

from precoding import steering
from testbed.channel_prediction import LEAST, MEMORY, predict_channels

WAVELENGTH_M = 0.0536  # at 5.6 GHz


def walking(rng: np.random.Generator, count: int, period_s: float, speed_m_s: float = 1.4) -> np.ndarray:
    """Soundings (count + 1, links, antennas) of users among 17 rays, unit power, 40 dB over the sounding's noise."""
    links, rays, antennas = 12, 17, 6
    doppler_hz = speed_m_s / WAVELENGTH_M * np.cos(rng.uniform(0, 2 * np.pi, (links, rays)))
    gains = np.exp(2j * np.pi * rng.random((links, rays))) / np.sqrt(rays)
    turning = np.exp(2j * np.pi * doppler_hz * np.arange(count + 1)[:, None, None] * period_s)
    seen = steering(antennas, rng.uniform(-1, 1, (links, rays)))
    return np.einsum("tlr,lr,lra->tla", turning, gains, seen)


def noisy(rng: np.random.Generator, clean: np.ndarray, snr_db: float = 40.0) -> np.ndarray:
    noise = rng.standard_normal(clean.shape) + 1j * rng.standard_normal(clean.shape)
    return clean + 10 ** (-snr_db / 20) / np.sqrt(2) * noise


def error(found: np.ndarray | None, truth: np.ndarray) -> float:
    assert found is not None
    return float(np.mean(np.abs(found - truth) ** 2))


def test_a_walkers_channel_is_known_a_frame_ahead() -> None:
    rng = np.random.default_rng(0)
    predicted, held = [], []
    for _ in range(10):
        clean = walking(rng, MEMORY, 0.01)
        heard = noisy(rng, clean[:-1])
        predicted.append(error(predict_channels(heard), clean[-1]))
        held.append(error(heard[-1], clean[-1]))
    assert np.mean(held) > 0.5  # a quarter of a wavelength a frame: the last sounding is worth little
    assert np.mean(predicted) < 0.025  # -16 dB; 120 links, of which some are harder


def test_a_loop_ten_times_slower_cannot_follow() -> None:
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(10):
        clean = walking(rng, MEMORY, 0.1)
        errors.append(error(predict_channels(noisy(rng, clean[:-1])), clean[-1]))
    assert np.mean(errors) > 0.08  # -11 dB: the band is five times as wide as soundings can show


def test_a_channel_that_stands_still_is_averaged() -> None:
    rng = np.random.default_rng(2)
    clean = walking(rng, MEMORY, 0.01, speed_m_s=0.0)
    found = error(predict_channels(noisy(rng, clean[:-1])), clean[-1])
    assert found < 0.5e-4  # eight soundings' mean has an eighth of 1e-4, learning the weights costs some of it


def test_too_few_soundings_give_no_prediction() -> None:
    rng = np.random.default_rng(3)
    assert predict_channels(walking(rng, LEAST, 0.01)[: LEAST - 1]) is None
    assert predict_channels(walking(rng, LEAST, 0.01)[:LEAST]) is not None


def test_links_are_predicted_apart() -> None:
    rng = np.random.default_rng(4)
    heard = noisy(rng, walking(rng, MEMORY, 0.01)).reshape(MEMORY + 1, 3, 4, 6)
    whole, alone = predict_channels(heard), predict_channels(heard[:, 1, 2])
    assert whole is not None
    assert alone == pytest.approx(whole[1, 2], rel=1e-9)  # double precision
