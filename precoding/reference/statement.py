"""The plain statement of the block-level constraints in CVXPY, common to the design and to the largest SINR.

W_k = w_k w_k^H is the covariance of one stream with its rank left free, R the sum over the streams of a cluster.
CVXPY takes a second to import: this module is imported only when a design is solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy

from precoding.blocklevel.cluster import Cluster
from precoding.network import Network

__all__ = ["Streams", "power_limits", "sinr_constraints", "streams_of"]

cp: Any = cvxpy  # its type hints miss most of its names


@dataclass(frozen=True, eq=False)
class Streams:
    """The streams of one cluster as CVXPY expressions: covariances W_k and their sum R."""

    cluster: Cluster
    covariances: list[Any]
    total: Any


def streams_of(cluster: Cluster) -> Streams:
    """One Hermitian matrix per stream.

    The variables are R and all W_k but the last, which is what the others leave of R: most SINR constraints then hold
    two variables instead of all, which halves the time of CoMP, and no equality is left for the solver to lose.
    """
    r = cluster.channels.shape[1]
    total = cp.Variable((r, r), hermitian=True)
    free = [cp.Variable((r, r), hermitian=True) for _ in cluster.users[1:]]
    return Streams(cluster, [*free, total - sum(free)], total)


def power_limits(network: Network, streams: list[Streams]) -> Any:
    """Constraint tr R_n <= P_n for every BS n, paper (30c) and (49d)."""
    used = {}
    for s in streams:
        for n, form in zip(s.cluster.stations, s.cluster.power_forms, strict=True):
            used[n] = cp.real(cp.trace(form @ s.total))
    return cp.hstack([used[n] for n in range(network.J)]) <= network.power


def sinr_constraints(streams: list[Streams], share: Any, noise: Any, *, robust: bool) -> list[Any]:
    """SINR_k >= gamma_k, paper (30b) and (49c), as  h^T (W_k - s_k R) h^* >= s_k (noise + leakage).

    Args:
        streams: Of every cluster.
        share: (J K,) s = gamma / (1 + gamma), the signal's share of everything that a user receives.
        noise: (J K,) noise power.
        robust: For every channel in the CSI ball, or only for the estimate.

    """
    constraints: list[Any] = []
    for own in streams:
        for W, user in zip(own.covariances, own.cluster.users, strict=True):
            heard = noise[user]
            for other in streams:
                if other is not own:
                    leakage = cp.Variable(nonneg=True)
                    heard = heard + leakage
                    constraints.append(_at_least(-other.total, other.cluster, user, -leakage, robust=robust))
            form = W - share[user] * own.total
            constraints.append(_at_least(form, own.cluster, user, share[user] * heard, robust=robust))
    return constraints


def _at_least(M: Any, cluster: Cluster, user: int, level: Any, *, robust: bool) -> Any:
    """(h + e)^T M (h + e)^* >= level for all |e| <= radius, by the S-procedure: exact for one form over one ball."""
    x, radius = cluster.channels[user].conj()[:, None], float(cluster.radii[user])
    nominal = cp.real(x.conj().T @ M @ x)
    if not robust or radius == 0.0:
        return nominal >= level
    loss = cp.Variable((1, 1), nonneg=True)
    ball = cluster.ball / radius**2
    return cp.bmat([[M + loss[0, 0] * ball, M @ x], [x.conj().T @ M, nominal - level - loss]]) >> 0
