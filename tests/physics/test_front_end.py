"""The front end: order of its impairments, what one oscillator and one clock for both directions cancel, its power."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from drivers.errors import SettingsError
from drivers.simulated.front_end import FrontEnd, Oscillator, oscillator, receive, root_watt, transmit
from drivers.simulated.impairments import iq_imbalance_coefficients, thermal_noise_power

Complex = NDArray[np.complex128]

RATE_HZ = 800e3
CENTER_HZ = 5.6e9
N = 1536
TX_FULL_SCALE = root_watt(10.0)
RX_FULL_SCALE = root_watt(-10.0)
SINGLE = 3e-6  # single precision (6e-8), some ten operations and an FFT deep

DIRTY = FrontEnd(
    carrier_offset_ppm=0.3,
    sample_clock_offset_ppm=20.0,
    start_offset_s=7.3e-6,
    random_phase=True,
    phase_noise_linewidth_hz=50.0,
    iq_gain_db=0.2,
    iq_phase_deg=1.0,
    dc_offset=0.01,
    pa_saturation_dbm=15.0,
    dac_bits=12,
    adc_bits=12,
    noise_figure_db=6.0,
)


def lo(front_end: FrontEnd, tune_phase_rad: float = 0.0, seed: int = 0, start_s: float = 0.5) -> Oscillator:
    return oscillator(front_end, CENTER_HZ, N, RATE_HZ, start_s, tune_phase_rad, np.random.default_rng(seed))


def send(x: Complex, front_end: FrontEnd, its_lo: Oscillator | None = None) -> Complex:
    ports = transmit(x[np.newaxis], front_end, its_lo or lo(front_end), RATE_HZ, TX_FULL_SCALE)
    return np.asarray(ports[0], dtype=complex)


def hear(ports: Complex, front_end: FrontEnd, its_lo: Oscillator | None = None) -> Complex:
    """Receive so strongly that thermal noise is below -130 dB of full scale."""
    digital, _ = receive(
        ports[np.newaxis], front_end, its_lo or lo(front_end), RATE_HZ, TX_FULL_SCALE, np.random.default_rng(9)
    )
    return np.asarray(digital[0], dtype=complex)


def pulse() -> Complex:
    """Return a pulse of half full scale, well inside the window, with 37 kHz carrier: band-limited to rounding."""
    t_s = np.arange(N) / RATE_HZ - N / 2 / RATE_HZ
    return np.asarray(0.5 * np.exp(-0.5 * (t_s / 60e-6) ** 2 + 2j * np.pi * 37e3 * t_s))


def tone(bins: int, amplitude: float = 0.5) -> Complex:
    return np.asarray(amplitude * np.exp(2j * np.pi * bins / N * np.arange(N)))


def line_of(x: Complex, bins: int) -> complex:
    return complex(np.fft.fft(x)[bins] / N)


def offset_by(bins: int) -> FrontEnd:
    """Return a front end whose oscillator is off by whole bins of the window's spectrum."""
    return FrontEnd(carrier_offset_ppm=bins * RATE_HZ / N / CENTER_HZ * 1e6)


# --------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("carrier_offset_ppm", 101.0),
        ("sample_clock_offset_ppm", -101.0),
        ("start_offset_s", 2.0),
        ("phase_noise_linewidth_hz", -1.0),
        ("iq_gain_db", 7.0),
        ("iq_phase_deg", 90.0),
        ("dc_offset", 1.5),
        ("pa_saturation_dbm", 100.0),
        ("pa_smoothness", 0.0),
        ("dac_bits", 3),
        ("adc_bits", 25),
        ("adc_bits", 12.5),
        ("noise_figure_db", -0.1),
        ("noise_figure_db", float("nan")),
        ("iq_gain_db", None),
        ("random_phase", 3),
    ],
)
def test_an_impossible_front_end_is_refused_by_name_value_and_range(name: str, value: float | None) -> None:
    with pytest.raises(SettingsError) as refusal:
        replace(FrontEnd(), **{name: value})  # type: ignore[arg-type]
    assert isinstance(refusal.value, ValueError)
    for word in (name, str(value), "use", "to"):
        assert word in str(refusal.value)


def test_every_number_of_a_front_end_is_checked() -> None:
    for one in fields(FrontEnd):
        with pytest.raises(SettingsError, match=one.name):
            replace(FrontEnd(), **{one.name: float("inf")})  # type: ignore[arg-type]


