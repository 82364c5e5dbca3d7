"""What the targets of a cluster return: their effective information as smooth functions of the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["Targets"]


@dataclass(frozen=True, eq=False)
class Targets:
    """Effective Fisher information of every target's angle, min over u of [1, u] F(W) [1, u]^T.

    The second differential is one block common to all streams, and squares of a few rows.

    Attributes:
        D: Complex (M, p, r, n): whitened derivatives, scaled; the first is by the angle.
        values: (M,) the information.
        jacobian: (M, 2 S n).
        root: (M, p - 1, p - 1), lower triangular; root^T root is the inverse of the nuisances' information, with the
            prior that keeps it regular.
        z: (M, p) 1 and the worst mixture u.
        Dz: Complex (M, r, n): sum_i z_i D_i.
        seen: Complex (M, p, S, r): D_i W.
        mixed: Complex (M, S, r): sum_i z_i D_i W.
        spread: Sum of the log-determinants of the nuisances' information: the barrier that keeps all of them seen.
        pull: (2 S n,) its gradient.

    """

    D: ComplexArray
    values: FloatArray
    jacobian: FloatArray
    root: FloatArray
    z: FloatArray
    Dz: ComplexArray
    seen: ComplexArray
    mixed: ComplexArray
    spread: float
    pull: FloatArray

    @classmethod
    def at(cls, W: ComplexArray, D: ComplexArray, prior: float) -> Targets:
        """Evaluate.

        Args:
            W: Complex (S, n).
            D: Complex (M, p, r, n).
            prior: Information added to every nuisance.

        """
        from precoding.blocklevel.target_kernels import evaluate_targets

        return cls(D, *evaluate_targets(np.ascontiguousarray(W), D, prior))

    @property
    def inverse(self) -> FloatArray:
        """Inverse of the information of the nuisances, (M, p - 1, p - 1)."""
        return np.asarray(self.root.swapaxes(1, 2) @ self.root)

    def curvature(self, prices: FloatArray, barrier: float) -> tuple[ComplexArray, FloatArray]:
        """Second differential of -prices . values - barrier * spread: a block (n, n) of every stream, and rows.

        Args:
            prices: (M,).
            barrier: 0 leaves the spread out.

        Returns:
            The block, complex (n, n), and real rows (R, 2 S n) whose squares are added.

        """
        from precoding.blocklevel.target_kernels import target_curvature

        block, rows = target_curvature(self.D, self.root, self.Dz, self.seen, self.mixed, prices, barrier)
        return block, rows
