"""Each estimator on data made by its own model, against a bound or an exact law, seeded."""

import numpy as np
import pytest
from scipy.stats import binom, chi2

from precoding import crb_comp, crb_slepian_bangs, steering
from testbed.frame import CONSTELLATIONS, Frame
from testbed.measurement.angle_cbf import estimate_angle, sphericity
from testbed.measurement.angle_comp import estimate_angles, estimate_departures
from testbed.measurement.echo import estimate_delay
from testbed.measurement.front_end import without_dc
from testbed.measurement.stations import observe_station
from testbed.measurement.users import UserObserver
from testbed.scenario import FrameOptions

POWER = np.array([1.0, 0.5])
FRAME = Frame(FrameOptions(symbol_rate_hz=200e3), n_stations=2, n_tx=6)


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def within(hits: int, trials: int, probability: float) -> bool:
    """Whether a count is in the central 99.8 % of its binomial law."""
    return bool(binom.ppf(0.001, trials, probability) <= hits <= binom.ppf(0.999, trials, probability))


# ---------------------------------------------------------------- frame


def test_frame_and_its_options_agree_on_the_length() -> None:
    assert FRAME.pulse.n_symbols == FRAME.options.n_symbols(2)
    assert FRAME.duration_s == pytest.approx(FRAME.options.duration_s(2))


def test_pilots_of_all_antennas_are_orthogonal_and_of_constant_modulus() -> None:
    rows = FRAME.pilots.reshape(12, -1)
    assert np.allclose(rows @ rows.conj().T, 64 * np.eye(12), atol=1e-10)
    assert np.allclose(np.abs(rows), 1)


def test_a_clean_cable_returns_the_payload() -> None:
    rng = np.random.default_rng(0)
    payload = noise(rng, 2, 6, 128)
    got = FRAME.pulse.detect(FRAME.pulse.spectrum_of(FRAME.modulate(payload, POWER)))[..., FRAME.payload]
    error_vector = np.sqrt(np.mean(np.abs(got - payload) ** 2) / np.mean(np.abs(payload) ** 2))
    assert (
        20 * np.log10(error_vector) < -200
    )  # the issue asks for -60 dB; frequency-domain shaping leaves rounding only


def test_guard_and_tail_are_silent() -> None:
    symbols = FRAME.pulse.detect(FRAME.pulse.spectrum_of(FRAME.modulate(None, POWER)))
    assert np.abs(symbols[..., : FRAME.options.guard_symbols]).max() < 1e-12
    assert np.abs(symbols[..., FRAME.payload.start :]).max() < 1e-12


def test_sounding_and_sync_use_the_stations_power() -> None:
    symbols = FRAME.preamble(POWER)
    assert np.allclose(np.mean(np.sum(np.abs(symbols[..., FRAME.sounding]) ** 2, axis=1), axis=1), POWER)


# ---------------------------------------------------------------- users


def received_by_users(
    rng: np.random.Generator,
    channels: np.ndarray,
    payload: np.ndarray,
    variance: float,
    delay: np.ndarray,
    offset_hz: np.ndarray,
) -> np.ndarray:
    samples = np.einsum("unt,ntl->ul", channels, FRAME.modulate(payload, POWER))
    n = FRAME.n_samples
    samples = np.fft.ifft(np.fft.fft(samples) * np.exp(-2j * np.pi * np.fft.fftfreq(n) * delay[:, None]))
    samples *= np.exp(2j * np.pi * offset_hz[:, None] / FRAME.sample_rate_hz * np.arange(n))
    return samples + np.sqrt(4 * variance) * noise(rng, *samples.shape)  # 4 samples a symbol


