"""What one frame showed. Plain arrays, so that a file and a screen take them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ESTIMATORS", "Outcome", "Sounding"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

ESTIMATORS = ("structured-ml", "capon", "joint-ml", "aml")  # a file stores the index


@dataclass(frozen=True)
class Sounding:
    """What the sounding part of a frame showed: all that the next design needs.

    Attributes:
        channels: Least-squares channels, complex (J, J, K, n_tx), [n, m, k] from station n to user k of cell m.
        error_variance: Variance of one entry's error, (J, J, K).
        csi_radius: Radius of the ball that holds the true channel, (J, J, K).
        user_noise: Noise power per symbol, watt, (J, K).
        departure_angles_rad: (J, J), [m, n] from station n towards the target of station m.
        reflections: Complex gains by way of the targets, (J, J), [m, n].
        radar_noise: Noise power per symbol and antenna, watt, (J,).
    """

    channels: Complex
    error_variance: Vector
    csi_radius: Vector
    user_noise: Vector
    departure_angles_rad: Vector
    reflections: Complex
    radar_noise: Vector


@dataclass(frozen=True)
class Outcome:
    """What one frame showed; everything about the payload is NaN in a frame that only sounded.

    Attributes:
        sounding: The sounding part.
        user_delay_s: Arrival of the frame at each user, after its nominal start, (J, K).
        user_offset_hz: Carrier offset of each user, (J, K).
        sync_quality: Share of the received sync energy that the sequence explains, (J, K).
        echo_delay_s: Delay of each station's echo, (J,).
        angle_rad: Estimated angle of each station's target, (J,).
        estimator: Index into ESTIMATORS of what estimated it, (J,).
        p_value: Of the test that chose the estimator (1 where there is no choice, NaN where it cannot be made), (J,).
        fit_p_value: Of what the chosen model left over, against the noise of the guard, (J,); NaN where the model
            explains any noise (Capon, AML).
        angle_deviation_rad: Standard deviation that the angle is tracked with, (J,): its bound, or what the method of
            interval errors expects where the bound means nothing; that of the sounding in a frame that only sounded.
        expected_rmse_rad: What the method of interval errors expects below 15 dB of array-output SNR, else the bound,
            (J,).
        predicted_angle_rad: Where the tracks expected the targets before this frame, (J,); NaN in the first.
        predicted_deviation_rad: How sure they were, (J,).
        echo_faults: What makes a station's capture unfit, (J,), a sum of `testbed.measurement.health.FAULTS`; 0 if
            nothing does.
        user_faults: The same for the users, (J, K).
        rcrb_rad: Root of the bound that the estimate is judged by, for the symbols really sent, (J,): Slepian-Bangs for
            structured ML, Prop. 1 with the estimated covariance for Capon, Prop. 2 for joint ML.
        design_rcrb_rad: Root of the paper's design metric, Prop. 1 or Prop. 2, (J,).
        array_output_snr: Energy of the echo over noise after the receive array and the whole payload, linear, (J,).
        promised_sinr: Worst case within the CSI ball that the precoder's certificate states, linear, (J, K).
        predicted_sinr: What the last sounding lets expect of this precoder, linear, (J, K).
        sinr: Measured, unbiased, linear, (J, K).
        sinr_low: Lower end of its 95 % interval, (J, K).
        sinr_high: Upper end, (J, K).
        channel_drift: How much further each link's channel moved since the last sounding than noise explains, squared,
            (J, J, K), apart from phases that no precoder cares about; negative as often as not where nothing moves, NaN
            in the first frame.
        prediction_error: How far a predicted channel missed what was sounded, beyond the sounding's noise, squared,
            (J, J, K); NaN where nothing was predicted.
        channel_p_value: That the sounding's channel and noise explain the payload, (J, K).
        symbol_errors: Symbols decided wrongly, (J, K); -1 where nothing was received.
        signal: Received power of the own stream, watt, (J, K); paper eq. (31) term by term. NaN at symbol level.
        intra_cell: Of the streams of the own cell's other users.
        inter_cell: Of the other cells' streams.
        noise: What no stream explains.
        margin_quantiles: Constructive margins over the root of noise and interference, (J, K, 11), from the least to
            the largest in steps of a tenth of the block; NaN at block level.
        clipped: Whether any capture of the frame was flagged as clipped.
        designed: Whether the precoder was new in this frame.
        design_gap: Largest relative excess of the precoder's certified RCRB over the relaxation's bound.
        link_delay_s: Arrival of every station's frame at every user, (J, J, K), [n, m, k]; None where stations are
            aligned to a sample.
        link_offset_hz: Carrier of every station less that of every user, (J, J, K); None likewise.
    """

    sounding: Sounding
    user_delay_s: Vector
    user_offset_hz: Vector
    sync_quality: Vector
    echo_delay_s: Vector
    angle_rad: Vector
    estimator: NDArray[np.int64]
    p_value: Vector
    fit_p_value: Vector
    angle_deviation_rad: Vector
    expected_rmse_rad: Vector
    predicted_angle_rad: Vector
    predicted_deviation_rad: Vector
    echo_faults: NDArray[np.int64]
    user_faults: NDArray[np.int64]
    rcrb_rad: Vector
    design_rcrb_rad: Vector
    array_output_snr: Vector
    promised_sinr: Vector
    predicted_sinr: Vector
    sinr: Vector
    sinr_low: Vector
    sinr_high: Vector
    channel_drift: Vector
    prediction_error: Vector
    channel_p_value: Vector
    symbol_errors: NDArray[np.int64]
    signal: Vector
    intra_cell: Vector
    inter_cell: Vector
    noise: Vector
    margin_quantiles: Vector
    clipped: bool
    designed: bool
    design_gap: float
    link_delay_s: Vector | None = None
    link_offset_hz: Vector | None = None

    def as_results(self) -> Mapping[str, NDArray[np.generic]]:
        """Return every number by name, the sounding's too, for a recording; none that is not there."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "sounding"}
        own = {name: np.asarray(value) for name, value in values.items() if value is not None}
        return own | {item.name: np.asarray(getattr(self.sounding, item.name)) for item in fields(self.sounding)}

    @classmethod
    def from_results(cls, results: Mapping[str, NDArray[np.generic]]) -> Outcome:
        """Return the outcome that `as_results` was taken from."""
        values: dict[str, Any] = {
            item.name: np.asarray(results[item.name]) for item in fields(cls) if item.name in results
        }
        values |= {name: bool(values[name]) for name in ("clipped", "designed")}
        values["design_gap"] = float(values["design_gap"])
        sounding = Sounding(**{item.name: np.asarray(results[item.name]) for item in fields(Sounding)})
        return cls(sounding=sounding, **values)