def test_a_front_end_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        FrontEnd().dc_offset = 0.1  # type: ignore[misc]


def test_a_burst_shorter_than_its_exchange_is_refused() -> None:
    with pytest.raises(ValueError, match="100 samples in an exchange of 1536"):
        transmit(np.zeros((1, 100), dtype=complex), FrontEnd(), lo(FrontEnd()), RATE_HZ, 1.0)


def test_a_user_without_transmit_channels_sends_nothing() -> None:
    assert transmit(np.zeros((0, N), dtype=complex), DIRTY, lo(DIRTY), RATE_HZ, 1.0).shape == (0, N)


# ------------------------------------------------------------------------------------------------ ideal radio


def test_a_level_in_dbm_is_the_mean_power_in_watt() -> None:
    assert root_watt(30.0) ** 2 == pytest.approx(1.0)
    ports = send(tone(5, amplitude=1.0), FrontEnd())
    assert np.mean(np.abs(ports) ** 2) == pytest.approx(10e-3, rel=1e-6)  # 10 dBm; single precision


def test_an_ideal_radio_in_loop_back_gives_back_what_it_sent() -> None:
    x = tone(5)
    np.testing.assert_allclose(hear(send(x, FrontEnd()), FrontEnd()), x, atol=SINGLE)


@pytest.mark.parametrize("noise_figure_db", [0.0, 6.0])
def test_the_noise_of_silence_is_k_t_b_f_times_the_gain(noise_figure_db: float) -> None:
    front_end = FrontEnd(noise_figure_db=noise_figure_db)
    full_scale = root_watt(-90.0)
    silence = np.zeros((10, N), dtype=complex)
    digital, clipped = receive(silence, front_end, lo(front_end), RATE_HZ, full_scale, np.random.default_rng(1))
    expected = thermal_noise_power(RATE_HZ, noise_figure_db) / full_scale**2
    ratio = 2 * np.sum(np.abs(digital.astype(complex)) ** 2) / expected
    low, high = stats.chi2(2 * digital.size).interval(1 - 1e-4)  # two degrees a sample
    assert low < ratio < high
    assert clipped == 0


def test_noise_stays_white_behind_a_late_start_and_a_fast_clock() -> None:
    # It arises in the receiver: neither is allowed to colour it or to take from its power at the ends of the window.
    late = FrontEnd(start_offset_s=50.3e-6, sample_clock_offset_ppm=100.0)
    silence = np.zeros((10, N), dtype=complex)
    digital, _ = receive(silence, late, lo(late), RATE_HZ, root_watt(-90.0), np.random.default_rng(1))
    ideal, _ = receive(silence, FrontEnd(), lo(FrontEnd()), RATE_HZ, root_watt(-90.0), np.random.default_rng(1))
    np.testing.assert_array_equal(digital, ideal)


# -------------------------------------------------------------------------------------- one radio, two radios


def test_one_radio_sees_no_offset_of_its_own() -> None:
    own = FrontEnd(
        carrier_offset_ppm=0.3, sample_clock_offset_ppm=20.0, start_offset_s=7.3e-6, phase_noise_linewidth_hz=50.0
    )
    its = lo(own, tune_phase_rad=1.0)
    x = pulse()
    assert np.abs(its.phase_rad).max() > 1  # there is something to cancel
    # Two interpolations of at most -90 dB each, at half full scale.
    np.testing.assert_allclose(hear(send(x, own, its), own, its), x, atol=10 ** (-90 / 20))


def test_two_radios_see_the_difference_of_their_carriers_and_phases() -> None:
    mine, other = FrontEnd(carrier_offset_ppm=0.2), FrontEnd(carrier_offset_ppm=-0.1)
    x, start_s = tone(5), 0.5
    heard = hear(send(x, mine, lo(mine, 0.4, start_s=start_s)), other, lo(other, 1.5, start_s=start_s))
    t_s = start_s + np.arange(N) / RATE_HZ
    expected = x * np.exp(1j * (2 * np.pi * CENTER_HZ * 0.3e-6 * t_s + 0.4 - 1.5))
    np.testing.assert_allclose(heard, expected, atol=SINGLE)


