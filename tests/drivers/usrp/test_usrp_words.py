"""What rounding to 16-bit words costs, and how a full converter is told."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.usrp.words import FULL_SCALE, evm_db, n_clipped


@pytest.mark.parametrize("level_db", [0.0, -20.0, -60.0])
def test_the_error_is_that_of_uniform_rounding(level_db: float) -> None:
    """A step of 1 / 32767 in I and in Q: a twelfth of its square each."""
    rng = np.random.default_rng(3)
    amplitude = 10 ** (level_db / 20) * 0.3
    samples = (amplitude * (rng.standard_normal((2, 20_000)) + 1j * rng.standard_normal((2, 20_000)))).astype(
        np.complex64
    )
    expected_db = 10 * np.log10(2 / 12 / FULL_SCALE**2 / np.mean(np.abs(samples) ** 2))
    assert evm_db(samples) == pytest.approx(expected_db, abs=0.2)


def test_silence_has_no_error() -> None:
    assert np.isnan(evm_db(np.zeros((1, 10), np.complex64)))
    assert np.isnan(evm_db(np.zeros((0, 0), np.complex64)))


@pytest.mark.parametrize("scale", [1.0, 0.813])
def test_a_full_converter_is_told_whatever_the_scale(scale: float) -> None:
    rng = np.random.default_rng(5)
    loud = 0.5 * (rng.standard_normal((2, 5000)) + 1j * rng.standard_normal((2, 5000)))
    full = np.clip(loud.real, -1, 1) + 1j * np.clip(loud.imag, -1, 1)
    words = np.rint(full * FULL_SCALE) / FULL_SCALE * scale
    beyond = np.count_nonzero(np.abs(loud.real) >= 1) + np.count_nonzero(np.abs(loud.imag) >= 1)
    assert beyond > 100
    assert beyond <= n_clipped(words.astype(np.complex64)) <= beyond + 3  # a few are rounded up to full scale


def test_neither_a_loud_nor_a_faint_signal_is_clipped() -> None:
    rng = np.random.default_rng(6)
    noise = rng.standard_normal((1, 5000)) + 1j * rng.standard_normal((1, 5000))
    for scale in (0.2, 3 / FULL_SCALE):
        assert n_clipped((np.rint(noise * scale * FULL_SCALE) / FULL_SCALE).astype(np.complex64)) == 0
    assert n_clipped(np.zeros((1, 0), np.complex64)) == 0
