"""A task in the reduced coordinates of its clusters: what users hear, what targets return, and the units of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.blocklevel.task import Task
from precoding.fisher import jacobian_of
from precoding.steering import steering, steering_derivative

__all__ = [
    "bearable_noise",
    "coefficients",
    "reduced_channels",
    "scales_of",
    "station_of_column",
    "whitened_derivatives",
]


def reduced_channels(task: Task, cluster: Cluster) -> ComplexArray:
    """Channels of all users from a cluster, (J K, n)."""
    network = task.network
    h = network.channels[list(cluster.stations)].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)
    return h @ cluster.directions


def bearable_noise(task: Task) -> FloatArray:
    """(J K,) factor by which each user's noise could rise with all power to itself and no error of the channel."""
    network = task.network
    gains = np.sum(np.abs(network.channels) ** 2 * network.power[:, None, None, None], axis=(0, 3)).ravel()
    factors: FloatArray = gains / np.where(task.targets > 0.0, task.targets, np.inf)
    factors[task.targets <= 0.0] = 1.0
    return factors


def coefficients(task: Task, cluster: Cluster) -> FloatArray:
    """For every served user and stream: 1 / gamma for its own, -1 for the others."""
    c = -np.ones((len(task.targets), len(cluster.users) + task.sensing_streams))
    for column, user in enumerate(cluster.users):
        if task.targets[user] > 0.0:
            c[user, column] = 1.0 / task.targets[user]
    return c[task.targets > 0.0]


def station_of_column(task: Task, cluster: Cluster) -> NDArray[np.int64]:
    """BS of every coordinate, (n,)."""
    blocks = np.abs(cluster.directions.reshape(len(cluster.stations), task.network.n_tx, -1)).sum(axis=1)
    station: NDArray[np.int64] = np.array(cluster.stations)[blocks.argmax(axis=0)]
    return station


def whitened_derivatives(task: Task, cluster: Cluster, own: int, foreign: FloatArray) -> ComplexArray:
    """Whitened derivatives of BS `own` of the cluster, (p, 2, n): its array sees a and a' only.

    Where the angle has a spread, those at all its possible values, (p, 2 values, n): squares add up to the mean.
    """
    possible = task.network.possible_angles
    at = [_derivatives_at(task, cluster, own, foreign, *angles) for angles in possible]
    return at[0] if len(at) == 1 else np.concatenate(at, axis=1) / np.sqrt(len(at))


def _derivatives_at(
    task: Task, cluster: Cluster, own: int, foreign: FloatArray, arrival: FloatArray, departure: FloatArray
) -> ComplexArray:
    network, m, stations = task.network, cluster.stations[own], list(cluster.stations)
    angle, angles = float(arrival[m]), departure[m, stations]
    seen = np.stack([steering(network.n_rx, angle), steering_derivative(network.n_rx, angle)], axis=1)
    power = float(foreign[m]) if len(task.clusters) > 1 else 0.0
    # C = I + q a a^H shrinks what comes along a by (1 + q n_rx)^-1/2 (Sherman-Morrison); a' is orthogonal to it.
    white = np.linalg.qr(seen)[1]
    white[0] /= np.sqrt(1.0 + power * network.n_rx)
    sent = np.stack([steering(network.n_tx, angles), steering_derivative(network.n_tx, angles)])
    D = jacobian_of(white.T, sent, network.reflections[m, stations], own) @ cluster.directions
    scaled: ComplexArray = np.sqrt(2.0 * network.block_length) * D
    return scaled


def scales_of(D: ComplexArray, unit: float) -> FloatArray:
    """Units in which derivatives are about 1, (p,): the angle's in common, sqrt(unit), a nuisance's its own."""
    scales: FloatArray = np.linalg.norm(D, axis=(1, 2))
    scales[scales == 0.0] = 1.0
    scales[0] = np.sqrt(unit)
    return scales
