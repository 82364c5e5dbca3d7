"""The precoder in force: what a recording keeps of a design, and what it sends."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from precoding import Design, Network, design
from testbed.errors import ReplayError
from testbed.frame import CONSTELLATIONS
from testbed.precoder import Precoder

RADIUS = np.zeros((2, 2, 2))
SCHEMES = pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])


def network() -> Network:
    """Two cells of two users and four antennas, strong enough that every target is met."""
    rng = np.random.default_rng(4)
    channels = rng.standard_normal((2, 2, 2, 4)) + 1j * rng.standard_normal((2, 2, 2, 4))
    channels[[0, 1], [1, 0]] *= 0.2
    arrival = np.radians([10.0, -20.0])
    departure = np.radians([[10.0, -30.0], [35.0, -20.0]])
    return Network(channels, arrival, departure, np.full((2, 2), 0.02 + 0.01j), 5, 1.0, 1e-2, 1e-2, 0.0, 32)


@cache
def answer(scheme: str) -> Design:
    return design(network(), scheme, min_sinr_db=5.0, robustness="none")


def symbols() -> np.ndarray:
    rng = np.random.default_rng(6)
    return np.asarray(np.exp(1j * np.pi / 4 * (2 * rng.integers(4, size=(2, 2, 32)) + 1)))


@SCHEMES
def test_the_waveform_is_that_of_the_design(scheme: str) -> None:
    waveform = Precoder.of(answer(scheme), RADIUS).waveform(symbols())
    assert waveform.shape == (2, 4, 32)
    # The same products in the same order; the last bit may depend on how the rows lie in memory.
    assert np.allclose(waveform, answer(scheme).waveform(symbols()), rtol=1e-13, atol=1e-15)


@SCHEMES
def test_a_stored_precoder_is_the_same_to_the_bit(scheme: str) -> None:
    precoder = Precoder.of(answer(scheme), RADIUS)
    again = Precoder.stored(precoder.arrays(), precoder.attributes())
    for name in precoder.arrays():
        assert getattr(again, name).tobytes() == getattr(precoder, name).tobytes(), name
        assert getattr(again, name).shape == getattr(precoder, name).shape, name
    assert (again.scheme, again.status, again.solve_time_s) == (precoder.scheme, precoder.status, precoder.solve_time_s)
    assert np.array_equal(again.waveform(symbols()), precoder.waveform(symbols()))


@SCHEMES
def test_promises_are_those_of_the_certificate(scheme: str) -> None:
    precoder, certificate = Precoder.of(answer(scheme), RADIUS), answer(scheme).certificate
    assert 10 * np.log10(precoder.promised_sinr) == pytest.approx(np.asarray(certificate.worst_sinr_db), abs=1e-12)
    assert np.array_equal(precoder.rcrb_rad, certificate.rcrb_rad)
    assert precoder.bound_rcrb_rad.tolist() == [certificate.bound_rcrb_rad] * 2


@SCHEMES
def test_the_average_power_keeps_the_budget(scheme: str) -> None:
    """Unit symbols that are white over streams radiate |W|_F^2; the certificate holds it to 1e-9."""
    weights = Precoder.of(answer(scheme), RADIUS).weights
    assert np.all(np.sum(np.abs(weights) ** 2, axis=(1, 2)) <= 1.0 + 1e-9)


def indices() -> np.ndarray:
    return np.random.default_rng(7).integers(4, size=(4, 32))


@cache
def waveform_answer(scheme: str) -> Design:
    return design(network(), scheme, min_sinr_db=5.0, robustness="none", symbols=indices())


SYMBOL_LEVEL = pytest.mark.parametrize("scheme", ["slp-cbf", "slp-comp"])


def block() -> np.ndarray:
    return CONSTELLATIONS["qpsk"][indices()].reshape(2, 2, 32)


@SYMBOL_LEVEL
def test_a_symbol_level_precoder_sends_the_samples_designed(scheme: str) -> None:
    precoder = Precoder.of(waveform_answer(scheme), RADIUS, block())
    assert np.array_equal(precoder.waveform(block()), np.asarray(waveform_answer(scheme).samples))
    assert precoder.weights is None


@SYMBOL_LEVEL
def test_a_stored_waveform_is_the_same_to_the_bit(scheme: str) -> None:
    precoder = Precoder.of(waveform_answer(scheme), RADIUS, block())
    again = Precoder.stored(precoder.arrays(), precoder.attributes())
    assert again.weights is None
    for name, value in precoder.arrays().items():
        assert getattr(again, name).tobytes() == value.tobytes(), name


@SYMBOL_LEVEL
def test_a_waveform_is_for_its_own_symbols_only(scheme: str) -> None:
    precoder = Precoder.of(waveform_answer(scheme), RADIUS, block())
    with pytest.raises(ReplayError, match="other symbols than this frame"):
        precoder.waveform(-block())


def test_everything_about_a_precoder_is_stored() -> None:
    stored: set[str] = set()
    for precoder in (
        Precoder.of(answer("blp-cbf"), RADIUS),
        Precoder.of(waveform_answer("slp-cbf"), RADIUS, block()),
    ):
        stored |= set(precoder.arrays()) | set(precoder.attributes())
    assert stored == set(precoder.__dataclass_fields__)
