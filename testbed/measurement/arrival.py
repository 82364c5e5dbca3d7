"""How frames of stations that nobody aligned arrive at one receiver: each with its own delay and carrier offset.

A receiver can lock to one station only. What it then sees of another one is still known to the last bit: that station's
symbols, late and turned, through the receiver's own matched filter. Sample clocks need no place in it: 1 ppm moves the
end of a frame of 500 symbols of 4 samples by 0.002 samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.frame import Frame
from testbed.waveform import phase_ramp

__all__ = ["Arrivals", "Lock", "OnAir", "RelativeArrival", "relative_to"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Arrivals:
    """When each station's frame reaches each receiver, and how far their oscillators are apart.

    Attributes:
        delay_samples: After the receiver's first sample, (n_receivers, J).
        offset_hz: Station's carrier less the receiver's, (n_receivers, J).
        delay_variance: Of the errors of `delay_samples`, (n_receivers, J); infinite for a station that was not heard.
        offset_variance: Of the errors of `offset_hz`, Hz^2; infinite likewise.
    """

    delay_samples: Vector
    offset_hz: Vector
    delay_variance: Vector
    offset_variance: Vector


@dataclass(frozen=True)
class Lock:
    """To what a receiver is set: it takes symbols so many samples late and turns this carrier offset back.

    Attributes:
        delay_samples: Where the frame begins.
        offset_hz: What is turned back.
        origin: Instant in the frame, in samples, whose phase is left as it is.
    """

    delay_samples: float
    offset_hz: float
    origin: float = 0.0

    @property
    def instant(self) -> float:
        """The instant whose phase is left as it is, in samples since the receiver's first."""
        return self.origin + self.delay_samples

    def symbols(self, frame: Frame, samples: Complex) -> Complex:
        """Return the symbols of samples (..., n_samples)."""
        step = -2 * np.pi / frame.sample_rate_hz * self.offset_hz
        turned = samples * phase_ramp(np.asarray(step), frame.n_samples)
        found = frame.pulse.detect(frame.pulse.spectrum_of(turned), self.delay_samples)
        return np.asarray(found * np.exp(-1j * step * self.instant))


class OnAir:
    """What stations send, ready to arrive with any delay and offset at a receiver that is locked to one of them.

    Args:
        frame: The frame's layout.
        symbols: Symbols of the whole frame, complex (..., n_symbols): antennas or streams.
        origin: Instant in the frame, in samples, at which an offset has not turned them.
    """

    def __init__(self, frame: Frame, symbols: Complex, origin: float = 0.0) -> None:
        self.frame = frame
        self.symbols = symbols
        self.origin = origin
        self._spectrum = frame.pulse.spectrum_of(frame.pulse.shape(symbols))

    def seen(self, lock: Lock, delay_samples: float, offset_hz: float) -> Complex:
        """Return the symbols as seen under a lock, (..., n_symbols).

        Args:
            lock: To what the receiver is set.
            delay_samples: With which they arrive.
            offset_hz: With which they arrive.
        """
        return self._through(self._spectrum, lock, delay_samples, offset_hz)

    def slope(self, lock: Lock, delay_samples: float, offset_hz: float, weights: Complex) -> Complex:
        """Return d/dt of the sum of what is `seen`, per sample: minus what a sample's further delay would change.

        Args:
            lock: See `seen`.
            delay_samples: See `seen`.
            offset_hz: See `seen`.
            weights: Of the antennas in the sum, (n_tx,).
        """
        if (delay_samples, offset_hz) == (lock.delay_samples, lock.offset_hz):
            return np.asarray(weights @ self._slope)
        return self._through(self.frame.pulse.derivative(weights @ self._spectrum), lock, delay_samples, offset_hz)

    @cached_property
    def _slope(self) -> Complex:
        """Slope of the symbols themselves, as a receiver sees them that is locked to them."""
        return self.frame.pulse.slope(self.symbols)

    def at_antenna(self, delay_samples: float, offset_hz: float) -> Complex:
        """Return the samples at a receiver's antenna, (..., n_samples); the phase counts as in `seen`."""
        late = self.frame.pulse.late(self._spectrum, delay_samples)
        return late * self._turn(offset_hz, self.origin + delay_samples)

    def _through(self, spectrum: Complex, lock: Lock, delay_samples: float, offset_hz: float) -> Complex:
        """Return what the matched filter makes of a spectrum that arrives."""
        pulse, apart = self.frame.pulse, delay_samples - lock.delay_samples
        late = pulse.late(spectrum, apart)
        if offset_hz != lock.offset_hz:
            late = late * self._turn(offset_hz - lock.offset_hz, self.origin + apart)
        return pulse.detect(pulse.spectrum_of(late))

    def _turn(self, offset_hz: float, origin: float) -> Complex:
        """Return the turn of an offset over the frame's samples, none at an instant, (n_samples,)."""
        step = 2 * np.pi / self.frame.sample_rate_hz * offset_hz
        return np.asarray(phase_ramp(np.asarray(step), self.frame.n_samples) * np.exp(-1j * step * origin))


@dataclass(frozen=True)
class RelativeArrival:
    """How all stations' frames arrive relative to one station's own; the users are everybody's clock.

    Attributes:
        delay_samples: (J,).
        offset_hz: (J,).
    """

    delay_samples: Vector
    offset_hz: Vector


def relative_to(own: int, arrivals: Arrivals | None) -> RelativeArrival | None:
    """Return the stations' starts and carriers relative to one of them, from all receivers that hear both.

    Ways to the receivers differ by some metres, far below a sample of 1 us; those differences are left in.

    Args:
        own: Index of the station.
        arrivals: At the users, or None where stations are aligned to a sample. A station that nobody heard counts as
            aligned.
    """
    if arrivals is None:
        return None

    def mean(value: Vector, variance: Vector) -> Vector:
        apart, weight = value - value[:, [own]], 1 / (variance + variance[:, [own]])
        weight = np.where(np.isfinite(apart) & np.isfinite(weight), weight, 0.0)
        total = np.sum(np.where(weight > 0, apart, 0.0) * weight, axis=0)
        return np.where(np.arange(value.shape[1]) == own, 0.0, total / np.maximum(weight.sum(axis=0), 1e-300))

    return RelativeArrival(
        mean(arrivals.delay_samples, arrivals.delay_variance), mean(arrivals.offset_hz, arrivals.offset_variance)
    )