def test_two_radios_see_the_sum_of_their_phase_noises() -> None:
    front_end = FrontEnd(phase_noise_linewidth_hz=500.0)
    a, b = lo(front_end, seed=1), lo(front_end, seed=2)
    heard = hear(send(tone(0), front_end, a), front_end, b)
    np.testing.assert_allclose(heard, 0.5 * np.exp(1j * (a.noise_rad - b.noise_rad)), atol=SINGLE)


def test_a_late_transmitter_delays_and_a_late_receiver_hears_early() -> None:
    late = FrontEnd(start_offset_s=3 / RATE_HZ)
    x = pulse()
    np.testing.assert_allclose(hear(send(x, late), FrontEnd()), np.roll(x, 3), atol=SINGLE)
    np.testing.assert_allclose(hear(send(x, FrontEnd()), late), np.roll(x, -3), atol=SINGLE)


def test_a_fast_transmitter_sounds_higher_and_a_fast_receiver_hears_lower() -> None:
    fast = FrontEnd(sample_clock_offset_ppm=100.0)
    n, inner = np.arange(N), slice(16, N - 17)  # the tone does not fade at the ends of the window
    omega = 2 * np.pi * 0.25
    x = np.asarray(0.5 * np.exp(1j * omega * n))
    sent, heard = hear(send(x, fast), FrontEnd()), hear(send(x, FrontEnd()), fast)
    higher = 0.5 * np.exp(1j * omega * (1 + 1e-4) * n)
    lower = 0.5 * np.exp(1j * omega / (1 + 1e-4) * n)
    np.testing.assert_allclose(sent[inner], higher[inner], atol=10 ** (-90 / 20))
    np.testing.assert_allclose(heard[inner], lower[inner], atol=10 ** (-90 / 20))


# ------------------------------------------------------------------------------------------------- oscillator


def test_a_carrier_offset_turns_on_from_exchange_to_exchange() -> None:
    front_end = FrontEnd(carrier_offset_ppm=0.25)  # 1400 Hz
    first, second = lo(front_end, start_s=0.01), lo(front_end, start_s=0.02)
    turned = np.exp(1j * (second.phase_rad[0] - first.phase_rad[0]))
    assert turned == pytest.approx(np.exp(2j * np.pi * 1400.0 * 0.01), abs=1e-9)
    assert first.offset_hz == pytest.approx(1400.0)


def test_phase_noise_wanders_on_through_the_pause() -> None:
    front_end = FrontEnd(phase_noise_linewidth_hz=20.0)
    rng = np.random.default_rng(3)
    previous = oscillator(front_end, CENTER_HZ, N, RATE_HZ, 0.0, 0.0, rng)
    steps = []
    for k in range(1, 1001):
        following = oscillator(front_end, CENTER_HZ, N, RATE_HZ, 0.01 * k, 0.0, rng, previous)
        steps.append(following.noise_rad[0] - previous.noise_rad[-1])
        previous = following
    pause_s = 0.01 - (N - 1) / RATE_HZ
    low, high = stats.chi2(1000).interval(1 - 1e-4)
    assert low < np.sum(np.square(steps)) / (2 * np.pi * 20.0 * pause_s) < high


def test_an_ideal_oscillator_draws_nothing() -> None:
    rng = np.random.default_rng(3)
    before = rng.bit_generator.state
    ideal = oscillator(FrontEnd(), CENTER_HZ, N, RATE_HZ, 0.5, 0.0, rng)
    oscillator(FrontEnd(), CENTER_HZ, N, RATE_HZ, 0.6, 0.0, rng, ideal)
    assert not ideal.phase_rad.any()
    assert rng.bit_generator.state == before


# ---------------------------------------------------------------------------------------- order of operations


def test_the_oscillators_leakage_is_sent_at_its_own_frequency() -> None:
    ports = send(np.zeros(N, dtype=complex), replace(offset_by(9), dc_offset=0.1))
    assert abs(line_of(ports, 9)) == pytest.approx(0.1 * TX_FULL_SCALE, rel=1e-6)
    assert abs(line_of(ports, 0)) < SINGLE * TX_FULL_SCALE


def test_a_receivers_dc_offset_is_at_zero_whatever_its_oscillator() -> None:
    heard = hear(np.zeros(N, dtype=complex), replace(offset_by(9), dc_offset=0.1))
    assert line_of(heard, 0) == pytest.approx(0.1, rel=1e-5)
    assert abs(line_of(heard, -9)) < SINGLE


