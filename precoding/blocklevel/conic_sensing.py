"""What each base station would learn of its target, as a linear map of the covariances in well-scaled numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.conic_cones import symmetric, to_vector
from precoding.blocklevel.task import Task
from precoding.fisher import echo_covariance, effective_information

__all__ = ["SensingData", "sensing_data"]


@dataclass(frozen=True, eq=False)
class SensingData:
    """Fisher matrices with every parameter measured in what evenly spread power would tell of it.

    Entries are thus near 1, whatever n_tx and the reflections are.

    Attributes:
        foreign: (J,) power over noise of the foreign reflections at each BS.
        unit: Information in 1/rad^2 that counts as 1: the least that a BS has of evenly spread power.
        ease: (J,) that information of each BS in this unit.
        scales: For each BS, (p,) by which its parameters were divided.
        fisher: For each BS, (r^2, p (p + 1) / 2): its transpose takes the vector of R to Clarabel's vector of F.

    """

    foreign: FloatArray
    unit: float
    ease: FloatArray
    scales: tuple[FloatArray, ...]
    fisher: tuple[FloatArray, ...]

    def least_information(self, task: Task, covariances: list[ComplexArray]) -> float:
        """Smallest effective information in 1/rad^2 of covariances in reduced coordinates."""
        totals = {m: W.sum(axis=0) for c, W in zip(task.clusters, covariances, strict=True) for m in c.stations}
        return self.unit * min(
            effective_information(symmetric(columns.T @ to_vector(totals[m]))) for m, columns in enumerate(self.fisher)
        )


def sensing_data(task: Task, foreign: FloatArray) -> SensingData:
    """Work out the Fisher matrices for given foreign reflections, (J,)."""
    network = task.network
    whitened, evenly = {}, {}
    for cluster in task.clusters:
        even = np.linalg.inv(cluster.power_forms.sum(axis=0)) / network.n_tx
        for own, m in enumerate(cluster.stations):
            C = echo_covariance(float(network.arrival_angles[m]), float(foreign[m]), 1.0, network.n_rx)
            D = np.linalg.solve(np.linalg.cholesky(C), cluster.jacobians[own]) * np.sqrt(2.0 * network.block_length)
            whitened[m] = D
            evenly[m] = np.einsum("pai,ij,paj->p", D, even, D.conj(), optimize=True).real
    first = np.array([evenly[m][0] for m in range(network.J)])
    scales = tuple(np.sqrt(np.append(first.min(), evenly[m][1:])) for m in range(network.J))
    fisher = tuple(_fisher_columns(whitened[m] / scales[m][:, None, None]) for m in range(network.J))
    return SensingData(foreign, float(first.min()), first / first.min(), scales, fisher)


def _fisher_columns(D: ComplexArray) -> FloatArray:
    """Vectors of the Hermitian matrices by which R makes each entry of F."""
    i, j = np.tril_indices(len(D))
    products = np.einsum("pai,qaj->pqij", D.conj(), D, optimize=True)
    pairs = (products[i, j] + products[j, i]) / np.where(i == j, 2.0, np.sqrt(2.0))[:, None, None]
    columns: FloatArray = to_vector(pairs).T
    return columns
