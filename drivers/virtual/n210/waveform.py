"""What a transmit chain plays, as seen from any clock: its samples at any instants, interpolated if need be."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.n210.clock import TICKS_PER_S
from drivers.virtual.n210.transmitter import Played

__all__ = ["waveform"]

Complex = NDArray[np.complex128]
ALIGNED = 1e-3  # samples: an offset below it is rounding of times; interpolated, it would be an error of -50 dB at most
TAPS = 32  # of a sinc under a Kaiser window: the largest error of a tone below 0.8 of half the rate is under -90 dB
BETA = 10.0
DRIFT = 0.004  # samples: over less, a mean of the filters for both ends is exact to -90 dB, and ten times as fast
SHORTEST = 256  # places that drift so little; for fewer it does not pay
_REACH = np.arange(1 - TAPS // 2, TAPS // 2 + 1)
SLOWEST = 512  # ticks per sample, at most


def waveform(played: Sequence[Played], start: tuple[int, float], step: float, n: int, nco_hz: float) -> Complex | None:
    """Return what leaves the converter, turned by the digital mixer, whose phase is zero at the start of a burst.

    Args:
        played: Pieces of the transmit chain, oldest first.
        start: First instant, in ticks of the chain's clock: whole ones, and the part of one beyond.
        step: Ticks from one instant to the next.
        n: Number of instants.
        nco_hz: Frequency of the digital mixer.

    Returns:
        Samples, shape (n,), full scale 1; None if nothing is played then.
    """
    origin, part = start  # ticks may be too many for a float: everything counts from the window's first
    end = part + n * step
    total: Complex | None = None
    bursts: dict[tuple[int, int], list[Played]] = {}
    for piece in _near(played, origin + math.floor(part), origin + math.ceil(end)):
        bursts.setdefault((piece.burst_ticks, piece.interpolation), []).append(piece)
    for (burst_ticks, interpolation), pieces in bursts.items():
        offset = (origin - pieces[0].ticks + part) / interpolation
        samples = _resampled(pieces, offset, step / interpolation, n)
        elapsed_s = (origin - burst_ticks + part + step * np.arange(n)) / TICKS_PER_S
        turned = samples * np.exp(2j * np.pi * nco_hz * elapsed_s) if nco_hz else samples
        total = turned if total is None else total + turned
    return total


def _near(played: Sequence[Played], start: int, end: int) -> list[Played]:
    """Return the pieces that reach into a window with their interpolation; there may be thousands, in order."""
    last = bisect_left(played, end + TAPS * SLOWEST, key=lambda piece: piece.ticks)
    found = []
    for piece in reversed(played[:last]):
        if piece.end + TAPS * SLOWEST <= start:
            break
        if piece.ticks < end + TAPS * piece.interpolation and piece.end > start - TAPS * piece.interpolation:
            found.append(piece)
    return found[::-1]


def _resampled(pieces: Sequence[Played], offset: float, step: float, n: int) -> Complex:
    """Return samples at offset + k step, counted in samples from the first piece's first; silence outside."""
    first = int(np.floor(offset)) - TAPS
    last = int(np.ceil(offset + step * n)) + TAPS
    line = np.zeros(last - first, dtype=complex)
    for piece in pieces:
        at = round((piece.ticks - pieces[0].ticks) / piece.interpolation) - first
        begin, end = max(at, 0), min(at + piece.samples.size, line.size)
        if begin < end:
            line[begin:end] = piece.samples[begin - at : end - at]
    if abs(step - 1.0) * n < ALIGNED:  # one rate: whole samples are copied, a part of one is the same for all
        part = offset - math.floor(offset + ALIGNED)
        begin = math.floor(offset + ALIGNED) - first
        if part < ALIGNED:
            return line[begin : begin + n]
        return np.convolve(line, _taps(np.array([part]))[0][::-1])[begin + TAPS // 2 :][:n]
    if abs(step - 1.0) * SHORTEST < DRIFT:
        return _drifting(line, offset - first, step, n)
    return _interpolated(line, offset - first + step * np.arange(n))


def _drifting(line: Complex, offset: float, step: float, n: int) -> Complex:
    """Return a band-limited line at n places that are nearly a sample apart, as from a clock a few ppm off."""
    block = int(DRIFT / abs(step - 1.0))
    seen = np.empty(n, dtype=complex)
    for begin in range(0, n, block):
        m = min(block, n - begin)
        whole = math.floor(offset + begin * step)
        part = offset + begin * step - whole
        around = line[whole + _REACH[0] : whole + m + _REACH[-1]]
        taps = _taps(np.array([part, part + (step - 1.0) * block]))
        near, far = (np.correlate(around, one, "valid") for one in taps)
        seen[begin : begin + m] = near + (far - near) * (np.arange(m) / block)
    return seen


def _interpolated(line: Complex, places: NDArray[np.floating]) -> Complex:
    """Return a band-limited line at any places."""
    whole = np.floor(places).astype(int)
    around = np.clip(whole[:, None] + _REACH, 0, line.size - 1)
    return np.asarray(np.einsum("nt,nt->n", line[around], _taps(places - whole)))


def _taps(parts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return weights of the samples around places a part of a sample after one, (n, TAPS): a windowed sinc."""
    distance = _REACH - parts[:, None]
    window = np.i0(BETA * np.sqrt(np.maximum(1 - (distance / (TAPS / 2)) ** 2, 0))) / np.i0(BETA)
    return np.asarray(np.sinc(distance) * window)
