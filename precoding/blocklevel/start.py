"""A first guess of the weights: regularised zero forcing and part of the power towards the targets, or those in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.programme import Programme

__all__ = ["cold_start", "warm_start"]

_INSIDE = 0.999
_FOR_USERS, _FOR_TARGETS = 0.5, 0.3  # of each BS's power


def cold_start(programme: Programme) -> tuple[ComplexArray, ...]:
    """Weights of each cluster, complex (S, n); within the power limits, not feasible in general."""
    return tuple(_of_cluster(programme, i) for i in range(len(programme.channels)))


def warm_start(programme: Programme, weights: ComplexArray) -> tuple[ComplexArray, ...]:
    """Weights of a similar task in the coordinates of this one, a little inside the power limits.

    Args:
        programme: Of the task at hand.
        weights: Complex (J, n_tx, S), natural units.

    """
    network = programme.task.network
    started = []
    for cluster, station in zip(programme.task.clusters, programme.stations, strict=True):
        own = weights[list(cluster.stations)]
        W = (cluster.directions.conj().T @ own.reshape(-1, own.shape[2])).T
        sent = np.array([np.sum(np.abs(W[:, station == n]) ** 2) for n in range(network.J)])
        started.append(W * np.sqrt(np.minimum(1.0, _INSIDE * network.power / np.maximum(sent, 1e-300)))[station])
    return tuple(started)


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
    # Rows of a DFT: every stream takes part in every beam, in its own phase.
    mixing = np.exp(2j * np.pi * np.outer(np.arange(S), np.arange(beams.shape[1]) + 0.5) / max(S, beams.shape[1]))
    aimed = (mixing * np.sqrt(np.maximum(values[-beams.shape[1] :], 0.0))) @ beams.T.conj()
    return W + _powered(aimed, station, _FOR_TARGETS * network.power)


def _powered(W: ComplexArray, station: NDArray[np.int64], power: FloatArray) -> ComplexArray:
    """Scale what each BS sends to a power."""
    scaled = W.copy()
    for n in np.unique(station):
        sent = np.sum(np.abs(W[:, station == n]) ** 2)
        scaled[:, station == n] *= np.sqrt(power[n] / max(float(sent), 1e-12))
    return scaled
