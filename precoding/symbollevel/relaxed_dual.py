"""The dual function of the relaxed problems (P3), (P4) with its barrier, and one Newton step on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["Point", "RelaxedDual"]


@dataclass(frozen=True, eq=False)
class Point:
    """Prices, or a step of prices: C clusters, T of sensing and power each, and of L symbol vectors.

    Attributes:
        theta: (C, T) of sensing and power.
        y: (C, L, q) of the constraints of each symbol vector: first those of the constructive constraints, >= 0; where
            signals leak, triples (Re, Im, size) follow: the price of each leakage as a vector, and its bound.
        p: Complex (C, L, N): -w |x_s| = min -Re p_s^H x_s over |p_s| <= w, which is what uncertain channels cost.

    """

    theta: FloatArray
    y: FloatArray
    p: ComplexArray

    def moved(self, step: Point, length: float) -> Point:
        """Return the point some steps away."""
        return Point(self.theta + length * step.theta, self.y + length * step.y, self.p + length * step.p)

    def slope(self, step: Point) -> float:
        """Inner product, of a gradient and a step."""
        along_p = float(np.sum(self.p.real * step.p.real) + np.sum(self.p.imag * step.p.imag))
        return float(np.sum(self.theta * step.theta) + np.sum(self.y * step.y)) + along_p


@dataclass(frozen=True, eq=False)
class RelaxedDual:
    """Constants of the dual function theta paid + sum_s c_s^H B^-1 c_s / 4 + psi(sums y).

    Attributes:
        forms: Complex (C, T, N, N): B = sum theta_i forms_i > 0.
        lift: (C, R, T, p, p): sensing prices Z_r = sum theta_i lift_i > 0 of the R receivers of a cluster.
        paid: (C, T): what the powers cost; prices with a cost are >= 0.
        unity: (C, T): sum unity theta = 1, the price of the smallest information.
        rows: Complex (C, L, N, q): c_s = rows y_s - p_s.
        norms: (C, q): w = norms y_s, what |x_s| costs; all zero if nothing is uncertain, and then p = 0.
        sums: (S, C, q): S sums over the block: the noise N_u of all users, then the leakages K_u to each user.
        n_linear: Number of constructive constraints among the q.
        n_users: Users, J K.

    """

    forms: ComplexArray
    lift: FloatArray
    paid: FloatArray
    unity: FloatArray
    rows: ComplexArray
    norms: FloatArray
    sums: FloatArray
    n_linear: int
    n_users: int

    @property
    def uncertain(self) -> bool:
        """Whether any channel is."""
        return bool(np.any(self.norms > 0.0))

    @property
    def barrier_parameter(self) -> int:
        """Distance of a centre to the optimum, in units of mu."""
        C, L, N, q = self.rows.shape
        per_symbol = self.n_linear + 2 * (q - self.n_linear) // 3 + 2 * self.uncertain
        return int(C * (L * per_symbol + N + self.lift.shape[1] * self.lift.shape[3]))

    def form(self, theta: FloatArray) -> ComplexArray:
        """B, complex (C, N, N)."""
        C, T = theta.shape
        N = self.forms.shape[2]
        return (theta[:, None] @ self.forms.reshape(C, T, -1)).reshape(C, N, N)

    def sensing(self, theta: FloatArray) -> FloatArray:
        """Z, (C, R, p, p)."""
        return np.asarray(np.einsum("ct,crtij->crij", theta, self.lift))

    def waveform(self, at: Point) -> ComplexArray:
        """x_s = B^-1 c_s / 2, complex (C, L, N)."""
        c = self.pull(at).swapaxes(1, 2)
        return np.asarray(np.linalg.solve(self.form(at.theta), c).swapaxes(1, 2) / 2)

    def value(self, at: Point, mu: float) -> float:
        """The dual function with its barrier; infinite outside its domain."""
        linear, triples = self.cones(at.y)
        prices = at.theta[self.paid > 0.0]
        w = self.norm_price(at.y)
        if min(linear.min(), prices.min(), w.min()) <= 0.0 or np.any(triples[..., 2] <= 0.0):
            return np.inf
        slacks = [triples[..., 2] ** 2 - np.sum(triples[..., :2] ** 2, axis=-1)]
        slacks += [w**2 - np.sum(np.abs(at.p) ** 2, axis=-1)] if self.uncertain else []
        if any(np.any(slack <= 0.0) for slack in slacks):
            return np.inf
        try:
            G, Z = np.linalg.cholesky(self.form(at.theta)), np.linalg.cholesky(self.sensing(at.theta))
        except np.linalg.LinAlgError:
            return np.inf
        quadratic = 0.25 * float(np.sum(np.abs(np.linalg.solve(G, self.pull(at).swapaxes(1, 2))) ** 2))
        barrier = float(sum(np.log(s).sum() for s in (linear, prices, *slacks)))
        barrier += 2.0 * sum(float(np.log(np.einsum("...ii->...i", M).real).sum()) for M in (G, Z))
        return float(np.sum(at.theta * self.paid)) + quadratic + self.psi(at.y, mu)[0] - mu * barrier

    def pull(self, at: Point) -> ComplexArray:
        """c_s, complex (C, L, N)."""
        return np.asarray((self.rows @ at.y[..., None])[..., 0] - at.p)

    def norm_price(self, y: FloatArray) -> FloatArray:
        """w, (C, L); 1 if nothing is uncertain."""
        return np.asarray(np.einsum("clq,cq->cl", y, self.norms) if self.uncertain else np.ones(y.shape[:2]))

    def cones(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Prices of constructive constraints (C, L, n_linear), and triples of leakages (C, L, links, 3)."""
        return y[..., : self.n_linear], y[..., self.n_linear :].reshape(*y.shape[:2], -1, 3)

    def psi(self, y: FloatArray, mu: float) -> tuple[float, FloatArray, FloatArray]:
        """-sum_u sqrt(N_u^2 - |K_u|^2) with a barrier on N_u > |K_u|; its slope and its bend by the sums.

        It is what free leakage levels a_u earn: the largest of K_u a - N_u sqrt(1 + |a|^2). Without leakage, -sum N_u.
        """
        sums, U = np.einsum("scq,cq->s", self.sums, y.sum(axis=1)), self.n_users
        S = len(sums)
        if S == U:
            return -float(sums.sum()), -np.ones(S), np.zeros((S, S))
        table = np.arange(S).reshape(-1, U)  # first row: N_u, the others: K_u
        sign = np.where(np.arange(len(table)) == 0, 1.0, -1.0)[:, None]
        D = np.sum(sign * sums[table] ** 2, axis=0)
        if np.any(D <= 0.0) or np.any(sums[:U] <= 0.0):
            return np.inf, np.zeros(S), np.zeros((S, S))
        first, second = -0.5 / np.sqrt(D) - mu / D, 0.25 / D**1.5 + mu / D**2  # by D
        by_sum = 2.0 * sign * sums[table]
        slope, bend = np.zeros(S), np.zeros((S, S))
        slope[table] = first * by_sum
        for u, at in enumerate(table.T):
            bend[np.ix_(at, at)] = second[u] * np.outer(by_sum[:, u], by_sum[:, u]) + np.diag(
                2.0 * first[u] * sign[:, 0]
            )
        return float(-np.sum(np.sqrt(D)) - mu * np.sum(np.log(D))), slope, bend
