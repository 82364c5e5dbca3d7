"""One frame at the users: timing, carrier offset, channel state, and what the payload shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.frame import CONSTELLATIONS, Frame
from testbed.measurement.arrival import Arrivals
from testbed.measurement.decomposition import Decomposition, decompose, fit_streams
from testbed.measurement.front_end import without_dc
from testbed.measurement.margins import MarginReport, SymbolLevelBlock, measure_margins
from testbed.measurement.sinr import SinrEstimate, estimate_sinr, sinr_of_fit
from testbed.measurement.sounding import ChannelState, PreambleFit, estimate_channels
from testbed.measurement.synchronisation import Synchronisation, synchronise
from testbed.measurement.waveform_fit import WaveformFit, fit_waveform
from testbed.waveform import phase_ramp

__all__ = ["PayloadReport", "UserObserver", "UserReport"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class PayloadReport:
    """What a payload showed at all users, in the order (cell, user).

    Attributes:
        sinr: Measured SINR: of the streams at block level, of the worst margin at symbol level.
        symbol_errors: Symbols decided wrongly, (J K,).
        p_value: That the sounding's channel and noise explain the payload, (J K,).
        powers: Received power by kind; None at symbol level, where there are no streams.
        margins: The margins; None at block level.
    """

    sinr: SinrEstimate
    symbol_errors: NDArray[np.int64]
    p_value: Vector
    powers: Decomposition | None
    margins: MarginReport | None


@dataclass(frozen=True)
class UserReport:
    """What one frame showed at all users, in the order (cell, user); no payload in a frame that only sounded.

    Attributes:
        timing: Of each user's own station.
        state: Channels from all stations.
        payload: What the payload showed.
        arrivals: Of every station at every user, (J K, J); None where stations are aligned to a sample.
    """

    timing: Synchronisation
    state: ChannelState
    payload: PayloadReport | None
    arrivals: Arrivals | None = None


class UserObserver:
    """Measures frames of one layout at the users; holds what is computed once from the layout.

    Args:
        frame: The frame's layout.
        power: Each station's power, (J,), watt.
        confidence: Of the radius of the CSI ball.
    """

    def __init__(self, frame: Frame, power: Vector, confidence: float) -> None:
        self.frame = frame
        self.power = power
        self.confidence = confidence
        self._preamble = PreambleFit(frame, power)
        middle = (frame.sounding.start + frame.sounding.stop - 1) / 2
        self._known = np.r_[frame.sounding, frame.payload]
        self._time = self._known - middle
        self._order = len(CONSTELLATIONS[frame.options.modulation])

    def observe(
        self,
        samples: Complex,
        symbols: Complex | None,
        radiated: Complex | None = None,
        block: SymbolLevelBlock | None = None,
    ) -> UserReport:
        """Measure one frame at all users.

        Args:
            samples: Samples at the users' antennas, (J K, n_samples), root-watt.
            symbols: What the users were sent, (J K, payload_symbols), or None if the frame only sounded.
            radiated: All symbols of the frame as sent by all antennas, (J, n_tx, n_symbols), root-watt; None for those
                of a frame that only sounded.
            block: The payload, if it is of symbol level.
        """
        frame = self.frame
        cells = np.arange(frame.n_stations).repeat(len(samples) // frame.n_stations)
        samples = without_dc(frame, samples.astype(np.complex64, copy=False))
        timing = self._refined(samples, synchronise(frame, samples, cells))
        received = self._straightened(samples, timing)
        state = estimate_channels(frame, received[:, frame.sounding], self.power, self.confidence)
        if symbols is None or radiated is None:
            return UserReport(timing, state, None)
        sent = radiated.reshape(-1, radiated.shape[-1])[:, self._known]
        with np.errstate(invalid="ignore"):  # a sample that is no number makes its own user's results none
            fit = fit_waveform(received[:, self._known], sent, self._time, frame.options.sounding_symbols)
            payload = self._symbol_level(fit, block) if block else self._streams(fit, symbols)
        return UserReport(timing, state, payload)

    def _streams(self, fit: WaveformFit, symbols: Complex) -> PayloadReport:
        """Measure a block-level payload."""
        streams = fit_streams(fit.payload, symbols)
        sinr = estimate_sinr(fit.payload, symbols) if streams is None else sinr_of_fit(streams)
        powers = None if streams is None else decompose(streams, len(symbols) // self.frame.n_stations)
        own = fit.payload * symbols.conj()
        turned = own * np.sum(own, axis=1, keepdims=True).conj()
        errors = np.sum(np.abs(np.angle(turned)) > np.pi / self._order, axis=1)
        return PayloadReport(sinr, errors, fit.p_value, powers, None)

    @staticmethod
    def _symbol_level(fit: WaveformFit, block: SymbolLevelBlock) -> PayloadReport:
        margins = measure_margins(block, fit)
        return PayloadReport(margins.sinr, margins.symbol_errors, fit.p_value, None, margins)

    def _refined(self, samples: Complex, timing: Synchronisation) -> Synchronisation:
        """Improve timing and carrier offset by the whole preamble; a second round would change nothing."""
        omega, delay = self._preamble.residuals(self._straightened(samples, timing))
        limit = self.frame.options.samples_per_symbol / 2  # a larger step is no refinement but a lost signal
        return Synchronisation(
            timing.delay_samples + np.clip(delay, -limit, limit),
            timing.offset_hz + omega / (2 * np.pi) * self.frame.options.symbol_rate_hz,
            timing.quality,
        )

    def _straightened(self, samples: Complex, timing: Synchronisation) -> Complex:
        """Return the symbols without timing and carrier offset; the phase is that of the sounding's middle."""
        frame = self.frame
        centre = (
            frame.sounding.start + frame.sounding.stop - 1
        ) / 2 * frame.options.samples_per_symbol + timing.delay_samples
        step = -2 * np.pi / frame.sample_rate_hz * timing.offset_hz
        turned = samples * phase_ramp(step, frame.n_samples).astype(samples.dtype)
        symbols = frame.pulse.detect(frame.pulse.spectrum_of(turned), timing.delay_samples).astype(np.complex128)
        return np.asarray(symbols * np.exp(-1j * step * centre)[:, None])
