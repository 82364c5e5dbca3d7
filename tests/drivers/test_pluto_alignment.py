"""Finding transmissions in captures: exact in closed form, right or honest in noise, and each in its own place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import SampleLossError
from drivers.pluto.alignment import AUDIBLE, arrival, circular_mean, circular_spread, period, segment_spectra
from drivers.pluto.placing import hearings, placed, spread_s
from drivers.pluto.separation import Transmission, arrivals, hear, without
from testbed.frame import Frame
from testbed.scenario import FrameOptions

RATE_HZ = 560e3
OFFSET_HZ = 5e3
FRAME = Frame(FrameOptions(symbol_rate_hz=140e3, roll_off=1.0, gap_symbols=24, guard_symbols=64), 2, 2)
N = FRAME.n_samples


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.asarray((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2))


def frames(rng: np.random.Generator) -> np.ndarray:
    """Two stations' frames of unit power with random payloads, (2, 2, N)."""
    return FRAME.modulate(np.sqrt(0.5) * noise(rng, 2, 2, FRAME.options.payload_symbols), np.ones(2))


def turned(samples: np.ndarray, offset_hz: float) -> np.ndarray:
    return samples * np.exp(2j * np.pi * offset_hz * np.arange(samples.shape[-1]) / RATE_HZ)


def distance(lag: int, true: int) -> int:
    return min((lag - true) % N, (true - lag) % N)


@settings(max_examples=40, deadline=None)
@given(lag=st.integers(0, 99), n=st.integers(1, 100), seed=st.integers(0, 1000))
def test_without_noise_and_offset_every_delay_is_found_exactly(lag: int, n: int, seed: int) -> None:
    """No autocorrelation exceeds its value at delay 0 (Cauchy-Schwarz)."""
    burst = period(noise(np.random.default_rng(seed), 1, n), 100)
    received = np.roll(np.array([[1.0], [0.5j]]) @ burst, lag, axis=1)
    assert arrival(received, segment_spectra(burst, RATE_HZ, 0.0)).lag == lag


def test_the_correlation_is_that_of_the_definition() -> None:
    """Sum over segments and channel pairs of |sum_t r(t + lag) s*(t)|^2, written out."""
    rng = np.random.default_rng(0)
    burst, received = noise(rng, 2, 64), noise(rng, 3, 64)
    spectra = segment_spectra(burst.astype(np.complex64), 64.0, 64 * 0.4 / 16)  # segments of 16 samples
    assert spectra.shape == (4, 2, 64)
    parts = np.zeros((4, 2, 64), dtype=complex)
    for k in range(4):
        parts[k, :, 16 * k : 16 * k + 16] = burst[:, 16 * k : 16 * k + 16]
    power = [
        np.sum(np.abs(np.einsum("rt,kct->krc", np.roll(received, -lag, axis=1), parts.conj())) ** 2)
        for lag in range(64)
    ]
    assert arrival(received, spectra).lag == int(np.argmax(power))
    total = np.sum(np.fft.ifft(spectra), axis=0)  # the segments make up the burst, strongest first or not
    assert np.abs(total - burst).max() < 1e-5


def test_segments_are_so_short_that_the_largest_offset_does_not_turn_them() -> None:
    count = segment_spectra(frames(np.random.default_rng(1))[0], RATE_HZ, OFFSET_HZ).shape[0]
    assert N / RATE_HZ / count * OFFSET_HZ <= 0.5
    assert len(segment_spectra(frames(np.random.default_rng(1))[0], RATE_HZ, 0.0)) == 1


