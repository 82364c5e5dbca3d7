"""One frame at a base station: echo delay, target angle, and the bounds for what was really sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from precoding import (
    array_output_snr,
    crb_cbf,
    crb_comp,
    crb_slepian_bangs,
    method_of_interval_errors,
    steering,
    ziv_zakai,
)
from testbed.frame import Frame
from testbed.measurement.alignment import align_paths, frequency_shift, turned
from testbed.measurement.angle_cbf import MonostaticEstimate, estimate_angle
from testbed.measurement.angle_comp import BistaticEstimate, estimate_angles, estimate_departures
from testbed.measurement.arrival import RelativeArrival
from testbed.measurement.echo import estimate_delay
from testbed.measurement.foreign_pilots import departures, pilots_of
from testbed.measurement.front_end import without_dc
from testbed.measurement.health import DEAD_CHANNEL, SILENT, UNEXPLAINED, inspect_channels

__all__ = ["AngleReport", "StationReport", "observe_station"]

Complex = NDArray[np.complex128]

MEANINGFUL_SNR = 10**1.5  # at the array's output; below, a Cramer-Rao bound says nothing about errors
WORTH_IT = 1.3  # times the bound of all paths that the own path alone may have, to be preferred to fitting faint ones
MISFIT = 1e-3  # p-value of the residual below which delays and frequencies of the paths are looked for
UNFIT = 1e-6  # ... and below which, with them, the frame counts as not explained: never on a sound bench


@dataclass(frozen=True)
class AngleReport:
    """An angle with the bound it is judged by (see `testbed.outcome.Outcome`)."""

    angle_rad: float
    estimator: str
    p_value: float
    fit_p_value: float
    rcrb_rad: float
    design_rcrb_rad: float
    array_output_snr: float
    expected_rmse_rad: float


@dataclass(frozen=True)
class StationReport:
    """What one frame showed at one station."""

    delay_samples: float
    noise: float
    sounding: BistaticEstimate
    sounding_deviation_rad: float
    angle: AngleReport | None
    faults: int


@dataclass(frozen=True)
class _Echo:
    """One station's echo, ready for an estimator."""

    frame: Frame
    own: int
    spectrum: Complex  # of the samples, (n_rx, n)
    symbols: Complex  # of the whole frame, (n_rx, n_symbols)
    sent: Complex  # payload symbols of all stations, (J, n_tx, n_symbols)
    delay_samples: float
    noise: float  # from the guard

    @property
    def received(self) -> Complex:
        """Payload symbols, (n_rx, L)."""
        return np.asarray(self.symbols[:, self.frame.payload])

    @property
    def payload(self) -> Complex:
        """What all stations sent in the payload, (J, n_tx, L)."""
        return np.asarray(self.sent[..., self.frame.payload])

    def fit(self, noise: float, freedom: float) -> float:
        """Return the p-value of what a model left over, against the noise of the guard (an F test)."""
        quiet = 2.0 * len(self.symbols) * (self.frame.guard.stop - self.frame.guard.start)
        return float(fdtrc(freedom, quiet, noise / max(self.noise, np.finfo(float).tiny)))


