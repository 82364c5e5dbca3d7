"""Samples to words and back: one scale, rounding, counted clipping, and what the words carry; addresses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import RadioNotFoundError, SampleLossError
from drivers.pluto.addresses import uris
from drivers.pluto.levels import TX_FULL_SCALE_DBM
from drivers.pluto.receive import samples_of
from drivers.pluto.transmit import BACK_OFF, FULL_SCALE_DBM, Words, fidelity, interleaved, words_of

SCALE = 2047 * BACK_OFF


def row(*samples: complex) -> np.ndarray:
    return np.array([samples], dtype=np.complex64)


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_words_are_rounded_to_the_converters_steps_and_left_aligned() -> None:
    words = words_of(row(0.4 / SCALE, 0.6 / SCALE, -0.6j / SCALE, 1.0, -1j))
    assert words.clipped == 0
    assert words.iq[0].tolist() == [[0, 0], [16, 0], [0, -16], [16 * round(SCALE), 0], [0, -16 * round(SCALE)]]


def test_the_back_off_is_one_decibel_and_part_of_the_full_scale() -> None:
    assert round(float(np.log10(np.max(words_of(row(1.0)).iq) / (16 * 2047)) * 20), 2) == -1.0
    assert pytest.approx(TX_FULL_SCALE_DBM - 1.0) == FULL_SCALE_DBM


def test_what_is_beyond_the_converter_is_clipped_and_counted() -> None:
    words = words_of(row(1.5 - 3j, 0.5, -1.2j))
    assert words.clipped == 3
    assert words.iq[0].tolist() == [[2047 * 16, -2047 * 16], [16 * round(0.5 * SCALE), 0], [0, -2047 * 16]]


def test_a_burst_is_never_scaled_to_itself() -> None:
    loud, soft = words_of(row(0.5, 0.25)).iq, words_of(row(0.05, 0.025)).iq
    assert abs(int(loud[0, 0, 0]) - 10 * int(soft[0, 0, 0])) <= 5 * 16


@given(st.lists(st.complex_numbers(max_magnitude=1.0, allow_nan=False), min_size=1, max_size=20))
def test_no_sample_within_full_scale_is_more_than_half_a_step_off(samples: list[complex]) -> None:
    burst = np.array([samples], dtype=np.complex64)
    words = words_of(burst)
    carried = words.iq[..., 0] / 16 + 1j * (words.iq[..., 1] / 16)
    error = carried - burst * SCALE
    assert words.clipped == 0
    assert np.abs(error.real).max() <= 0.5 + 1e-3
    assert np.abs(error.imag).max() <= 0.5 + 1e-3


def test_a_buffer_holds_all_channels_with_zeros_where_nothing_is_asked() -> None:
    words = words_of(np.array([[0.5, 0.25j]], dtype=np.complex64))
    full, part = 16 * round(0.5 * SCALE), 16 * round(0.25 * SCALE)
    content = interleaved(words, n_channels=2, n_samples=3)
    assert content.tolist() == [[full, 0, 0, 0], [0, part, 0, 0], [0, 0, 0, 0]]
    assert interleaved(words, n_channels=1, n_samples=2).tolist() == [[full, 0], [0, part]]


def test_the_channels_of_a_buffer_are_in_their_order() -> None:
    words = words_of(np.array([[0.5], [0.25j]], dtype=np.complex64))
    assert interleaved(words, 2, 1).tolist() == [[16 * round(0.5 * SCALE), 0, 0, 16 * round(0.25 * SCALE)]]


def test_rounding_noise_is_what_the_theory_says() -> None:
    """A twelfth of a squared step on I and on Q, against the samples' power."""
    burst = (0.1 * noise(np.random.default_rng(1), 2, 4000)).astype(np.complex64)
    expected_db = 10 * np.log10(2 / 12 / (SCALE**2 * np.mean(np.abs(burst) ** 2)))
    found = fidelity(burst, words_of(burst))
    assert found.evm_db == pytest.approx(expected_db, abs=0.15)
    assert abs(found.port_gain_db) < 0.01
    assert abs(found.port_phase_rad) < 1e-3
    assert found.clipped == 0


