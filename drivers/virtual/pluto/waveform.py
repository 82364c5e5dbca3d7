"""What a unit's converters play: a buffer over and over, a buffer once, or the tones of the test generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from drivers.pluto.levels import TX_FULL_SCALE_WORD, TX_WORD_STEP
from drivers.simulated.impairments import fractional_delay, sample_clock_offset
from drivers.virtual.medium import faded

__all__ = ["Buffer", "Tone", "Tones", "Waveform", "codes"]

Complex = NDArray[np.complex64]
Words = NDArray[np.int16]

FULL_CODE = TX_FULL_SCALE_WORD // TX_WORD_STEP
ROOM = 64  # samples beyond both ends of a window, for the interpolators' reach
KEPT = 8  # shifted periods
SAME_SAMPLE = 1e-6  # of a sample: nearer than this, no interpolation is needed


class Waveform(Protocol):
    """Something that converters play, as a function of air time."""

    def samples(self, start_s: float, n: int, sample_rate_hz: float) -> Complex:
        """Return a window, full scale 1, shape (n_tx, n); silence is zero."""
        ...


def codes(words: Words) -> Words:
    """Return the codes of the 12-bit converter for 16-bit words: the lowest 4 bits are not connected."""
    return words >> np.int16(TX_WORD_STEP.bit_length() - 1)


@dataclass(frozen=True, eq=False)
class Buffer:
    """A buffer that is played from a moment on.

    Attributes:
        words: What the client sent, I and Q, shape (n_tx, n, 2).
        start_s: Air time of its first sample.
        rate_hz: The unit's true sample rate.
        cyclic: Whether it is repeated for ever, or played once.
    """

    words: Words
    start_s: float
    rate_hz: float
    cyclic: bool
    digital: Complex = field(init=False)
    _seen: dict[float, Complex] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Convert the words."""
        levels = np.ascontiguousarray(codes(self.words)).astype(np.float32) / np.float32(FULL_CODE)
        object.__setattr__(self, "digital", levels.view(np.complex64)[..., 0])

    @property
    def end_s(self) -> float:
        """Air time at which it has been played, or infinity."""
        return float("inf") if self.cyclic else self.start_s + self.words.shape[1] / self.rate_hz

    def samples(self, start_s: float, n: int, sample_rate_hz: float) -> Complex:
        """See `Waveform`; between samples it is interpolated as an ideal reconstruction filter would."""
        ratio = self.rate_hz / sample_rate_hz
        position = (start_s - self.start_s) * self.rate_hz
        if abs(ratio - 1) * n < SAME_SAMPLE and abs(position - round(position)) < SAME_SAMPLE:
            return self._segment(round(position), n)
        if self.cyclic and position >= ROOM * ratio:
            first = position if abs(ratio - 1) * n < SAME_SAMPLE else position - ROOM * ratio
            whole = int(np.floor(first))
            period = self._late_by(round(first - whole, 5))
            if first == position:
                return self._part(period, whole, n)
            shifted = self._part(period, whole, int(np.ceil((n + 2 * ROOM) * max(ratio, 1.0))) + ROOM)
        else:
            first = position - ROOM * ratio
            whole = int(np.floor(first))
            length = ROOM + int(np.ceil((n + 2 * ROOM) * max(ratio, 1.0))) + 2 * ROOM
            segment = faded(self._segment(whole - ROOM, length), ROOM)
            shifted = fractional_delay(segment, whole - first, 1.0)[:, ROOM:]
        stretched = sample_clock_offset(shifted, (ratio - 1) * 1e6)
        return np.asarray(stretched[:, ROOM : ROOM + n], dtype=np.complex64)

    def raw(self, first: int, n: int) -> Words:
        """Return words by number, shape (n_tx, n, 2); what is not played is zero."""
        wanted = np.arange(first, first + n)
        size = self.words.shape[1]
        played = self.words[:, wanted % size]
        played[:, (wanted < 0) | ((wanted >= size) & (not self.cyclic))] = 0
        return played

    def _segment(self, first: int, n: int) -> Complex:
        """Return samples by number, (n_tx, n)."""
        size = self.digital.shape[1]
        if self.cyclic and first >= 0:
            return self._part(self.digital, first, n)
        segment = np.zeros((self.digital.shape[0], n), dtype=np.complex64)
        if self.cyclic and first + n > 0:
            segment[:, -first:] = self._segment(0, first + n)
        elif not self.cyclic:
            low, high = max(first, 0), min(first + n, size)
            if low < high:
                segment[:, low - first : high - first] = self.digital[:, low:high]
        return segment

    @staticmethod
    def _part(period: Complex, first: int, n: int) -> Complex:
        """Return samples of a repeated period, by number."""
        size = period.shape[1]
        first %= size
        repeats = -(-(first + n) // size)
        return (np.tile(period, repeats) if repeats > 1 else period)[:, first : first + n]

    def _late_by(self, part: float) -> Complex:
        """Return the period as seen a part of a sample later; a receiver asks for the same part again and again."""
        seen = self._seen.get(part)
        if seen is None:
            turns = np.fft.fftfreq(self.digital.shape[1]) * part
            spectrum = scipy.fft.fft(self.digital) * np.exp(2j * np.pi * turns).astype(np.complex64)
            seen = np.asarray(scipy.fft.ifft(spectrum, overwrite_x=True), dtype=np.complex64)
            if len(self._seen) >= KEPT:
                self._seen.clear()
            self._seen[part] = seen
        return seen


@dataclass(frozen=True)
class Tone:
    """One test generator: scale sin(2 pi frequency_hz t + phase_rad) on I or on Q of a channel."""

    channel: int
    quadrature: bool
    frequency_hz: float
    phase_rad: float
    scale: float


@dataclass(frozen=True)
class Tones:
    """The test generators that are on; they run from air time zero on."""

    n_tx: int
    tones: tuple[Tone, ...]

    def samples(self, start_s: float, n: int, sample_rate_hz: float) -> Complex:
        """See `Waveform`; more than full scale saturates."""
        digital = np.zeros((self.n_tx, n, 2), dtype=np.float32)
        steps = np.arange(n)
        for tone in self.tones:
            turns = tone.frequency_hz * start_s % 1.0 + steps * (tone.frequency_hz / sample_rate_hz)
            digital[tone.channel, :, int(tone.quadrature)] += tone.scale * np.sin(2 * np.pi * turns + tone.phase_rad)
        np.clip(digital, -1.0, 1.0, out=digital)
        return digital.view(np.complex64)[..., 0]
