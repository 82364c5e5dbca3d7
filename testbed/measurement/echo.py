"""Delay of a station's echo: correlation with what the station sent, over delay and angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding import steering
from testbed.frame import Frame

__all__ = ["estimate_delay"]

Complex = NDArray[np.complex128]

# A third of a beam of 10 elements apart: the delay needs no finer angle.
DIRECTIONS = np.arcsin(np.linspace(-0.97, 0.97, 33))


def estimate_delay(frame: Frame, matched: Complex, sent: Complex, section: slice) -> float:
    """Return the delay of an echo in samples, between 0 and the gap, interpolated between samples.

    Args:
        frame: The frame's layout.
        matched: Received samples after the matched filter, (n_rx, n_samples).
        sent: Symbols of the station's antennas in the section, (n_tx, L).
        section: The symbols in which they were sent.
    """
    rate, n_rx, n_tx = frame.options.samples_per_symbol, matched.shape[0], len(sent)
    lags = np.arange(-1, frame.options.gap_symbols * rate + 2)
    at = np.arange(section.start, section.stop) * rate
    snapshots = matched[:, lags[:, None] + at].swapaxes(0, 1)  # (lags, n_rx, L)
    correlation = snapshots @ sent.conj().T
    a, v = steering(n_rx, DIRECTIONS), steering(n_tx, DIRECTIONS)
    echoes = np.sum((a.conj() @ correlation) * v.conj(), axis=-1)  # (lags, directions)
    illumination = np.sum((v @ (sent @ sent.conj().T)) * v.conj(), axis=1).real
    height = np.abs(echoes) ** 2 / np.maximum(illumination, np.finfo(float).tiny)
    peak, direction = np.unravel_index(np.argmax(height), height.shape)
    left, middle, right = height[np.clip(peak + np.array([-1, 0, 1]), 0, len(lags) - 1), direction]
    curvature = left - 2 * middle + right
    move = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float(np.clip(lags[peak] + np.clip(move, -0.5, 0.5), 0, frame.options.gap_symbols * rate))
