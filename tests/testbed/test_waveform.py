"""Modulator and matched filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.waveform import Pulse


def symbols_of(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


@given(rate=st.integers(2, 8), roll_off=st.floats(0.05, 1.0), seed=st.integers(0, 2**31))
def test_detection_is_the_inverse_of_shaping(rate: int, roll_off: float, seed: int) -> None:
    pulse = Pulse(96, rate, roll_off)
    symbols = symbols_of(np.random.default_rng(seed), 3, 96)
    assert (
        np.abs(pulse.detect(pulse.spectrum_of(pulse.shape(symbols))) - symbols).max() < 1e-12
    )  # double precision, 100 symbols


def test_mean_power_is_kept() -> None:
    pulse = Pulse(256, 4, 0.25)
    symbols = symbols_of(np.random.default_rng(0), 256)
    assert np.mean(np.abs(pulse.shape(symbols)) ** 2) == pytest.approx(np.mean(np.abs(symbols) ** 2), rel=0.1)
    one = np.zeros(256, dtype=complex)
    one[100] = 1
    assert np.sum(np.abs(pulse.shape(one)) ** 2) == pytest.approx(4.0)  # unit symbol energy times samples per symbol


def test_noise_power_falls_by_the_oversampling() -> None:
    rng = np.random.default_rng(1)
    pulse = Pulse(2048, 4, 0.25)
    noise = pulse.detect(pulse.spectrum_of(symbols_of(rng, 32, 2048 * 4)))
    # 65,536 independent samples: standard deviation of the mean power 0.4 %
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(0.25, rel=0.02)


def test_a_fractional_delay_is_taken_back() -> None:
    rng = np.random.default_rng(2)
    pulse = Pulse(128, 4, 0.25)
    symbols = np.zeros(128, dtype=complex)
    symbols[32:96] = symbols_of(rng, 64)
    late = np.fft.ifft(np.fft.fft(pulse.shape(symbols)) * np.exp(-2j * np.pi * np.fft.fftfreq(512) * 1.37))
    assert np.abs(pulse.detect(pulse.spectrum_of(late), 1.37) - symbols).max() < 1e-12
    assert (
        np.abs(pulse.detect(pulse.spectrum_of(np.stack([late, late])), np.array([1.37, 1.37])) - symbols).max() < 1e-12
    )


def test_the_spectrum_ends_at_the_excess_bandwidth() -> None:
    pulse = Pulse(256, 4, 0.25)
    spectrum = np.abs(np.fft.fft(pulse.shape(symbols_of(np.random.default_rng(3), 256))))
    outside = np.abs(np.fft.fftfreq(1024, 0.25)) > 0.625 + 1e-9
    assert spectrum[outside].max() < 1e-9
