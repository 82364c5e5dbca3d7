"""Where else a target could be: the side lobes of what a receiver hears, of the whole transmit-receive response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from precoding.arrays import ComplexArray, FloatArray
from precoding.bounds import crb_comp, crb_slepian_bangs
from precoding.steering import steering

__all__ = ["Echo", "overlap", "side_lobes"]

_PER_LOBE = 8  # grid points from one zero of the array response to the next
_PER_FOREIGN_LOBE = 4  # the same along the departure angles of the other BSs
_UNSEEN = 1e-12  # part of the largest: less is rounding
_DIGITS = 9  # of a height; a station with one stream explains the same at every departure angle: one lobe, not many


@dataclass(frozen=True, eq=False)
class Echo:
    """What a receiver hears of its target; the own path, whose departure is also the arrival, comes first.

    Attributes:
        sines: (P,) of the departure angles.
        reflections: Complex (P,).
        gram: Complex (P, n_tx, P, n_tx): X X^H of the stacked signals over the block.
        interference: q of C = q a a^H + sigma^2 I.
        noise: sigma^2.
        n_rx: Receive antennas.
        length: Snapshots, L.

    """

    sines: FloatArray
    reflections: ComplexArray
    gram: ComplexArray
    interference: float
    noise: float
    n_rx: int
    length: int

    @property
    def loud(self) -> float:
        """Power of interference and noise of a beam towards the target."""
        return self.noise + self.n_rx * self.interference

    @property
    def weights(self) -> tuple[float, float]:
        """Weights in the log-likelihood: of energy along a, and of the part of it that known signals explain."""
        return 1.0 / self.noise - 1.0 / self.loud, 1.0 / self.loud

    def crb(self) -> float:
        """Bound that the data are judged by: Slepian-Bangs (CBF), Prop. 2 (CoMP)."""
        angles, size = np.arcsin(self.sines), self.gram.shape[0] * self.gram.shape[1]
        gram, alpha, q = self.gram.reshape(size, size), self.reflections, self.interference
        if len(alpha) > 1:
            return crb_comp(0, angles, alpha, gram, self.noise, self.n_rx)
        return crb_slepian_bangs(angles[0], complex(alpha[0]), gram, q, self.noise, self.n_rx, self.length)


def side_lobes(echo: Echo, edge: float) -> tuple[FloatArray, float]:
    """Find the directions that explain an echo nearly as well as the true one does, without noise.

    Args:
        echo: The truth.
        edge: Largest sine that is searched.

    Returns:
        Sines of the side lobes of the expected log-likelihood, (M, P): for every arrival angle (first column) all
        departure angles at which the foreign signals explain the most. And the width of the main lobe in rad.

    """
    P, n_tx = echo.gram.shape[:2]
    steps = [2.0 / (_PER_LOBE * max(n_tx, echo.n_rx))] + [2.0 / (_PER_FOREIGN_LOBE * n_tx)] * (P - 1)
    grids = [
        sine + step * np.arange(np.ceil((-edge - sine) / step), (edge - sine) // step + 1)
        for sine, step in zip(echo.sines, steps, strict=True)
    ]
    own, (power, explained) = grids[0], _explained(echo, grids)
    along, fitted = echo.weights
    receive = overlap(echo.n_rx, own - echo.sines[0]) ** 2
    best = explained.reshape(len(own), -1).max(axis=1)
    height = receive * (along * (power + echo.length * echo.interference) + fitted * best)
    centre, slope = int(np.argmin(np.abs(own - echo.sines[0]))), np.diff(height)
    left = centre - int(np.argmax(np.append(slope[:centre][::-1] < 0.0, True)))
    right = centre + int(np.argmax(np.append(slope[centre:] > 0.0, True)))
    lobes = [
        [own[i], *(grid[k] for grid, k in zip(grids[1:], peak, strict=True))]
        for (i,) in _maxima(height)
        if not left <= i <= right
        for peak in _maxima(explained[i])
    ]
    return np.reshape(lobes, (-1, P)), float(np.arcsin(own[right]) - np.arcsin(own[left]))


def _maxima(field: FloatArray) -> list[tuple[np.int64, ...]]:
    """Indices of the local maxima of a field of any dimension; a plateau is one."""
    if field.ndim == 0:
        return [()]
    heights = np.round(field / max(field.max(), np.finfo(float).tiny), _DIGITS)
    order = np.argsort(heights, axis=None, kind="stable")
    ranks = np.argsort(order).reshape(field.shape)  # no two alike: of equals, the last wins
    axes = tuple(range(field.ndim, 2 * field.ndim))
    around = sliding_window_view(np.pad(ranks, 1, mode="edge"), (3,) * field.ndim)
    return list(zip(*np.nonzero(ranks == around.max(axis=axes)), strict=True))


def overlap(n: int, apart: FloatArray) -> FloatArray:
    """Correlation of two steering vectors whose sines are `apart`, any shape: Dirichlet's kernel."""
    return np.asarray(np.cos(np.pi * np.multiply.outer(apart, np.arange(n) - (n - 1) / 2)).mean(axis=-1))


def _explained(echo: Echo, grids: list[FloatArray]) -> tuple[float, FloatArray]:
    """Energy that arrives at an antenna; and what of it the signals towards other angles span, (G_1, ..., G_P)."""
    P, n_tx = echo.gram.shape[:2]
    sent = echo.reflections[:, None] * steering(n_tx, np.arcsin(echo.sines))
    arriving = np.einsum("pi,pijk->jk", sent, echo.gram)
    banks = [steering(n_tx, np.arcsin(grid)) for grid in grids]
    mesh = np.ix_(*(np.arange(len(grid)) for grid in grids))
    shape = tuple(len(grid) for grid in grids)
    u = np.empty((*shape, P), dtype=np.complex128)
    K = np.empty((*shape, P, P), dtype=np.complex128)
    dark = max(_UNSEEN * float(np.einsum("pipi->", echo.gram).real), np.finfo(float).tiny)
    for j in range(P):
        u[..., j] = (banks[j].conj() @ arriving[j])[mesh[j]]
        K[..., j, j] = (np.sum((banks[j] @ echo.gram[j, :, j]) * banks[j].conj(), axis=1) + dark)[mesh[j]]
        for k in range(j + 1, P):
            K[..., j, k] = (banks[j] @ echo.gram[j, :, k] @ banks[k].conj().T)[mesh[j], mesh[k]]
            K[..., k, j] = K[..., j, k].conj()
    solved = np.linalg.solve(np.swapaxes(K, -1, -2), u[..., None])[..., 0]
    return float(np.sum(arriving * sent.conj()).real), np.sum(solved * u.conj(), axis=-1).real