def observe_station(
    frame: Frame,
    own: int,
    samples: Complex,
    sent: Complex,
    *,
    cooperative: bool,
    payload: bool,
    relative: RelativeArrival | None = None,
) -> StationReport:
    """Measure one frame at one station.

    Args:
        frame: The frame's layout.
        own: Index m of the station.
        samples: Samples at its antennas, (n_rx, n_samples), root-watt.
        sent: Symbols that really left all stations' antennas, (J, n_tx, n_symbols), root-watt.
        cooperative: Whether the station knows the other stations' payload (CoMP) or only its own (CBF).
        payload: Whether there is a payload to estimate from; pilots are known to all stations in any case.
        relative: How the other stations' frames arrive where nobody aligned them; None where they are aligned.
    """
    faults = inspect_channels(samples)
    if faults & (SILENT | DEAD_CHANNEL):
        return _nothing(sent.shape[0], faults)
    # Pilots light every direction; a payload may leave the target in the dark, for slopes of beams tell angles, too.
    section = slice(frame.sounding.start, frame.payload.stop) if payload else frame.sounding
    spectrum = frame.pulse.spectrum_of(without_dc(frame, samples.astype(np.complex64, copy=False)))
    delay = estimate_delay(frame, spectrum, sent[own][:, section], section)
    received = frame.pulse.detect(spectrum, delay).astype(np.complex128)
    quiet = received[:, frame.guard]
    noise = float(np.vdot(quiet, quiet).real) / quiet.size
    pilots = pilots_of(frame, received, sent, own, relative)
    if not payload:
        sounding = estimate_angles(*pilots)
        return StationReport(delay, noise, sounding, _deviation(sounding, own, *pilots[:2]), None, faults)
    echo = _Echo(frame, own, spectrum, received, sent, delay, noise)
    angle = (_cooperative if cooperative else _monostatic)(echo)
    faults |= UNEXPLAINED if angle.fit_p_value < UNFIT else 0
    return StationReport(delay, noise, departures(pilots, angle.angle_rad, relative), np.nan, angle, faults)


def _deviation(estimate: BistaticEstimate, own: int, received: Complex, sent: Complex) -> float:
    """Return the root bound of the angle that a sounding gives: Ziv-Zakai where Cramer-Rao says nothing."""
    stacked = sent.reshape(-1, sent.shape[-1])
    gram, n_tx, n_rx = stacked @ stacked.conj().T, sent.shape[1], len(received)
    bound = np.sqrt(crb_comp(own, estimate.angles_rad, estimate.amplitudes, gram, estimate.noise, n_rx))
    alone = slice(own * n_tx, (own + 1) * n_tx)  # pilots are orthogonal: each station lights all directions alike
    path = estimate.angles_rad[own : own + 1], estimate.amplitudes[own : own + 1]
    snr = array_output_snr(*path, gram[alone, alone], estimate.noise, n_rx)
    if snr >= MEANINGFUL_SNR:
        return float(bound)
    return max(float(bound), ziv_zakai(float(estimate.angles_rad[own]), snr, n_tx, n_rx))


