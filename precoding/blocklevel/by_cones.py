"""The relaxation by cones as a solver: Clarabel, and one direction recovered from each covariance."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.answer import Answer, Start
from precoding.blocklevel.conic import solve_conic
from precoding.blocklevel.conic_sensing import sensing_data
from precoding.blocklevel.relaxation import rank_one_weights
from precoding.blocklevel.task import Task

__all__ = ["LARGEST", "solve_by_cones"]

LARGEST = 24  # dimension of a cluster's covariances beyond which cones take minutes


def solve_by_cones(
    task: Task,
    foreign: FloatArray,
    start: Start | None,  # an interior-point method on cones has no use for one
    time_limit_s: float | None,
) -> list[Answer]:
    """Relax the rank of every stream, solve, and recover one direction each, in two ways.

    Args:
        task: What is asked.
        foreign: (J,) foreign reflections.
        start: Not used.
        time_limit_s: Given to Clarabel.

    Returns:
        Two answers to choose from; none where the cones are too large or there is no point to show.

    """
    if max(c.basis.shape[1] for c in task.clusters) > LARGEST or task.sensing_streams:
        return []
    relaxation = solve_conic(task, foreign, time_limit_s)
    if relaxation is None:
        return []
    network = task.network
    to_user = network.channels.reshape(network.J, network.J * network.K, network.n_tx)
    channels = tuple(
        to_user[list(c.stations)][:, list(c.users)].transpose(1, 0, 2).reshape(len(c.users), -1) for c in task.clusters
    )
    sensing = sensing_data(task, foreign)
    return [
        Answer(
            weights=weights,
            witness=relaxation.witness,
            rank_loss=max(0.0, 1.0 - sensing.least_information(task, _of(task, weights)) / relaxation.information),
            status=f"cones: {relaxation.status}",
            solve_time_s=relaxation.solve_time_s,
        )
        for weights in rank_one_weights(relaxation, channels, network.n_tx)
    ]


def _of(task: Task, weights: ComplexArray) -> list[ComplexArray]:
    """Covariance of each cluster's streams together, complex (1, r, r), in its coordinates."""
    covariances = []
    for cluster in task.clusters:
        own = weights[list(cluster.stations)]
        W = np.linalg.pinv(cluster.basis) @ own.reshape(-1, own.shape[2])
        covariances.append((W @ W.conj().T)[None])
    return covariances
