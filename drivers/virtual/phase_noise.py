"""An oscillator's phase noise as a function of air time: whoever asks for a window sees the same path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["PhaseNoise"]

Vector = NDArray[np.float64]

STEP_S = 1e-6  # the path is drawn so finely and straight in between: noise beyond half a megahertz is left out
BLOCK = 4096  # steps of a block, which is drawn at once
CHUNK = 1024  # blocks whose ends are drawn at once
BEFORE_S = 1.0  # windows may begin a little before air time zero


class PhaseNoise:
    """A Wiener process of a given linewidth, fixed by its seed.

    The ends of all blocks are a coarse walk, and inside a block the path is a bridge between its ends: so any block can
    be drawn without those before. Source of the process: see `drivers.simulated.impairments.phase_noise`.
    """

    def __init__(self, linewidth_hz: float, seed: Sequence[int]) -> None:
        """Fix a path.

        Args:
            linewidth_hz: Full width at half power of the line; 0 is a clean oscillator.
            seed: Of the path.
        """
        self._seed = list(seed)
        self._step_rad = float(np.sqrt(2 * np.pi * linewidth_hz * STEP_S))
        self._ends = np.zeros(1)

    def phase_rad(self, start_s: float, n: int, sample_rate_hz: float) -> Vector:
        """Return the phase in a window, shape (n,).

        Args:
            start_s: Air time of the first sample.
            n: Number of samples.
            sample_rate_hz: Sample rate.
        """
        if not self._step_rad:
            return np.zeros(n)
        position = (start_s + BEFORE_S) / STEP_S + np.arange(n) / (sample_rate_hz * STEP_S)
        first, last = int(position[0] // BLOCK), int(position[-1] // BLOCK)
        path = np.concatenate([self._block(number) for number in range(first, last + 1)])
        return np.asarray(np.interp(position - first * BLOCK, np.arange(path.size), path))

    def _block(self, number: int) -> Vector:
        """Return the phases of a block."""
        begin, end = self._end(number), self._end(number + 1)
        steps = np.random.default_rng([*self._seed, 1, number]).standard_normal(BLOCK)
        walk = np.concatenate([[0.0], np.cumsum(self._step_rad * steps)])
        bridge = walk - np.arange(BLOCK + 1) / BLOCK * walk[-1]
        return np.asarray((begin + bridge + np.arange(BLOCK + 1) / BLOCK * (end - begin))[:BLOCK])

    def _end(self, number: int) -> float:
        """Return the phase at a block's first step."""
        ends = self._ends
        while number >= ends.size:
            chunk = (ends.size - 1) // CHUNK
            steps = np.random.default_rng([*self._seed, 0, chunk]).standard_normal(CHUNK)
            ends = np.concatenate([ends, ends[-1] + np.cumsum(self._step_rad * np.sqrt(BLOCK) * steps)])
        self._ends = ends  # another thread may do the same at the same time: it comes to the same ends
        return float(ends[number])
