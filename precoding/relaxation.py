"""What every solver returns: covariances of the streams with their rank left free, and the optimum as a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray

__all__ = ["Relaxation", "principal_weights"]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A relaxed optimum.

    Attributes:
        covariances: For each cluster, complex (streams, n, n): covariance of each stream over the cluster's antennas.
        information: Smallest effective Fisher information in 1/rad^2: no precoder of any rank has more.
        status: The solver's own word.
        solve_time_s: The solver's own report.

    """

    covariances: tuple[ComplexArray, ...]
    information: float
    status: str
    solve_time_s: float


def principal_weights(relaxation: Relaxation, n_tx: int) -> tuple[ComplexArray, float]:
    """Take the strongest direction of every stream.

    Args:
        relaxation: Its covariances, ideally of rank one.
        n_tx: Antennas of each BS.

    Returns:
        Weights, complex (J, n_tx, streams), and the rank loss: the largest part of a stream's power left behind.

    """
    blocks, loss = [], 0.0
    for covariances in relaxation.covariances:
        values, vectors = np.linalg.eigh(covariances)
        strongest = np.maximum(values[:, -1], 0.0)
        total = np.maximum(np.trace(covariances, axis1=1, axis2=2).real, strongest)
        loss = max(loss, float(np.max(1.0 - strongest / np.maximum(total, np.finfo(np.float64).tiny))))
        columns = (np.sqrt(strongest)[:, None] * vectors[:, :, -1]).T
        blocks.append(columns.reshape(-1, n_tx, columns.shape[1]))
    return np.concatenate(blocks), loss
