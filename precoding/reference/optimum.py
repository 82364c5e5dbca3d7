"""What the reference problems are asked and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["BlockLevelOptimum", "Goal", "SymbolLevelOptimum"]

cp: Any = cvxpy  # its type hints miss most of its names


@dataclass(frozen=True, eq=False)
class Goal:
    """What (P1) to (P4) maximise: rho f / NF_R + (1 - rho) gamma / NF_C, or f alone at a given gamma.

    At symbol level the paper rewards gamma' = sqrt(gamma) instead of gamma.

    Attributes:
        min_sinr: Linear target of every user concerned, in the order of streams; None leaves one gamma free for all.
        weight: rho, from 0 (communication) to 1 (sensing); not used at a given gamma.
        information_scale: NF_R in 1/rad^2, the optimum of rho = 1.
        sinr_scale: NF_C, the optimal gamma (gamma' at symbol level) of rho = 0.

    """

    min_sinr: FloatArray | None = None
    weight: float = 1.0
    information_scale: float = 1.0
    sinr_scale: float = 1.0

    def levels(self, users: int) -> tuple[Any, Any]:
        """(users,) gamma of every user, and the one that is rewarded: a CVXPY variable, or 0 if all are given."""
        if self.min_sinr is not None:
            return np.asarray(self.min_sinr, dtype=np.float64), 0.0
        gamma = cp.Variable(nonneg=True)
        return gamma * np.ones(users), gamma

    def objective(self, information: Any, gamma: Any, unit: float) -> Any:
        """To be maximised; `information` is in parts of `unit`."""
        if self.min_sinr is not None:
            return information
        sensing = self.weight * information * (unit / self.information_scale)
        return sensing + (1.0 - self.weight) * gamma / self.sinr_scale


@dataclass(frozen=True, eq=False)
class BlockLevelOptimum:
    """Optimum of (P1), (P2) or their joint form, with all ranks left free.

    Attributes:
        covariances: For each transmitter of the problem, complex (streams, n, n): of its users' streams, then of what
            only senses; in the unit of the network's power.
        information: Smallest effective Fisher information of the problem's BSs in 1/rad^2; at rho = 0, where it earns
            nothing, some value below.
        sinr: (users,) gamma of each user concerned, linear.
        user_prices: (users,) by how much the noise of each user presses on the objective.
        intra_level: Interference level I of (44) or (53) in units of the users' noise; infinite in the joint form.
        inter_level: I of (45); infinite in the joint form, 0 where there is none.
        status: The solver's own word.
        solve_time_s: The solver's own report.

    """

    covariances: tuple[ComplexArray, ...]
    information: float
    sinr: FloatArray
    user_prices: FloatArray
    intra_level: float
    inter_level: float
    status: str
    solve_time_s: float


@dataclass(frozen=True, eq=False)
class SymbolLevelOptimum:
    """Optimum of (P3), (P4) or their joint form: a bound, for R_s may exceed x_s x_s^H and nobody transmits the excess.

    Attributes:
        samples: For each transmitter of the problem, complex (n, L): x_s, in the unit of sqrt(power).
        covariances: For each transmitter, complex (n, n): mean of R_s over the block.
        information: Smallest effective Fisher information of the problem's BSs in 1/rad^2, an upper bound of any real
            waveform's for the given foreign reflections.
        sinr: (users,) gamma of each user concerned, linear.
        inter_level: I of (65) in units of the users' noise; infinite in the joint form, 0 where there is none.
        status: The solver's own word.
        solve_time_s: The solver's own report.

    """

    samples: tuple[ComplexArray, ...]
    covariances: tuple[ComplexArray, ...]
    information: float
    sinr: FloatArray
    inter_level: float
    status: str
    solve_time_s: float


def value_of(expression: Any) -> Any:
    """Return the number behind a CVXPY expression, or the number itself."""
    return expression.value if isinstance(expression, cp.Expression) else expression
