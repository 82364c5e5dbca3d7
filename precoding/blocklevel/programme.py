"""The block-level problem on the weights themselves: one smooth inequality for each promise and each limit.

    maximise t  subject to  c_i(W) >= kappa_i t

with W one column per stream, so that rank one needs no recovery. It is not convex as it stands; that its optima are
global is what the witness of each answer proves. t is the smallest information, or, to find out whether anything is
possible at all, the factor by which the noise of all users may rise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.compiled_links import compiled_links
from precoding.blocklevel.forms import Form, NominalLinks, PaperLinks, as_real
from precoding.blocklevel.reduced import (
    bearable_noise,
    coefficients,
    reduced_channels,
    scales_of,
    station_of_column,
    whitened_derivatives,
)
from precoding.blocklevel.targets import Targets
from precoding.blocklevel.task import Task
from precoding.blocklevel.worst_links import WorstLinks, law_of_errors

__all__ = ["Point", "Programme"]

_WIDTH = 0.4  # of the smoothing, in barriers over prices: half costs half the gap and half as many steps again
_BENDING = 1.5e-4  # below this barrier the bend of the log-determinants is left out: rows that cost more than they tell
_PRIOR = 1e-9  # on nuisances of unit information
_LEAST_RADIUS = 1e-7  # of a channel's norm, where some links are known exactly and others are not


@dataclass(frozen=True, eq=False)
class Point:
    """All constraints at one set of weights.

    Attributes:
        weights: For each cluster, complex (S, n).
        links: For each cluster, what the served users hear of it.
        targets: For each cluster, what the targets of its BSs return; empty in the search for a margin.
        values: (m,) all c_i: targets, served users, powers of BSs, powers of antennas.
        jacobian: (m, N).
        spread: Sum over the targets of the log-determinant of their nuisances' information.
        spread_gradient: (N,).

    """

    weights: tuple[ComplexArray, ...]
    links: tuple[Form, ...]
    targets: tuple[Targets, ...]
    values: FloatArray
    jacobian: FloatArray
    spread: float
    spread_gradient: FloatArray


class Programme:
    """The constraints of one task, in orthonormal coordinates of the useful directions.

    Args:
        task: In natural units.
        foreign: (J,) power over noise of the foreign reflections; fixed here.
        margin: Maximise the noise margin of the users instead of the smallest information. t is in units of `unit`.

    """

    def __init__(self, task: Task, foreign: FloatArray, *, margin: bool = False) -> None:
        self.task, self.foreign, self.margin = task, foreign, margin
        network = task.network
        self.served = np.flatnonzero(task.targets > 0.0)
        # In the search for the margin the noise that a user could bear with all power to itself is its unit.
        self.noise_units = bearable_noise(task) if margin else np.ones(len(task.targets))
        self.channels = tuple(reduced_channels(task, c) / np.sqrt(self.noise_units)[:, None] for c in task.clusters)
        self.coefficients = tuple(coefficients(task, c) for c in task.clusters)
        raw = [[whitened_derivatives(task, c, own, foreign) for own in range(len(c.stations))] for c in task.clusters]
        self.unit = min(min(float(np.linalg.norm(D[0], 2)) for D in of_cluster) for of_cluster in raw) ** 2
        self.scales = tuple(tuple(scales_of(D, self.unit) for D in of_cluster) for of_cluster in raw)
        self.derivatives = tuple(
            np.ascontiguousarray([D / s[:, None, None] for D, s in zip(Ds, scales, strict=True)])
            for Ds, scales in zip(raw, self.scales, strict=True)
        )
        self.stations = tuple(station_of_column(task, c) for c in task.clusters)
        # For each cluster, (its BSs, n): what a coordinate of unit power takes of the power of its BS.
        self._shares = tuple(
            (np.array(c.stations)[:, None] == station) / network.power[list(c.stations), None]
            for c, station in zip(task.clusters, self.stations, strict=True)
        )
        n_targets = 0 if margin else network.J
        self.rows = _Rows(n_targets, len(self.served), network.J, network.antenna_power is not None and network.n_tx)
        self.kappa = np.zeros(self.rows.total)
        self.kappa[self.rows.targets] = 1.0
        if margin:
            units = self.noise_units[self.served]
            self.unit = float(units.min())
            self.kappa[self.rows.users] = self.unit / units
        # A path seen along `a` only carries one complex number per stream; fewer than nuisances, and none is unseen.
        paths = len(task.clusters[0].stations)
        self._ends = np.cumsum([0] + [2 * S * n for S, n in self.shapes]).tolist()
        self.spreads = not margin and all(2 * S >= 3 * paths - 1 for S, _ in self.shapes)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """For each cluster, (S, n)."""
        extra = self.task.sensing_streams
        return tuple((len(c.users) + extra, h.shape[1]) for c, h in zip(self.task.clusters, self.channels, strict=True))

    @property
    def kinked(self) -> bool:
        """Whether every stream makes a kink at every user, as in Prop. 3."""
        return self.task.robustness == "paper"

    @property
    def costs(self) -> int:
        """How many barriers the objective pays for: one a constraint, and one a kink of Prop. 3."""
        kinks = len(self.served) * sum(S for S, _ in self.shapes) if self.kinked else 0
        return self.rows.total + kinks

    def smoothing(self, barrier: float, prices: FloatArray, floor: float, ceiling: float) -> FloatArray:
        """How far to smooth what each served user hears, (U,), in units of the noise; vanishes with the barrier.

        The exact worst case has one kink a user, where several channels are equally bad; it is smoothed as much as the
        barrier of its linear matrix inequality would (mu over the price). Prop. 3 has one for every stream and user:
        each is rounded over the width that costs as much as one constraint's barrier.

        Args:
            barrier: Of the interior point.
            prices: (m,).
            floor: The least for the exact worst case.
            ceiling: The most for it.

        """
        if not self.kinked:
            if self.margin:
                return np.full(len(self.served), max(floor, min(ceiling, 5.0 * barrier)))
            widths = _WIDTH * barrier / np.maximum(prices[self.rows.users], 1e-12)
            return np.asarray(np.clip(widths, floor, ceiling))
        radius = np.max([c.radii for c in self.task.clusters], axis=0)[self.served] / np.sqrt(
            self.noise_units[self.served]
        )
        norm = np.sqrt(float(np.mean(self.task.network.power)) / sum(S for S, _ in self.shapes))
        widths = barrier / np.maximum(2.0 * prices[self.rows.users] * radius * norm, 1e-12)
        return np.asarray(np.clip(widths, 1e-5, 0.1) ** 2)

    def at(self, weights: tuple[ComplexArray, ...], smoothing: FloatArray) -> Point:
        """Evaluate values and first derivatives.

        Args:
            weights: For each cluster, complex (S, n).
            smoothing: (U,) from `smoothing`.

        """
        links = tuple(self._links(i, W, smoothing) for i, W in enumerate(weights))
        derivatives = () if self.margin else self.derivatives
        targets = tuple(Targets.at(W, D, _PRIOR) for W, D in zip(weights, derivatives, strict=False))
        rows, values = self.rows, np.zeros(self.rows.total)
        values[rows.users] = 0.0 if self.margin else -1.0
        jacobian = np.zeros((rows.total, self._ends[-1]))
        spread, pull = 0.0, np.zeros(jacobian.shape[1])
        for i, (W, columns) in enumerate(zip(weights, self._columns(), strict=True)):
            values[rows.users] += links[i].values
            jacobian[rows.users, columns] = as_real(links[i].gradients)
            if targets:
                own = list(self.task.clusters[i].stations)
                values[own], jacobian[own, columns] = targets[i].values, targets[i].jacobian
                if self.spreads:
                    spread += targets[i].spread
                    pull[columns] = targets[i].pull
            self._powers(i, W, values, jacobian[:, columns])
        return Point(weights, links, targets, values, jacobian, spread, pull)

    def curvature(self, point: Point, prices: FloatArray, barrier: float) -> tuple[FloatArray, FloatArray]:
        """Second differential of -sum_i prices_i c_i - barrier * spread, as M + rows^T rows.

        Returns:
            M (N, N), block diagonal over the clusters, and rows (r, N).

        """
        from precoding.blocklevel.kernels import add_stream_blocks

        blocks, squared = [], []
        for i, columns in enumerate(self._columns()):
            M = point.links[i].curvature(prices[self.rows.users])
            bend = self._power_bend(i, prices)
            if point.targets:
                own = list(self.task.clusters[i].stations)
                common, rows = point.targets[i].curvature(
                    prices[own], barrier if self.spreads and barrier > _BENDING else 0.0
                )
                bend += common
                squared.append(rows if len(self._ends) == 2 else _widened(rows, columns, self._ends[-1]))
            add_stream_blocks(M, bend)
            blocks.append(M)
        if len(blocks) == 1:
            return blocks[0], squared[0] if squared else np.zeros((0, self._ends[-1]))
        total = np.zeros((self._ends[-1],) * 2)
        for M, columns in zip(blocks, self._columns(), strict=True):
            total[columns, columns] = M
        return total, np.concatenate(squared) if squared else np.zeros((0, len(total)))

    def bounds(self, point: Point, prices: FloatArray, barrier: float, factor: float) -> bool:
        """Whether prices prove that no precoder has `factor` times this point's least information.

        The same weak duality as in `precoding.witness`, which judges what is returned, in these coordinates.
        """
        from precoding.blocklevel.proof_kernel import is_dual_feasible

        rows = self.rows
        if self.margin or self.kinked or self.task.network.antenna_power is not None:
            return False
        goal = factor * float(point.values[rows.targets].min())
        paid, earned = float(prices[rows.stations].sum()), float(prices[rows.users].sum())
        rise = (goal * float(prices[rows.targets].sum()) + earned) / paid - 1.0
        if not rise > 0.0:
            return False
        return all(
            is_dual_feasible(
                prices[rows.stations][list(cluster.stations)] @ self._shares[i],
                rise,
                self.coefficients[i],
                prices[rows.users],
                *self._heard(i, point.links[i]),
                -0.5 * point.targets[i].curvature(prices[list(cluster.stations)], barrier if self.spreads else 0.0)[0],
            )
            for i, cluster in enumerate(self.task.clusters)
        )

    def _heard(self, i: int, links: Form) -> tuple[ComplexArray, ComplexArray]:
        """Mean and covariance of the channels at which the prices take the users of a cluster to be."""
        h = self.channels[i][self.served].conj()
        if not isinstance(links, WorstLinks):
            return h, np.zeros((len(h), 0, 0), dtype=np.complex128)
        error, spread = law_of_errors(self.task.clusters[i].radii[self.served], links.error, links.inverse)
        return h + error, spread

    def _columns(self) -> list[slice]:
        return [slice(a, b) for a, b in pairwise(self._ends)]

    def with_power_left(self, weights: tuple[ComplexArray, ...], slacks: FloatArray) -> tuple[ComplexArray, ...]:
        """Scale the weights of each BS so that the slack of its power limit is what a step meant it to be.

        Power limits are spheres: along a straight step across one, its curvature alone would use up a small slack.
        """
        left = np.maximum(1.0 - slacks[self.rows.stations], 0.0)
        scaled = []
        for W, cluster, share in zip(weights, self.task.clusters, self._shares, strict=True):
            sent = share @ np.sum(np.abs(W) ** 2, axis=0)
            gain = np.sqrt(left[list(cluster.stations)] / np.maximum(sent, 1e-300))
            scaled.append(W * (gain @ (share > 0.0)))
        return tuple(scaled)

    def _links(self, i: int, W: ComplexArray, smoothing: FloatArray) -> Form:
        h, c = self.channels[i][self.served], self.coefficients[i]
        radii = (self.task.clusters[i].radii / np.sqrt(self.noise_units))[self.served]
        if self.task.robustness == "none" or not np.any(radii):
            return NominalLinks(W, h, c)
        if self.task.robustness == "paper":
            return PaperLinks(W, h, c, radii, smoothing)
        radii = np.maximum(radii, _LEAST_RADIUS * np.linalg.norm(h, axis=1))
        return compiled_links(W, h, c, radii, smoothing)

    def _powers(self, i: int, W: ComplexArray, values: FloatArray, jacobian: FloatArray) -> None:
        network, share = self.task.network, self._shares[i]
        rows = self.rows.stations.start + np.array(self.task.clusters[i].stations)
        values[rows] = 1.0 - share @ np.sum(np.abs(W) ** 2, axis=0)
        jacobian[rows] = as_real(-2.0 * share[:, None] * W)
        if network.antenna_power is not None:
            ports = self._ports(i)
            rows = self.rows.antennas.start + ports
            u = self.task.clusters[i].directions / np.sqrt(network.antenna_power.ravel()[ports])[:, None]
            fed = u @ W.T
            values[rows] = 1.0 - np.sum(np.abs(fed) ** 2, axis=1)
            jacobian[rows] = as_real(-2.0 * np.einsum("al,ai->ali", fed, u.conj()))

    def _power_bend(self, i: int, prices: FloatArray) -> ComplexArray:
        """Second differential of the priced power of every stream of a cluster, (n, n)."""
        network = self.task.network
        block = np.diag(2.0 * (prices[self.rows.stations] / network.power)[self.stations[i]]).astype(np.complex128)
        if network.antenna_power is not None:
            ports, u = self._ports(i), self.task.clusters[i].directions
            block += 2.0 * (u.conj().T * (prices[self.rows.antennas] / network.antenna_power.ravel())[ports]) @ u
        return block

    def _ports(self, i: int) -> NDArray[np.int64]:
        n_tx = self.task.network.n_tx
        return np.concatenate([np.arange(n * n_tx, (n + 1) * n_tx) for n in self.task.clusters[i].stations])


class _Rows:
    """Where each kind of constraint stands."""

    def __init__(self, targets: int, users: int, stations: int, antennas_each: int) -> None:
        ends = np.cumsum([targets, users, stations, stations * int(antennas_each)]).tolist()
        self.targets, self.users = slice(0, ends[0]), slice(ends[0], ends[1])
        self.stations, self.antennas = slice(ends[1], ends[2]), slice(ends[2], ends[3])
        self.total = int(ends[3])


def _widened(rows: FloatArray, columns: slice, width: int) -> FloatArray:
    wide = np.zeros((len(rows), width))
    wide[:, columns] = rows
    return wide
