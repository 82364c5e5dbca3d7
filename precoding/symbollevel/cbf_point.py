"""What the interior point of slp-cbf knows of a waveform: limits, slacks, prices, and a step from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.cbf_cells import Sensing

__all__ = ["BONUS", "Interior", "Multipliers", "Step"]

# On the information of every BS, for one of the smallest: without it, a BS whose target is easy has nothing to aim at,
# and its steps are as ill-conditioned as its prices are small.
BONUS = 3e-3


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Prices, or slacks, of all limits.

    Attributes:
        edges: (J, U, edges, L) of the regions, ones where a BS does not serve.
        leaks: (J, U, L) of the leakages, ones where a BS serves.
        power: (J,).
        sensing: (J,).

    """

    edges: FloatArray
    leaks: FloatArray
    power: FloatArray
    sensing: FloatArray

    def moved(self, step: Multipliers, length: float) -> Multipliers:
        """Return all plus length times a step."""
        return Multipliers(
            self.edges + length * step.edges,
            self.leaks + length * step.leaks,
            self.power + length * step.power,
            self.sensing + length * step.sensing,
        )

    def __mul__(self, other: Multipliers) -> float:
        """Sum of all products."""
        small = self.power @ other.power + self.sensing @ other.sensing
        return float(np.vdot(self.edges, other.edges) + np.vdot(self.leaks, other.leaks) + small)


@dataclass(frozen=True, eq=False)
class Interior:
    """A waveform and everything evaluated there.

    Attributes:
        X: (J, 2 d, L), real parts above imaginary ones.
        a: (J, U) levels of leakage, 0 for own users.
        t: Information that is asked.
        R: Complex (J, d, d), X X^H.
        norm2: (J, L).
        q: (J, 2 U, L).
        echo: Information.
        limits: Values of all limits.
        slacks: Of all limits.
        logs: Sum of the logarithms of the slacks.
        penalty: On what limits miss their slacks by.

    """

    X: FloatArray
    a: FloatArray
    t: float
    R: ComplexArray
    norm2: FloatArray
    q: FloatArray
    echo: Sensing
    limits: Multipliers
    slacks: Multipliers
    logs: float
    penalty: float

    @property
    def samples(self) -> ComplexArray:
        """The waveform, complex (J, d, L)."""
        d = self.X.shape[1] // 2
        return np.asarray(self.X[:, :d] + 1j * self.X[:, d:])


@dataclass(frozen=True, eq=False)
class Step:
    """Newton's direction."""

    X: FloatArray
    a: FloatArray
    level: FloatArray
    t: float
    power_price: FloatArray
    sensing_price: FloatArray