@pytest.mark.parametrize(("largest_delay", "largest_offset_hz"), [(0.0, 0.0), (8.0, 3000.0)])
def test_users_find_timing_offset_channels_and_sinr(largest_delay: float, largest_offset_hz: float) -> None:
    """150 frames of six users in Rayleigh fading at 30 dB: every law at once, as the loop uses them."""
    rng = np.random.default_rng(4)
    observer, variance, frames = UserObserver(FRAME, POWER, 0.95), 1e-3, 150
    inside_ball = covered = 0
    timing_error, offset_error, excess = [], [], []
    for _ in range(frames):
        channels = noise(rng, 6, 2, 6) * np.array([[1, 0.5]] * 3 + [[0.5, 1]] * 3)[:, :, None]
        weights = noise(rng, 2, 6, 3) / np.sqrt(18)
        symbols = FRAME.draw(rng, 3)
        delay = rng.uniform(0, 1, 6) * largest_delay
        offset_hz = rng.uniform(-1, 1, 6) * largest_offset_hz
        samples = received_by_users(rng, channels, weights @ symbols, variance, delay, offset_hz)
        radiated = FRAME.preamble(POWER)
        radiated[..., FRAME.payload] = weights @ symbols
        report = observer.observe(samples, symbols.reshape(6, -1), radiated)
        middle = (FRAME.sounding.start + FRAME.sounding.stop - 1) / 2 * 4 + delay
        true = channels * np.exp(2j * np.pi * offset_hz * middle / FRAME.sample_rate_hz)[:, None, None]
        error = np.linalg.norm(report.state.channels - true, axis=-1)
        inside_ball += int(np.sum(error < report.state.radius))
        excess.append(error**2 / (6 * 6 * variance / (64 * POWER)))
        powers = np.abs(np.einsum("unt,ntk->unk", channels, weights).reshape(6, 6)) ** 2
        own = np.diagonal(powers)
        sinr = own / (powers.sum(axis=1) - own + variance)
        assert report.payload is not None
        measured = report.payload.sinr
        covered += int(np.sum((measured.low <= sinr) & (sinr <= measured.high)))
        timing_error.append(report.timing.delay_samples - delay)
        offset_error.append(report.timing.offset_hz - offset_hz)
    assert within(covered, 6 * frames, 0.95)
    assert within(inside_ball, 12 * frames, 0.95)
    assert np.mean(excess) == pytest.approx(1.0, abs=0.05)  # timing and offset are estimated along, at no visible cost
    assert np.sqrt(np.mean(np.square(timing_error))) < 0.02  # of a sample; a channel in a fade is worse than the median
    assert np.sqrt(np.mean(np.square(offset_error))) < 8.0


def test_without_a_signal_the_sync_quality_says_so() -> None:
    rng = np.random.default_rng(5)
    report = UserObserver(FRAME, POWER, 0.95).observe(noise(rng, 6, FRAME.n_samples), None)
    assert report.payload is None
    assert np.all(report.timing.quality < 0.7)


# ---------------------------------------------------------------- angle

ANGLES = np.radians([10.0, -25.0])
LENGTH, N_RX, N_TX = 128, 10, 6


