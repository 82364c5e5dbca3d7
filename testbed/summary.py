"""An experiment in a few numbers, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, stdtrit

from testbed.measurement.health import FAULTS, UNEXPLAINED, fault_names
from testbed.outcome import ESTIMATORS, Outcome
from testbed.scenario import Scenario, true_arrival_angles

__all__ = ["StationSummary", "Summary", "UserSummary", "ratio_interval", "summarise"]

Vector = NDArray[np.float64]

OUTLIER = 5.0  # root bounds: of two million Gaussian errors one is further off
MEANINGFUL_SNR_DB = 15.0  # array-output SNR below which the Cramer-Rao bound says nothing about errors


@dataclass(frozen=True)
class StationSummary:
    """One station's sensing, over all frames with a payload.

    Attributes:
        name: The station.
        target: Its target.
        true_rad: Mean true angle.
        estimated_rad: Mean estimated angle.
        rmse_rad: Root mean square error.
        rcrb_rad: Root mean square of the bounds that the estimates are judged by.
        ratio: Root mean square of error over bound, frame by frame.
        ratio_low: Lower end of its 95 % interval (chi-square).
        ratio_high: Upper end.
        design_rcrb_rad: Root mean square of the paper's design metric.
        array_output_snr_db: Mean over frames.
        expected_rmse_rad: Root mean square of what the method of interval errors expects below 15 dB of array-output
            SNR, and of the bound above.
        outlier_share: Estimates more than `OUTLIER` root bounds off.
        track_ratio: Root mean square of the track's prediction error over the deviation that it claimed.
        unexplained_share: Frames whose residual the model does not explain.
        estimators: How many frames each estimator was used in, by name.
    """

    name: str
    target: str
    true_rad: float
    estimated_rad: float
    rmse_rad: float
    rcrb_rad: float
    ratio: float
    ratio_low: float
    ratio_high: float
    design_rcrb_rad: float
    array_output_snr_db: float
    expected_rmse_rad: float
    outlier_share: float
    track_ratio: float
    unexplained_share: float
    estimators: dict[str, int]


@dataclass(frozen=True)
class UserSummary:
    """One user's SINR in dB over payload frames: means, but for the promise, which is the least that was given.

    The interval is of the measured mean (95 %, Student); `kept_share` is the part of the frames within the promise.
    Interference and noise are in dB under the own signal, paper eq. (31) (NaN at symbol level, where there are no
    streams); `symbol_error_rate` is over all payloads.
    """

    name: str
    station: str
    promised_db: float
    predicted_db: float
    measured_db: float
    low_db: float
    high_db: float
    kept_share: float
    intra_cell_db: float
    inter_cell_db: float
    noise_db: float
    symbol_error_rate: float


@dataclass(frozen=True)
class Summary:
    """An experiment's result.

    Attributes:
        frames: Frames in all.
        payload_frames: Those that carried a payload and were not clipped: what everything below is about.
        designs: Precoders designed.
        clipped_frames: Frames that a converter clipped.
        faulty: Frames left out for what a capture lacked, by fault.
        design_gap: Largest relative excess of a design's RCRB over the relaxation's bound.
        stations: Sensing, station by station.
        users: Communication, user by user.
    """

    frames: int
    payload_frames: int
    designs: int
    clipped_frames: int
    faulty: dict[str, int]
    design_gap: float
    stations: tuple[StationSummary, ...]
    users: tuple[UserSummary, ...]


def summarise(scenario: Scenario, starts_s: Sequence[float], outcomes: Sequence[Outcome]) -> Summary:
    """Summarise outcomes; errors are against the scenario's geometry, the truth on any bench.

    Clipped frames, and those that a radio did not receive, are counted and left out.

    Args:
        scenario: The experiment.
        starts_s: When each frame began, seconds since the first.
        outcomes: What each frame showed.
    """
    rows = [
        (start, outcome)
        for start, outcome in zip(starts_s, outcomes, strict=True)
        if np.isfinite(outcome.sinr).all() and np.isfinite(outcome.rcrb_rad).all() and not outcome.clipped
    ]
    stations = tuple(_station(scenario, m, rows) for m in range(len(scenario.stations))) if rows else ()
    users = (
        tuple(
            _user(scenario, m, k, rows) for m in range(len(scenario.stations)) for k in range(scenario.users_per_cell)
        )
        if rows
        else ()
    )
    designs = sum(outcome.designed for outcome in outcomes)
    clipped = sum(outcome.clipped for outcome in outcomes)
    gap = max((outcome.design_gap for _, outcome in rows), default=0.0)
    return Summary(len(outcomes), len(rows), designs, clipped, _faulty(outcomes), gap, stations, users)


def _faulty(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count frames by what their captures lacked; what the model cannot explain is a result, not a lack."""
    found = [
        {name for faults in (*outcome.echo_faults, *outcome.user_faults.ravel()) for name in fault_names(int(faults))}
        for outcome in outcomes
    ]
    names = [name for bit, name in FAULTS.items() if bit != UNEXPLAINED]
    return {name: count for name in names if (count := sum(name in one for one in found))}


