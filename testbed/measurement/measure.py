"""From the captures of one frame to its outcome: pure, with no memory of other frames but the network given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from precoding import expected_sinr
from testbed.frame import Frame
from testbed.knowledge import Knowledge
from testbed.measurement.stations import StationReport, observe_station
from testbed.measurement.users import UserObserver, UserReport
from testbed.outcome import ESTIMATORS, Outcome, Sounding
from testbed.precoder import Precoder

__all__ = ["Measurement"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


class Measurement:
    """Measures frames of one layout; holds nothing but what is computed once from the layout."""

    def __init__(self, frame: Frame, power: Vector, *, cooperative: bool, confidence: float) -> None:
        self.frame = frame
        self.cooperative = cooperative
        self._users = UserObserver(frame, power, confidence)

    def measure(
        self,
        echoes: Sequence[Complex],
        downlink: Complex,
        sent: Complex,
        *,
        precoder: Precoder | None,
        symbols: Complex,
        knowledge: Knowledge | None,
        fresh: bool,
        clipped: bool,
    ) -> Outcome:
        """Measure one frame.

        Args:
            echoes: Samples at each station's antennas, (n_rx, n_samples) each, root-watt.
            downlink: Samples at the users' antennas, (J K, n_samples), root-watt, cell by cell.
            sent: Samples that really left the stations' ports, (J, n_tx, n_samples), root-watt.
            precoder: The precoder of the payload, or None if there is none.
            symbols: What the users were sent, (J, K, payload_symbols).
            knowledge: What was known before the frame (None before the first): predicts the SINR.
            fresh: Whether the precoder was designed on that very knowledge.
            clipped: Whether a capture was flagged as clipped.
        """
        radiated = self.frame.pulse.detect(self.frame.pulse.spectrum_of(sent))
        payload = None if precoder is None else symbols.reshape(-1, symbols.shape[-1])
        users = self._users.observe(downlink, payload)
        stations = [
            observe_station(self.frame, m, echo, radiated, cooperative=self.cooperative, payload=precoder is not None)
            for m, echo in enumerate(echoes)
        ]
        shape = symbols.shape[:2]
        sounding = _sounding(users, stations, shape)
        predicted = np.full(shape, np.nan)
        if precoder is not None and knowledge is not None:
            before = knowledge.sounding
            predicted = expected_sinr(
                before.channels, precoder.weights, before.user_noise, before.error_variance, fresh=fresh
            )
        return self._outcome(users, stations, sounding, precoder, predicted, fresh, clipped)

    def _outcome(
        self,
        users: UserReport,
        stations: list[StationReport],
        sounding: Sounding,
        precoder: Precoder | None,
        predicted: Vector,
        fresh: bool,
        clipped: bool,
    ) -> Outcome:
        shape, rate_hz = predicted.shape, self.frame.sample_rate_hz
        unknown = np.full(shape, np.nan)
        angles = [report.angle for report in stations]
        own = np.diagonal(sounding.departure_angles_rad)

        def of_payload(name: str) -> Vector:
            return np.array([np.nan if angle is None else getattr(angle, name) for angle in angles])

        return Outcome(
            sounding=sounding,
            user_delay_s=users.timing.delay_samples.reshape(shape) / rate_hz,
            user_offset_hz=users.timing.offset_hz.reshape(shape),
            sync_quality=users.timing.quality.reshape(shape),
            echo_delay_s=np.array([report.delay_samples for report in stations]) / rate_hz,
            angle_rad=np.where([angle is None for angle in angles], own, of_payload("angle_rad")),
            estimator=np.array(
                [ESTIMATORS.index("joint-ml" if angle is None else angle.estimator) for angle in angles]
            ),
            p_value=of_payload("p_value"),
            rcrb_rad=of_payload("rcrb_rad"),
            design_rcrb_rad=of_payload("design_rcrb_rad"),
            array_output_snr=of_payload("array_output_snr"),
            promised_sinr=unknown if precoder is None else precoder.promised_sinr,
            predicted_sinr=predicted,
            sinr=unknown if users.sinr is None else users.sinr.value.reshape(shape),
            sinr_low=unknown if users.sinr is None else users.sinr.low.reshape(shape),
            sinr_high=unknown if users.sinr is None else users.sinr.high.reshape(shape),
            clipped=clipped,
            designed=fresh,
            design_gap=float("nan") if precoder is None else precoder.gap,
        )


def _sounding(users: UserReport, stations: list[StationReport], shape: tuple[int, int]) -> Sounding:
    """Bring the users' (cell and user first) and stations' reports into the order of `precoding`: [n, m, k]."""
    state = users.state
    n_stations, n_tx = state.channels.shape[1:]
    return Sounding(
        channels=np.moveaxis(state.channels.reshape(*shape, n_stations, n_tx), 2, 0),
        error_variance=np.moveaxis(state.error_variance.reshape(*shape, n_stations), 2, 0),
        csi_radius=np.moveaxis(state.radius.reshape(*shape, n_stations), 2, 0),
        user_noise=state.noise.reshape(shape),
        departure_angles_rad=np.stack([report.sounding.angles_rad for report in stations]),
        reflections=np.stack([report.sounding.amplitudes for report in stations]),
        radar_noise=np.array([report.noise for report in stations]),
    )
