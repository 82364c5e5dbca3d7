"""Root-raised-cosine pulses: symbols to samples and back, exact on a circle as long as the frame.

All is done in the precision of what goes in: captures come in single, and need no other until they are symbols.

The whole frame is one stream of symbols at one symbol rate; its spectrum is shaped in the frequency domain, so the
pulse is not truncated. Guards of silence at both ends of the frame make the circle harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

__all__ = ["Pulse", "phase_ramp"]

Complex = NDArray[np.complex128]


def phase_ramp(step_rad: NDArray[np.float64], n: int) -> Complex:
    """Return exp(j step k) for k = 0 ... n - 1, (..., n).

    A ramp is the outer product of a coarse and a fine one of about sqrt(n) points each: far fewer exponentials.
    """
    fine = 1 << (n.bit_length() // 2)
    step = 1j * np.asarray(step_rad)[..., None]
    coarse = np.exp(step * np.arange(0, n, fine))
    ramp = coarse[..., :, None] * np.exp(step * np.arange(fine))[..., None, :]
    return np.asarray(ramp.reshape(*ramp.shape[:-2], -1)[..., :n])


@dataclass(frozen=True)
class Pulse:
    """A unit-gain root-raised-cosine modulator and its matched filter for frames of one length.

    Symbols of mean power p give samples of mean power p; white noise of power s per sample gives noise of power
    s / samples_per_symbol per symbol.

    Attributes:
        n_symbols: Symbols in a frame.
        samples_per_symbol: Oversampling, at least 2.
        roll_off: Excess bandwidth over the symbol rate, 0 to 1.
        spectrum: The pulse's spectrum where it is not zero: first at frequency 0 and above, then below.
        above: How many of the frame's frequency bins that is at 0 and above; bins in the middle are never touched.
        below: How many below 0.
    """

    n_symbols: int
    samples_per_symbol: int
    roll_off: float
    spectrum: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    above: int = field(init=False, repr=False, compare=False)
    below: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compute the pulse's spectrum on the frame's frequencies (Proakis, Digital Communications, eq. 9.2-27)."""
        frequency = np.abs(scipy.fft.fftfreq(self.n_samples, 1 / self.samples_per_symbol))  # in symbol rates
        ramp = np.clip((frequency - (1 - self.roll_off) / 2) / self.roll_off, 0, 1)
        raised_cosine = (1 + np.cos(np.pi * ramp)) / 2
        spectrum = self.samples_per_symbol * np.sqrt(raised_cosine)
        occupied = np.flatnonzero(spectrum)
        object.__setattr__(self, "spectrum", spectrum[occupied])
        object.__setattr__(self, "above", int(np.sum(occupied < self.n_samples // 2)))
        object.__setattr__(self, "below", len(occupied) - self.above)

    @property
    def n_samples(self) -> int:
        """Samples in a frame."""
        return self.n_symbols * self.samples_per_symbol

    def shape(self, symbols: Complex) -> Complex:
        """Turn symbols (..., n_symbols) into samples (..., n_samples)."""
        return self._samples(self._ends(scipy.fft.fft(symbols)) * self.spectrum)

    def spectrum_of(self, samples: Complex) -> Complex:
        """Return the occupied part of the spectrum of samples (..., n_samples), for `matched` and `detect`."""
        return self._ends(scipy.fft.fft(samples))

    def matched(self, spectrum: Complex) -> Complex:
        """Filter with the matched pulse; at the sample rate, (..., n_samples), symbols at unit gain.

        Args:
            spectrum: Of the received samples, from `spectrum_of`.
        """
        return self._samples(spectrum * _as_precise(self.spectrum / self.samples_per_symbol, spectrum))

    def matched_coarsely(self, spectrum: Complex) -> NDArray[np.complex64]:
        """Filter as `matched` does, at two samples a symbol, in single precision, (..., 2 n_symbols)."""
        n = 2 * self.n_symbols
        occupied = (spectrum * (self.spectrum * (n / self.n_samples / self.samples_per_symbol))).astype(np.complex64)
        bins = np.zeros((*spectrum.shape[:-1], n), dtype=np.complex64)
        bins[..., : self.above] = occupied[..., : self.above]
        bins[..., -self.below :] += occupied[..., self.above :]
        return np.asarray(scipy.fft.ifft(bins, overwrite_x=True))

    def detect(self, spectrum: Complex, delay_samples: float | NDArray[np.float64] = 0.0) -> Complex:
        """Return the symbols (..., n_symbols) that arrive delay_samples late; the inverse of `shape`.

        Args:
            spectrum: Of the received samples, from `spectrum_of`.
            delay_samples: One delay, or one per channel (...).
        """
        gain = self.spectrum / self.samples_per_symbol**2 * self._advance(np.asarray(delay_samples))
        return self._symbols(spectrum * _as_precise(gain, spectrum))

    def slope(self, symbols: Complex) -> Complex:
        """Return d/dt of the matched-filtered stream at the symbol instants, per sample, (..., n_symbols).

        Symbols detected a small delay_samples too early are symbols - delay_samples * slope(symbols).
        """
        spectrum = self._ends(scipy.fft.fft(symbols))
        return self._symbols(spectrum * ((self.spectrum / self.samples_per_symbol) ** 2 * 2j * np.pi * self._frequency))

    def delayed(self, symbols: Complex, delay_samples: float | NDArray[np.float64]) -> Complex:
        """Return what `detect` gives, at the nominal instants, of symbols (..., n_symbols) that are late by (...)."""
        spectrum = self._ends(scipy.fft.fft(symbols))
        gain = (self.spectrum / self.samples_per_symbol) ** 2 * self._advance(-np.asarray(delay_samples))
        return self._symbols(spectrum * gain)

    def late(self, spectrum: Complex, delay_samples: float | NDArray[np.float64]) -> Complex:
        """Return the samples (..., n_samples) of a spectrum, late by (...); undelayed, the inverse of `spectrum_of`."""
        return self._samples(spectrum * self._advance(-np.asarray(delay_samples)))

    def derivative(self, spectrum: Complex) -> Complex:
        """Return the spectrum of d/dt of samples, per sample."""
        return np.asarray(spectrum * (2j * np.pi * self._frequency))

    def _advance(self, delay_samples: NDArray[np.float64]) -> Complex:
        """Return exp(j 2 pi f delay) for the occupied frequencies, (..., n_occupied)."""
        ramp = phase_ramp(2 * np.pi / self.n_samples * delay_samples, max(self.above, self.below + 1))
        return np.concatenate([ramp[..., : self.above], ramp[..., self.below : 0 : -1].conj()], axis=-1)

    def _ends(self, spectrum: Complex) -> Complex:
        """Return the occupied bins of a spectrum of symbols or samples: its first and its last."""
        return np.concatenate([spectrum[..., : self.above], spectrum[..., -self.below :]], axis=-1)

    @property
    def _frequency(self) -> NDArray[np.float64]:
        """Occupied frequencies in cycles per sample."""
        return np.concatenate([np.arange(self.above), np.arange(-self.below, 0)]) / self.n_samples

    def _samples(self, occupied: Complex) -> Complex:
        """Return samples from the occupied part of their spectrum."""
        spectrum = np.zeros((*occupied.shape[:-1], self.n_samples), dtype=occupied.dtype)
        spectrum[..., : self.above], spectrum[..., -self.below :] = (
            occupied[..., : self.above],
            occupied[..., self.above :],
        )
        return scipy.fft.ifft(spectrum, overwrite_x=True)

    def _symbols(self, occupied: Complex) -> Complex:
        """Sample a spectrum once a symbol: bins a symbol rate apart fold onto each other, two at most."""
        folded = np.zeros((*occupied.shape[:-1], self.n_symbols), dtype=occupied.dtype)
        folded[..., : self.above] = occupied[..., : self.above]
        folded[..., -self.below :] += occupied[..., self.above :]
        return np.asarray(scipy.fft.ifft(folded, overwrite_x=True))


def _as_precise(gain: NDArray[Any], spectrum: Complex) -> NDArray[Any]:
    """Return a gain in the precision of a spectrum."""
    if spectrum.dtype == np.complex128:
        return gain
    return gain.astype(np.complex64 if np.iscomplexobj(gain) else np.float32)
