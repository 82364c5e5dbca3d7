"""The simulated radio as a whole: time, tunes, noise and levels from converter to converter."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from drivers import Radio, RadioNotFoundError, RadioRequest, RadioSettings, RadioStateError, exchange, open_radios
from drivers.simulated.front_end import FrontEnd
from drivers.simulated.impairments import thermal_noise_power
from drivers.simulated.propagation import friis_gain
from drivers.simulated.scene import Node, Scene

CARRIER_HZ, RATE_HZ, N = 5.6e9, 1e6, 4096
SETTINGS = RadioSettings(CARRIER_HZ, RATE_HZ, tx_gain_db=-10.0, rx_gain_db=40.0)
TX_FULL_SCALE_DBM, RX_FULL_SCALE_DBM = 10.0, -10.0
DISTANCE_M = 30.0
NOISE_FIGURE_DB = 7.0


def scene(station: FrontEnd | None = None, user: FrontEnd | None = None, seed: int = 3) -> Scene:
    quiet = FrontEnd(noise_figure_db=NOISE_FIGURE_DB)
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, 2, 3, front_end=station or quiet),),
        users=(Node("user", (DISTANCE_M, 0.0), 0.0, 0, 1, front_end=user or quiet),),
        serving={"user": "station"},
        targets=(),
        carrier_hz=CARRIER_HZ,
        symbol_rate_hz=RATE_HZ / 4,
        seed=seed,
    )


def opened(scene: Scene, settings: RadioSettings = SETTINGS) -> dict[str, Radio]:
    radios = open_radios([RadioRequest("station", "simulated", 2, 3), RadioRequest("user", "simulated", 0, 1)], scene)
    for radio in radios.values():
        radio.configure(settings)
    return radios


def tone(n: int = N) -> np.ndarray:
    """One antenna sends a constant; the other nothing."""
    burst = np.zeros((2, n), dtype=np.complex64)
    burst[0] = 0.5
    return burst


def received(radios: dict[str, Radio], start_s: float, burst: np.ndarray | None = None) -> np.ndarray:
    sent = {"station": tone() if burst is None else burst}
    return np.asarray(exchange(radios, sent, N, start_s)["user"].samples[0])


def middle_phase(samples: np.ndarray) -> float:
    return float(np.angle(samples[N // 4 : 3 * N // 4].mean()))


def turned(first: float, second: float) -> float:
    return float(abs(np.angle(np.exp(1j * (first - second)))))


def test_a_random_phase_stays_between_tunes_and_changes_with_each() -> None:
    radios = opened(scene(station=FrontEnd(random_phase=True)))
    phases = []
    for exchange_number in range(6):
        if exchange_number in (2, 4):
            radios["station"].configure(SETTINGS)
        phases.append(middle_phase(received(radios, 0.1 + exchange_number)))
    # Noise turns the mean of 2048 samples at 24 dB SNR by 1e-3 rad; 1e-2 is seven standard deviations of a difference.
    assert all(turned(phases[i], phases[i + 1]) < 1e-2 for i in (0, 2, 4))
    assert all(turned(phases[i], phases[i + 1]) > 1e-1 for i in (1, 3))


def test_without_a_random_phase_a_tune_changes_nothing() -> None:
    radios = opened(scene())
    before = middle_phase(received(radios, 0.1))
    radios["station"].configure(SETTINGS)
    assert turned(before, middle_phase(received(radios, 1.1))) < 1e-2  # noise, as above


def test_transmitter_and_receiver_of_a_station_share_their_phase() -> None:
    """A station's own leakage does not show its oscillator's random phase, a user does."""

    def both(tunes: int) -> tuple[float, float]:
        radios = opened(replace(scene(station=FrontEnd(random_phase=True)), leakage=1e-6))
        for _ in range(tunes):
            radios["station"].configure(SETTINGS)
        captures = exchange(radios, {"station": tone()}, N, 0.1)
        return middle_phase(captures["station"].samples[0]), middle_phase(captures["user"].samples[0])

    (own, user), (own_again, user_again) = both(0), both(1)
    assert turned(own, own_again) < 1e-2  # noise, as above
    assert turned(user, user_again) > 1e-1


def test_the_seed_decides_every_sample() -> None:
    one, same, other = (received(opened(scene(seed=seed)), 0.1) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_noise_is_new_in_every_exchange_and_channel() -> None:
    radios = opened(scene())
    rows = [exchange(radios, {}, N, 0.1 + index)["station"].samples for index in range(2)]
    noise = np.concatenate([*rows, exchange(radios, {}, N, 5.0)["user"].samples])
    correlation = np.abs(np.corrcoef(noise)) - np.eye(len(noise))
    assert correlation.max() < 6 / np.sqrt(N)  # |correlation|^2 N is exponential: exp(-36) by chance


def test_noise_is_thermal_through_the_whole_radio() -> None:
    samples = exchange(opened(scene()), {}, N, 0.1)["station"].samples
    at_port = samples.astype(complex) * np.sqrt(10 ** ((RX_FULL_SCALE_DBM - SETTINGS.rx_gain_db - 30) / 10))
    expected = thermal_noise_power(RATE_HZ, NOISE_FIGURE_DB)
    freedom = 2 * samples.size
    low, high = np.asarray(chi2.ppf([0.0005, 0.9995], freedom)) / freedom  # 99.9 %: +- 2 %, that is 0.1 dB
    assert low < np.mean(np.abs(at_port) ** 2) / expected < high
    assert 10 * np.log10(expected * 1e3) == pytest.approx(-174 + 60 + NOISE_FIGURE_DB, abs=0.05)  # kT is -173.98 dBm/Hz


@pytest.mark.parametrize("rx_gain_db", [0.0, 40.0, 55.0])
def test_received_power_is_the_link_budget_in_dbm(rx_gain_db: float) -> None:
    settings = replace(SETTINGS, rx_gain_db=rx_gain_db)
    samples = received(opened(scene(), settings), 0.1)[N // 4 : 3 * N // 4]
    full_scale_dbm = RX_FULL_SCALE_DBM - rx_gain_db
    measured_dbm = 20 * np.log10(abs(samples.astype(complex).mean())) + full_scale_dbm
    sent_dbm = TX_FULL_SCALE_DBM + SETTINGS.tx_gain_db + 20 * np.log10(0.5)
    expected_dbm = sent_dbm + 20 * np.log10(friis_gain(DISTANCE_M, CARRIER_HZ))
    assert expected_dbm == pytest.approx(-6.02 - 76.95, abs=0.02)  # 20 lg(4 pi 30 m / 53.5 mm) = 76.95 dB
    # Mean of 2048 samples, 24 dB SNR or more each: 57 dB in all, 0.012 dB per standard error.
    assert measured_dbm == pytest.approx(expected_dbm, abs=0.05)


def test_a_virtual_thousand_seconds_take_no_time() -> None:
    radios = opened(scene())
    began = time.perf_counter()
    for index in range(10):
        received(radios, 100.0 * (index + 1))
    assert radios["user"].time_s() == pytest.approx(1000.0 + N / RATE_HZ)
    assert time.perf_counter() - began < 10.0  # 10 exchanges take some 0.05 s; a hundredth of virtual time is enough


def test_time_moves_to_the_end_of_an_exchange() -> None:
    radios = opened(scene())
    received(radios, 2.0)
    assert {radio.time_s() for radio in radios.values()} == {2.0 + N / RATE_HZ}


def test_a_start_in_the_past_is_refused() -> None:
    radios = opened(scene())
    received(radios, 2.0)
    with pytest.raises(RadioStateError, match=r"station.*asked to start at 1 s"):
        received(radios, 1.0)
    assert np.isfinite(received(radios, 3.0)).all()


def test_a_start_that_is_no_time_is_refused() -> None:
    radios = opened(scene())
    with pytest.raises(RadioStateError):
        radios["station"].arm(tone(), N, float("nan"))


def test_radios_that_start_apart_are_refused() -> None:
    radios = opened(scene())
    radios["station"].arm(tone(), N, 1.0)
    with pytest.raises(RadioStateError, match=r"user.*start_s is 1.5"):
        radios["user"].arm(np.zeros((0, 0), dtype=np.complex64), N, 1.5)


def test_radios_that_sample_at_different_rates_are_refused() -> None:
    """The air is carried at one rate; another radio's samples would be read at the wrong speed."""
    radios = opened(scene())
    radios["user"].configure(replace(SETTINGS, sample_rate_hz=RATE_HZ / 2))
    with pytest.raises(RadioStateError):
        received(radios, 1.0)


