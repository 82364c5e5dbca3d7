"""SINR and its parts on data made by their own model, against the truth and the exact law, seeded."""

import numpy as np
import pytest
from scipy.special import ncfdtr
from scipy.stats import binom

from testbed.frame import CONSTELLATIONS
from testbed.measurement.decomposition import StreamFit, decompose, fit_streams
from testbed.measurement.noncentral_f import noncentrality, onset
from testbed.measurement.sinr import estimate_sinr

USERS, PER_CELL = 6, 3
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def drawn(rng: np.random.Generator, length: int, sinr: float, inr: float, others: int, kind: str) -> Drawn:
    """Received symbols, streams and gains of six users; the noise has power 1, the interferers together inr."""
    words = CONSTELLATIONS.get(kind)
    streams = noise(rng, USERS, length) if words is None else words[rng.integers(len(words), size=(USERS, length))]
    gains = np.zeros((USERS, USERS), dtype=complex)
    for user in range(USERS):
        strength = noise(rng, others) * 0.5 ** np.arange(others)
        where = (user + 1 + np.arange(others)) % USERS
        gains[user, where] = np.sqrt(inr) * strength / max(np.linalg.norm(strength), 1e-30)
    own = np.sqrt(sinr * (1 + np.sum(np.abs(gains) ** 2, axis=1)))
    gains[np.arange(USERS), np.arange(USERS)] = own * np.exp(0.7j)
    return gains @ streams + noise(rng, USERS, length), streams, gains


CASES = [
    (0.0, 0, "qpsk"),
    (1.0, 1, "qpsk"),
    (10.0, 1, "bpsk"),
    (10.0, 2, "8psk"),
    (10.0, 5, "qpsk"),
    (10.0, 5, "gauss"),
]


@pytest.mark.parametrize("length", [20, 128, 1024])
@pytest.mark.parametrize("sinr_db", [0.0, 10.0, 30.0])
@pytest.mark.parametrize(("inr", "others", "kind"), CASES)
def test_sinr_has_no_bias_and_its_interval_covers(
    length: int, sinr_db: float, inr: float, others: int, kind: str
) -> None:
    rng = np.random.default_rng([length, int(sinr_db), others])
    frames, sinr, ratios, covered = 150, 10 ** (sinr_db / 10), [], 0
    for _ in range(frames):
        received, streams, _ = drawn(rng, length, sinr, inr, others, kind)
        estimate = estimate_sinr(received, streams)
        ratios.append(estimate.value / sinr)
        covered += int(np.sum((estimate.low <= sinr) & (sinr <= estimate.high)))
    spread = np.std(ratios) / np.sqrt(frames * USERS)
    assert abs(np.mean(ratios) - 1) < 4 * spread
    # 93 to 97 % are promised; 900 trials scatter by 0.7 % besides, and three of that are allowed
    assert 0.93 - 0.021 <= covered / (frames * USERS) <= 0.97 + 0.021


def test_without_other_streams_the_interval_is_that_of_the_exact_law() -> None:
    rng = np.random.default_rng(1)
    symbols = CONSTELLATIONS["qpsk"][rng.integers(4, size=(1, 20))]
    received = 3.0 * symbols + noise(rng, 1, 20)
    estimate = estimate_sinr(received, symbols)
    amplitude = np.vdot(symbols[0], received[0]) / 20
    residual = np.sum(np.abs(received[0] - amplitude * symbols[0]) ** 2)
    ratio = abs(amplitude) ** 2 * 19 / residual
    assert estimate.value[0] == pytest.approx(18 / 19 * ratio - 1 / 20)
    for end, probability in ((estimate.low, 0.975), (estimate.high, 0.025)):
        assert ncfdtr(2.0, 38.0, 40 * end[0], 20 * ratio) == pytest.approx(probability, abs=1e-4)


def test_a_block_too_short_for_all_streams_counts_them_as_noise() -> None:
    rng = np.random.default_rng(2)
    streams = CONSTELLATIONS["qpsk"][rng.integers(4, size=(9, 16))]
    assert fit_streams(streams, streams) is None
    covered, frames = 0, 300
    for _ in range(frames):
        received = np.sqrt(10.0) * streams + noise(rng, 9, 16)
        estimate = estimate_sinr(received, streams)
        covered += int(np.sum((estimate.low <= 10) & (estimate.high >= 10)))
    assert binom.ppf(0.001, 9 * frames, 0.95) <= covered <= binom.ppf(0.999, 9 * frames, 0.95)


def test_streams_that_are_alike_are_not_told_apart() -> None:
    streams = CONSTELLATIONS["bpsk"][np.random.default_rng(3).integers(2, size=(3, 32))]
    streams[1] = streams[0]
    assert fit_streams(streams, streams) is None
    assert np.all(np.isfinite(estimate_sinr(streams + 0j, streams).low))