def _nothing(n_stations: int, faults: int) -> StationReport:
    """What a capture that cannot be used shows: no number that could be taken for a result."""
    unknown = np.full(n_stations, np.nan)
    angle = AngleReport(np.nan, "joint-ml", np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    return StationReport(np.nan, np.nan, BistaticEstimate(unknown, unknown + 0j, np.nan), np.nan, angle, faults)


def _monostatic(echo: _Echo) -> AngleReport:
    """CBF: the own symbols are known, the rest is interference."""
    sent = echo.payload[echo.own]
    estimate = estimate_angle(echo.received, sent)
    shift = _own_shift(echo, estimate, sent)
    if shift:
        estimate = estimate_angle(turned(echo.received, -shift), sent)
    n_rx, length = echo.received.shape
    gram = sent @ sent.conj().T
    theta, alpha = estimate.angle_rad, estimate.amplitude
    path = np.array([theta]), np.array([alpha])
    fit = np.nan  # a free covariance explains everything
    if estimate.estimator == "structured-ml":
        model = theta, alpha, gram, estimate.interference, estimate.noise, n_rx
        judged = crb_slepian_bangs(*model, block_length=length)
        design = crb_slepian_bangs(*model, block_length=0)  # Prop. 1: without what the covariance tells
        fit = echo.fit(estimate.noise, 2.0 * length * (n_rx - 1))
    else:
        design = judged = crb_cbf(theta, alpha, gram, estimate.covariance)
    snr = array_output_snr(*path, gram, estimate.noise, n_rx)
    expected = np.sqrt(judged)
    if snr < MEANINGFUL_SNR:
        errors = method_of_interval_errors(
            0, *path, gram, estimate.noise, n_rx, length, interference_power=estimate.interference
        )
        expected = errors.rms_rad
    return AngleReport(
        theta, estimate.estimator, estimate.p_value, fit, np.sqrt(judged), np.sqrt(design), snr, expected
    )


def _own_shift(echo: _Echo, estimate: MonostaticEstimate, sent: Complex) -> float:
    """Return the Doppler shift of the own echo, cycles per symbol; 0 if none is evident."""
    n_rx = len(echo.received)
    beam = steering(n_rx, estimate.angle_rad).conj() @ echo.received / n_rx
    expected = steering(len(sent), estimate.angle_rad) @ sent
    return frequency_shift(beam, expected, estimate.interference + estimate.noise / n_rx)


def _cooperative(echo: _Echo) -> AngleReport:
    """CoMP: all symbols are known; where they do not fit, each path's delay and frequency are looked for.

    Light of other stations that is too faint to be modelled counts as interference, as in CBF.
    """
    sent = echo.payload
    estimate = estimate_angles(echo.received, sent, echo.own)
    n_rx, length = echo.received.shape
    freedom = 2.0 * n_rx * length - 3.0 * len(sent)
    fit = echo.fit(estimate.noise, freedom)
    if fit < MISFIT:
        moved = _aligned(echo, estimate)
        again = estimate_angles(echo.received, moved, echo.own)
        gain = n_rx * length * np.log(estimate.noise / again.noise)  # of log-likelihood, for 2 J more parameters
        if gain > 4.0 * len(sent):
            estimate, sent, fit = again, moved, echo.fit(again.noise, freedom - 2.0 * len(sent))
    stacked = sent.reshape(-1, length)
    gram = stacked @ stacked.conj().T
    paths = estimate.angles_rad, estimate.amplitudes
    judged = float(np.sqrt(crb_comp(echo.own, *paths, gram, estimate.noise, n_rx)))
    snr = array_output_snr(*paths, gram, estimate.noise, n_rx)
    expected = judged
    if snr < MEANINGFUL_SNR:
        expected = method_of_interval_errors(echo.own, *paths, gram, estimate.noise, n_rx, length).rms_rad
    elif _has_faint_paths(echo.own, estimate, sent, n_rx):
        alone = _monostatic(echo)
        if alone.rcrb_rad < WORTH_IT * judged:
            return alone
    return AngleReport(float(estimate.angles_rad[echo.own]), "joint-ml", 1.0, fit, judged, judged, snr, expected)


def _has_faint_paths(own: int, estimate: BistaticEstimate, sent: Complex, n_rx: int) -> bool:
    """Whether other stations light the target too little for their departure angles to be found, two or more of them.

    Joint ML then fits these angles to noise, one making up for another: it was measured at twice its bound, which knows
    of small errors only. A single one costs a few percent.
    """
    faint = 0
    for n, (angle, amplitude, x) in enumerate(zip(estimate.angles_rad, estimate.amplitudes, sent, strict=True)):
        if n != own:
            path = np.array([angle]), np.array([amplitude])
            faint += array_output_snr(*path, x @ x.conj().T, estimate.noise, n_rx) < MEANINGFUL_SNR
    return faint >= 2


def _aligned(echo: _Echo, estimate: BistaticEstimate) -> Complex:
    """Return what all stations sent in the payload as it arrives: each path with its own delay and frequency."""
    frame, n_rx, n_tx = echo.frame, len(echo.symbols), echo.sent.shape[1]
    arrival = float(estimate.angles_rad[echo.own])
    weights = steering(n_rx, arrival).conj() / n_rx
    # Departure angles from the pilots: orthogonal, and short enough to be found whatever turns or is late.
    pilots = echo.symbols[:, frame.sounding], echo.sent[..., frame.sounding]
    departures = estimate_departures(*pilots, echo.own, arrival).angles_rad
    lit = np.sum(steering(n_tx, departures)[..., None] * echo.sent, axis=1)
    beam, symbols = frame.pulse.matched(weights @ echo.spectrum), weights @ echo.received
    found = align_paths(frame, beam, symbols, lit, estimate.noise / n_rx, echo.delay_samples)
    late = frame.pulse.delayed(echo.sent, found.delay_samples[:, None])[..., frame.payload]
    return np.asarray([turned(x, shift) for x, shift in zip(late, found.cycles_per_symbol, strict=True)])
