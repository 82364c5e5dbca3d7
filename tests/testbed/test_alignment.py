"""Delays and frequencies of paths: found where they are, left alone where they are not, and worth it."""

from __future__ import annotations

import numpy as np
import pytest

from precoding import steering
from testbed.frame import Frame
from testbed.measurement.alignment import frequency_shift, turned
from testbed.measurement.angle_cbf import DOUBT
from testbed.measurement.health import DEAD_CHANNEL, SILENT, UNEXPLAINED
from testbed.measurement.stations import observe_station
from testbed.scenario import FrameOptions
from testbed.waveform import phase_ramp

POWER = np.array([1.0, 1.0])
FRAME = Frame(FrameOptions(symbol_rate_hz=200e3), n_stations=2, n_tx=6)
ANGLES, N_RX = np.radians([10.0, -25.0]), 10


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def echo(rng: np.random.Generator, late: float, cycles: float, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n_rx, n) at station 0 and what both sent; the foreign path is late and turns cycles over the payload."""
    beams = np.stack([np.column_stack([steering(6, a).conj() / 6, noise(rng, 6, 2) / 5]) for a in ANGLES])
    beams /= np.linalg.norm(beams, axis=(1, 2), keepdims=True)
    sent = FRAME.modulate(beams @ FRAME.draw(rng, 3), POWER)
    paths = np.stack([steering(6, a) @ x for a, x in zip(ANGLES, sent, strict=True)])
    n = FRAME.n_samples
    paths[1] = np.fft.ifft(np.fft.fft(paths[1]) * np.exp(-2j * np.pi * np.fft.fftfreq(n) * late))
    step = 2 * np.pi * cycles / (128 * FRAME.options.samples_per_symbol)
    paths[1] *= phase_ramp(np.array(step), n)
    heard = np.outer(steering(N_RX, ANGLES[0]), paths[0] + 0.6 * np.exp(1j) * paths[1])
    heard = heard + np.sqrt(variance * FRAME.options.samples_per_symbol) * noise(rng, N_RX, n)
    return heard, FRAME.pulse.detect(FRAME.pulse.spectrum_of(sent))


@pytest.mark.parametrize(("late", "cycles"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.9), (1.0, -0.6)])
def test_a_path_that_is_late_or_turns_costs_joint_ml_nothing(late: float, cycles: float) -> None:
    rng = np.random.default_rng(int(10 * late + 100 * abs(cycles)))
    errors = []
    for _ in range(120):
        heard, sent = echo(rng, late, cycles, 0.5)
        report = observe_station(FRAME, 0, heard, sent, cooperative=True, payload=True)
        assert report.angle is not None
        assert not report.faults & UNEXPLAINED
        errors.append((report.angle.angle_rad - ANGLES[0]) / report.angle.rcrb_rad)
    # 120 errors: 6.5 % standard error of their root mean square; unaligned, 1.2 to 1.4 and unexplained frames.
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) < 1.17


def test_without_a_frequency_offset_none_is_found() -> None:
    rng = np.random.default_rng(1)
    found = [frequency_shift(3 * (x := noise(rng, 128)) + noise(rng, 128), x, 1.0) for _ in range(500)]
    assert np.count_nonzero(found) == 0


def test_a_frequency_is_found_to_a_tenth_of_a_cycle_and_undone() -> None:
    rng = np.random.default_rng(2)
    for cycles in (-5.3, 0.8, 2.0):
        sent = noise(rng, 128)
        heard = turned(sent, cycles / 128) + 0.3 * noise(rng, 128)
        assert 128 * frequency_shift(heard, sent, 0.09) == pytest.approx(cycles, abs=0.1)
    assert turned(turned(sent, 0.01), -0.01) == pytest.approx(sent)


@pytest.mark.parametrize("cooperative", [True, False])
def test_what_the_model_does_not_know_is_flagged(cooperative: bool) -> None:
    """A strong reflection off something else: joint ML has no place for it; the CBF estimator has, and says which."""
    rng = np.random.default_rng(3)
    heard, sent = echo(rng, 0.0, 0.0, 0.5)
    elsewhere = np.outer(steering(N_RX, 0.9), 3.0 * noise(rng, FRAME.n_samples))
    quiet = FRAME.options.guard_symbols * FRAME.options.samples_per_symbol
    elsewhere[:, :quiet] = 0.0
    report = observe_station(FRAME, 0, heard + elsewhere, sent, cooperative=cooperative, payload=True)
    assert report.angle is not None
    if cooperative:
        assert report.faults & UNEXPLAINED
    else:
        assert report.angle.estimator in ("capon", "aml")
        assert report.angle.p_value < DOUBT


def test_dead_channels_and_silence_give_no_number() -> None:
    rng = np.random.default_rng(4)
    heard, sent = echo(rng, 0.0, 0.0, 0.5)
    dead = heard.copy()
    dead[3] = 0.0
    for samples, fault in ((dead, DEAD_CHANNEL), (0.0 * heard, SILENT)):
        report = observe_station(FRAME, 0, samples, sent, cooperative=False, payload=True)
        assert report.faults == fault
        assert report.angle is not None
        assert np.isnan(report.angle.angle_rad)
        assert np.isnan(report.noise)
        assert np.isnan(report.sounding.angles_rad).all()


def test_more_antennas_than_snapshots_are_no_reason_to_fail() -> None:
    options = FrameOptions(symbol_rate_hz=200e3, payload_symbols=16)
    short = Frame(options, n_stations=1, n_tx=4)
    rng = np.random.default_rng(5)
    sent = short.modulate(noise(rng, 1, 4, 16), np.array([1.0]))
    heard = np.outer(steering(32, 0.2), steering(4, 0.2) @ sent[0]) + 0.1 * noise(rng, 32, short.n_samples)
    radiated = short.pulse.detect(short.pulse.spectrum_of(sent))
    report = observe_station(short, 0, heard, radiated, cooperative=False, payload=True)
    assert report.angle is not None
    assert report.angle.estimator == "structured-ml"
    assert np.isnan(report.angle.p_value)  # nothing can be said for or against the model
    assert report.angle.angle_rad == pytest.approx(0.2, abs=0.01)