@pytest.mark.parametrize("offset_hz", [0.0, 2.5e3, 5e3])
@pytest.mark.parametrize(("snr_db", "found"), [(20.0, 1.0), (0.0, 1.0), (-5.0, 0.95), (-10.0, 0.7)])
def test_in_noise_a_delay_is_found_or_its_quality_says_that_it_is_not(
    snr_db: float, found: float, offset_hz: float
) -> None:
    rng = np.random.default_rng([int(snr_db + 50), int(offset_hz)])
    trials, right, wrong = 40, 0, 0
    for _ in range(trials):
        burst, lag = frames(rng)[0], int(rng.integers(N))
        signal = turned(np.roll(noise(rng, 1, 2) @ burst, lag, axis=1), offset_hz)
        power = np.mean(np.abs(signal) ** 2)
        received = signal + np.sqrt(power * 10 ** (-snr_db / 10)) * noise(rng, 1, N)
        at = arrival(received, segment_spectra(burst, RATE_HZ, OFFSET_HZ))
        right += at.audible and distance(at.lag, lag) <= 2
        wrong += at.audible and distance(at.lag, lag) > 2
    assert right >= found * trials
    assert wrong <= 0.05 * trials


def test_noise_alone_is_audible_as_rarely_as_promised() -> None:
    """Once in 10^4 captures at quality 4; at quality 1 once in 10: the tail is checked where it can be counted."""
    rng = np.random.default_rng(5)
    spectra = segment_spectra(frames(rng)[0], RATE_HZ, OFFSET_HZ)
    qualities = np.array([arrival(noise(rng, 1, N), spectra).quality for _ in range(150)])
    assert np.count_nonzero(qualities >= AUDIBLE) == 0
    assert 1 <= np.count_nonzero(qualities >= 1.0) <= 45  # of 150: neighbouring delays are correlated, so fewer


def test_own_echoes_are_found_deeper_in_noise_because_the_oscillator_is_shared() -> None:
    rng = np.random.default_rng(6)
    right = 0
    for _ in range(20):
        burst, lag = frames(rng)[0], int(rng.integers(N))
        received = np.roll(noise(rng, 2, 2) @ burst, lag, axis=1)
        received += np.sqrt(np.mean(np.abs(received) ** 2) * 10**1.6) * noise(rng, 2, N)  # -16 dB
        right += distance(arrival(received, segment_spectra(burst, RATE_HZ, 0.0)).lag, lag) <= 2
    assert right >= 18


@pytest.mark.parametrize("weaker_db", [0.0, 10.0, 20.0])
def test_beside_a_stronger_station_the_weaker_one_is_found_in_its_own_place(weaker_db: float) -> None:
    rng = np.random.default_rng(int(weaker_db))
    heard, wrong, strong = 0, 0, 0
    for _ in range(25):
        west, east = frames(rng)
        first = int(rng.integers(N))
        second = (first + int(rng.integers(-80, 81))) % N
        offsets = rng.uniform(-OFFSET_HZ, OFFSET_HZ, 2)
        received = turned(np.roll(np.exp(2j * np.pi * rng.random((1, 2))) @ west, first, axis=1), offsets[0])
        other = turned(np.roll(np.exp(2j * np.pi * rng.random((1, 2))) @ east, second, axis=1), offsets[1])
        received = received + 10 ** (-weaker_db / 20) * other + 0.003 * noise(rng, 1, N)
        sent = {"west": Transmission(west, RATE_HZ, OFFSET_HZ), "east": Transmission(east, RATE_HZ, OFFSET_HZ)}
        found = arrivals(received, sent)
        strong += distance(found["west"].lag, first) <= 2
        heard += found["east"].audible and distance(found["east"].lag, second) <= 2
        wrong += found["east"].audible and distance(found["east"].lag, second) > 2
    assert strong >= 24
    assert heard >= 17
    assert wrong <= 1


@pytest.mark.parametrize("offset_hz", [-4.9e3, -77.0, 0.0, 1234.5])
def test_the_carrier_offset_of_a_transmission_is_found(offset_hz: float) -> None:
    burst = frames(np.random.default_rng(8))[0]
    heard = hear(
        turned(np.roll(np.array([[1, 1j]]) @ burst, 321, axis=1), offset_hz), Transmission(burst, RATE_HZ, OFFSET_HZ)
    )
    assert heard.arrival.lag == 321
    assert heard.offset_hz == pytest.approx(offset_hz, abs=150.0)  # a tenth of what a segment resolves


