"""The Newton system of the interior point: perturbed optimality conditions, condensed to the weights and t."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.programme import Point, Programme

__all__ = ["Direction", "Iterate", "NewtonSystem"]

_MOST_TRIALS = 40
_LEAST_PIVOT = 1e-14  # of what is left for the objective, before cancellation
_LEAST_RHO, _FIRST_RHO = 1e-9, 1e-5  # in parts of the median diagonal


@dataclass(frozen=True, eq=False)
class Iterate:
    """Where the path is.

    Attributes:
        point: All constraints c there.
        t: The objective.
        s: (m,) slacks, above 0; equal to c - kappa t once feasible.
        y: (m,) prices, above 0.

    """

    point: Point
    t: float
    s: FloatArray
    y: FloatArray

    def residual(self, kappa: FloatArray) -> FloatArray:
        """C - kappa t - s."""
        return self.point.values - kappa * self.t - self.s


@dataclass(frozen=True, eq=False)
class Direction:
    """A step of weights (N,), objective, slacks (m,) and prices (m,)."""

    dx: FloatArray
    dt: float
    ds: FloatArray
    dy: FloatArray

    @property
    def is_finite(self) -> bool:
        """Whether all of it is."""
        return bool(np.all(np.isfinite(self.ds)) and np.all(np.isfinite(self.dy)))


class NewtonSystem:
    """Stationarity, y s = mu, c - kappa t = s and kappa^T y = 1, linearised at an iterate.

    Args:
        programme: The constraints.
        at: The iterate.
        mu: Barrier.
        rho: Levenberg term to begin with, in parts of the median diagonal.

    Raises:
        numpy.linalg.LinAlgError: No Levenberg term made the system positive definite.

    """

    def __init__(self, programme: Programme, at: Iterate, mu: float, rho: float) -> None:
        from scipy.linalg.blas import dsyrk  # scipy.linalg takes a quarter of a second that no import should pay

        self._kappa, self._at, self._mu = programme.kappa, at, mu
        self._w = at.y / at.s
        A = at.point.jacobian
        M, rows = programme.curvature(at.point, at.y, mu)
        squared = np.concatenate([rows, np.sqrt(self._w)[:, None] * A])
        # Symmetric, so its transpose is the same matrix as LAPACK wants it; one triangle is enough.
        K = dsyrk(1.0, squared.T, beta=1.0, c=M.T, lower=1, overwrite_c=1)
        self._border = -(self._w * self._kappa) @ A
        corner = float(self._w @ self._kappa**2)
        diagonal = np.diagonal(K).copy()
        scale = float(np.median(np.abs(diagonal)))
        self.rho = max(rho, _LEAST_RHO)
        for _ in range(_MOST_TRIALS):
            factor = _factorised(K, diagonal + self.rho * scale)
            if factor is not None:
                self._factor = factor
                self._bordered = self._back(self._border)
                self._pivot = corner - float(self._border @ self._bordered)
                if self._pivot > _LEAST_PIVOT * corner:
                    return
            self.rho = max(4.0 * self.rho, _FIRST_RHO)
        raise np.linalg.LinAlgError("no Levenberg term is large enough")

    def direction(self) -> Direction:
        """Return the full Newton step."""
        at, missing = self._at, self._at.residual(self._kappa)
        pull = self._mu / at.s - self._w * missing
        right = at.point.jacobian.T @ pull + self._mu * at.point.spread_gradient
        dx, dt = self._solve(right, float(1.0 - self._kappa @ pull))
        ds = at.point.jacobian @ dx - self._kappa * dt + missing
        return Direction(dx, dt, ds, self._mu / at.s - at.y - self._w * ds)

    def correction(self, left: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        """Return the step of weights, t and slacks that takes back a residual which curvature has left."""
        A, kappa = self._at.point.jacobian, self._kappa
        dx, dt = self._solve(-A.T @ (self._w * left), float(kappa @ (self._w * left)))
        return dx, dt, A @ dx - kappa * dt + left

    def _solve(self, right: FloatArray, last: float) -> tuple[FloatArray, float]:
        inner = self._back(right)
        dt = (last - float(self._border @ inner)) / self._pivot
        return inner - dt * self._bordered, dt

    def _back(self, right: FloatArray) -> FloatArray:
        from scipy.linalg.lapack import dpotrs

        solution: FloatArray = dpotrs(self._factor, right, lower=1)[0]
        return solution


def _factorised(K: FloatArray, diagonal: FloatArray) -> FloatArray | None:
    """Cholesky factor of the lower triangle of K with another diagonal; None where it is not positive definite."""
    from scipy.linalg.lapack import dpotrf

    shifted = K.copy(order="F")
    np.einsum("ii->i", shifted)[:] = diagonal
    factor, failed = dpotrf(shifted, lower=1, clean=0, overwrite_a=1)
    return None if failed else factor