def test_the_image_lies_opposite_the_oscillator_in_both_directions() -> None:
    spoiled = replace(offset_by(9), iq_gain_db=0.5, iq_phase_deg=2.0)
    _, nu = iq_imbalance_coefficients(0.5, 2.0)
    sent = send(tone(30), spoiled) / TX_FULL_SCALE  # line at 9 + 30, image at 9 - 30
    assert abs(line_of(sent, 9 - 30)) == pytest.approx(0.5 * abs(nu), rel=1e-4)
    heard = hear(tone(30) * TX_FULL_SCALE, spoiled)  # line at 30 - 9, image at 9 - 30
    assert abs(line_of(heard, 9 - 30)) == pytest.approx(0.5 * abs(nu), rel=1e-4)


def test_the_amplifier_holds_the_port_to_its_saturated_power() -> None:
    weak = FrontEnd(pa_saturation_dbm=0.0, pa_smoothness=2.0)  # 10 dB below full scale
    ports = send(tone(5, amplitude=1.0), weak)
    power_dbm = 10 * np.log10(np.mean(np.abs(ports) ** 2)) + 30
    assert power_dbm == pytest.approx(10 - 10 * np.log10(1 + 10**2.0) / 2, abs=1e-4)  # Rapp at r^2 = 10


def test_the_amplifier_does_not_see_its_own_oscillator_or_clock() -> None:
    # Compression comes before the oscillator turns and the clock interpolates: a constant envelope stays one.
    spoiled = replace(offset_by(9), pa_saturation_dbm=5.0, phase_noise_linewidth_hz=1e3)
    np.testing.assert_allclose(
        np.abs(send(tone(5), spoiled)), np.abs(send(tone(5), FrontEnd(pa_saturation_dbm=5.0))), rtol=1e-5
    )


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_the_converters_quantise_the_digital_side(bits: int) -> None:
    # I and Q uniform over many steps make an error uniform over one: power step^2 / 12 on each. The mean of 3072 of its
    # squares has a standard deviation of 1.6 % = 0.07 dB; the tolerance is four of them.
    rails = np.random.default_rng(4).uniform(-0.9, 0.9, (2, N))
    x: Complex = rails[0] + 1j * rails[1]
    step = 1 / (2 ** (bits - 1) - 1)
    expected_db = 10 * np.log10(np.mean(np.abs(x) ** 2) / (step**2 / 6))
    for front_end in (FrontEnd(adc_bits=bits), FrontEnd(dac_bits=bits)):
        error = hear(send(x, front_end), front_end) - x
        assert 10 * np.log10(np.mean(np.abs(x) ** 2) / np.mean(np.abs(error) ** 2)) == pytest.approx(
            expected_db, abs=0.3
        )


def test_the_offset_counts_against_the_range_of_the_adc() -> None:
    x: Complex = np.full((2, N), 0.95 * RX_FULL_SCALE, dtype=np.complex128)
    for dc_offset, clipped in ((0.0, 0), (0.1, 2 * N)):
        front_end = FrontEnd(adc_bits=10, dc_offset=dc_offset)
        digital, count = receive(x, front_end, lo(front_end), RATE_HZ, RX_FULL_SCALE, np.random.default_rng(1))
        assert count == clipped
        assert digital.real.max() <= 1.0 + SINGLE


def test_clipped_samples_are_counted_over_all_channels() -> None:
    x = np.zeros((3, N), dtype=complex)
    x[0, :10] = 2.0
    x[2, 5:12] = -2.0j
    digital, clipped = receive(x, FrontEnd(adc_bits=12), lo(FrontEnd()), RATE_HZ, 1.0, np.random.default_rng(1))
    assert clipped == 17
    assert digital.dtype == np.complex64


def test_a_dirty_exchange_can_be_made_again_to_the_bit() -> None:
    def exchange() -> NDArray[np.complex64]:
        its = lo(DIRTY, tune_phase_rad=0.3, seed=7)
        ports = transmit(pulse()[np.newaxis], DIRTY, its, RATE_HZ, TX_FULL_SCALE)
        return receive(ports, DIRTY, its, RATE_HZ, RX_FULL_SCALE, np.random.default_rng(8))[0]

    np.testing.assert_array_equal(exchange(), exchange())
