"""Delay and frequency of every known path after the receive beam: what a joint fit must know if paths are not aligned.

Stations of one site share no clock, a target moves, and the ways by way of it differ in length. A path that arrives a
quarter of a symbol late, or turns by a cycle within the block, is lost to a fit that does not know it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from testbed.frame import Frame

__all__ = ["PathAlignment", "align_paths", "frequency_shift", "turned"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

SURE = 12.0  # nats by which a frequency must beat none: once in 500 blocks of 128 by chance among 512 frequencies
PASSES = 2  # of searches over all paths; the strongest first
ROUNDS = 3  # of Gauss-Newton from where the searches end, within its basin by construction
STEP_SAMPLES = 0.05  # of the difference quotient in delay
SEGMENTS = 4  # of the block, added incoherently: a delay is found whatever turns within it by up to two cycles


@dataclass(frozen=True)
class PathAlignment:
    """How the known paths arrive, relative to the receiver's own symbol instants.

    Attributes:
        delay_samples: (J,), positive for late.
        cycles_per_symbol: Frequency offset, (J,).
    """

    delay_samples: Vector
    cycles_per_symbol: Vector


def frequency_shift(heard: Complex, expected: Complex, noise: float) -> float:
    """Return the frequency offset of a known sequence in cycles per symbol; 0 if none is evident.

    The peak of a periodogram (zero-padded twofold, then a parabola) counts if it beats zero frequency by `SURE`.

    Args:
        heard: Beamformed symbols, (L,).
        expected: What was sent that way, (L,).
        noise: Power per symbol of everything else in `heard`.
    """
    length = len(heard)
    size = scipy.fft.next_fast_len(2 * length)
    height = np.abs(scipy.fft.fft(heard * expected.conj(), size)) ** 2
    peak = int(np.argmax(height))
    energy = float(np.vdot(expected, expected).real)
    if not height[peak] - height[0] > SURE * noise * energy:
        return 0.0
    left, middle, right = height[peak - 1], height[peak], height[(peak + 1) % size]
    curvature = left - 2 * middle + right
    place = peak + (0.5 * (left - right) / curvature if curvature < 0 else 0.0)
    return float((place / size + 0.5) % 1.0 - 0.5)


def turned(symbols: Complex, cycles_per_symbol: float | Vector) -> Complex:
    """Return symbols (..., L) turned by a frequency (one, or one per leading index); the middle keeps its phase."""
    length = symbols.shape[-1]
    time = np.arange(length) - (length - 1) / 2
    return np.asarray(symbols * np.exp(2j * np.pi * np.multiply.outer(np.asarray(cycles_per_symbol), time)))


def align_paths(
    frame: Frame, beam: Complex, symbols: Complex, sent: Complex, noise: float, delay_samples: float
) -> PathAlignment:
    """Find delay and frequency of each station's path in what one receive beam hears.

    Args:
        frame: The frame's layout.
        beam: Beamformed samples after the matched filter, (n_samples,).
        symbols: The same beam's payload symbols at the own echo's instants, (L,).
        sent: What each path carries, v^T X_n, of the whole frame, (J, n_symbols).
        noise: Power per symbol of what is not signal in the beam.
        delay_samples: Of the own echo: the instants that the returned delays are relative to.
    """
    late = np.stack([frame.pulse.matched(frame.pulse.spectrum_of(x)) for x in frame.pulse.shape(sent)])
    delays, shifts, parts = np.zeros(len(sent)), np.zeros(len(sent)), np.zeros_like(late)
    order = np.argsort([-_found(frame, beam, x[frame.payload], noise, delay_samples)[2] for x in sent])
    for _ in range(PASSES):  # one path at a time, what the others explain taken out (RELAX; Li and Stoica, 1996)
        for n in order:
            left = beam - parts.sum(axis=0) + parts[n]
            delays[n], shifts[n], _ = _found(frame, left, sent[n, frame.payload], noise, delay_samples)
            parts[n] = _fitted(frame, left, late[n], delays[n] + delay_samples, shifts[n])
    for _ in range(ROUNDS):
        delays, shifts = _refined(frame, symbols, sent, delays, shifts)
    return PathAlignment(delays, shifts)


def _found(
    frame: Frame, beam: Complex, expected: Complex, noise: float, delay_samples: float
) -> tuple[float, float, float]:
    """Return delay (relative), frequency and evidence of one path in a beam, by searches over both."""
    rate, reach = frame.options.samples_per_symbol, frame.options.gap_symbols * frame.options.samples_per_symbol
    origin = int(np.round(delay_samples))
    lags = np.arange(-reach, reach + 1)
    at = origin + lags[:, None] + np.arange(frame.payload.start, frame.payload.stop) * rate
    heard = beam[np.clip(at, 0, len(beam) - 1)]  # (lags, L)
    parts = np.array_split(heard * expected.conj(), SEGMENTS, axis=1)
    height = np.sum([np.abs(part.sum(axis=1)) ** 2 for part in parts], axis=0)
    peak = int(np.clip(np.argmax(height), 1, len(lags) - 2))
    left, middle, right = height[peak - 1 : peak + 2]
    curvature = left - 2 * middle + right
    move = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    delay = lags[peak] + float(np.clip(move, -0.5, 0.5)) + origin - delay_samples
    evidence = float(middle) / max(float(np.vdot(expected, expected).real), np.finfo(float).tiny)
    return delay, frequency_shift(heard[peak], expected, noise), evidence


def _fitted(frame: Frame, beam: Complex, path: Complex, delay_samples: float, cycles: float) -> Complex:
    """Return what one path contributes to a beam at the sample rate, its amplitude fitted over the payload."""
    rate, n = frame.options.samples_per_symbol, len(beam)
    moved = scipy.fft.ifft(scipy.fft.fft(path) * np.exp(-2j * np.pi * scipy.fft.fftfreq(n) * delay_samples))
    middle = (frame.payload.start + frame.payload.stop - 1) / 2 * rate + delay_samples
    model = moved * np.exp(2j * np.pi * cycles / rate * (np.arange(n) - middle))
    section = slice(frame.payload.start * rate, frame.payload.stop * rate)
    energy = max(float(np.vdot(model[section], model[section]).real), np.finfo(float).tiny)
    return np.asarray(np.vdot(model[section], beam[section]) / energy * model)


def _refined(frame: Frame, heard: Complex, sent: Complex, delays: Vector, shifts: Vector) -> tuple[Vector, Vector]:
    """One Gauss-Newton step in all delays, frequencies and amplitudes: no path is taken for another."""
    count, length = len(sent), len(heard)

    def arriving(late: float) -> Complex:
        return turned(frame.pulse.delayed(sent, delays + late)[:, frame.payload], shifts)

    now = arriving(0.0)
    amplitudes = np.linalg.lstsq(now.T, heard, rcond=None)[0][:, None]
    time = np.arange(length) - (length - 1) / 2
    late = (arriving(STEP_SAMPLES) - arriving(-STEP_SAMPLES)) / (2 * STEP_SAMPLES)
    columns = np.concatenate([now, 1j * now, amplitudes * late, 2j * np.pi * time * amplitudes * now])
    real = np.concatenate([columns.real, columns.imag], axis=1).T
    left = heard - amplitudes[:, 0] @ now
    step = np.linalg.lstsq(real, np.concatenate([left.real, left.imag]), rcond=1e-9)[0]
    moved = np.clip(step[2 * count : 3 * count], -0.5, 0.5)  # samples; the searches are not further off
    turned_by = np.clip(step[3 * count :], -0.5 / length, 0.5 / length)
    return delays + moved, shifts + turned_by