def test_fidelity_shows_a_port_of_other_gain_and_phase() -> None:
    burst = (0.1 * noise(np.random.default_rng(2), 3, 2000)).astype(np.complex64)
    carried = burst * np.array([1, 1, 0.5 * np.exp(0.3j)])[:, None]
    found = fidelity(burst, words_of(carried.astype(np.complex64)))
    assert found.port_gain_db == pytest.approx(20 * np.log10(0.5), abs=0.02)
    assert found.port_phase_rad == pytest.approx(0.3, abs=2e-3)


def test_fidelity_of_a_port_that_is_too_weak_for_the_converter_is_the_truth() -> None:
    burst = np.array([[0.5] * 8, [1e-5] * 8], dtype=np.complex64)
    found = fidelity(burst, words_of(burst))
    assert found.port_gain_db == -np.inf


def test_fidelity_of_silence_is_unknown() -> None:
    assert np.isnan(fidelity(row(0, 0), words_of(row(0, 0))).evm_db)


def test_received_words_become_samples_of_full_scale_one() -> None:
    content = np.array([1024, -512, 0, 2047, -2048, 0, 1, -1], dtype="<i2")
    samples, clipped = samples_of(bytearray(content.tobytes()), 2, 2, "west")
    assert clipped
    assert samples.dtype == np.complex64
    assert samples.tolist() == [[0.5 - 0.25j, -1.0], [2047j / 2048, (1 - 1j) / 2048]]


@pytest.mark.parametrize(("word", "clips"), [(2046, False), (2047, True), (-2047, False), (-2048, True)])
def test_a_converter_at_its_limit_is_told(word: int, clips: bool) -> None:
    content = bytearray(np.array([0, word], dtype="<i2").tobytes())
    assert samples_of(content, 1, 1, "west")[1] is clips


@pytest.mark.parametrize("size", [0, 4, 12, 20])
def test_a_short_or_long_read_is_refused(size: int) -> None:
    with pytest.raises(SampleLossError, match=rf"west: {size // 4} of 4 samples"):
        samples_of(bytearray(size), 1, 4, "west")


def test_words_and_samples_are_inverse_but_for_rounding() -> None:
    """The transmit word is 16 times the receive word, and the back-off lies between."""
    burst = (0.2 * noise(np.random.default_rng(3), 2, 100)).astype(np.complex64)
    content = interleaved(words_of(burst), 2, 100) // 16
    samples, _ = samples_of(bytearray(content.astype("<i2").tobytes()), 2, 100, "west")
    assert np.abs(samples * 2048 / SCALE - burst).max() < 1 / SCALE


def test_words_of_nothing_are_nothing() -> None:
    words = words_of(np.zeros((0, 0), dtype=np.complex64))
    assert words == Words(words.iq, 0)
    assert words.iq.shape == (0, 0, 2)


@pytest.mark.parametrize(
    ("place", "units"),
    [
        ("ip:192.168.2.1", ("ip:192.168.2.1",)),
        ("ip:127.0.0.1:50001", ("ip:127.0.0.1:50001",)),
        ("ip:pluto.local", ("ip:pluto.local",)),
        ("usb:1.2.5", ("usb:1.2.5",)),
        ("usb:", ("usb:",)),
        ("ip:192.168.2.1+ip:192.168.3.1", ("ip:192.168.2.1", "ip:192.168.3.1")),
        ("usb:1.2.5+ip:127.0.0.1:65535", ("usb:1.2.5", "ip:127.0.0.1:65535")),
    ],
)
def test_an_address_names_units(place: str, units: tuple[str, ...]) -> None:
    assert uris("west", place) == units


@pytest.mark.parametrize(
    "place", ["", "192.168.2.1", "ip:", "ip:h:", "ip:h:65536", "ip:a b", "usb:1.2", "serial:0", "ip:a+", "ip:a++ip:b"]
)
def test_what_is_no_address_is_refused_with_the_forms(place: str) -> None:
    with pytest.raises(RadioNotFoundError, match=r"radio west: .*pluto:ip:192\.168\.2\.1.*pluto:usb:1\.2\.5"):
        uris("west", place)


def test_a_unit_stands_once_in_an_address() -> None:
    with pytest.raises(RadioNotFoundError, match="ip:a stands twice"):
        uris("west", "ip:a+ip:b+ip:a")
