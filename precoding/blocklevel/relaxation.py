"""What every solver returns: covariances of the streams with their rank left free, and the optimum as a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray
from precoding.witness import Witness

__all__ = ["Relaxation", "rank_one_weights"]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A relaxed optimum.

    Attributes:
        covariances: For each cluster, complex (streams, n, n): covariance of each stream over the cluster's antennas.
        information: Smallest effective Fisher information in 1/rad^2 that the solver reached.
        status: The solver's own word.
        solve_time_s: The solver's own report.
        witness: Prices that prove how much more there can be; None if the solver named none.

    """

    covariances: tuple[ComplexArray, ...]
    information: float
    status: str
    solve_time_s: float
    witness: Witness | None = None


def rank_one_weights(relaxation: Relaxation, channels: tuple[ComplexArray, ...], n_tx: int) -> list[ComplexArray]:
    """Recover one direction per stream from its covariance, in the two ways that can be best.

    Of a rank-one W both give the same, its one eigenvector. That alone will not do where W is only nearly of rank one:
    a stream that mostly senses may carry its user's signal in the second. The two ways differ in what they keep:

    - W h^* / sqrt(h^T W h^*): the user's signal exactly, and nobody hears more, since w w^H <= W but perhaps
      little of the power;
    - all eigenvectors with their powers, in phase at the user: all the power and more signal, but cross terms that
      others may hear.

    Args:
        relaxation: Its covariances.
        channels: For each cluster, complex (streams, n): each stream's user's channel, h^T x.
        n_tx: Antennas of each BS.

    Returns:
        For each way the weights, complex (J, n_tx, streams).

    """
    tiny = np.finfo(np.float64).tiny
    ways: tuple[list[ComplexArray], list[ComplexArray]] = ([], [])
    for covariances, h in zip(relaxation.covariances, channels, strict=True):
        values, vectors = np.linalg.eigh(covariances)
        values = np.maximum(values, 0.0)
        heard = np.einsum("ki,kij->kj", h, vectors)  # of each eigenvector by the user
        in_phase = np.exp(-1j * np.angle(heard))
        signal = np.sqrt(np.maximum(np.sum(values * np.abs(heard) ** 2, axis=1, keepdims=True), tiny))
        mixtures = (values * heard.conj() / signal, np.sqrt(values) * in_phase)
        for way, mixture in zip(ways, mixtures, strict=True):
            columns = np.einsum("kij,kj->ik", vectors, mixture)
            way.append(columns.reshape(-1, n_tx, columns.shape[1]))
    return [np.concatenate(way) for way in ways]
