"""From the captures of one frame to its outcome: pure, with no memory of other frames but the network given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from testbed.errors import UnalignedError
from testbed.frame import CONSTELLATIONS, Frame
from testbed.knowledge import Knowledge
from testbed.measurement.arrival import Arrivals, relative_to
from testbed.measurement.csi_drift import drift_energy, in_phase
from testbed.measurement.expectation import predict_sinr
from testbed.measurement.health import NO_SYNC, SILENT
from testbed.measurement.margins import QUANTILES, SymbolLevelBlock
from testbed.measurement.stations import StationReport, observe_station
from testbed.measurement.synchronisation import least_quality
from testbed.measurement.unaligned_users import UnalignedObserver
from testbed.measurement.users import UserObserver, UserReport
from testbed.outcome import ESTIMATORS, Outcome, Sounding
from testbed.precoder import Precoder

__all__ = ["Measurement"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]
Numbers = Mapping[str, NDArray[np.generic]]


class Measurement:
    """Measures frames of one layout; holds nothing but what is computed once from the layout."""

    def __init__(self, frame: Frame, power: Vector, *, cooperative: bool, confidence: float) -> None:
        self.frame = frame
        self.cooperative = cooperative
        self._users = UserObserver(frame, power, confidence)
        self._unaligned = UnalignedObserver(frame, confidence)

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
        unaligned: bool = False,
    ) -> Outcome:
        """Measure one frame.

        Args:
            echoes: Samples at each station's antennas, (n_rx, n_samples) each, root-watt.
            downlink: Samples at the users' antennas, (J K, n_samples), root-watt, cell by cell.
            sent: Samples that really left the stations' ports, (J, n_tx, n_samples), root-watt.
            precoder: The precoder of the payload, or None if there is none.
            symbols: What the users were sent, (J, K, payload_symbols).
            knowledge: What was known before the frame (None before the first): predicts SINR and angles.
            fresh: Whether the precoder was designed on that very knowledge.
            clipped: Whether a capture was flagged as clipped.
            unaligned: Whether one was flagged as "time-unaligned": stations start apart, on carriers of their own.

        Raises:
            UnalignedError: Such stations sent what only means something if they are aligned.
        """
        apart = unaligned and self._may_be_apart(precoder)
        spectrum = self.frame.pulse.spectrum_of(sent.astype(np.complex64, copy=False))
        radiated = self.frame.pulse.detect(spectrum).astype(np.complex128)
        block = self._block(radiated, precoder, symbols, knowledge)
        payload = None if precoder is None else symbols.reshape(-1, symbols.shape[-1])
        observe = self._unaligned.observe if apart else partial(self._users.observe, block=block)
        users = observe(downlink, payload, radiated)
        stations = self._observe_stations(echoes, radiated, users.arrivals, payload=precoder is not None)
        shape = symbols.shape[:2]
        faults = _user_faults(self.frame, downlink, users).reshape(shape)
        predicted = predict_sinr(precoder, block, knowledge, fresh=fresh)
        known: dict[str, NDArray[np.generic]] = {**_of_users(users, faults), **_of_stations(stations)}
        known |= _delays(users, stations, shape, self.frame.sample_rate_hz)
        sounding = _sounding(users, stations, faults, knowledge if apart else None)
        if precoder is None:
            known["angle_rad"] = np.diagonal(sounding.departure_angles_rad).copy()
        unknown = np.full(len(stations), np.nan)
        return Outcome(
            sounding=sounding,
            predicted_angle_rad=unknown if knowledge is None else knowledge.angle_rad,
            predicted_deviation_rad=unknown if knowledge is None else knowledge.tracks.deviation_rad,
            user_faults=faults,
            channel_drift=self._drift(knowledge, sounding),
            prediction_error=self._prediction_error(knowledge, sounding),
            promised_sinr=np.full(shape, np.nan) if precoder is None else precoder.promised_sinr,
            predicted_sinr=np.full(shape, np.nan) if predicted is None else predicted,
            clipped=clipped,
            designed=fresh,
            design_gap=float("nan") if precoder is None else precoder.gap,
            **known,  # type: ignore[arg-type]  # names and shapes are those of the outcome; its tests hold them
        )

    def _observe_stations(
        self, echoes: Sequence[Complex], radiated: Complex, arrivals: Arrivals | None, *, payload: bool
    ) -> list[StationReport]:
        """Measure at all stations; where they start apart, the users know how much."""
        how = {"cooperative": self.cooperative, "payload": payload}
        return [
            observe_station(self.frame, m, echo, radiated, relative=relative_to(m, arrivals), **how)
            for m, echo in enumerate(echoes)
        ]

    def _may_be_apart(self, precoder: Precoder | None) -> bool:
        """Whether there are stations to be apart; refuses a precoder that has none of it.

        Stations apart cannot send a stream together, nor count on each other's symbols one by one. One station alone is
        aligned with itself.
        """
        several = self.frame.n_stations > 1
        if several and precoder is not None and (precoder.cooperative or precoder.samples is not None):
            raise UnalignedError(
                f"scheme {precoder.scheme} needs stations that start together to a sample on one carrier, and the "
                'radios say "time-unaligned"; use scheme.name = "blp-cbf", or radios with a common clock and trigger'
            )
        return several

    def _drift(self, knowledge: Knowledge | None, sounding: Sounding) -> Vector:
        if knowledge is None:
            return np.full(sounding.csi_radius.shape, np.nan)
        old, variance = knowledge.sounding, knowledge.sounding.error_variance + sounding.error_variance
        return drift_energy(old.channels, sounding.channels, variance, cooperative=self.cooperative)

    def _prediction_error(self, knowledge: Knowledge | None, sounding: Sounding) -> Vector:
        if knowledge is None or knowledge.foresight is None:
            return np.full(sounding.csi_radius.shape, np.nan)
        ahead = knowledge.foresight.channels
        return drift_energy(ahead, sounding.channels, sounding.error_variance, cooperative=self.cooperative)

    def _block(
        self, radiated: Complex, precoder: Precoder | None, symbols: Complex, knowledge: Knowledge | None
    ) -> SymbolLevelBlock | None:
        """Return what symbol-level margins are measured against; None at block level."""
        if precoder is None or precoder.samples is None or knowledge is None:
            return None
        channels = knowledge.channels  # (J, J, K, n_tx): [n, m, k]
        n_stations, n_tx = channels.shape[0], channels.shape[-1]
        return SymbolLevelBlock(
            waveform=radiated[..., self.frame.payload],
            symbols=symbols.reshape(-1, symbols.shape[-1]),
            order=len(CONSTELLATIONS[self.frame.options.modulation]),
            cooperative=self.cooperative,
            reference=np.moveaxis(channels, 0, 2).reshape(-1, n_stations, n_tx),
        )


def _of_users(users: UserReport, faults: NDArray[np.int64]) -> Numbers:
    """Return what the payload showed at the users, by the outcome's names; NaN where it was not received."""
    shape, payload = faults.shape, users.payload
    unknown = np.full(shape, np.nan)
    hidden = np.where(faults == 0, 1.0, np.nan)
    found: dict[str, NDArray[np.generic]] = {
        "user_offset_hz": users.timing.offset_hz.reshape(shape),
        "sync_quality": users.timing.quality.reshape(shape),
        "symbol_errors": np.zeros(shape, dtype=np.int64),
        "margin_quantiles": np.full((*shape, len(QUANTILES)), np.nan),
    }
    for name in ("sinr", "sinr_low", "sinr_high", "channel_p_value", "signal", "intra_cell", "inter_cell", "noise"):
        found[name] = unknown
    if payload is None:
        return found
    sinr = payload.sinr
    measured = {"sinr": sinr.value, "sinr_low": sinr.low, "sinr_high": sinr.high, "channel_p_value": payload.p_value}
    if payload.powers is not None:
        measured |= {name: getattr(payload.powers, name) for name in ("signal", "intra_cell", "inter_cell", "noise")}
    found |= {name: value.reshape(shape) * hidden for name, value in measured.items()}
    found["symbol_errors"] = np.where(faults == 0, payload.symbol_errors.reshape(shape), -1)
    if payload.margins is not None:
        found["margin_quantiles"] = payload.margins.quantiles.reshape(*shape, -1) * hidden[..., None]
    return found


