"""Clusters of cooperating base stations, in coordinates that suit a solver; those of cones are made when asked for.

CBF is J clusters of one BS each, CoMP one cluster of J: one statement serves both, and they agree for J = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import echo_jacobian
from precoding.network import Network
from precoding.steering import steering, steering_derivative

__all__ = ["Cluster", "clusters"]

# Directions that the users hear at less than this part of the loudest one are not amplified any further.
_FLOOR = 1e-2


@dataclass(frozen=True, eq=False)
class Cluster:
    """Base stations that send the same streams, one to each of their users.

    Attributes:
        stations: Indices of its BSs.
        users: Indices m K + k of the users it serves, one stream each.
        directions: Complex (n_stations n_tx, r), orthonormal columns on one BS each.
        radii: (J K,) radius of the CSI ball of each of these channels.
        network: Of which it is a cluster.

    """

    stations: tuple[int, ...]
    users: tuple[int, ...]
    directions: ComplexArray
    radii: FloatArray
    network: Network

    @cached_property
    def _heard(self) -> ComplexArray:
        """Channels to every user of the network along the directions, (J K, r)."""
        net = self.network
        return net.channels[list(self.stations)].transpose(1, 2, 0, 3).reshape(net.J * net.K, -1) @ self.directions

    @cached_property
    def _equalising(self) -> ComplexArray:
        """Coordinates in which all directions are heard about equally: (sum_k h^* h^T + floor)^(-1/2).

        Without them signals 40 dB apart share one matrix, and Clarabel stops early or fails (measured).
        """
        heard, directions = np.linalg.eigh(self._heard.conj().T @ self._heard)
        coordinates: ComplexArray = (directions / np.sqrt(heard + _FLOOR * heard[-1])) @ directions.conj().T
        return coordinates

    @cached_property
    def basis(self) -> ComplexArray:
        """Complex (n_stations n_tx, r), of the same span: antenna weights are basis @ reduced weights."""
        return self.directions @ self._equalising

    @cached_property
    def channels(self) -> ComplexArray:
        """Complex (J K, r) in reduced coordinates: h^T basis, to every user of the network."""
        return self._heard @ self._equalising

    @cached_property
    def power_forms(self) -> ComplexArray:
        """Complex (n_stations, r, r) in reduced coordinates: tr(form @ R) is the power of each BS."""
        of_station = self.basis.reshape(len(self.stations), self.network.n_tx, -1)
        return of_station.conj().transpose(0, 2, 1) @ of_station

    @property
    def jacobians(self) -> tuple[ComplexArray, ...]:
        """One complex (p, n_rx, r) for each of its BSs: derivatives of the mean echo."""
        net, stations = self.network, list(self.stations)
        return tuple(
            echo_jacobian(net.departure_angles[m, stations], net.reflections[m, stations], own, net.n_tx, net.n_rx)
            @ self.basis
            for own, m in enumerate(stations)
        )


def clusters(network: Network, *, cooperate: bool) -> tuple[Cluster, ...]:
    """Split a network into its clusters: all BSs together (CoMP) or each on its own (CBF)."""
    if cooperate:
        return (_cluster(network, list(range(network.J))),)
    return tuple(_cluster(network, [m]) for m in range(network.J))


def _cluster(network: Network, stations: list[int]) -> Cluster:
    return Cluster(
        stations=tuple(stations),
        users=tuple(m * network.K + k for m in stations for k in range(network.K)),
        directions=_block_diagonal([_useful_directions(network, n, stations) for n in stations]),
        radii=np.sqrt(np.sum(network.csi_radius[stations] ** 2, axis=0)).ravel(),
        network=network,
    )


def _useful_directions(network: Network, n: int, stations: list[int]) -> ComplexArray:
    """Orthonormal (n_tx, r_n): outside this span BS n reaches no user and no target of the cluster, for wasted power.

    An error of the channel estimate outside the span meets no signal, so the worst case is not touched either. Where
    antennas have limits of their own the span is no longer enough: how power is spread over them matters.
    """
    angles = np.unique([departure[stations, n] for _, departure in network.possible_angles])
    if network.antenna_power is not None or network.J * network.K + 2 * len(angles) >= network.n_tx:
        return np.eye(network.n_tx, dtype=np.complex128)
    derivatives = steering_derivative(network.n_tx, angles)
    seen = [network.channels[n].reshape(-1, network.n_tx), steering(network.n_tx, angles), derivatives]
    directions = np.concatenate([rows / np.abs(rows).max() for rows in seen if np.any(rows)]).conj().T
    return np.linalg.qr(directions)[0]


def _block_diagonal(blocks: list[ComplexArray]) -> ComplexArray:
    rows, columns = sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)
    whole = np.zeros((rows, columns), dtype=np.complex128)
    row = column = 0
    for block in blocks:
        whole[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return whole
