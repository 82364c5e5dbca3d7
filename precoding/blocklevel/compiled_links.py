"""The exact worst case, compiled: the form of `worst_links` at a twentieth of its time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.worst_links import WorstLinks

__all__ = ["CompiledLinks", "compiled_links"]


@dataclass(frozen=True, eq=False)
class CompiledLinks(WorstLinks):
    """`WorstLinks` whose derivatives come from compiled kernels.

    Attributes:
        slopes: Complex (U, S, n), the gradients.

    """

    slopes: ComplexArray

    @property
    def gradients(self) -> ComplexArray:
        """See `Form`."""
        return self.slopes

    def curvature(self, prices: FloatArray) -> FloatArray:
        """See `Form`."""
        from precoding.blocklevel.kernels import curvature_of_worst

        M: FloatArray = curvature_of_worst(
            self.W, self.c, prices, self.mu, self.tau, self.error, self.heard, self.inverse, self.bending
        )
        return M


def compiled_links(
    W: ComplexArray, h: ComplexArray, c: FloatArray, radius: FloatArray, mu: FloatArray
) -> CompiledLinks:
    """Evaluate the worst case of every user; arguments as for `worst_links`."""
    from precoding.blocklevel.kernels import evaluate_worst

    W = np.ascontiguousarray(W)
    values, slopes, tau, error, heard, inverse, bending = evaluate_worst(W, h, c, radius, mu)
    return CompiledLinks(W, c, mu, tau, error, heard, inverse, bending, values, slopes)
