"""The block-level design as one convex problem, paper (P1) and (P2) at given SINR targets: the plain reference.

    maximise    min_m t_m + eps mean_m t_m
    subject to  f_m(R) >= t_m    at every BS m; f_m is the effective Fisher information   paper (30a), (49a)
                SINR targets, power limits                                                (30b, c), (49c, d)

The mean, of weight eps, gives a BS with slack one best answer instead of many, between which passes would wander.
f_m is concave in R: a rotated second-order cone where a BS hears only itself (CBF), a Schur complement in CoMP.
"""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.blocklevel.relaxation import Relaxation
from precoding.network import Network
from precoding.reference.solving import seconds, solved
from precoding.reference.statement import Streams, power_limits, sinr_constraints, streams_of
from precoding.steering import steering

__all__ = ["SensingProblem"]

_MEAN_WEIGHT = 1e-4

cp: Any = cvxpy  # its type hints miss most of its names


class SensingProblem:
    """Stated once for a network, solved for any targets and any foreign reflections.

    Args:
        network: In natural units (`normalised`).
        clusters: Of this network.
        robust: Hold the SINR over the CSI balls, or only on the estimated channels.

    """

    def __init__(self, network: Network, clusters: tuple[Cluster, ...], *, robust: bool) -> None:
        self._network = network
        self._streams = [streams_of(c) for c in clusters]
        self._share = cp.Parameter(network.J * network.K, nonneg=True)
        self._whitening = cp.Parameter(network.J, nonneg=True)
        self._unit = min(_isotropic(network, c)[:, 0].min() for c in clusters)
        information = cp.Variable(network.J)
        constraints = sinr_constraints(self._streams, self._share, np.ones(network.J * network.K), robust=robust)
        constraints.append(power_limits(network, self._streams))
        for streams in self._streams:
            constraints += [W >> 0 for W in streams.covariances] + self._sensing_constraints(streams, information)
        objective = cp.min(information) + _MEAN_WEIGHT * cp.sum(information) / network.J
        self._problem = cp.Problem(cp.Maximize(objective), constraints)

    def solve(self, targets: FloatArray, interference: FloatArray, time_limit_s: float | None) -> Relaxation | None:
        """Solve for given targets and foreign reflections.

        Args:
            targets: (J, K) linear SINR.
            interference: (J,) power of foreign reflections at each BS over its noise; fixed in this problem.
            time_limit_s: Given to the solver, or None.

        Returns:
            The relaxed optimum, or None if the solver has no point to show.

        """
        self._share.value = (targets / (1.0 + targets)).ravel()
        self._whitening.value = interference / (1.0 + self._network.n_rx * interference)
        if not solved(self._problem, time_limit_s):
            return None
        lifted = []
        for streams in self._streams:
            U = streams.cluster.basis
            lifted.append(np.stack([U @ W.value @ U.conj().T for W in streams.covariances]))
        # No point has more than this, since its mean is at least its smallest.
        bound = float(self._problem.value) * self._unit / (1.0 + _MEAN_WEIGHT)
        return Relaxation(tuple(lifted), bound, str(self._problem.status), seconds(self._problem))

    def _sensing_constraints(self, streams: Streams, information: Any) -> list[Any]:
        constraints: list[Any] = []
        for own, m in enumerate(streams.cluster.stations):
            F = self._fisher(streams, own)
            if len(streams.cluster.stations) == 1:
                # Re and Im of alpha do not see each other, so F[1:, 1:] is F[1, 1] I.
                seen = cp.Variable()
                constraints += [seen <= F[1, 1], F[0, 0] - cp.quad_over_lin(F[0, 1:], seen) >= information[m]]
            else:
                corner = np.zeros(F.shape)
                corner[0, 0] = 1.0
                constraints.append(F - information[m] * corner >> 0)
        return constraints

    def _fisher(self, streams: Streams, own: int) -> Any:
        """Write the Fisher matrix as a linear map of R, in units that bring its entries near 1.

        C = I + q a a^H, so C^-1 = I - q / (1 + n_rx q) a a^H (Sherman-Morrison): the factor is a parameter.
        """
        network, cluster = self._network, streams.cluster
        scale = np.sqrt(_isotropic(network, cluster)[own])
        scale[0] = np.sqrt(self._unit)
        D = cluster.jacobians[own] * (np.sqrt(2.0 * network.block_length) / scale)[:, None, None]
        F = _real_trace(np.einsum("pai,qaj->pqij", D.conj(), D), streams.total)
        if len(self._streams) == 1:
            return F
        m = cluster.stations[own]
        beam = np.einsum("a,pai->pi", steering(network.n_rx, network.arrival_angles[m]).conj(), D)
        return F - self._whitening[m] * _real_trace(np.einsum("pi,qj->pqij", beam.conj(), beam), streams.total)


def _isotropic(network: Network, cluster: Cluster) -> FloatArray:
    """Diagonal of each BS's Fisher matrix when unit power leaves in all directions, (stations, p): natural units."""
    evenly = np.linalg.inv(cluster.power_forms.sum(axis=0)) * (2.0 * network.block_length / network.n_tx)
    return np.stack([np.einsum("pai,ij,paj->p", D, evenly, D.conj()).real for D in cluster.jacobians])


def _real_trace(maps: Any, R: Any) -> Any:
    """Re tr(maps[p, q] R) as a real matrix expression."""
    p, _, r, _ = maps.shape
    return cp.reshape(cp.real(maps.reshape(p * p, r * r) @ cp.vec(R, order="F")), (p, p), order="C")
