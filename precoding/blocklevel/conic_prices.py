"""The dual of the joint block-level problem: prices instead of covariances, and one matrix B_l >= 0 for each stream.

A price stands on everything that is asked: Z_m >= 0 on the Fisher matrix of BS m, l_n on its power, q_u on the noise of
user u. A stream of covariance W costs <B_l, W>, with

    B_l = sum_n l_n (power form n) + sum_u q_u X_u - (1 + 1 / gamma_l) q_l X_l - S(Z) >= 0,

where q_u X_u is what user u hears: h^* h^T, or a mixture over channels that must be withstood, or with the charges of
Prop. 3, a tilt of norm q_u for each of its norms. The multiplier of B_l is W_l itself. The dual has far fewer variables
than all W_l have entries: Clarabel takes 0.4 (CoMP) and 0.25 (CBF) of the time that it takes for the plain statement,
with the same factorisation (measured without uncertainty, J = 2, K = 3).

The variable is p_u = q_u / s_u with the signal's share s = gamma / (1 + gamma): a target of 0 is then no special case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.blocklevel.conic_channels import Errors, channel_forms
from precoding.blocklevel.conic_cones import Term, to_vector
from precoding.blocklevel.conic_sensing import SensingData
from precoding.blocklevel.task import Task

__all__ = ["Prices", "Tilts", "prices_of", "signal_shares", "stream_count", "stream_forms"]

Tilts = tuple[tuple[slice | None, ...], ...]
"""For each user and stream of a cluster, (2 r,) real and imaginary parts in turn; None where nothing is charged."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Which variables are which price.

    Attributes:
        size: Number of variables.
        sensing: For each BS, Clarabel's vector of Z_m; empty where nothing is sensed.
        stations: (J,) l.
        antennas: (J n_tx,) price of each antenna's power; empty where antennas have no limit.
        users: (J K,) p.
        mixing: For each cluster and user, the parts of p that stand on the channels with errors; the estimate has the
            rest.
        tilts: For each cluster.

    """

    size: int
    sensing: tuple[slice, ...]
    stations: slice
    antennas: slice
    users: slice
    mixing: tuple[tuple[slice, ...], ...]
    tilts: tuple[Tilts, ...]


class _Count:
    """Hands out variables one after the other."""

    def __init__(self) -> None:
        self.size = 0

    def __call__(self, n: int) -> slice:
        self.size += n
        return slice(self.size - n, self.size)


def prices_of(task: Task, sensing: SensingData | None, errors: Errors) -> Prices:
    """Name the variables of the dual of `task`.

    Args:
        task: The joint problem.
        sensing: What the BSs would learn; None if nothing is sensed.
        errors: Channels that are known to matter besides the estimates.

    """
    J, K, n_tx = task.network.J, task.network.K, task.network.n_tx
    take = _Count()
    return Prices(
        sensing=() if sensing is None else tuple(take(columns.shape[1]) for columns in sensing.fisher),
        stations=take(J),
        antennas=take(0 if task.network.antenna_power is None else J * n_tx),
        users=take(J * K),
        mixing=tuple(tuple(take(len(e)) for e in of_users) for of_users in errors),
        tilts=tuple(_tilts(task, cluster, take) for cluster in task.clusters),
        size=take.size,
    )


def stream_count(task: Task, cluster: Cluster) -> int:
    """One stream for each user; one more stands for all that only sense."""
    return len(cluster.users) + (task.sensing_streams > 0)


def signal_shares(task: Task) -> FloatArray:
    """Return s = gamma / (1 + gamma), (J K,)."""
    shares: FloatArray = task.targets / (1.0 + task.targets)
    return shares


def stream_forms(
    task: Task, sensing: SensingData | None, errors: Errors, prices: Prices, which: int
) -> list[list[Term]]:
    """B_l of every stream of a cluster as a linear map of the prices, in vectors of Hermitian matrices."""
    cluster = task.clusters[which]
    common: list[Term] = _power_terms(task, cluster, prices)
    if sensing is not None:
        common += [(prices.sensing[m], -sensing.fisher[m]) for m in cluster.stations]
    estimate = to_vector(np.einsum("ui,uj->uij", cluster.channels.conj(), cluster.channels))
    charged = estimate
    if task.robustness == "paper":
        charged = estimate + cluster.radii[:, None] ** 2 * to_vector(cluster.power_forms.sum(axis=0))
    shifts = [
        (part, (to_vector(channel_forms(cluster, e, user)) - estimate[user]).T)
        for user, (part, e) in enumerate(zip(prices.mixing[which], errors[which], strict=True))
    ]
    share = signal_shares(task)
    columns: list[list[Term]] = []
    for column in range(stream_count(task, cluster)):
        own = cluster.users[column] if column < len(cluster.users) else None
        weight = np.where(np.arange(len(share)) == own, share - 1.0, share)
        p = (share[:, None] * charged).T
        if own is not None:
            p[:, own] = weight[own] * estimate[own]
        columns.append([*common, (prices.users, p)])
        columns[-1] += [(part, weight[user] * shift) for user, (part, shift) in enumerate(shifts)]
        for user, of_user in enumerate(prices.tilts[which]):
            tilt = of_user[column]
            if tilt is not None:
                columns[-1].append((tilt, share[user] * _tilt_map(cluster, user)))
    return columns


def _tilts(task: Task, cluster: Cluster, take: _Count) -> Tilts:
    r, columns = cluster.channels.shape[1], stream_count(task, cluster)
    charged = [task.robustness == "paper" and radius > 0.0 for radius in cluster.radii]
    own = [cluster.users.index(user) if user in cluster.users else None for user in range(len(charged))]
    return tuple(
        tuple(take(2 * r) if pays and column != mine else None for column in range(columns))
        for pays, mine in zip(charged, own, strict=True)
    )


def _tilt_map(cluster: Cluster, user: int) -> FloatArray:
    """From a tilt v to radius (h^* v^H + v h^T) in reduced coordinates, (r^2, 2 r)."""
    rows = cluster.basis.conj().T @ cluster.directions
    turned = np.stack([rows, 1j * rows], axis=1).reshape(-1, rows.shape[1])
    cross: ComplexArray = np.einsum("i,gj->gij", cluster.channels[user].conj(), turned)
    lean: FloatArray = cluster.radii[user] * to_vector(cross + cross.conj().swapaxes(1, 2)).T
    return lean


def _power_terms(task: Task, cluster: Cluster, prices: Prices) -> list[Term]:
    first = prices.stations.start
    terms: list[Term] = [
        (slice(first + n, first + n + 1), to_vector(form)[:, None])
        for n, form in zip(cluster.stations, cluster.power_forms, strict=True)
    ]
    if task.network.antenna_power is not None:
        n_tx = task.network.n_tx
        first = prices.antennas.start + cluster.stations[0] * n_tx
        forms = to_vector(np.einsum("ai,aj->aij", cluster.basis.conj(), cluster.basis))
        terms.append((slice(first, first + n_tx * len(cluster.stations)), forms.T))
    return terms