def test_silence_has_no_sinr() -> None:
    streams = CONSTELLATIONS["qpsk"][np.random.default_rng(4).integers(4, size=(6, 128))]
    estimate = estimate_sinr(np.zeros((6, 128), dtype=complex), streams)
    assert np.all(estimate.value <= 0)
    assert np.all(estimate.low == 0)


def test_what_is_not_a_number_stays_none() -> None:
    streams = CONSTELLATIONS["qpsk"][np.random.default_rng(5).integers(4, size=(6, 128))]
    received = streams + 0.1 * noise(np.random.default_rng(6), 6, 128)
    received[2, 5] = np.nan
    estimate = estimate_sinr(received, streams)
    assert np.isnan([estimate.value[2], estimate.low[2], estimate.high[2]]).all()
    assert np.isfinite(np.delete(estimate.value, 2)).all()


# ------------------------------------------------------- noncentral F


@pytest.mark.parametrize("probability", [0.0005, 0.025, 0.5, 0.975, 0.9995])
def test_noncentrality_meets_the_exact_law_within_a_ten_thousandth(probability: float) -> None:
    rng = np.random.default_rng(7)
    freedom = np.exp(rng.uniform(np.log(8), np.log(1e5), 300))
    f = onset(freedom, probability) * np.exp(rng.uniform(0.01, np.log(1e6), 300))
    got = ncfdtr(2.0, freedom, noncentrality(f, freedom, probability), f)
    assert np.max(np.abs(got - probability)) < 1e-4


def test_below_its_onset_there_is_no_noncentrality() -> None:
    assert ncfdtr(2.0, 38.0, 0.0, onset(38.0, 0.975)) == pytest.approx(0.975, abs=1e-12)
    assert noncentrality(np.array([0.0, 1.0, 0.999 * float(onset(38.0, 0.975))]), 38.0, 0.975).tolist() == [0, 0, 0]


# ------------------------------------------------------- decomposition


def fitted(received: np.ndarray, streams: np.ndarray) -> StreamFit:
    fit = fit_streams(received, streams)
    assert fit is not None
    return fit


def true_powers(gains: np.ndarray) -> dict[str, np.ndarray]:
    cell = np.arange(USERS) // PER_CELL
    own, same = np.eye(USERS, dtype=bool), cell[:, None] == cell
    power = np.abs(gains) ** 2
    return {
        "signal": np.sum(power * own, axis=1),
        "intra_cell": np.sum(power * (same & ~own), axis=1),
        "inter_cell": np.sum(power * ~same, axis=1),
        "noise": np.ones(USERS),
    }


@pytest.mark.parametrize("length", [20, 128])
def test_each_term_has_no_bias_and_the_error_that_it_states(length: int) -> None:
    rng = np.random.default_rng([8, length])
    ratio: dict[str, list[np.ndarray]] = {}
    score: dict[str, list[np.ndarray]] = {}
    for _ in range(400):
        received, streams, gains = drawn(rng, length, 10.0, 10.0, 5, "qpsk")
        found = decompose(fitted(received, streams), PER_CELL)
        for name, true in true_powers(gains).items():
            value, error = getattr(found, name), getattr(found, f"{name}_error")
            ratio.setdefault(name, []).append(value / true)
            score.setdefault(name, []).append((value - true) / error)
    for name, values in ratio.items():
        # interferers are drawn anew in each frame: of 2,400 ratios the median is within 0.3 dB of the truth
        assert abs(10 * np.log10(np.median(values))) < 0.3, name
        limits = (0.9, 1.1) if length > 100 else (0.85, 1.25)  # an error estimated from 14 samples has heavy tails
        assert limits[0] < np.std(score[name]) < limits[1], name


def test_an_absent_term_is_zero_within_its_error() -> None:
    rng = np.random.default_rng(9)
    values, errors = [], []
    for _ in range(300):
        received, streams, _ = drawn(rng, 128, 10.0, 0.0, 0, "qpsk")
        found = decompose(fitted(received, streams), PER_CELL)
        values.append(found.inter_cell)
        errors.append(found.inter_cell_error)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(1800)
    assert np.std(values) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.2)


def test_terms_add_up_to_what_is_received() -> None:
    rng = np.random.default_rng(10)
    received, streams, _ = drawn(rng, 1024, 10.0, 10.0, 5, "qpsk")
    found = decompose(fitted(received, streams), PER_CELL)
    total = found.signal + found.intra_cell + found.inter_cell + found.noise
    # the terms leave out the chance correlation of streams, 1 / sqrt(1024) of the largest
    assert total == pytest.approx(np.mean(np.abs(received) ** 2, axis=1), rel=0.1)
