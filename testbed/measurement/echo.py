"""Delay of a station's echo: correlation with what the station sent, over delay and angle."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from precoding import steering
from testbed.frame import Frame

__all__ = ["estimate_delay"]

Complex = NDArray[np.complex128]

# A third of a beam of 10 elements apart: the delay needs no finer angle.
DIRECTIONS = np.arcsin(np.linspace(-0.97, 0.97, 33))


def estimate_delay(frame: Frame, spectrum: Complex, sent: Complex, section: slice) -> float:
    """Return the delay of an echo in samples, between 0 and the gap, interpolated between samples.

    First whence and roughly when, from half-symbol steps and all directions; then when, in the beam found.

    Args:
        frame: The frame's layout.
        spectrum: Of the received samples, (n_rx, n), from `Pulse.spectrum_of`.
        sent: Symbols of the station's antennas in the section, (n_tx, L).
        section: The symbols in which they were sent.
    """
    from testbed.measurement.echo_kernels import correlate_lags

    rate, n_rx, n_tx = frame.options.samples_per_symbol, len(spectrum), len(sent)
    steps, symbols = 2 * frame.options.gap_symbols + 1, np.arange(section.start, section.stop)
    expected = sent.conj().astype(np.complex64)
    correlation = correlate_lags(frame.pulse.matched_coarsely(spectrum), expected, section.start, steps)
    a, v = _beams(n_rx), _beams(n_tx)
    heard = (a.conj() @ correlation.reshape(n_rx, -1)).reshape(len(a), steps, n_tx)
    echoes = np.abs((heard @ v.conj()[..., None])[..., 0]).astype(float) ** 2  # (directions, steps)
    direction, step = np.unravel_index(np.argmax(echoes / _illumination(sent)[:, None]), echoes.shape)
    middle, last = round(step * rate / 2), frame.options.gap_symbols * rate
    lags = np.arange(max(middle - rate, -1), min(middle + rate, last + 1) + 1)
    beam = frame.pulse.matched(a[direction].conj() @ spectrum)
    height = np.abs(beam[lags[:, None] + symbols * rate] @ (v[direction] @ sent).conj()) ** 2
    peak = int(np.clip(np.argmax(height), 1, len(lags) - 2))
    left, here, right = height[peak - 1 : peak + 2]
    curvature = left - 2 * here + right
    move = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float(np.clip(lags[peak] + np.clip(move, -0.5, 0.5), 0, last))


@cache
def _beams(n: int) -> NDArray[np.complex64]:
    beams = steering(n, DIRECTIONS).astype(np.complex64)
    beams.flags.writeable = False
    return beams


def _illumination(sent: Complex) -> NDArray[np.float64]:
    v = _beams(len(sent))
    power = np.sum((v @ (sent @ sent.conj().T)) * v.conj(), axis=1).real
    return np.asarray(np.maximum(power, np.finfo(float).tiny))
