"""Newton's step of the interior point of slp-cbf: blocks of one symbol and BS, and a small system that joins them."""

from __future__ import annotations

import numpy as np

from precoding.arrays import FloatArray
from precoding.symbollevel.cbf_cells import Cells, real
from precoding.symbollevel.cbf_point import BONUS, Interior, Multipliers, Step

__all__ = ["Newton"]


class Newton:
    """Memory for the Newton steps of one task, and how their small system is laid out.

    Unknowns: levels of all links, t, prices of power, of sensing, of the nuisances.
    """

    def __init__(self, c: Cells) -> None:
        J, p, _, d = c.E.shape
        U, L = len(c.depth), c.edges.shape[3]
        self.c = c
        self.links = np.full((J, U), -1)
        self.links[~c.own] = np.arange(int((~c.own).sum()))
        self.n_links = int((~c.own).sum())
        self.columns = U + 1 + J + (p - 1)  # levels, power, sensing of all BSs, own nuisances
        self.size = self.n_links + 1 + 2 * J + J * (p - 1)
        self.A = np.empty((J, 2 * d, 2 * d, L))
        self.V = np.empty((J, self.columns + 1, 2 * d, L))
        self.maps = np.zeros((J, self.columns, self.size))
        first = self.n_links + 1
        for n in range(J):
            away = np.flatnonzero(~c.own[n])
            self.maps[n, away, self.links[n, away]] = 1.0
            self.maps[n, U, first + n] = 1.0
            self.maps[n, U + 1 + np.arange(J), first + J + np.arange(J)] = 1.0
            own = np.arange(p - 1)
            self.maps[n, U + 1 + J + own, first + 2 * J + n * (p - 1) + own] = 1.0

    def step(self, at: Interior, prices: Multipliers, mu: float, ridge: float) -> Step:
        """Newton's direction for the barrier mu; a ridge, in parts of the price of power, makes it shorter."""
        from precoding.symbollevel.cbf_kernels import back

        J, U, n_links = len(at.X), len(self.c.depth), self.n_links
        S, rhs = self._around(at, prices, mu)
        for n in range(J):
            self._eliminate(n, at, prices, mu, ridge, S, rhs)
        scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(S)), 1e-12))
        z = scale * np.linalg.solve(S * scale * scale[:, None], rhs * scale)
        dX = np.empty_like(at.X)
        for n in range(J):
            dX[n] = self.V[n, -1] - np.tensordot(self.maps[n] @ z, self.V[n, :-1], axes=1)
            back(self.A[n], dX[n])
        da = np.zeros_like(at.a)
        da[~self.c.own] = z[:n_links]
        dlevel = self.maps[:, :U, :n_links] @ z[:n_links]
        power, sensing = z[n_links + 1 : n_links + 1 + J], z[n_links + 1 + J : n_links + 1 + 2 * J]
        return Step(dX, da, dlevel, float(z[n_links]), -power - prices.power, -sensing - BONUS - prices.sensing)

    def _around(self, at: Interior, prices: Multipliers, mu: float) -> tuple[FloatArray, FloatArray]:
        """The small system but for what the blocks give to it, and its right side."""
        J, p = self.c.E.shape[:2]
        S, rhs = np.zeros((self.size, self.size)), np.zeros(self.size)
        s, v = at.slacks, at.limits
        t, power = self.n_links, self.n_links + 1 + np.arange(J)
        S[power, power] = -s.power / prices.power
        rhs[power] = mu / prices.power - (v.power - s.power)
        sensing = power + J
        S[sensing, sensing] = -s.sensing / prices.sensing
        # The unknown is minus the price with its bonus, so that the bonus pulls at all symbols.
        rhs[sensing] = mu / prices.sensing - (v.sensing - s.sensing) + BONUS * s.sensing / prices.sensing
        S[sensing, t] = S[t, sensing] = -1.0
        rhs[t] = 1.0 + J * BONUS
        for m in range(J):
            part = slice(t + 1 + 2 * J + m * (p - 1), t + 1 + 2 * J + (m + 1) * (p - 1))
            S[part, part] = -at.echo.nuisances[m] / (2.0 * (prices.sensing[m] + BONUS))
        return S, rhs

    def _eliminate(
        self, n: int, at: Interior, prices: Multipliers, mu: float, ridge: float, S: FloatArray, rhs: FloatArray
    ) -> None:
        """Factor the blocks of BS n and add to the small system what is left of them."""
        from precoding.symbollevel.cbf_kernels import blocks

        c, U, s, v = self.c, len(self.c.depth), at.slacks, at.limits
        level = c.levels(at.a)[n]
        borders, shared = self._matrices(n, at, prices, ridge)
        self.V[n, U:-1] = (borders.reshape(-1, len(at.X[n])) @ at.X[n]).reshape(-1, *at.X[n].shape)
        bend, pull, _ = blocks(
            c.Hr[n], c.Hi[n], at.X[n], at.q[n], at.norm2[n], c.edges, c.own[n], c.radii[n], level, v.edges[n],
            v.leaks[n], s.edges[n], s.leaks[n], prices.edges[n], prices.leaks[n], mu, shared, self.V[n], self.A[n],
        )  # fmt: skip
        flat = self.V[n].reshape(len(self.V[n]), -1)
        G, T = flat @ flat.T, self.maps[n]
        for u in np.flatnonzero(c.own[n]):  # the depth depends on all that others leak
            foreign = np.flatnonzero(~c.own[:, u])
            links = self.links[foreign, u]
            T[u, links] = c.depth[u] ** 2 * at.a[foreign, u] / level[u]
            bent = c.depth[u] ** 2 * np.eye(len(foreign)) - np.outer(T[u, links], T[u, links])
            S[np.ix_(links, links)] += prices.edges[n, u].sum() / level[u] * bent
        G[:U, :U] -= np.diag(bend)
        G[:U, -1] -= pull
        S -= T.T @ G[:-1, :-1] @ T
        rhs -= T.T @ G[:-1, -1]

    def _matrices(self, n: int, at: Interior, prices: Multipliers, ridge: float) -> tuple[FloatArray, FloatArray]:
        """Real matrices that make of X_n the gradients that leave its blocks, and the Hessian its symbols share."""
        c, echo = self.c, at.echo
        J, p, _, d = c.E.shape
        Q = echo.Q[n]
        T = Q.conj().T @ Q
        borders = np.empty((J + p, d, d), dtype=np.complex128)
        borders[0] = -2.0 * np.eye(d)
        borders[1 : 1 + J] = (
            2.0 * echo.per_foreign[:, None, None] * c.towards[:, n, :, None].conj() * c.towards[:, n, None, :]
        )
        price = prices.sensing + BONUS
        shared = -np.tensordot(price, borders[1 : 1 + J], axes=1) - 2.0 * price[n] * T
        borders[1 + n] = 2.0 * T
        turned = echo.E[n, 1:].conj().swapaxes(1, 2) @ Q
        borders[1 + J :] = turned + turned.conj().swapaxes(1, 2)
        strongest = price[n] * float(np.linalg.eigvalsh(Q @ Q.conj().T)[-1])
        shared += 2.0 * (1.0 + ridge) * max(prices.power[n], strongest) * np.eye(d)
        return real(borders), real(shared)