def test_a_transmission_is_taken_out_and_nothing_else() -> None:
    rng = np.random.default_rng(9)
    west, east = frames(rng)
    strong = turned(np.roll(np.array([[1, 1j]]) @ west, 100, axis=1), 2e3)
    weak = 0.1 * np.roll(np.array([[1, -1]]) @ east, 90, axis=1)
    sent = Transmission(west, RATE_HZ, OFFSET_HZ)
    left = without(strong + weak, sent, hear(strong + weak, sent))
    assert np.sum(np.abs(left - weak) ** 2) < 0.3 * np.sum(np.abs(weak) ** 2)


def test_silent_transmitters_are_nowhere() -> None:
    silence = Transmission(np.zeros((2, N), dtype=np.complex64), RATE_HZ, OFFSET_HZ)
    assert arrivals(noise(np.random.default_rng(0), 1, N), {"west": silence}) == {}


@pytest.mark.parametrize(
    ("lags", "mean", "spread"),
    [([5], 5, 0), ([10, 20], 15, 10), ([95, 5], 0, 10), ([1, 2, 99], 1, 3), ([0, 50], None, 50), ([], None, 0)],
)
def test_delays_are_averaged_and_spread_on_a_circle(lags: list[int], mean: int | None, spread: int) -> None:
    assert circular_spread(lags, 100) == spread
    if mean is not None:
        assert circular_mean(lags, 100) == mean


def test_captures_are_put_in_place_by_the_own_burst_or_by_the_mean_of_the_others() -> None:
    rng = np.random.default_rng(10)
    west, east = (one.astype(np.complex64) for one in frames(rng))
    at_west = np.roll(noise(rng, 2, 2) @ west, 200, axis=1) + 0.2 * turned(
        np.roll(noise(rng, 2, 2) @ east, 260, axis=1), 900.0
    )
    at_user = turned(np.roll(west[:1], 1500, axis=1), -1e3) + turned(np.roll(east[:1], 1540, axis=1), 1e3)
    captured = {"west": at_west.astype(np.complex64), "user": at_user.astype(np.complex64)}
    heard = hearings(captured, {"west": west, "east": east}, RATE_HZ)
    assert [heard["west"][name].lag for name in ("west", "east")] == pytest.approx([200, 260], abs=1)
    assert spread_s(heard["west"], N, RATE_HZ) == pytest.approx(60 / RATE_HZ, abs=2 / RATE_HZ)
    own = placed("west", captured["west"], heard["west"], RATE_HZ)
    assert np.array_equal(own.samples, np.roll(captured["west"], -heard["west"]["west"].lag, axis=1))
    mean = placed("user", captured["user"], heard["user"], RATE_HZ)
    assert mean.measured["delay_s"] == pytest.approx(1520 / RATE_HZ, abs=1 / RATE_HZ)
    assert mean.measured["start_spread_s"] == pytest.approx(40 / RATE_HZ, abs=2 / RATE_HZ)


def test_who_hears_nobody_says_so() -> None:
    rng = np.random.default_rng(11)
    west = frames(rng)[0].astype(np.complex64)
    captured = {"user": noise(rng, 1, N).astype(np.complex64)}
    heard = hearings(captured, {"west": west}, RATE_HZ)
    with pytest.raises(SampleLossError, match=r"user: hears none of the transmitters.*5000 Hz"):
        placed("user", captured["user"], heard["user"], RATE_HZ)


def test_where_nobody_transmits_a_capture_stays_as_it_is() -> None:
    captured = noise(np.random.default_rng(12), 1, N).astype(np.complex64)
    one = placed("user", captured, {}, RATE_HZ)
    assert np.array_equal(one.samples, captured)
    assert np.isnan(one.measured["delay_s"])
