"""Clusters of cooperating base stations, in coordinates that suit an interior-point solver.

CBF is J clusters of one BS each, CoMP one cluster of J: one statement serves both, and they agree for J = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

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

    All arrays are in reduced coordinates: antenna weights are basis @ reduced weights.

    Attributes:
        stations: Indices of its BSs.
        users: Indices m K + k of the users it serves, one stream each.
        basis: Complex (n_stations n_tx, r).
        directions: Complex (n_stations n_tx, r), orthonormal columns on one BS each, with the same span.
        channels: Complex (J K, r): h^T basis, to every user of the network.
        radii: (J K,) radius of the CSI ball of each of these channels.
        power_forms: Complex (n_stations, r, r): tr(form @ R) is the power of each BS.
        network: Of which it is a cluster.

    """

    stations: tuple[int, ...]
    users: tuple[int, ...]
    basis: ComplexArray
    directions: ComplexArray
    channels: ComplexArray
    radii: FloatArray
    power_forms: ComplexArray
    network: Network

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
    channels = network.channels[stations].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)
    useful = _block_diagonal([_useful_directions(network, n, stations) for n in stations])
    basis = useful @ _equalising(channels @ useful)
    of_station = basis.reshape(len(stations), network.n_tx, -1)
    return Cluster(
        stations=tuple(stations),
        users=tuple(m * network.K + k for m in stations for k in range(network.K)),
        basis=basis,
        directions=useful,
        channels=channels @ basis,
        radii=np.sqrt(np.sum(network.csi_radius[stations] ** 2, axis=0)).ravel(),
        power_forms=of_station.conj().transpose(0, 2, 1) @ of_station,
        network=network,
    )


def _useful_directions(network: Network, n: int, stations: list[int]) -> ComplexArray:
    """Orthonormal (n_tx, r_n): outside this span BS n reaches no user and no target of the cluster, for wasted power.

    An error of the channel estimate outside the span meets no signal, so the worst case is not touched either. Where
    antennas have limits of their own the span is no longer enough: how power is spread over them matters.
    """
    if network.antenna_power is not None:
        return np.eye(network.n_tx, dtype=np.complex128)
    angles = network.departure_angles[stations, n]
    derivatives = steering_derivative(network.n_tx, angles)
    seen = [network.channels[n].reshape(-1, network.n_tx), steering(network.n_tx, angles), derivatives]
    directions = np.concatenate([rows / np.abs(rows).max() for rows in seen if np.any(rows)]).conj().T
    if directions.shape[1] >= network.n_tx:
        return np.eye(network.n_tx, dtype=np.complex128)
    return np.linalg.qr(directions)[0]


def _equalising(channels: ComplexArray) -> ComplexArray:
    """Coordinates in which all directions are heard about equally: (sum_k h^* h^T + floor)^(-1/2).

    Without them signals 40 dB apart share one matrix, and Clarabel stops early or fails (measured).
    """
    heard, directions = np.linalg.eigh(channels.conj().T @ channels)
    coordinates: ComplexArray = (directions / np.sqrt(heard + _FLOOR * heard[-1])) @ directions.conj().T
    return coordinates


def _block_diagonal(blocks: list[ComplexArray]) -> ComplexArray:
    rows, columns = np.cumsum([(0, 0)] + [b.shape for b in blocks], axis=0).T
    whole = np.zeros((rows[-1], columns[-1]), dtype=np.complex128)
    for i, block in enumerate(blocks):
        whole[rows[i] : rows[i + 1], columns[i] : columns[i + 1]] = block
    return whole
