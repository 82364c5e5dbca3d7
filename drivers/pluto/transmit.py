"""From samples to a Pluto's transmit words, and what is lost on the way; the words are sent again and again.

Absolute power is part of an experiment: the scale is one constant, never fitted to a burst.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.pluto.levels import TX_FULL_SCALE_DBM, TX_FULL_SCALE_WORD, TX_WORD_STEP

__all__ = ["BACK_OFF", "FULL_SCALE_DBM", "Fidelity", "Words", "fidelity", "interleaved", "words_of"]

# A sample of magnitude 1 is this part of the converter's range: the AD936x interpolates with half-band filters, whose
# step response overshoots by about a tenth, and would clip inside the chip where nobody can count it.
BACK_OFF = 10 ** (-1 / 20)
FULL_SCALE_DBM = TX_FULL_SCALE_DBM + 20 * float(np.log10(BACK_OFF))  # of a sample of magnitude 1

_LARGEST = TX_FULL_SCALE_WORD // TX_WORD_STEP - 1  # of the 12-bit converter: 2047
_SCALE = np.float32(_LARGEST * BACK_OFF)


@dataclass(frozen=True)
class Words:
    """What the transmit converters carry.

    Attributes:
        iq: Words of the converters, int16, (n_tx, n_samples, 2): I, then Q, left-aligned.
        clipped: How many of them were beyond the converter's range.
    """

    iq: NDArray[np.int16]
    clipped: int


@dataclass(frozen=True)
class Fidelity:
    """How faithfully the words carry the samples asked for.

    Attributes:
        evm_db: Power of the difference over that of the samples, of all ports together; NaN for silence.
        port_gain_db: Gain of a port over that of the first that sends: of all, the one that is furthest from 0.
        port_phase_rad: Phase of a port over that of the first that sends: of all, the one that is furthest from 0.
        clipped: Words beyond the converters' range.
    """

    evm_db: float
    port_gain_db: float
    port_phase_rad: float
    clipped: int


def words_of(samples: NDArray[np.complex64]) -> Words:
    """Return the words that carry samples.

    Args:
        samples: Shape (n_tx, n_samples), full scale 1.
    """
    contiguous = np.ascontiguousarray(samples, dtype=np.complex64)
    parts = contiguous.view(np.float32).reshape(*contiguous.shape, 2) * _SCALE
    np.rint(parts, out=parts)
    beyond = max(float(parts.max(initial=0.0)), -float(parts.min(initial=0.0))) > _LARGEST
    clipped = int(np.count_nonzero(np.abs(parts) > _LARGEST)) if beyond else 0
    if clipped:
        np.clip(parts, -_LARGEST, _LARGEST, out=parts)
    iq = parts.astype(np.int16)
    iq *= TX_WORD_STEP
    return Words(iq, clipped)


def interleaved(words: Words, n_channels: int, n_samples: int) -> NDArray[np.int16]:
    """Return a buffer's content, (n_samples, 2 n_channels): what is not asked for, in time or channels, is zero."""
    n_tx, n, _ = words.iq.shape
    if (n_tx, n) == (n_channels, n_samples) == (1, n_samples):
        return words.iq.reshape(n, 2)
    content: NDArray[np.int16] = np.zeros((n_samples, 2 * n_channels), dtype=np.int16)
    content.reshape(n_samples, n_channels, 2)[:n, :n_tx] = words.iq.swapaxes(0, 1)
    return content


def fidelity(samples: NDArray[np.complex64], words: Words) -> Fidelity:
    """Return how faithfully words carry samples, (n_tx, n_samples), by least squares a port."""
    error = words.iq.astype(np.float32)
    error *= np.float32(1 / (_SCALE * TX_WORD_STEP))
    error -= np.ascontiguousarray(samples).view(np.float32).reshape(error.shape)
    errors = error.reshape(len(samples), -1).view(np.complex64)
    power = np.array([np.vdot(port, port).real for port in samples], dtype=float)
    if not power.any():
        return Fidelity(np.nan, np.nan, np.nan, words.clipped)
    sends = np.flatnonzero(power)
    gains = np.array([1 + complex(np.vdot(samples[i], errors[i])) / power[i] for i in sends])
    with np.errstate(divide="ignore"):  # a port too weak for the converter is off by -inf dB, and that is the truth
        level_db = 20 * np.log10(np.abs(gains / gains[0])) if gains[0] else np.full(len(gains), np.nan)
        evm_db = float(10 * np.log10(np.vdot(errors, errors).real / power.sum()))
    phase_rad = np.angle(gains * gains[0].conj())
    return Fidelity(evm_db, _furthest(level_db), _furthest(phase_rad), words.clipped)


def _furthest(values: NDArray[np.float64]) -> float:
    return float(values[np.argmax(np.abs(values))])
