"""What every solver returns: covariances of the streams with their rank left free, and the optimum as a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray

__all__ = ["Relaxation", "rank_one_weights"]


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


def rank_one_weights(
    relaxation: Relaxation, channels: tuple[ComplexArray, ...], n_tx: int
) -> tuple[ComplexArray, float]:
    """Take from every stream's covariance the one direction that its user hears: w = W h^* / sqrt(h^T W h^*).

    The user's signal keeps its power exactly, and since w w^H <= W nobody hears more of the stream than before; of a
    rank-one W it is the whole (Liu, Masouros and Eldar, IEEE JSAC 40(6), 2022, for the sum of streams). The strongest
    eigenvector would not do: a stream that mostly senses may carry its user's signal in its second one.

    Args:
        relaxation: Its covariances, ideally of rank one.
        channels: For each cluster, complex (streams, n): each stream's user's channel, h^T x.
        n_tx: Antennas of each BS.

    Returns:
        Weights, complex (J, n_tx, streams), and the rank loss: the largest part of a stream's power left behind.

    """
    blocks, loss = [], 0.0
    tiny = np.finfo(np.float64).tiny
    for covariances, h in zip(relaxation.covariances, channels, strict=True):
        heard = np.einsum("kij,kj->ki", covariances, h.conj())
        signal = np.maximum(np.einsum("ki,ki->k", h, heard).real, tiny)
        columns = (heard / np.sqrt(signal)[:, None]).T
        total = np.maximum(np.trace(covariances, axis1=1, axis2=2).real, tiny)
        loss = max(loss, float(np.max(1.0 - np.sum(np.abs(columns) ** 2, axis=0) / total)))
        blocks.append(columns.reshape(-1, n_tx, columns.shape[1]))
    return np.concatenate(blocks), loss
