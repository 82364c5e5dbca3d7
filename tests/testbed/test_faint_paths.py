"""CoMP where two stations hardly light the target: their departure angles cannot be found, and must not spoil ours."""

from __future__ import annotations

import numpy as np
import pytest

from precoding import array_output_snr, steering
from testbed.frame import Frame
from testbed.measurement.stations import StationReport, observe_station
from testbed.scenario import Scenario
from testbed.summary import ratio_interval

OPTIONS = Scenario.load("two_cells_comp").frame
FRAME = Frame(OPTIONS, 3, 6)
N_RX, TRIALS = 10, 400
ANGLES = np.radians([17.0, -35.0, 40.0])
POWER = np.ones(3)


def observed(rng: np.random.Generator, own_snr_db: float, foreign_snr_db: float) -> StationReport:
    """One frame at station 0: each path at an array-output SNR of its own, over the payload."""

    def noise(*shape: int) -> np.ndarray:
        return np.asarray((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2))

    weights = noise(3, 6, 6) / np.sqrt(36)
    symbols = FRAME.draw(rng, 2).reshape(6, -1)
    sent = FRAME.preamble(POWER)
    sent[..., FRAME.payload] = weights @ symbols
    gains = np.empty(3, dtype=complex)
    for n, snr_db in enumerate((own_snr_db, foreign_snr_db, foreign_snr_db)):
        x = sent[n][:, FRAME.payload]
        unit = array_output_snr(ANGLES[n : n + 1], np.ones(1, dtype=complex), x @ x.conj().T, 1.0, N_RX)
        gains[n] = np.sqrt(10 ** (snr_db / 10) / unit) * np.exp(2j * np.pi * rng.random())
    heard = sum(g * steering(6, a) @ x for g, a, x in zip(gains, ANGLES, sent, strict=True))
    echo = np.outer(steering(N_RX, ANGLES[0]), FRAME.pulse.shape(heard))
    return observe_station(
        FRAME, 0, echo + 2.0 * noise(*echo.shape), sent, cooperative=True, payload=True
    )  # 4 samples a symbol: unit noise per symbol


@pytest.mark.parametrize(("foreign_snr_db", "estimator"), [(6.0, "structured-ml"), (25.0, "joint-ml")])
def test_what_cannot_be_modelled_counts_as_interference(foreign_snr_db: float, estimator: str) -> None:
    """At either end the errors are those of the bound that is stated."""
    rng = np.random.default_rng(11)
    angles = [observed(rng, 22.0, foreign_snr_db).angle for _ in range(TRIALS)]
    used = [angle.estimator for angle in angles if angle is not None]
    # Of faint paths that are fitted to noise one in ten seems bright: two large amplitudes that cancel.
    assert used.count(estimator) >= 0.85 * TRIALS
    errors = np.array([(angle.angle_rad - ANGLES[0]) / angle.rcrb_rad for angle in angles if angle is not None])
    ratio = float(np.sqrt(np.mean(errors**2)))
    low, high = ratio_interval(ratio, TRIALS, confidence=0.999)
    assert low < 1.03
    assert high > 1.0


def test_an_own_path_that_is_the_faint_one_keeps_the_others() -> None:
    """Most of what tells the angle is the other station's light: it is not given up for being less well understood."""
    rng = np.random.default_rng(12)
    used = [observed(rng, 8.0, 25.0).angle for _ in range(30)]
    assert {angle.estimator for angle in used if angle is not None} == {"joint-ml"}