def test_radios_that_receive_for_different_lengths_are_refused() -> None:
    radios = opened(scene())
    with pytest.raises(RadioStateError):  # either call may refuse
        radios["station"].arm(tone(), N, 1.0)
        radios["user"].arm(np.zeros((0, 0), dtype=np.complex64), N // 2, 1.0)
        radios["station"].collect()
        radios["user"].collect()


def test_radios_on_carriers_far_apart_do_not_hear_each_other_as_if_tuned_alike() -> None:
    """Either the exchange is refused, or nothing of a carrier 100 MHz away comes through."""
    radios = opened(scene())
    radios["user"].configure(replace(SETTINGS, center_hz=CARRIER_HZ + 100e6))
    try:
        samples = received(radios, 1.0)
    except RadioStateError:
        return
    noise = thermal_noise_power(RATE_HZ, NOISE_FIGURE_DB) * 10 ** ((SETTINGS.rx_gain_db - RX_FULL_SCALE_DBM + 30) / 10)
    assert np.mean(np.abs(samples) ** 2) < 2 * noise


def test_a_node_with_other_channels_than_asked_for_is_refused() -> None:
    with pytest.raises(RadioNotFoundError, match="2 transmit and 3 receive"):
        open_radios([RadioRequest("station", "simulated", 4, 3)], scene())


def test_a_silenced_radio_sends_nothing() -> None:
    radios = opened(scene())
    radios["station"].arm(tone(), N, 1.0)
    radios["user"].arm(np.zeros((0, 0), dtype=np.complex64), N, 1.0)
    radios["station"].silence()
    samples = radios["user"].collect().samples
    noise = thermal_noise_power(RATE_HZ, NOISE_FIGURE_DB) * 10 ** ((SETTINGS.rx_gain_db - RX_FULL_SCALE_DBM + 30) / 10)
    freedom = 2 * samples.size
    assert np.mean(np.abs(samples) ** 2) / noise < chi2.ppf(0.999, freedom) / freedom  # nothing but noise
    with pytest.raises(RadioStateError, match="nothing to collect"):
        radios["station"].collect()


def test_a_failed_exchange_leaves_no_trace_in_the_next() -> None:
    """The retry gives the samples that the exchange would have given: failures do not use up randomness."""
    wandering = FrontEnd(phase_noise_linewidth_hz=100.0, noise_figure_db=NOISE_FIGURE_DB)
    smooth, troubled = (opened(scene(station=wandering)) for _ in range(2))
    assert np.array_equal(received(smooth, 0.1), received(troubled, 0.1))
    troubled["station"].arm(tone(), N, 1.0)
    for radio in troubled.values():
        radio.silence()
    assert np.array_equal(received(smooth, 1.0), received(troubled, 1.0))


def test_clipping_is_flagged_only_where_it_happens() -> None:
    loud = replace(SETTINGS, rx_gain_db=100.0)
    with_adc = scene(user=FrontEnd(adc_bits=12), station=FrontEnd(adc_bits=12))
    radios = opened(with_adc)
    radios["user"].configure(loud)
    captures = exchange(radios, {"station": tone()}, N, 0.1)
    assert "clipped" in captures["user"].flags
    assert captures["station"].flags == ()


# ---------------------------------------------------------------- starts that nobody aligned


def pulse_at(samples: np.ndarray) -> float:
    """Return when a short burst arrives, in samples: its centre of energy."""
    energy = np.abs(samples) ** 2
    near = np.arange(-40, 41) + int(np.argmax(energy))
    return float(near @ energy[near] / energy[near].sum())


def test_a_radio_that_nobody_aligns_starts_anew_in_every_exchange_and_says_so() -> None:
    spread_s = 200e-6
    apart = FrontEnd(noise_figure_db=NOISE_FIGURE_DB, start_spread_s=spread_s)
    burst = np.zeros((2, N), dtype=np.complex64)
    burst[0, N // 2 - 20 : N // 2 + 21] = 0.5 * np.hanning(41)

    def starts(seed: int) -> np.ndarray:
        radios, found = opened(scene(station=apart, seed=seed)), []
        for index in range(40):
            captures = exchange(radios, {"station": burst}, N, 1.0 + index)
            assert captures["station"].flags == ("time-unaligned",)  # its own clock is the one that is off
            assert captures["user"].flags == ()
            found.append(pulse_at(captures["user"].samples[0]) - N / 2)
        return np.array(found) / RATE_HZ

    late = starts(3)
    assert np.all(np.abs(late) < spread_s / 2 + 1e-6)
    assert np.std(late) == pytest.approx(spread_s / np.sqrt(12), rel=0.25)
    assert np.array_equal(late, starts(3))
    assert not np.array_equal(late, starts(4))


def test_what_an_unaligned_radio_sends_comes_back_to_itself_in_time() -> None:
    """Its receiver starts as late as its transmitter: leakage from antenna to antenna needs no alignment."""
    quiet = scene(station=FrontEnd(start_spread_s=200e-6))
    radios = opened(replace(quiet, leakage=1e-4))
    burst = np.zeros((2, N), dtype=np.complex64)
    burst[0, N // 2 - 20 : N // 2 + 21] = 0.5 * np.hanning(41)
    for index in range(5):
        own = exchange(radios, {"station": burst}, N, 1.0 + index)["station"].samples[0]
        assert pulse_at(own) == pytest.approx(N / 2, abs=0.05)
