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
from precoding.blocklevel.cluster import Cluster
from precoding.blocklevel.compiled_links import compiled_links
from precoding.blocklevel.forms import Form, NominalLinks, PaperLinks, TargetForm, as_real
from precoding.blocklevel.task import Task
from precoding.fisher import jacobian_of
from precoding.steering import steering, steering_derivative

__all__ = ["Point", "Programme"]

_PRIOR = 1e-9  # on nuisances of unit information
_LEAST_RADIUS = 1e-7  # of a channel's norm, where some links are known exactly and others are not


@dataclass(frozen=True, eq=False)
class Point:
    """All constraints at one set of weights.

    Attributes:
        weights: For each cluster, complex (S, n).
        links: For each cluster, what the served users hear of it.
        targets: For each cluster, what the targets of its BSs return.
        values: (m,) all c_i: targets, served users, powers of BSs, powers of antennas.
        jacobian: (m, N).
        spread: Sum over the targets of the log-determinant of their nuisances' information.
        spread_gradient: (N,).

    """

    weights: tuple[ComplexArray, ...]
    links: tuple[Form, ...]
    targets: tuple[tuple[TargetForm, ...], ...]
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
        self.noise_units = _bearable(task) if margin else np.ones(len(task.targets))
        self.channels = tuple(_channels(task, c) / np.sqrt(self.noise_units)[:, None] for c in task.clusters)
        self.coefficients = tuple(_coefficients(task, c) for c in task.clusters)
        raw = [[_derivatives(task, c, own, foreign) for own in range(len(c.stations))] for c in task.clusters]
        self.unit = min(min(float(np.linalg.norm(D[0], 2)) for D in of_cluster) for of_cluster in raw) ** 2
        self.scales = tuple(tuple(_scales(D, self.unit) for D in of_cluster) for of_cluster in raw)
        self.derivatives = tuple(
            tuple(np.ascontiguousarray(D / s[:, None, None]) for D, s in zip(Ds, scales, strict=True))
            for Ds, scales in zip(raw, self.scales, strict=True)
        )
        self.stations = tuple(_station_of_column(task, c) for c in task.clusters)
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
        self.spreads = not margin and all(2 * S >= 3 * paths - 1 for S, _ in self.shapes)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """For each cluster, (S, n)."""
        extra = self.task.sensing_streams
        return tuple((len(c.users) + extra, h.shape[1]) for c, h in zip(self.task.clusters, self.channels, strict=True))

    @property
    def costs(self) -> int:
        """How many barriers the objective pays for: one a constraint, and one a kink of Prop. 3."""
        kinks = len(self.served) * sum(S for S, _ in self.shapes) if self.task.robustness == "paper" else 0
        return self.rows.total + kinks

    def smoothing(self, barrier: float, prices: FloatArray, floor: float, ceiling: float) -> FloatArray:
        """How far to smooth what each served user hears, (U,), in units of the noise; vanishes with the barrier.

        The exact worst case has one kink; at least `floor` is left there. Prop. 3 has one for every stream and user:
        each is rounded over the width that costs as much as one constraint's barrier.

        Args:
            barrier: Of the interior point.
            prices: (m,).
            floor: The least for the exact worst case.
            ceiling: The most for it.

        """
        if self.task.robustness != "paper":
            width = 5.0 * barrier if self.margin else 0.5 * float(np.sqrt(barrier))
            return np.full(len(self.served), max(floor, min(ceiling, width)))
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
        targets = tuple(self._targets(i, W) for i, W in enumerate(weights))
        rows, values = self.rows, np.zeros(self.rows.total)
        values[rows.users] = 0.0 if self.margin else -1.0
        jacobian = np.zeros((rows.total, sum(2 * S * n for S, n in self.shapes)))
        spread, pull = 0.0, np.zeros(jacobian.shape[1])
        for i, (W, columns) in enumerate(zip(weights, self._columns(), strict=True)):
            values[rows.users] += links[i].values
            jacobian[rows.users, columns] = as_real(links[i].gradients)
            for m, target in zip(self.task.clusters[i].stations, targets[i], strict=False):
                values[m] = target.value
                jacobian[m, columns] = as_real(target.gradient)
                if self.spreads:
                    spread += target.log_det
                    pull[columns] += as_real(target.log_det_gradient)
            self._powers(i, W, values, jacobian[:, columns])
        return Point(weights, links, targets, values, jacobian, spread, pull)

    def curvature(self, point: Point, prices: FloatArray, barrier: float) -> tuple[FloatArray, FloatArray]:
        """Second differential of -sum_i prices_i c_i - barrier * spread, as M + rows^T rows.

        Returns:
            M (N, N), block diagonal over the clusters, and rows (r, N).

        """
        from precoding.blocklevel.kernels import add_stream_blocks

        total = np.zeros((point.jacobian.shape[1],) * 2)
        squared = []
        for i, columns in enumerate(self._columns()):
            M = point.links[i].curvature(prices[self.rows.users])
            block = self._power_bend(i, prices)
            for m, target in zip(self.task.clusters[i].stations, point.targets[i], strict=False):
                parts = [target.bend(prices[m])]
                if self.spreads:
                    common, rows = target.log_det_bend()
                    parts.append((barrier * common, np.sqrt(barrier) * rows))
                for common, rows in parts:
                    block = block + common
                    wide = np.zeros((len(rows), len(total)))
                    wide[:, columns] = rows
                    squared.append(wide)
            add_stream_blocks(M, block[None])
            total[columns, columns] = M
        return total, np.concatenate(squared) if squared else np.zeros((0, len(total)))

    def _columns(self) -> list[slice]:
        ends = np.cumsum([0] + [2 * S * n for S, n in self.shapes])
        return [slice(a, b) for a, b in pairwise(ends)]

    def with_power_left(self, weights: tuple[ComplexArray, ...], slacks: FloatArray) -> tuple[ComplexArray, ...]:
        """Scale the weights of each BS so that the slack of its power limit is what a step meant it to be.

        Power limits are spheres: along a straight step across one, its curvature alone would use up a small slack.
        """
        power, first = self.task.network.power, self.rows.stations.start
        scaled = []
        for W, station in zip(weights, self.stations, strict=True):
            gain = np.ones(len(station))
            for n in np.unique(station):
                sent = float(np.sum(np.abs(W[:, station == n]) ** 2))
                gain[station == n] = np.sqrt(max(1.0 - slacks[first + n], 0.0) * power[n] / max(sent, 1e-300))
            scaled.append(W * gain)
        return tuple(scaled)

    def _links(self, i: int, W: ComplexArray, smoothing: FloatArray) -> Form:
        h, c = self.channels[i][self.served], self.coefficients[i]
        radii = (self.task.clusters[i].radii / np.sqrt(self.noise_units))[self.served]
        if self.task.robustness == "none" or not np.any(radii):
            return NominalLinks(W, h, c)
        if self.task.robustness == "paper":
            return PaperLinks(W, h, c, radii, smoothing)
        radii = np.maximum(radii, _LEAST_RADIUS * np.linalg.norm(h, axis=1))
        return compiled_links(W, h, c, radii, float(smoothing[0]))

    def _targets(self, i: int, W: ComplexArray) -> tuple[TargetForm, ...]:
        return () if self.margin else tuple(TargetForm.at(W, D, _PRIOR) for D in self.derivatives[i])

    def _powers(self, i: int, W: ComplexArray, values: FloatArray, jacobian: FloatArray) -> None:
        network = self.task.network
        for n in self.task.clusters[i].stations:
            row = self.rows.stations.start + n
            sent = np.where(self.stations[i] == n, W, 0.0)
            values[row] = 1.0 - np.sum(np.abs(sent) ** 2) / network.power[n]
            jacobian[row] = as_real(-2.0 * sent / network.power[n])
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