def ratio_interval(ratio: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a root-mean-square ratio of count Gaussian errors to their standard deviations."""
    tail = (1 - confidence) / 2
    return ratio * float(np.sqrt(count / chdtri(count, tail))), ratio * float(np.sqrt(count / chdtri(count, 1 - tail)))


def _station(scenario: Scenario, m: int, rows: list[tuple[float, Outcome]]) -> StationSummary:
    middle_s = 0.5 * scenario.frame_duration_s
    true = np.array([true_arrival_angles(scenario, start + middle_s)[m] for start, _ in rows])
    estimated = np.array([outcome.angle_rad[m] for _, outcome in rows])
    bound = np.array([outcome.rcrb_rad[m] for _, outcome in rows])
    ratio = _rms((estimated - true) / bound)
    low, high = ratio_interval(ratio, len(rows))
    normalised = (estimated - true) / bound
    tracked = np.array([outcome.predicted_angle_rad[m] for _, outcome in rows])
    claimed = np.array([outcome.predicted_deviation_rad[m] for _, outcome in rows])
    used = [ESTIMATORS[outcome.estimator[m]] for _, outcome in rows]
    return StationSummary(
        name=scenario.stations[m].name,
        target=scenario.ordered_targets[m].name,
        true_rad=float(true.mean()),
        estimated_rad=float(estimated.mean()),
        rmse_rad=_rms(estimated - true),
        rcrb_rad=_rms(bound),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        design_rcrb_rad=_rms(np.array([outcome.design_rcrb_rad[m] for _, outcome in rows])),
        array_output_snr_db=_db(float(np.mean([outcome.array_output_snr[m] for _, outcome in rows]))),
        expected_rmse_rad=_rms(np.array([outcome.expected_rmse_rad[m] for _, outcome in rows])),
        outlier_share=float(np.mean(np.abs(normalised) > OUTLIER)),
        track_ratio=_rms((tracked - true) / claimed),
        unexplained_share=float(np.mean([bool(outcome.echo_faults[m] & UNEXPLAINED) for _, outcome in rows])),
        estimators={name: used.count(name) for name in ESTIMATORS if name in used},
    )


def _user(scenario: Scenario, m: int, k: int, rows: list[tuple[float, Outcome]]) -> UserSummary:
    measured = np.array([outcome.sinr[m, k] for _, outcome in rows])
    promised = np.array([outcome.promised_sinr[m, k] for _, outcome in rows])
    spread = float(np.std(measured, ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else float("nan")
    half = spread * float(stdtrit(max(len(rows) - 1, 1), 0.975))

    def _under(name: str) -> float:
        """Mean power of a kind under that of the own signal."""
        power = np.mean([getattr(outcome, name)[m, k] for _, outcome in rows])
        return _db(float(power / np.mean([outcome.signal[m, k] for _, outcome in rows])))

    user = scenario.ordered_users[m * scenario.users_per_cell + k]
    return UserSummary(
        name=user.name,
        station=user.station,
        promised_db=_db(float(promised.min())),
        predicted_db=_db(float(np.mean([outcome.predicted_sinr[m, k] for _, outcome in rows]))),
        measured_db=_db(float(measured.mean())),
        low_db=_db(float(measured.mean()) - half),
        high_db=_db(float(measured.mean()) + half),
        intra_cell_db=_under("intra_cell"),
        inter_cell_db=_under("inter_cell"),
        noise_db=_under("noise"),
        symbol_error_rate=float(np.mean([outcome.symbol_errors[m, k] for _, outcome in rows]))
        / scenario.frame.payload_symbols,
        kept_share=float(np.mean([outcome.sinr_high[m, k] >= outcome.promised_sinr[m, k] for _, outcome in rows])),
    )


def _rms(values: Vector) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _db(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30))) if ratio == ratio else float("nan")
