"""Textbook estimators do what their books say, seeded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from precoding import crb_slepian_bangs, steering
from testbed.errors import RequestError
from testbed.measurement.baselines import BASELINES, _apes, _Echo, _unstructured_ml

THETA, ELSEWHERE = np.radians([10.0, 35.0])
N_TX, N_RX, LENGTH = 6, 10, 128


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.asarray((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2))


def echo(rng: np.random.Generator, snr: float, off_target: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Received (n_rx, L) in unit noise and sent (n_tx, L); snr of the block, interference per snapshot and antenna."""
    sent = noise(rng, N_TX, LENGTH) / np.sqrt(N_TX)
    arriving = np.sqrt(snr / LENGTH) * steering(N_TX, THETA) @ sent
    received = np.outer(steering(N_RX, THETA), arriving) + noise(rng, N_RX, LENGTH)
    return received + np.sqrt(off_target) * np.outer(steering(N_RX, ELSEWHERE), noise(rng, LENGTH)), sent


def errors_deg(name: str, rng: np.random.Generator, snr: float, off_target: float, trials: int) -> np.ndarray:
    frames = [echo(rng, snr, off_target) for _ in range(trials)]
    found = [BASELINES[name](received, sent) for received, sent in frames]
    return np.asarray(np.degrees(np.array(found) - THETA))


@pytest.mark.parametrize("name", BASELINES)
def test_every_estimator_finds_a_strong_target(name: str) -> None:
    """Within 0.1 degrees, where the bound is 0.012; APES within a tenth of a beam."""
    worst = np.max(np.abs(errors_deg(name, np.random.default_rng(60), 1e4, 0.0, 20)))
    assert worst < (1.0 if name == "APES" else 0.1)


def test_the_matched_filter_meets_the_bound_in_white_noise() -> None:
    """There it is the maximum-likelihood estimator; 99.8 % interval of 400 Gaussian errors."""
    rng = np.random.default_rng(61)
    squares = []
    for _ in range(400):
        received, sent = echo(rng, 100.0)
        bound = crb_slepian_bangs(THETA, np.sqrt(100.0 / LENGTH) + 0j, sent @ sent.conj().T, 0.0, 1.0, N_RX, LENGTH)
        squares.append((BASELINES["matched filter"](received, sent) - THETA) ** 2 / bound)
    assert chi2.ppf(0.001, 400) < np.sum(squares) < chi2.ppf(0.999, 400)


@pytest.mark.parametrize(
    ("name", "limit_deg"), [("Capon", 0.25), ("unstructured ML", 0.25), ("APES", 0.6), ("MUSIC, projected", 0.9)]
)
def test_estimators_that_know_what_was_sent_see_past_a_louder_interferer(name: str, limit_deg: float) -> None:
    """The bound without interference is 0.12 degrees; twice that, or what floors the estimator, with half as much."""
    errors = errors_deg(name, np.random.default_rng(62), 100.0, 5.0, 100)
    assert np.sqrt(np.mean(errors**2)) < limit_deg


@pytest.mark.parametrize("name", ["MUSIC", "MVDR"])
def test_estimators_that_do_not_ask_who_sent_it_follow_a_louder_interferer(name: str) -> None:
    errors = errors_deg(name, np.random.default_rng(63), 100.0, 5.0, 20)
    assert np.allclose(errors, np.degrees(ELSEWHERE - THETA), atol=1.0)


def test_short_forms_of_apes_and_unstructured_ml_are_those_with_the_inverse_of_q() -> None:
    received, sent = echo(np.random.default_rng(65), 30.0)
    ryy, ryx, rxx = (one @ other.conj().T for one, other in ((received, received), (received, sent), (sent, sent)))
    a, v = steering(N_RX, 0.3), steering(N_TX, 0.3)
    r, lit = ryx @ v.conj(), (v @ rxx @ v.conj()).real
    inverse = np.linalg.inv(ryy - np.outer(r, r.conj()) / lit)
    alpha = (a.conj() @ inverse @ r) / (lit * (a.conj() @ inverse @ a).real)
    sine = np.sin(np.array([0.3]))
    assert _apes(_Echo(ryy, ryx, rxx, LENGTH), sine)[0] == pytest.approx(abs(alpha) ** 2 * lit, rel=1e-9)
    likelihood = (a.conj() @ inverse @ a).real / (a.conj() @ np.linalg.inv(ryy) @ a).real
    assert _unstructured_ml(_Echo(ryy, ryx, rxx, LENGTH), sine)[0] == pytest.approx(likelihood, rel=1e-9)


def test_fewer_snapshots_than_antennas_are_an_error_where_a_covariance_is_inverted() -> None:
    rng = np.random.default_rng(66)
    with pytest.raises(RequestError, match="at least 10 snapshots"):
        BASELINES["Capon"](noise(rng, N_RX, 8), noise(rng, N_TX, 8))
