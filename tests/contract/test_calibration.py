"""The contract of every calibration: inverses of each other, honest levels, coefficients that have an inverse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import Calibration, CalibrationError, CoefficientError, LevelCalibration
from drivers import Capabilities, RadioSettings, Range
from recordings import Capture

N_TX, N_RX = 4, 3
ANY = Range(-1e12, 1e12)


def capabilities(n_tx: int = N_TX, n_rx: int = N_RX, tx_dbm: float = 10.0, rx_dbm: float = -10.0) -> Capabilities:
    return Capabilities("model", "42", n_tx, n_rx, ANY, ANY, ANY, ANY, tx_dbm, rx_dbm, 0.0, ("a",) * n_tx, (), ())


def settings(tx_gain_db: float = -10.0, rx_gain_db: float = 40.0) -> RadioSettings:
    return RadioSettings(5.6e9, 1e6, tx_gain_db, rx_gain_db)


def nominal() -> Calibration:
    return LevelCalibration.nominal(capabilities(), settings())


def uneven() -> Calibration:
    """Channels that differ in level and phase, as a measured calibration has them."""
    rng = np.random.default_rng(5)
    tx = 0.03 * rng.uniform(0.5, 2, N_TX) * np.exp(2j * np.pi * rng.random(N_TX))
    rx = 1e-4 * rng.uniform(0.5, 2, N_RX) * np.exp(2j * np.pi * rng.random(N_RX))
    return LevelCalibration(tx, rx, "a test's")


MAKERS = pytest.mark.parametrize("make", [nominal, uneven], ids=["nominal", "uneven"])
seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(0, 33)
levels_dbm = st.floats(-150, 30)

# Converters' samples are complex64: half a unit in the last place is 6e-8 of a part, and a complex factor may move
# what is lost in the larger part into the smaller, so that the error is relative to the magnitude.
SINGLE = 2e-7


def samples(seed: int, channels: int, n: int, level_dbm: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = np.sqrt(10 ** ((level_dbm - 30) / 10))
    return np.asarray(scale * (rng.standard_normal((channels, n)) + 1j * rng.standard_normal((channels, n))))


def captured(digital: np.ndarray) -> Capture:
    return Capture("radio", digital.astype(np.complex64), 0.0, {})


@MAKERS
@given(seed=seeds, n=lengths, level_dbm=levels_dbm)
def test_apply_undoes_embed(make: Callable[[], Calibration], seed: int, n: int, level_dbm: float) -> None:
    calibration, ports = make(), samples(seed, N_RX, n, level_dbm)
    back = calibration.apply(captured(calibration.embed(ports)))
    assert back.shape == ports.shape
    assert np.all(np.abs(back - ports) <= SINGLE * np.abs(ports))


@MAKERS
@given(seed=seeds, n=lengths, level_dbm=levels_dbm)
def test_embed_undoes_apply(make: Callable[[], Calibration], seed: int, n: int, level_dbm: float) -> None:
    calibration, capture = make(), captured(samples(seed, N_RX, n, level_dbm))
    back = calibration.embed(calibration.apply(capture))
    assert np.all(np.abs(back - capture.samples) <= SINGLE * np.abs(capture.samples))


@MAKERS
@given(seed=seeds, n=lengths, level_dbm=levels_dbm)
def test_embed_tx_undoes_apply_tx(make: Callable[[], Calibration], seed: int, n: int, level_dbm: float) -> None:
    calibration, ports = make(), samples(seed, N_TX, n, level_dbm)
    digital = calibration.apply_tx(ports)
    assert digital.dtype == np.complex64
    assert np.all(np.abs(calibration.embed_tx(digital) - ports) <= SINGLE * np.abs(ports))


@MAKERS
@given(seed=seeds, n=lengths, level_dbm=levels_dbm)
def test_apply_tx_undoes_embed_tx(make: Callable[[], Calibration], seed: int, n: int, level_dbm: float) -> None:
    calibration, digital = make(), samples(seed, N_TX, n, level_dbm).astype(np.complex64)
    back = calibration.apply_tx(calibration.embed_tx(digital))
    assert np.all(np.abs(back - digital) <= SINGLE * np.abs(digital))


@MAKERS
def test_a_calibration_says_what_it_is(make: Callable[[], Calibration]) -> None:
    assert make().identity


@MAKERS
def test_samples_of_other_channels_than_calibrated_are_refused(make: Callable[[], Calibration]) -> None:
    """Neither one channel nor one too many may be stretched over the coefficients."""
    calibration = make()
    for wrong in (1, N_RX + 1):
        with pytest.raises((CalibrationError, ValueError)):
            calibration.apply(captured(np.ones((wrong, 5))))
    for wrong in (1, N_TX + 1):
        with pytest.raises((CalibrationError, ValueError)):
            calibration.apply_tx(np.ones((wrong, 5), dtype=complex))


@MAKERS
def test_what_a_calibration_gives_out_does_not_change_it(make: Callable[[], Calibration]) -> None:
    calibration = make()
    ports = np.ones((N_RX, 2), dtype=complex)
    before = calibration.embed(ports)
    for name in ("tx", "rx"):
        coefficients = getattr(calibration, name)
        if coefficients.flags.writeable:
            pytest.fail(f"{name} of a frozen calibration can be written to")
    assert np.array_equal(calibration.embed(ports), before)


def test_a_calibration_does_not_follow_the_array_it_was_made_from() -> None:
    tx, rx = np.ones(N_TX, dtype=complex), np.ones(N_RX, dtype=complex)
    calibration = LevelCalibration(tx, rx, "mine")
    rx[0] = 0.0
    assert np.all(calibration.rx == 1.0)


@given(full_scale_dbm=st.floats(-40, 40), gain_db=st.floats(-90, 30))
def test_a_sample_of_one_leaves_at_full_scale_plus_gain(full_scale_dbm: float, gain_db: float) -> None:
    calibration = LevelCalibration.nominal(capabilities(tx_dbm=full_scale_dbm), settings(tx_gain_db=gain_db))
    watt = np.abs(calibration.embed_tx(np.ones((N_TX, 1), dtype=np.complex64))) ** 2
    assert 10 * np.log10(watt) + 30 == pytest.approx(full_scale_dbm + gain_db, abs=1e-9)  # double precision


@given(full_scale_dbm=st.floats(-40, 40), gain_db=st.floats(-30, 120))
def test_full_scale_less_gain_arrives_as_a_sample_of_one(full_scale_dbm: float, gain_db: float) -> None:
    calibration = LevelCalibration.nominal(capabilities(rx_dbm=full_scale_dbm), settings(rx_gain_db=gain_db))
    watt = np.abs(calibration.apply(captured(np.ones((N_RX, 1))))) ** 2
    assert 10 * np.log10(watt) + 30 == pytest.approx(full_scale_dbm - gain_db, abs=1e-9)  # double precision


def test_a_receiver_without_transmitter_has_a_calibration() -> None:
    calibration = LevelCalibration.nominal(capabilities(n_tx=0, n_rx=1), settings())
    assert calibration.tx.shape == (0,)
    assert calibration.apply_tx(np.zeros((0, 7), dtype=complex)).shape == (0, 7)


@pytest.mark.parametrize("name", ["tx", "rx"])
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, complex(1.0, np.nan), complex(0.0, -np.inf)], ids=str)
def test_a_coefficient_without_inverse_is_refused(name: str, bad: complex) -> None:
    coefficients = {"tx": np.ones(N_TX, dtype=complex), "rx": np.ones(N_RX, dtype=complex)}
    coefficients[name][1] = bad
    with pytest.raises(CoefficientError, match=f"mine: {name}"):
        LevelCalibration(**coefficients, identity="mine")


@pytest.mark.parametrize("name", ["tx", "rx"])
@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_coefficients_that_are_not_one_per_channel_are_refused(name: str, shape: tuple[int, ...]) -> None:
    coefficients = {"tx": np.ones(N_TX, dtype=complex), "rx": np.ones(N_RX, dtype=complex)} | {name: np.ones(shape)}
    with pytest.raises(CoefficientError, match="one per channel"):
        LevelCalibration(**coefficients, identity="mine")
