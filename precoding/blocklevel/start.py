"""A first guess of the weights: regularised zero forcing and part of the power towards the targets, or those in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.programme import Programme
from precoding.network import Network
from precoding.steering import steering, steering_derivative

__all__ = ["Memory", "cold_start", "warm_start"]

_INSIDE = 0.999
_RIDGE = 3e-4  # of a path of unit loudness: paths hardly apart are not told apart by force
_FOR_USERS, _FOR_TARGETS = 0.5, 0.3  # of each BS's power


def cold_start(programme: Programme) -> tuple[ComplexArray, ...]:
    """Weights of each cluster, complex (S, n); within the power limits, not feasible in general."""
    return tuple(_of_cluster(programme, i) for i in range(len(programme.channels)))


@dataclass(frozen=True, eq=False)
class Memory:
    """What a warm start uses of an earlier design.

    Attributes:
        network: What it was designed for, in natural units.
        prices: (m,) of its constraints.
        barrier: At which the interior point ended.

    """

    network: Network
    prices: FloatArray
    barrier: float


def warm_start(programme: Programme, weights: ComplexArray, memory: Memory | None = None) -> tuple[ComplexArray, ...]:
    """Weights of a similar task in the coordinates of this one, a little inside the power limits.

    If it is known for what they were made, the least change is added that lets every user hear, and every target see,
    every stream as then: a first-order prediction of the optimum when channels and targets move.

    Args:
        programme: Of the task at hand.
        weights: Complex (J, n_tx, S), natural units.
        memory: Of the design that the weights are of.

    """
    network = programme.task.network
    started = []
    for cluster, station in zip(programme.task.clusters, programme.stations, strict=True):
        own = weights[list(cluster.stations)]
        stacked = own.reshape(-1, own.shape[2])
        W = (cluster.directions.conj().T @ stacked).T
        if memory is not None and memory.network.channels.shape == network.channels.shape:
            before = _reached(memory.network, cluster.stations) @ stacked
            paths = _reached(network, cluster.stations) @ cluster.directions
            loudness = np.maximum(np.linalg.norm(paths, axis=1), np.finfo(np.float64).tiny)
            rows, missing = paths / loudness[:, None], (before - paths @ W.T) / loudness[:, None]
            W = W + (rows.conj().T @ np.linalg.solve(rows @ rows.conj().T + _RIDGE * np.eye(len(rows)), missing)).T
        sent = np.array([np.sum(np.abs(W[:, station == n]) ** 2) for n in range(network.J)])
        started.append(W * np.sqrt(np.minimum(1.0, _INSIDE * network.power / np.maximum(sent, 1e-300)))[station])
    return tuple(started)


def _reached(network: Network, stations: tuple[int, ...]) -> ComplexArray:
    """What matters of what a cluster sends, complex (rows, its antennas): channels; v and v' of each BS to targets."""
    own, N = list(stations), len(stations) * network.n_tx
    channels = network.channels[own].transpose(1, 2, 0, 3).reshape(-1, N)
    angles = network.departure_angles[own][:, own].T.ravel()  # of BS n towards all targets, then of the next BS
    blocks = np.zeros((2, len(own), len(own), len(own), network.n_tx), dtype=np.complex128)
    n = np.arange(len(own))
    for kind, sent in enumerate((steering, steering_derivative)):
        blocks[kind, n, :, n] = sent(network.n_tx, angles).reshape(len(own), len(own), -1)
    return np.concatenate([channels, blocks.reshape(-1, N)])


def _of_cluster(programme: Programme, i: int) -> ComplexArray:
    h, cluster, network = programme.channels[i], programme.task.clusters[i], programme.task.network
    S, n = programme.shapes[i]
    noise = len(h) / float(network.power[list(cluster.stations)].sum()) if not programme.margin else 1e-6
    G = h.conj().T @ h + noise * np.eye(n)
    to_users = np.linalg.solve(G, h[list(cluster.users)].conj().T).T
    W = np.zeros((S, n), dtype=np.complex128)
    W[: len(to_users)] = to_users / np.linalg.norm(to_users, axis=1, keepdims=True)
    station = programme.stations[i]
    if programme.margin:
        return _powered(W, station, (_FOR_USERS + _FOR_TARGETS) * network.power)
    W = _powered(W, station, _FOR_USERS * network.power)
    sense = sum(D[0].conj().T @ D[0] for D in programme.derivatives[i])
    values, vectors = np.linalg.eigh(sense)
    beams = vectors[:, -min(n, S, 2 * len(cluster.stations)) :].conj()
    count = beams.shape[1]
    if S == 1:
        # What one stream sends to user and target is one wave: in phase, or a worse optimum is where it ends.
        mixing = np.exp(1j * np.angle(W @ beams))
    else:
        # Rows of a DFT: every stream takes part in every beam, in its own phase.
        mixing = np.exp(2j * np.pi * np.outer(np.arange(S), np.arange(count) + 0.5) / max(S, count))
    aimed = (mixing * np.sqrt(np.maximum(values[-count:], 0.0))) @ beams.T.conj()
    return W + _powered(aimed, station, _FOR_TARGETS * network.power)


def _powered(W: ComplexArray, station: NDArray[np.int64], power: FloatArray) -> ComplexArray:
    """Scale what each BS sends to a power."""
    scaled = W.copy()
    for n in np.unique(station):
        sent = np.sum(np.abs(W[:, station == n]) ** 2)
        scaled[:, station == n] *= np.sqrt(power[n] / max(float(sent), 1e-12))
    return scaled
