"""Clusters of cooperating base stations, in the smallest dimension that holds the optimum.

CBF is J clusters of one BS each, CoMP one cluster of J: one statement serves both, and they agree for J = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import echo_jacobian
from precoding.network import Network
from precoding.steering import steering, steering_derivative

__all__ = ["Cluster", "clusters"]


@dataclass(frozen=True, eq=False)
class Cluster:
    """Base stations that send the same streams, one to each of their users.

    Attributes:
        stations: Indices of its BSs.
        users: Indices m K + k of the users it serves, one stream each.
        channels: Complex (J K, r): from the cluster to every user of the network, in the reduced coordinates.
        radii: (J K,) radius of the CSI ball of each of these channels.
        basis: Complex (n_stations n_tx, r), block-diagonal with orthonormal columns: x = basis @ reduced x.
        owner: (r,) the BS that each reduced coordinate belongs to.
        jacobians: One complex (p, n_rx, r) for each of its BSs: derivatives of the mean echo.
    """

    stations: tuple[int, ...]
    users: tuple[int, ...]
    channels: ComplexArray
    radii: FloatArray
    basis: ComplexArray
    owner: NDArray[np.intp]
    jacobians: tuple[ComplexArray, ...]


def clusters(network: Network, *, cooperate: bool) -> tuple[Cluster, ...]:
    """Split a network into its clusters: all BSs together (CoMP) or each on its own (CBF)."""
    if cooperate:
        return (_cluster(network, tuple(range(network.J))),)
    return tuple(_cluster(network, (m,)) for m in range(network.J))


def _cluster(network: Network, stations: tuple[int, ...]) -> Cluster:
    K, picked = network.K, list(stations)
    bases = [_basis(network, n, stations) for n in stations]
    basis = _block_diagonal(bases)
    stacked = network.channels[picked].transpose(1, 2, 0, 3).reshape(network.J * K, -1)
    radii = np.sqrt(np.sum(network.csi_radius[picked] ** 2, axis=0)).ravel()
    jacobians = [
        echo_jacobian(
            network.departure_angles[m, picked], network.reflections[m, picked], own, network.n_tx, network.n_rx
        )
        for own, m in enumerate(stations)
    ]
    return Cluster(
        stations=stations,
        users=tuple(m * K + k for m in stations for k in range(K)),
        channels=stacked @ basis,
        radii=radii,
        basis=basis,
        owner=np.repeat(stations, [b.shape[1] for b in bases]),
        jacobians=tuple(D @ basis for D in jacobians),
    )


def _basis(network: Network, n: int, stations: tuple[int, ...]) -> ComplexArray:
    """What BS n sends outside this span reaches no user and no target of the cluster: it would be wasted power.

    A CSI error outside the span meets no signal, so this holds for the worst case too.
    """
    angles = network.departure_angles[list(stations), n]
    seen = [network.channels[n].reshape(-1, network.n_tx), steering(network.n_tx, angles)]
    seen.append(steering_derivative(network.n_tx, angles))
    directions = np.concatenate([rows / np.abs(rows).max() for rows in seen]).conj().T
    if directions.shape[1] >= network.n_tx:
        return np.eye(network.n_tx, dtype=np.complex128)
    return np.linalg.qr(directions)[0]


def _block_diagonal(blocks: list[ComplexArray]) -> ComplexArray:
    rows, columns = np.sum([b.shape for b in blocks], axis=0)
    whole = np.zeros((rows, columns), dtype=np.complex128)
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole
