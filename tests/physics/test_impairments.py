"""Each impairment against its closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from drivers.simulated.impairments import (
    carrier_frequency_offset,
    convert,
    dc_offset,
    fractional_delay,
    iq_imbalance,
    iq_imbalance_coefficients,
    oscillator_phase,
    phase_noise,
    power_amplifier,
    sample_clock_offset,
    thermal_noise,
    thermal_noise_power,
)

Complex = NDArray[np.complex128]

Samples = NDArray[np.complexfloating]

RATE_HZ = 800e3
PROPERTY = settings(deadline=None, derandomize=True)  # the same examples on a slow and on a fast machine
ROUNDING = 1e-12  # double precision, some hundred operations of magnitude 1 deep


def tone(frequency_hz: float, n_samples: int = 1536, start_s: float = 0.0) -> Complex:
    t_s = start_s + np.arange(n_samples) / RATE_HZ
    return np.asarray(np.exp(2j * np.pi * frequency_hz * t_s))


def noise(*shape: int) -> Complex:
    parts = np.random.default_rng(0).standard_normal((2, *shape))
    return np.asarray(parts[0] + 1j * parts[1])


def pulse(center_s: float, n_samples: int = 1536, width_s: float = 5e-6) -> Complex:
    """Return a Gaussian pulse on a carrier of 37 kHz; its spectrum has fallen below 1e-30 at half the sample rate."""
    t_s = np.arange(n_samples) / RATE_HZ - center_s
    return np.asarray(np.exp(-0.5 * (t_s / width_s) ** 2 + 2j * np.pi * 37e3 * t_s))


# ------------------------------------------------------------------------------------------------- all of them

SPOIL: dict[str, Callable[[Samples, float], Samples]] = {
    "carrier_frequency_offset": lambda x, on: carrier_frequency_offset(x, 1e3 * on, RATE_HZ, 0.3),
    "sample_clock_offset": lambda x, on: sample_clock_offset(x, 20 * on),
    "fractional_delay": lambda x, on: fractional_delay(x, 3.3e-6 * on, RATE_HZ),
    "oscillator_phase": lambda x, on: oscillator_phase(x, 0.7 * on),
    "iq_imbalance": lambda x, on: iq_imbalance(x, 0.5 * on, 2.0 * on),
    "dc_offset": lambda x, on: dc_offset(x, 0.1 * on),
    "power_amplifier": lambda x, on: power_amplifier(x, 1.0 if on else None, 2.0),
    "convert": lambda x, on: convert(x, 8 if on else None)[0],
}


@pytest.mark.parametrize("name", SPOIL)
def test_an_impairment_that_is_off_returns_its_input_itself(name: str) -> None:
    x = noise(2, 100)
    assert SPOIL[name](x, 0.0) is x


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("name", SPOIL)
def test_an_impairment_keeps_precision_shape_and_input(name: str, dtype: type[np.complexfloating]) -> None:
    x: Samples = noise(2, 100).astype(dtype)
    before = x.copy()
    y = SPOIL[name](x, 1.0)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    np.testing.assert_array_equal(x, before)
    assert np.abs(y - x).max() > 1e-4  # it does something


@pytest.mark.parametrize("name", SPOIL)
def test_an_impairment_takes_any_leading_axes_and_treats_channels_alike(name: str) -> None:
    x = noise(2, 3, 100)
    # Rounding only: FFT and matrix product may sum in another order for another number of channels.
    each = np.stack([[SPOIL[name](channel, 1.0) for channel in row] for row in x])
    np.testing.assert_allclose(SPOIL[name](x, 1.0), each, atol=ROUNDING)


@pytest.mark.parametrize("name", SPOIL)
def test_an_impairment_takes_a_radio_without_channels(name: str) -> None:
    assert SPOIL[name](np.zeros((0, 64), dtype=np.complex64), 1.0).shape == (0, 64)


# ----------------------------------------------------------------------------------------- carrier and phase


def test_a_carrier_offset_moves_a_spectral_line_exactly() -> None:
    n, bins = 1536, 7
    moved = carrier_frequency_offset(tone(10 * RATE_HZ / n), bins * RATE_HZ / n, RATE_HZ)
    line = np.fft.fft(moved) / n
    assert line[10 + bins] == pytest.approx(1, abs=ROUNDING)
    assert np.abs(np.delete(line, 10 + bins)).max() < ROUNDING


@PROPERTY
@given(offset_hz=st.floats(-1e5, 1e5), cut=st.integers(1, 199))
def test_a_carrier_offset_is_continuous_in_phase_from_frame_to_frame(offset_hz: float, cut: int) -> None:
    x = noise(200)
    first = carrier_frequency_offset(x[:cut], offset_hz, RATE_HZ, 0.01)
    second = carrier_frequency_offset(x[cut:], offset_hz, RATE_HZ, 0.01 + cut / RATE_HZ)
    whole = carrier_frequency_offset(x, offset_hz, RATE_HZ, 0.01)
    # The start times differ by rounding of 1e-18 s, at up to 1e5 Hz and with up to 1e3 turns behind them.
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-10)


def test_a_carrier_offset_keeps_its_phase_through_an_hour() -> None:
    # 1234.5 Hz for 3600.25 s is 4444508.625 turns; a double holds such a number of turns to 1e-9.
    start = carrier_frequency_offset(np.ones(1, dtype=complex), 1234.5, RATE_HZ, 3600.25)
    assert start[0] == pytest.approx(np.exp(2j * np.pi * 0.625), abs=1e-8)


def test_an_oscillator_phase_turns_every_sample_by_it() -> None:
    x = noise(2, 50)
    np.testing.assert_allclose(oscillator_phase(x, 0.9), x * np.exp(0.9j), atol=ROUNDING)


def test_opposite_phase_paths_cancel() -> None:
    x = noise(3, 500)
    path = phase_noise(500, 1e3, RATE_HZ, np.random.default_rng(1))
    np.testing.assert_allclose(oscillator_phase(oscillator_phase(x, path), -path), x, atol=ROUNDING)


def test_phase_noise_starts_at_zero_and_grows_as_a_wiener_process() -> None:
    linewidth_hz, n, paths = 200.0, 101, 2000
    rng = np.random.default_rng(2)
    path = np.stack([phase_noise(n, linewidth_hz, RATE_HZ, rng) for _ in range(paths)])
    assert not path[:, 0].any()
    variance = 2 * np.pi * linewidth_hz / RATE_HZ
    for k in (1, 10, 100):
        # sum / (k variance) is chi-square with one degree per path; 1 - 1e-4 interval, so that a seed rarely matters.
        assert stats.chi2(paths).ppf(5e-5) < np.sum(path[:, k] ** 2) / (k * variance) < stats.chi2(paths).ppf(1 - 5e-5)
    increments = np.diff(path, axis=1)
    neighbours = np.mean(increments[:, 1:] * increments[:, :-1]) / variance
    assert abs(neighbours) < 4 / np.sqrt(paths * (n - 2))  # white: four standard deviations


def test_phase_noise_gives_a_lorentzian_line_of_the_linewidth() -> None:
    # The mean periodogram is the transform of exp(-pi B |t|) (1 - |t| / T): a Lorentzian when B T is large (here 102).
    linewidth_hz, n, runs = 20e3, 4096, 400
    rng = np.random.default_rng(3)
    one = np.ones(n, dtype=complex)
    spectra = [
        np.abs(np.fft.fft(oscillator_phase(one, phase_noise(n, linewidth_hz, RATE_HZ, rng)))) ** 2 for _ in range(runs)
    ]
    density = np.mean(spectra, axis=0) / n / RATE_HZ  # per hertz, of total power 1
    f_hz = np.fft.fftfreq(n, 1 / RATE_HZ)
    lorentzian = linewidth_hz / 2 / np.pi / (f_hz**2 + (linewidth_hz / 2) ** 2)
    for center_hz in (0.0, linewidth_hz / 2, linewidth_hz, 2 * linewidth_hz):
        band = np.abs(np.abs(f_hz) - center_hz) < 1.5e3
        # About 30 bins of 400 runs: 1 % random; window (1 / (pi B T) = 0.3 %) and aliasing (1.5 % at 2 B) the rest.
        assert np.mean(density[band]) == pytest.approx(np.mean(lorentzian[band]), rel=0.05)


def test_a_clean_oscillator_draws_nothing() -> None:
    rng = np.random.default_rng(4)
    before = rng.bit_generator.state
    assert not phase_noise(100, 0.0, RATE_HZ, rng).any()
    assert rng.bit_generator.state == before


# ---------------------------------------------------------------------------------------------------- timing


@PROPERTY
@given(delay_s=st.floats(-400e-6, 400e-6))
def test_a_delay_is_exact_and_keeps_energy(delay_s: float) -> None:
    center_s = 960e-6
    x, expected = pulse(center_s), pulse(center_s + delay_s)
    y = fractional_delay(x, delay_s, RATE_HZ)
    np.testing.assert_allclose(y, expected, atol=ROUNDING)
    assert np.sum(np.abs(y) ** 2) == pytest.approx(np.sum(np.abs(x) ** 2), rel=ROUNDING)


@pytest.mark.parametrize("delay_s", [500e-6, 500.4e-6, 1919e-6, 2500e-6, 0.1, -500.4e-6, -2500e-6, -0.1])
def test_what_is_delayed_out_of_the_window_does_not_come_back(delay_s: float) -> None:
    center_s = 1800e-6 if delay_s > 0 else 120e-6  # so that every delay here moves all of the pulse out
    assert np.abs(fractional_delay(pulse(center_s), delay_s, RATE_HZ)).max() < ROUNDING


def test_a_signal_cut_at_the_end_hardly_rings_at_the_front() -> None:
    # A band-limited impulse falls as 1 / (pi distance): 64 samples of room leave 1 / (64 pi) = -46 dB of the last one.
    last = np.zeros(1536, dtype=complex)
    last[-1] = 1
    assert np.abs(fractional_delay(last, 0.5 / RATE_HZ, RATE_HZ)[:100]).max() < 1 / (64 * np.pi)


def test_a_delay_by_whole_samples_moves_them_and_lets_silence_in() -> None:
    x = noise(20)
    late = fractional_delay(x, 3 / RATE_HZ, RATE_HZ)
    early = fractional_delay(x, -3 / RATE_HZ, RATE_HZ)
    np.testing.assert_allclose(late, [*np.zeros(3), *x[:-3]], atol=ROUNDING)
    np.testing.assert_allclose(early, [*x[3:], *np.zeros(3)], atol=ROUNDING)


@pytest.mark.parametrize("offset_ppm", [-100.0, -1.0, 0.2, 30.0, 100.0, 5000.0])
def test_a_fast_clock_scales_frequencies_within_minus_90_db(offset_ppm: float) -> None:
    frequencies_hz = np.linspace(-0.8, 0.8, 33) * RATE_HZ / 2
    n = 1536
    x = np.stack([tone(f) for f in frequencies_hz])
    y = sample_clock_offset(x, offset_ppm)
    expected = np.stack([tone(f * (1 + offset_ppm * 1e-6)) for f in frequencies_hz])
    # The tones do not fade at the ends of the window: half the interpolator and what the clock ran ahead are left out.
    inner = slice(16, n - 16 - int(np.ceil(n * abs(offset_ppm) * 1e-6)))
    error_db = 20 * np.log10(np.abs(y - expected)[:, inner].max())
    assert error_db < -90


@PROPERTY
@given(offset_ppm=st.floats(-200, 200), n_samples=st.integers(1, 400))
def test_a_clock_offset_leaves_any_length_and_zero_is_silence(offset_ppm: float, n_samples: int) -> None:
    assert sample_clock_offset(np.zeros((2, n_samples), dtype=complex), offset_ppm).shape == (2, n_samples)
    first = sample_clock_offset(np.ones((1, n_samples), dtype=complex), offset_ppm)[0, 0]
    assert first == pytest.approx(1, abs=ROUNDING)  # clocks agree at the first sample


def test_a_receiver_with_the_transmitters_clock_undoes_it() -> None:
    x = pulse(960e-6)
    fast_ppm = 50.0
    back = sample_clock_offset(sample_clock_offset(x, fast_ppm), -fast_ppm / (1 + fast_ppm * 1e-6))
    assert np.abs(back - x).max() < 2 * 10 ** (-90 / 20)  # two interpolations


# ------------------------------------------------------------------------------------- direct conversion faults


@pytest.mark.parametrize(("gain_db", "phase_deg"), [(0.5, 0.0), (0.0, 3.0), (-1.0, 2.0), (3.0, -10.0)])
def test_the_image_is_rejected_as_the_closed_form_says(gain_db: float, phase_deg: float) -> None:
    n, k = 1536, 100
    spectrum = np.fft.fft(iq_imbalance(tone(k * RATE_HZ / n), gain_db, phase_deg)) / n
    g, psi = 10 ** (gain_db / 20), np.radians(phase_deg)
    expected = (1 + g**2 + 2 * g * np.cos(psi)) / (1 + g**2 - 2 * g * np.cos(psi))
    assert np.abs(spectrum[k] / spectrum[-k]) ** 2 == pytest.approx(expected, rel=1e-9)
    mu, nu = iq_imbalance_coefficients(gain_db, phase_deg)
    assert (spectrum[k], spectrum[-k]) == pytest.approx((mu, nu), abs=ROUNDING)


@pytest.mark.parametrize(("gain_db", "phase_deg"), [(0.5, 0.0), (0.0, 3.0), (-1.0, 2.0)])
def test_the_imbalance_is_the_gain_of_i_over_q_and_the_angle_between_them(gain_db: float, phase_deg: float) -> None:
    y = iq_imbalance(tone(RATE_HZ / 1536), gain_db, phase_deg)  # one turn of the circle: sample means are exact
    power_i, power_q, cross = np.mean(y.real**2), np.mean(y.imag**2), np.mean(y.real * y.imag)
    assert 10 * np.log10(power_i / power_q) == pytest.approx(gain_db, abs=1e-9)
    assert cross / np.sqrt(power_i * power_q) == pytest.approx(-np.sin(np.radians(phase_deg)), abs=1e-9)
    assert np.mean(np.abs(y) ** 2) == pytest.approx(1, abs=ROUNDING)


def test_a_dc_offset_is_a_line_at_zero_one_per_channel() -> None:
    offsets = np.array([0.1, -0.2j])
    x = np.stack([tone(5 * RATE_HZ / 1536)] * 2)
    line = np.fft.fft(dc_offset(x, offsets))[:, 0] / 1536
    np.testing.assert_allclose(line, offsets, atol=ROUNDING)


# ------------------------------------------------------------------------------------------------- amplifier


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, 20.0])
def test_the_amplifier_compresses_as_rapp_says(p: float) -> None:
    x = noise(1000) * 0.5
    r = np.abs(x) / 0.7
    y = power_amplifier(x, 0.7, p)
    np.testing.assert_allclose(np.abs(y), np.abs(x) / (1 + r ** (2 * p)) ** (1 / (2 * p)), rtol=1e-10)
    np.testing.assert_allclose(np.angle(y / x), 0, atol=ROUNDING)  # AM/AM only


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, 20.0])
def test_the_one_db_compression_point_is_where_the_formula_puts_it(p: float) -> None:
    drive = 0.7 * (10 ** (p / 10) - 1) ** (1 / (2 * p))
    output = power_amplifier(np.array([drive + 0j]), 0.7, p)[0].real
    assert 20 * np.log10(output / drive) == pytest.approx(-1, abs=1e-9)


def test_a_small_signal_passes_with_unit_gain_and_a_huge_one_saturates() -> None:
    # With p = 2, r = 1e-3 loses r^4 / 4 = 2.5e-13 of its magnitude; r = 1e20 overflows single precision as r^(2p).
    small, silent, huge = power_amplifier(np.array([1e-3j, 0, 1e20], dtype=np.complex64), 1.0, 20.0)
    assert small == pytest.approx(1e-3j, rel=1e-6)
    assert silent == 0
    assert huge == pytest.approx(1.0, rel=1e-6)
    assert power_amplifier(np.array([1e-3 + 0j]), 1.0, 2.0)[0] == pytest.approx(1e-3, rel=1e-12)


@pytest.mark.parametrize(("saturation", "smoothness"), [(0.0, 2.0), (-1.0, 2.0), (1.0, 0.0), (np.nan, 2.0)])
def test_an_impossible_amplifier_is_refused(saturation: float, smoothness: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        power_amplifier(noise(4), saturation, smoothness)


# ------------------------------------------------------------------------------------------------- converter


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_full_scale_sine_has_6_02_db_a_bit_and_1_76(bits: int) -> None:
    # 997 turns in 2^16 samples share no factor, so that every sample meets another phase and errors are spread evenly.
    x = np.exp(2j * np.pi * 997 / 2**16 * np.arange(2**16))
    y, clipped = convert(x, bits)
    for part in (np.real, np.imag):
        snr_db = 10 * np.log10(np.mean(part(x) ** 2) / np.mean((part(y) - part(x)) ** 2))
        assert snr_db == pytest.approx(6.02 * bits + 1.76, abs=0.3)  # 0.07 dB for the code given up at 8 bits
    assert clipped == 0


@PROPERTY
@given(bits=st.integers(2, 16), full_scale=st.floats(0.1, 10))
def test_the_converter_rounds_to_its_nearest_code_and_converting_twice_changes_nothing(
    bits: int, full_scale: float
) -> None:
    step = full_scale / (2 ** (bits - 1) - 1)
    x = np.clip(noise(200).real, -1, 1) * full_scale + 0j
    y, clipped = convert(x, bits, full_scale)
    assert clipped == 0
    assert np.abs(y - x).max() <= step / 2 * (1 + 1e-9)
    np.testing.assert_allclose(y / step, np.rint(y.real / step), atol=1e-9)
    np.testing.assert_allclose(convert(y, bits, full_scale)[0], y, rtol=ROUNDING)


def test_clipped_samples_are_counted_exactly_and_held_at_full_scale() -> None:
    x = np.array([[1.0, 1.2, -1.2, 0.5, 1j], [1.2 + 1.2j, -1.2j, 0.3 - 5j, 1 + 1j, 0]])
    y, clipped = convert(x, 12)
    assert clipped == 5  # a sample that clips in I and in Q counts once; one at full scale does not
    assert [y[0, 1], y[0, 2], y[1, 0]] == pytest.approx([1, -1, 1 + 1j], abs=ROUNDING)
    assert y[1, 2].real == pytest.approx(0.3, abs=0.5 / 2047)  # Q clips, I does not care


@pytest.mark.parametrize("beyond", [1.2, -1.2, 1.2j, -1.2j])
def test_every_side_of_both_rails_clips(beyond: complex) -> None:
    y, clipped = convert(np.array([0, beyond]), 12)
    assert clipped == 1
    assert y[1] == pytest.approx(beyond / 1.2, abs=ROUNDING)


def test_half_a_step_beyond_full_scale_is_where_clipping_begins() -> None:
    half_step = 0.5 / 127
    assert convert(np.array([1 + 0.99 * half_step + 0j]), 8)[1] == 0
    assert convert(np.array([1 + 1.01 * half_step + 0j]), 8)[1] == 1


def test_silence_stays_silence() -> None:
    y, clipped = convert(np.zeros((2, 10), dtype=np.complex64), 8)
    assert not y.any()
    assert clipped == 0


def test_an_ideal_converter_has_no_full_scale() -> None:
    x = noise(10) * 1e6
    y, clipped = convert(x, None)
    assert y is x
    assert clipped == 0


def test_a_converter_takes_samples_in_any_memory_order() -> None:
    x = np.asfortranarray(noise(3, 50))
    np.testing.assert_array_equal(convert(x, 8)[0], convert(x.copy(order="C"), 8)[0])


def test_a_converter_of_one_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="1 bits"):
        convert(noise(4), 1)


# ----------------------------------------------------------------------------------------------------- noise


def test_thermal_noise_power_is_minus_174_dbm_per_hertz() -> None:
    # k 290 K = 4.00388e-21 W/Hz = -173.975 dBm/Hz.
    assert 10 * np.log10(thermal_noise_power(1.0, 0.0)) + 30 == pytest.approx(-173.975, abs=1e-3)
    assert thermal_noise_power(2e6, 3.0) == pytest.approx(1.380649e-23 * 290 * 2e6 * 10**0.3, rel=ROUNDING)


def test_thermal_noise_has_its_power_is_circular_and_white() -> None:
    power, shape = 3e-15, (10, 5000)
    w = thermal_noise(shape, power, np.random.default_rng(5)).astype(complex) / np.sqrt(power)
    n = w.size
    # 2 sum |w|^2 is chi-square with two degrees a sample.
    assert stats.chi2(2 * n).ppf(5e-5) < 2 * np.sum(np.abs(w) ** 2) < stats.chi2(2 * n).ppf(1 - 5e-5)
    # Averages of products of independent unit-power variables: standard deviation 1/sqrt(n) (sqrt(2/n) for w^2); five.
    assert abs(np.mean(w**2)) < 5 * np.sqrt(2 / n)
    assert abs(np.mean(w[:, 1:] * w[:, :-1].conj())) < 5 / np.sqrt(n)
    assert abs(np.mean(w[1:] * w[:-1].conj())) < 5 / np.sqrt(n * 0.9)