def _delays(
    users: UserReport, stations: Sequence[StationReport], shape: tuple[int, ...], rate_hz: float
) -> dict[str, NDArray[np.generic]]:
    """Return when frames and echoes arrive, in seconds; where stations start apart, link by link, [n, m, k]."""
    found: dict[str, NDArray[np.generic]] = {
        "user_delay_s": users.timing.delay_samples.reshape(shape) / rate_hz,
        "echo_delay_s": np.array([report.delay_samples for report in stations]) / rate_hz,
    }
    if users.arrivals is not None:
        links = {"link_delay_s": users.arrivals.delay_samples / rate_hz, "link_offset_hz": users.arrivals.offset_hz}
        found |= {name: np.moveaxis(value.reshape(*shape, -1), 2, 0) for name, value in links.items()}
    return found


def _of_stations(stations: Sequence[StationReport]) -> Numbers:
    """Return what the echoes showed, by the outcome's names."""
    angles = [report.angle for report in stations]

    def of_payload(name: str) -> Vector:
        return np.array([np.nan if angle is None else getattr(angle, name) for angle in angles])

    names = ("angle_rad", "p_value", "fit_p_value", "expected_rmse_rad", "rcrb_rad", "design_rcrb_rad")
    sounded = np.array([report.sounding_deviation_rad for report in stations])
    return {name: of_payload(name) for name in (*names, "array_output_snr")} | {
        "angle_deviation_rad": np.where([a is None for a in angles], sounded, of_payload("expected_rmse_rad")),
        "estimator": np.array([ESTIMATORS.index("joint-ml" if a is None else a.estimator) for a in angles]),
        "echo_faults": np.array([report.faults for report in stations]),
    }