def echo(rng: np.random.Generator, echo_snr: float, off_target: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Paper eq. (5): two stations, random beams, QPSK, unit noise; sent (2, n_tx, L), received (n_rx, L)."""
    beams = np.stack(
        [np.column_stack([steering(N_TX, angle).conj() / N_TX, noise(rng, N_TX, 2) / 5]) for angle in ANGLES]
    )
    beams /= np.linalg.norm(beams, axis=(1, 2), keepdims=True)
    sent = beams @ CONSTELLATIONS["qpsk"][rng.integers(4, size=(2, 3, LENGTH))]
    gains = np.sqrt(echo_snr / LENGTH) * np.array([1.0, np.exp(1j) / np.sqrt(3)])
    arriving = sum(gain * steering(N_TX, angle) @ x for gain, angle, x in zip(gains, ANGLES, sent, strict=True))
    received = np.outer(steering(N_RX, ANGLES[0]), arriving) + noise(rng, N_RX, LENGTH)
    return sent, received + np.sqrt(off_target) * np.outer(steering(N_RX, 0.6), noise(rng, LENGTH))


def rms_interval(normalised: list[float]) -> tuple[float, float]:
    total, count = float(np.sum(np.square(normalised))), len(normalised)
    return float(np.sqrt(total / chi2.ppf(0.999, count))), float(np.sqrt(total / chi2.ppf(0.001, count)))


def test_structured_ml_meets_the_slepian_bangs_bound() -> None:
    rng = np.random.default_rng(6)
    errors = []
    for _ in range(600):
        sent, received = echo(rng, 30.0)
        found = estimate_angle(received, sent[0])
        gram = sent[0] @ sent[0].conj().T
        bound = crb_slepian_bangs(found.angle_rad, found.amplitude, gram, found.interference, found.noise, N_RX, LENGTH)
        errors.append((found.angle_rad - ANGLES[0]) / np.sqrt(bound))
        assert found.noise == pytest.approx(1.0, abs=0.15)  # 1,150 complex samples: 3 % standard error
    low, high = rms_interval(errors)
    assert low < 1.0 < high < 1.15


def test_joint_ml_meets_proposition_2() -> None:
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(600):
        sent, received = echo(rng, 30.0)
        found = estimate_angles(received, sent, 0)
        stacked = sent.reshape(-1, LENGTH)
        bound = crb_comp(0, found.angles_rad, found.amplitudes, stacked @ stacked.conj().T, found.noise, N_RX)
        errors.append((found.angles_rad[0] - ANGLES[0]) / np.sqrt(bound))
    low, high = rms_interval(errors)
    assert low < 1.0 < high < 1.15


def test_the_choice_of_estimator_raises_false_alarms_at_its_level_only() -> None:
    rng = np.random.default_rng(8)
    values = [estimate_angle(received, sent[0]).p_value for sent, received in (echo(rng, 30.0) for _ in range(1000))]
    assert within(int(np.sum(np.array(values) < 0.05)), 1000, 0.05)


def test_off_target_interference_makes_the_choice_fall_on_capon() -> None:
    rng = np.random.default_rng(9)
    found = [
        estimate_angle(received, sent[0]) for sent, received in (echo(rng, 100.0, off_target=3.0) for _ in range(40))
    ]
    assert all(item.estimator == "capon" for item in found)
    errors = np.array([item.angle_rad - ANGLES[0] for item in found])
    assert np.degrees(np.sqrt(np.mean(errors**2))) < 1.0


def test_with_fewer_snapshots_than_antennas_nothing_is_said_about_whiteness() -> None:
    assert sphericity(noise(np.random.default_rng(10), 10, 8), 0.1) == 1.0


def test_departure_angles_are_found_from_pilots() -> None:
    rng = np.random.default_rng(11)
    pilots = FRAME.pilots / np.sqrt(6)
    gains = np.array([0.4, 0.3 * np.exp(2j)])
    arriving = sum(gain * steering(6, angle) @ x for gain, angle, x in zip(gains, ANGLES, pilots, strict=True))
    clean = np.outer(steering(10, ANGLES[0]), arriving)
    found = estimate_departures(clean + 1e-3 * noise(rng, 10, 64), pilots, 0, float(ANGLES[0]))
    assert np.allclose(np.degrees(found.angles_rad), [10, -25], atol=0.1)  # a parabola on a grid of 2 degrees
    assert np.allclose(found.amplitudes, gains, rtol=0.02)


@pytest.mark.parametrize("delay", [0.0, 3.3, 17.6, 31.4])
def test_the_echos_delay_is_found_anywhere_in_the_gap(delay: float) -> None:
    rng = np.random.default_rng(12)
    payload = noise(rng, 2, 6, 128)
    sent = FRAME.modulate(payload, POWER)
    late = np.fft.ifft(
        np.fft.fft(steering(6, 0.2) @ sent[0]) * np.exp(-2j * np.pi * np.fft.fftfreq(FRAME.n_samples) * delay)
    )
    received = np.outer(steering(10, 0.2), late) + 0.5 * noise(rng, 10, FRAME.n_samples)
    spectrum = FRAME.pulse.spectrum_of(received)
    assert estimate_delay(FRAME, spectrum, payload[0], FRAME.payload) == pytest.approx(delay, abs=0.1)


@pytest.mark.parametrize("delay", [0.0, 3.3, 17.6])
def test_the_echos_delay_is_found_where_the_payload_leaves_the_target_in_the_dark(delay: float) -> None:
    """A design may do so, for slopes of beams tell angles, too; pilots light all directions."""
    rng = np.random.default_rng(14)
    response = steering(6, 0.2)
    dark = np.eye(6) - np.outer(response.conj(), response) / 6
    symbols = FRAME.preamble(POWER)
    symbols[..., FRAME.payload] = dark @ noise(rng, 2, 6, 128)
    late = FRAME.pulse.delayed(response @ symbols[0], np.array(delay))
    assert np.abs(late[FRAME.payload]).max() < 0.1 * np.abs(late[FRAME.sounding]).max()
    samples = FRAME.pulse.shape(np.outer(steering(10, 0.2), late)) + 0.5 * noise(rng, 10, FRAME.n_samples)
    report = observe_station(FRAME, 0, samples, symbols, cooperative=False, payload=True)
    assert report.delay_samples == pytest.approx(delay, abs=0.5)


def test_dc_is_removed_only_where_it_stands_out() -> None:
    rng = np.random.default_rng(13)
    samples = noise(rng, 2, FRAME.n_samples)
    assert np.array_equal(without_dc(FRAME, samples), samples)
    shifted = without_dc(FRAME, samples + np.array([[0.0], [5.0]]))
    assert np.array_equal(shifted[0], samples[0])
    assert abs(np.mean(shifted[1] - samples[1])) < 0.4  # 128 guard samples: standard error 0.09
