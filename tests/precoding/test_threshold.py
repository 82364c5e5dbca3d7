"""Below the threshold: laws in closed form, limits that need none, and decisions counted one by one, seeded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import diric, i0e
from scipy.stats import beta, binom, ncx2

from precoding import (
    ArgumentError,
    IntervalErrors,
    crb_comp,
    crb_slepian_bangs,
    method_of_interval_errors,
    no_information_rms,
    noncoherent_error,
    steering,
    ziv_zakai,
)
from precoding.detection import probability_positive
from precoding.side_lobes import Echo
from precoding.threshold import _pairwise_errors

THETA = float(np.radians(10.0))
N_TX, N_RX, LENGTH = 6, 10, 30
SECTOR_60 = float(np.radians(60.0))


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.asarray((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2))


def omnidirectional(echo_snr: float, n_tx: int = N_TX) -> IntervalErrors:
    """One station, X X^H a multiple of I; `echo_snr` is |alpha|^2 L P / sigma^2, a tenth of that of the array."""
    gram = np.diag(np.full(n_tx, LENGTH / n_tx + 0j))
    alpha = np.array([np.sqrt(echo_snr / LENGTH)], dtype=complex)
    return method_of_interval_errors(0, np.array([THETA]), alpha, gram, 1.0, N_RX, LENGTH)


def pairwise(found: IntervalErrors) -> np.ndarray:
    """Undo the normalisation: odds against the truth, then the probability of each lobe by itself."""
    odds = found.probabilities / (1.0 - found.outlier_probability)
    return np.asarray(odds / (1.0 + odds))


# ------------------------------------------------------------- decisions


@pytest.mark.parametrize("snr", [0.0, 1.0, 30.0, 200.0])
def test_orthogonal_signals_are_noncoherent_frequency_shift_keying(snr: float) -> None:
    assert noncoherent_error(snr, np.zeros(1)) == pytest.approx(0.5 * np.exp(-snr / 2), rel=1e-9)


def test_signals_that_do_not_differ_are_told_apart_by_a_coin() -> None:
    assert noncoherent_error(40.0, np.ones(1)) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("snr", [0.1, 3.0, 20.0])
def test_noncoherent_errors_are_those_of_marcums_function(snr: float) -> None:
    rho = np.array([0.05, 0.3, 0.8, 0.99])
    a, b = (snr / 2 * (1 + sign * np.sqrt(1 - rho**2)) for sign in (-1, 1))
    closed = ncx2.sf(b, 2, a) - 0.5 * np.exp(np.sqrt(a * b) - (a + b) / 2) * i0e(np.sqrt(a * b))
    assert noncoherent_error(snr, rho) == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize(("first", "second", "weight"), [(1, 1, 3.0), (2, 20, 0.1), (30, 1000, 0.05), (3, 1, 1e-3)])
def test_a_sum_of_exponentials_beats_another_with_the_probability_of_a_beta_law(
    first: int, second: int, weight: float
) -> None:
    levels, counts = np.array([[1.0, -weight]]), np.array([first, second], dtype=float)
    closed = beta.sf(weight / (1 + weight), first, second)
    assert probability_positive(levels, np.zeros((1, 2)), counts) == pytest.approx(closed, rel=1e-6)


def test_a_form_that_is_never_positive_never_wins_and_one_that_is_nothing_wins_by_a_coin() -> None:
    levels, shifts = np.array([[0.0, -1.0], [0.0, 0.0]]), np.ones((2, 2))
    assert np.array_equal(probability_positive(levels, shifts, np.ones(2)), [0.0, 0.5])


# ------------------------------------------- method of interval errors


def test_side_lobes_of_ten_antennas_lie_between_the_zeros_of_their_response() -> None:
    """Seen from broadside, sent by one antenna: zeros at u = 0.2, 0.4, ... and the last lobe is cut by the sector."""
    alpha, gram = np.array([0.1 + 0j]), np.array([[30.0 + 0j]])
    found = method_of_interval_errors(0, np.zeros(1), alpha, gram, 1.0, N_RX, LENGTH)
    middle = np.array([0.3, 0.5, 0.7, 0.9])
    grid = 2 / 80
    assert np.sin(found.peaks_rad) == pytest.approx(np.concatenate([-middle[::-1], middle]), abs=grid)


def test_a_lobe_beats_the_truth_as_often_as_noncoherent_signals_of_the_arrays_correlation() -> None:
    found = omnidirectional(1.0)
    apart = np.pi * (np.sin(found.peaks_rad) - np.sin(THETA))
    assert pairwise(found) == pytest.approx(noncoherent_error(10.0, diric(apart, 6) * diric(apart, 10)), rel=1e-6)


def test_at_high_snr_the_bound_is_left_over() -> None:
    found = omnidirectional(30.0)
    gram = np.diag(np.full(N_TX, LENGTH / N_TX + 0j))
    crb = crb_slepian_bangs(THETA, np.sqrt(30.0 / LENGTH), gram, 0.0, 1.0, N_RX, LENGTH)
    assert found.rms_rad == pytest.approx(np.sqrt(crb), rel=1e-6)
    assert found.local_rms_rad == pytest.approx(np.sqrt(crb), rel=1e-12)
    assert found.outlier_probability < 1e-12


def test_without_an_echo_all_lobes_are_alike() -> None:
    found = omnidirectional(1e-9)
    lobes = len(found.peaks_rad)
    assert found.probabilities == pytest.approx(np.full(lobes, 1 / (lobes + 1)), rel=1e-3)
    # Lobes cover the sector evenly in sine, the limit evenly in angle: they differ by a tenth at 75 degrees.
    assert found.rms_rad == pytest.approx(no_information_rms(THETA, np.radians(75.0)), rel=0.15)


def test_probabilities_never_exceed_one_and_fall_with_the_snr() -> None:
    found = [omnidirectional(10 ** (db / 10)) for db in np.arange(-30.0, 20.0, 2.0)]
    outliers = np.array([item.outlier_probability for item in found])
    assert np.all(outliers < 1.0)
    assert np.all(np.diff(outliers) < 0.0)
    assert np.all(np.diff([item.rms_rad for item in found]) < 0.0)


def test_in_a_sector_within_the_main_lobe_there_are_no_outliers() -> None:
    gram = np.array([[30.0 + 0j]])
    found = method_of_interval_errors(0, np.zeros(1), np.ones(1, complex), gram, 1.0, N_RX, LENGTH, sector_rad=0.15)
    assert len(found.peaks_rad) == 0
    assert found.outlier_probability == 0.0


def beams(rng: np.random.Generator, stations: int, streams: int) -> np.ndarray:
    """Signals of stations, (J, n_tx, L), on beams of their own."""
    return np.asarray(
        noise(rng, stations, N_TX, streams) @ noise(rng, stations, streams, LENGTH) / np.sqrt(N_TX * streams)
    )


def fit(basis: np.ndarray, received: np.ndarray) -> float:
    """Energy of received that a basis (n, p) explains."""
    return float(np.linalg.norm(np.linalg.qr(basis)[0].conj().T @ received) ** 2)


def within(hits: int, trials: int, probability: float) -> bool:
    """Whether a count is in the central 99.8 % of its binomial law."""
    return bool(binom.ppf(0.001, trials, probability) <= hits <= binom.ppf(0.999, trials, probability))


def test_cbf_decisions_against_a_lobe_go_wrong_as_often_as_predicted() -> None:
    """Log-likelihoods written out with C and its inverse, amplitude fitted, interference drawn: no formula shared."""
    rng = np.random.default_rng(50)
    trials, q, alpha = 1500, 0.03, 0.1 * np.exp(1j)
    X = beams(rng, 1, 2)[0]
    found = method_of_interval_errors(
        0, np.array([THETA]), np.array([alpha]), X @ X.conj().T, 1.0, N_RX, LENGTH, interference_power=q
    )
    angles = np.append(found.peaks_rad, THETA)
    a, signals = steering(N_RX, angles), steering(N_TX, angles) @ X
    wins = np.zeros(len(angles) - 1, dtype=int)
    for _ in range(trials):
        arriving = alpha * signals[-1] + np.sqrt(q) * noise(rng, LENGTH)
        Y = np.outer(a[-1], arriving) + noise(rng, N_RX, LENGTH)
        likelihood = []
        for beam, signal in zip(a, signals, strict=True):
            inverse = np.linalg.inv(q * np.outer(beam, beam.conj()) + np.eye(N_RX))
            gain = (beam.conj() @ inverse @ Y @ signal.conj()) / (
                (beam.conj() @ inverse @ beam).real * np.linalg.norm(signal) ** 2
            )
            left = Y - gain * np.outer(beam, signal)
            likelihood.append(-np.sum(left.conj() * (inverse @ left)).real)
        wins += np.array(likelihood[:-1]) > likelihood[-1]
    predicted = pairwise(found)
    assert max(predicted) > 0.02  # else there would be nothing to count
    assert all(within(int(count), trials, p) for count, p in zip(wins, predicted, strict=True))


def test_comp_decisions_against_a_lobe_go_wrong_as_often_as_predicted() -> None:
    rng = np.random.default_rng(51)
    trials, truth = 3000, np.array([0.2, -0.4])
    X = beams(rng, 2, 3)
    alpha = np.array([0.12, 0.08j])
    stacked = X.reshape(-1, LENGTH)
    gram = (stacked @ stacked.conj().T).reshape(2, N_TX, 2, N_TX)
    lobe = np.array([-0.3, 0.5])
    predicted = float(_pairwise_errors(Echo(truth, alpha, gram, 0.0, 1.0, N_RX, LENGTH), lobe[None])[0])
    bases = []
    for sines in (truth, lobe):
        signals = np.einsum("ni,nil->nl", steering(N_TX, np.arcsin(sines)), X)
        bases.append(np.stack([np.kron(steering(N_RX, np.arcsin(sines[0])), s) for s in signals], axis=1))
    wins = 0
    for _ in range(trials):
        received = bases[0] @ alpha + noise(rng, N_RX * LENGTH)
        wins += fit(bases[1], received) > fit(bases[0], received)
    assert 0.01 < predicted < 0.3
    assert within(wins, trials, predicted)


def comp(order: list[int], streams: int) -> IntervalErrors:
    rng = np.random.default_rng(52)
    X = beams(rng, 2, streams)[order].reshape(-1, LENGTH)
    angles, alpha = np.array([0.2, -0.4])[order], np.array([0.12, 0.08j])[order]
    return method_of_interval_errors(order.index(0), angles, alpha, X @ X.conj().T, 1.0, N_RX, LENGTH)


def test_the_order_of_the_stations_does_not_matter() -> None:
    here, there = comp([0, 1], 3), comp([1, 0], 3)
    assert here.rms_rad == pytest.approx(there.rms_rad, rel=1e-9)
    assert here.probabilities == pytest.approx(there.probabilities, rel=1e-6)


def test_departure_angles_that_one_stream_hides_are_not_counted_as_lobes() -> None:
    hidden, seen = comp([0, 1], 1), comp([0, 1], 3)
    assert len(hidden.peaks_rad) == len(np.unique(hidden.peaks_rad))
    assert len(seen.peaks_rad) > 2 * len(np.unique(seen.peaks_rad))


def test_comp_at_high_snr_is_proposition_2() -> None:
    rng = np.random.default_rng(53)
    X = beams(rng, 2, 3).reshape(-1, LENGTH)
    angles, alpha, gram = np.array([0.2, -0.4]), np.array([3.0, 2.0j]), X @ X.conj().T
    found = method_of_interval_errors(0, angles, alpha, gram, 1.0, N_RX, LENGTH)
    assert found.rms_rad == pytest.approx(np.sqrt(crb_comp(0, angles, alpha, gram, 1.0, N_RX)), rel=1e-9)


def test_a_target_outside_the_sector_is_refused() -> None:
    with pytest.raises(ArgumentError, match="widen sector_rad"):
        method_of_interval_errors(0, np.array([1.4]), np.ones(1, complex), np.eye(2, dtype=complex), 1.0, 4, 10)


def test_interference_is_refused_where_all_signals_are_known() -> None:
    two = np.array([0.1, 0.2]), np.ones(2, complex), np.eye(4, dtype=complex)
    with pytest.raises(ArgumentError, match="must be 0 for CoMP"):
        method_of_interval_errors(0, *two, 1.0, 4, 10, interference_power=1.0)


@pytest.mark.parametrize(("alpha", "noise_power"), [(np.nan, 1.0), (1.0, 0.0), (1.0, np.nan)])
def test_what_is_not_a_number_is_refused_by_name(alpha: float, noise_power: float) -> None:
    one = np.zeros(1), np.array([alpha], dtype=complex), np.eye(4, dtype=complex)
    with pytest.raises(ArgumentError, match=r"reflections|radar_noise"):
        method_of_interval_errors(0, *one, noise_power, 4, 10)


def test_a_station_that_sends_nothing_learns_nothing() -> None:
    silent = np.zeros((4, 4), dtype=complex)
    found = method_of_interval_errors(0, np.zeros(1), np.ones(1, complex), silent, 1.0, 10, 10)
    # One lobe as wide as the sector, less what the grid leaves at its ends.
    assert found.rms_rad == pytest.approx(no_information_rms(0.0, np.radians(75.0)), rel=0.05)


# ------------------------------------------------------------ Ziv-Zakai


def test_ziv_zakai_is_the_cramer_rao_bound_at_high_snr() -> None:
    snr = 1e4
    slope = (np.pi * np.cos(THETA)) ** 2 * ((N_TX**2 - 1) / 12 + (N_RX**2 - 1) / 12)
    assert ziv_zakai(THETA, snr, N_TX, N_RX) == pytest.approx(np.sqrt(1 / (2 * snr * slope)), rel=2e-3)


def test_ziv_zakai_is_the_spread_of_the_prior_without_an_echo() -> None:
    spread = np.sin(SECTOR_60) / np.sqrt(3)  # of a sine that is uniform in +- sin(60 deg)
    assert ziv_zakai(0.0, 1e-12, N_TX, N_RX, sector_rad=SECTOR_60) == pytest.approx(spread, rel=1e-3)


@pytest.mark.parametrize(
    ("echo_db", "degrees"), [(3.0, 0.933), (0.0, 2.73), (-3.0, 8.47), (-10.0, 22.7), (-15.0, 26.9)]
)
def test_ziv_zakai_meets_values_computed_apart(echo_db: float, degrees: float) -> None:
    """Computed once with Marcum's function on another grid; three digits were kept."""
    bound = ziv_zakai(THETA, 10 * 10 ** (echo_db / 10), N_TX, N_RX, sector_rad=SECTOR_60)
    assert np.degrees(bound) == pytest.approx(degrees, rel=5e-3)


def test_ziv_zakai_stays_below_the_method_of_interval_errors() -> None:
    for echo_db in (-6.0, -3.0, 0.0, 3.0):
        snr = 10 ** (echo_db / 10)
        assert ziv_zakai(THETA, 10 * snr, N_TX, N_RX) < omnidirectional(snr).rms_rad


def test_an_estimate_without_information_is_uniform_over_the_sector() -> None:
    """Ten degrees off broadside in +-60 degrees: 120 / sqrt(12) = 34.64 degrees and ten, added in squares."""
    assert np.degrees(no_information_rms(THETA, SECTOR_60)) == pytest.approx(np.hypot(34.641, 10.0), rel=1e-4)