def _user_faults(frame: Frame, downlink: Complex, users: UserReport) -> NDArray[np.int64]:
    """Return what makes each user's capture unfit, (J K,)."""
    silent = ~downlink.any(axis=1)
    lost = ~(users.timing.quality >= least_quality(frame))  # also true for NaN
    return np.asarray(np.where(silent, SILENT, np.where(lost, NO_SYNC, 0)), dtype=np.int64)


def _sounding(
    users: UserReport, stations: Sequence[StationReport], faults: NDArray[np.int64], before: Knowledge | None
) -> Sounding:
    """Bring the users' (cell and user first) and stations' reports into the order of `precoding`: [n, m, k].

    What was not received is NaN. Links whose phases mean nothing are turned to those known before, if that is given.
    """
    state, shape = users.state, faults.shape
    hidden = np.where(faults == 0, 1.0, np.nan)
    n_stations, n_tx = state.channels.shape[1:]
    channels = np.moveaxis(state.channels.reshape(*shape, n_stations, n_tx), 2, 0) * hidden[..., None]
    return Sounding(
        channels=channels if before is None else in_phase(channels, before.sounding.channels),
        error_variance=np.moveaxis(state.error_variance.reshape(*shape, n_stations), 2, 0) * hidden,
        csi_radius=np.moveaxis(state.radius.reshape(*shape, n_stations), 2, 0) * hidden,
        user_noise=state.noise.reshape(shape) * hidden,
        departure_angles_rad=np.stack([report.sounding.angles_rad for report in stations]),
        reflections=np.stack([report.sounding.amplitudes for report in stations]),
        radar_noise=np.array([report.noise for report in stations]),
    )