def _channels(task: Task, cluster: Cluster) -> ComplexArray:
    network = task.network
    h = network.channels[list(cluster.stations)].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)
    return h @ cluster.directions


def _bearable(task: Task) -> FloatArray:
    """(J K,) factor by which each user's noise could rise with all power to itself and no error of the channel."""
    network = task.network
    gains = np.sum(np.abs(network.channels) ** 2 * network.power[:, None, None, None], axis=(0, 3)).ravel()
    factors: FloatArray = gains / np.where(task.targets > 0.0, task.targets, np.inf)
    factors[task.targets <= 0.0] = 1.0
    return factors


def _coefficients(task: Task, cluster: Cluster) -> FloatArray:
    """For every served user and stream: 1 / gamma for its own, -1 for the others."""
    c = -np.ones((len(task.targets), len(cluster.users) + task.sensing_streams))
    for column, user in enumerate(cluster.users):
        if task.targets[user] > 0.0:
            c[user, column] = 1.0 / task.targets[user]
    return c[task.targets > 0.0]


def _station_of_column(task: Task, cluster: Cluster) -> NDArray[np.int64]:
    blocks = np.abs(cluster.directions.reshape(len(cluster.stations), task.network.n_tx, -1)).sum(axis=1)
    station: NDArray[np.int64] = np.array(cluster.stations)[blocks.argmax(axis=0)]
    return station


def _derivatives(task: Task, cluster: Cluster, own: int, foreign: FloatArray) -> ComplexArray:
    """Whitened derivatives of BS `own` of the cluster, (p, 2, n): its array sees a and a' only."""
    network, m, stations = task.network, cluster.stations[own], list(cluster.stations)
    angle, angles = float(network.arrival_angles[m]), network.departure_angles[m, stations]
    seen = np.stack([steering(network.n_rx, angle), steering_derivative(network.n_rx, angle)], axis=1)
    power = float(foreign[m]) if len(task.clusters) > 1 else 0.0
    # C = I + q a a^H shrinks what comes along a by (1 + q n_rx)^-1/2 (Sherman-Morrison); a' is orthogonal to it.
    white = np.linalg.qr(seen)[1]
    white[0] /= np.sqrt(1.0 + power * network.n_rx)
    sent = np.stack([steering(network.n_tx, angles), steering_derivative(network.n_tx, angles)])
    D = jacobian_of(white.T, sent, network.reflections[m, stations], own) @ cluster.directions
    scaled: ComplexArray = np.sqrt(2.0 * network.block_length) * D
    return scaled


def _scales(D: ComplexArray, unit: float) -> FloatArray:
    scales: FloatArray = np.linalg.norm(D, axis=(1, 2))
    scales[scales == 0.0] = 1.0
    scales[0] = np.sqrt(unit)
    return scales
