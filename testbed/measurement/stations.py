"""One frame at a base station: echo delay, target angle, and the bounds for what was really sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding import array_output_snr, crb_cbf, crb_comp, crb_slepian_bangs
from precoding.fisher import echo_covariance
from testbed.frame import Frame
from testbed.measurement.angle_cbf import estimate_angle
from testbed.measurement.angle_comp import BistaticEstimate, estimate_angles, estimate_departures
from testbed.measurement.echo import estimate_delay
from testbed.measurement.front_end import without_dc

__all__ = ["AngleReport", "StationReport", "observe_station"]

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class AngleReport:
    """An angle with the bound it is judged by (see `testbed.outcome.Outcome`)."""

    angle_rad: float
    estimator: str
    p_value: float
    rcrb_rad: float
    design_rcrb_rad: float
    array_output_snr: float


@dataclass(frozen=True)
class StationReport:
    """What one frame showed at one station."""

    delay_samples: float
    noise: float
    sounding: BistaticEstimate
    angle: AngleReport | None


def observe_station(
    frame: Frame, own: int, samples: Complex, sent: Complex, *, cooperative: bool, payload: bool
) -> StationReport:
    """Measure one frame at one station.

    Args:
        frame: The frame's layout.
        own: Index m of the station.
        samples: Samples at its antennas, (n_rx, n_samples), root-watt.
        sent: Symbols that really left all stations' antennas, (J, n_tx, n_symbols), root-watt.
        cooperative: Whether the station knows the other stations' payload (CoMP) or only its own (CBF).
        payload: Whether there is a payload to estimate from; pilots are known to all stations in any case.
    """
    section = frame.payload if payload else frame.sounding
    spectrum = frame.pulse.spectrum_of(without_dc(frame, samples))
    delay = estimate_delay(frame, frame.pulse.matched(spectrum), sent[own][:, section], section)
    received = frame.pulse.detect(spectrum, delay)
    noise = float(np.mean(np.abs(received[:, frame.guard]) ** 2))
    pilots = received[:, frame.sounding], sent[..., frame.sounding], own
    if not payload:
        return StationReport(delay, noise, estimate_angles(*pilots), None)
    judge = _cooperative if cooperative else _monostatic
    angle = judge(received[:, frame.payload], sent[..., frame.payload], own)
    return StationReport(delay, noise, estimate_departures(*pilots, angle.angle_rad), angle)


def _monostatic(received: Complex, sent: Complex, own: int) -> AngleReport:
    """CBF: the own symbols are known, the rest is interference."""
    estimate = estimate_angle(received, sent[own])
    n_rx, length = received.shape
    gram = sent[own] @ sent[own].conj().T
    theta, alpha = estimate.angle_rad, estimate.amplitude
    if estimate.estimator == "capon":
        design = judged = crb_cbf(theta, alpha, gram, estimate.covariance)
    else:
        covariance = echo_covariance(theta, estimate.interference, estimate.noise, n_rx)
        design = crb_cbf(theta, alpha, gram, covariance)
        judged = crb_slepian_bangs(theta, alpha, gram, estimate.interference, estimate.noise, n_rx, length)
    snr = array_output_snr(np.array([theta]), np.array([alpha]), gram, estimate.noise, n_rx)
    return AngleReport(theta, estimate.estimator, estimate.p_value, np.sqrt(judged), np.sqrt(design), snr)


def _cooperative(received: Complex, sent: Complex, own: int) -> AngleReport:
    """CoMP: all symbols are known."""
    estimate = estimate_angles(received, sent, own)
    stacked = sent.reshape(-1, sent.shape[-1])
    gram = stacked @ stacked.conj().T
    n_rx = received.shape[0]
    judged = crb_comp(own, estimate.angles_rad, estimate.amplitudes, gram, estimate.noise, n_rx)
    snr = array_output_snr(estimate.angles_rad, estimate.amplitudes, gram, estimate.noise, n_rx)
    return AngleReport(float(estimate.angles_rad[own]), "joint-ml", 1.0, np.sqrt(judged), np.sqrt(judged), snr)
