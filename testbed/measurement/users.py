"""One frame at the users: timing, carrier offset, channel state and SINR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.frame import Frame
from testbed.measurement.front_end import without_dc
from testbed.measurement.sinr import SinrEstimate, estimate_sinr, residual_freedom
from testbed.measurement.sounding import ChannelState, PreambleFit, estimate_channels
from testbed.measurement.synchronisation import Synchronisation, synchronise
from testbed.waveform import phase_ramp

__all__ = ["UserObserver", "UserReport"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class UserReport:
    """What one frame showed at all users, in the order (cell, user)."""

    timing: Synchronisation
    state: ChannelState
    sinr: SinrEstimate | None


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

    def observe(self, samples: Complex, symbols: Complex | None) -> UserReport:
        """Measure one frame at all users.

        Args:
            samples: Samples at the users' antennas, (J K, n_samples), root-watt.
            symbols: What the users were sent, (J K, payload_symbols), or None if the frame only sounded.
        """
        frame = self.frame
        cells = np.arange(frame.n_stations).repeat(len(samples) // frame.n_stations)
        samples = without_dc(frame, samples)
        timing = self._refined(samples, synchronise(frame, samples, cells))
        received = self._straightened(samples, timing)
        state = estimate_channels(frame, received[:, frame.sounding], self.power, self.confidence)
        sinr = None if symbols is None else self._sinr(received[:, frame.payload], symbols)
        return UserReport(timing, state, sinr)

    def _sinr(self, received: Complex, symbols: Complex) -> SinrEstimate:
        return estimate_sinr(received, symbols, residual_freedom(received, symbols))

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
        turned = samples * phase_ramp(step, frame.n_samples)
        symbols = frame.pulse.detect(frame.pulse.spectrum_of(turned), timing.delay_samples)
        return np.asarray(symbols * np.exp(-1j * step * centre)[:, None])
