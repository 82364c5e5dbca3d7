"""The relaxation by cones as a solver: Clarabel, and one direction recovered from each covariance."""

from __future__ import annotations

from precoding.arrays import FloatArray
from precoding.blocklevel.answer import Answer, Start
from precoding.blocklevel.conic import solve_conic
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
    return [
        Answer(
            weights=weights,
            witness=relaxation.witness,
            rank_loss=rank_loss,
            status=f"cones: {relaxation.status}",
            solve_time_s=relaxation.solve_time_s,
        )
        for weights, rank_loss in rank_one_weights(relaxation, channels, network.n_tx)
    ]
