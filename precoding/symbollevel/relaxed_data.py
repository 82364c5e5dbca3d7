"""The relaxed dual of a task, and a strictly feasible point of it."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.relaxed_dual import Point, RelaxedDual
from precoding.symbollevel.task import Task

__all__ = ["relaxed_dual"]

_FIRST_PRICE = 1e-2  # of a constructive constraint
_TINY_BALL = 1e-9  # of the largest: for a cluster with no uncertain channel among others that have some


def relaxed_dual(task: Task, model: Echoes) -> tuple[RelaxedDual, Point]:
    """Build the dual and a point from which Newton's method can start.

    Args:
        task: In natural units.
        model: Of its echoes, with the foreign reflections to assume.

    """
    forms, lift, paid, unity, theta = _sensing_and_power(task, model)
    rows, norms, sums, n_linear = _constructive_rows(task)
    y = np.full((rows.shape[0], rows.shape[1], n_linear), _FIRST_PRICE)
    if task.leaks:
        triples, radii, leaks = _leakage_rows(task)
        n_triples = radii.shape[1]
        # K_u must be below N_u: a tenth of the least noise price, shared by all BSs that leak.
        size = 0.1 * _FIRST_PRICE * task.edges.shape[2] * float(task.depth.min()) / task.network.J
        y = np.concatenate([y, np.tile([0.0, 0.0, size], (*y.shape[:2], n_triples // 3))], axis=2)
        rows, norms = np.concatenate([rows, triples], axis=3), np.concatenate([norms, radii], axis=1)
        padded = (np.pad(sums, ((0, 0), (0, 0), (0, n_triples))), np.pad(leaks, ((0, 0), (0, 0), (n_linear, 0))))
        sums = np.concatenate(padded)
    if np.any(norms > 0.0):
        norms = np.maximum(norms, _TINY_BALL * norms.max() * (norms.max(axis=1) == 0.0)[:, None])
    dual = RelaxedDual(forms, lift, paid, unity, rows, norms, sums, n_linear, task.network.J * task.network.K)
    return dual, Point(theta, y, np.zeros(rows.shape[:3], dtype=np.complex128))


def _sensing_and_power(
    task: Task, model: Echoes
) -> tuple[ComplexArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    net, L, d = task.network, task.block_length, task.basis.shape[2]
    J, p = model.jacobian.shape[:2]
    C = 1 if task.cooperate else J
    size = J // C  # BSs of a cluster, which are its receivers too
    E = model.jacobian if task.cooperate else model.jacobian[np.arange(J), :, :, np.arange(J)]
    E = E.reshape(C, size, p, 2, size * d)
    i, j = np.triu_indices(p)
    pairs = np.einsum("crpan,crqam->crpqnm", E.conj(), E)[:, :, i, j]
    pairs = -(pairs + pairs.conj().swapaxes(-1, -2)) / np.where(i == j, 2.0, 1.0)[:, None, None]
    units = np.eye(size * d)
    masks, limits = np.kron(np.eye(size), np.ones(d)), [L * net.power.reshape(C, size)]
    if net.antenna_power is not None:
        masks, limits = np.concatenate([masks, units]), [*limits, L * net.antenna_power.reshape(C, size * d)]
    powers = masks[:, :, None] * units
    n_sensing, T = size * len(i), size * len(i) + len(masks)
    lift = np.zeros((C, size, T, p, p))
    for r in range(size):
        at = r * len(i) + np.arange(len(i))
        lift[:, r, at, i, j] = lift[:, r, at, j, i] = 1.0
    forms = np.concatenate(
        [pairs.reshape(C, n_sensing, *units.shape), np.broadcast_to(powers, (C, *powers.shape))], axis=1
    )
    paid = np.concatenate([np.zeros((C, n_sensing)), *limits], axis=1)
    unity = np.zeros((C, T))
    unity[:, :n_sensing] = np.tile((i == 0) & (j == 0), size)
    theta = unity / J
    theta[:, :n_sensing] += np.tile((i == j) & (i > 0), size) * 0.1 / J
    theta[:, n_sensing:] = -2.0 * float(np.linalg.eigvalsh(np.einsum("ct,ctij->cij", theta, forms))[:, 0].min())
    return forms, lift, paid, unity, theta


def _constructive_rows(task: Task) -> tuple[ComplexArray, FloatArray, FloatArray, int]:
    """Rows of the constructive constraints, their radii, and how they count in the noise of their user."""
    users, L, edges = task.edges.shape
    C = 1 if task.cooperate else task.network.J
    own = users // C
    h = _clusters(task)[np.arange(C)[:, None], _mine(task)].conj()
    rows = np.einsum("cuse,cun->csnue", task.edges.reshape(C, own, L, edges), h).reshape(C, L, -1, own * edges)
    norms = np.repeat(task.radii.reshape(C, own), edges, axis=1)
    noise = np.zeros((users, C, own, edges))
    noise[_mine(task), np.arange(C)[:, None], np.arange(own)] = task.depth.reshape(C, own, 1)
    return rows, norms, noise.reshape(users, C, own * edges), own * edges


def _leakage_rows(task: Task) -> tuple[ComplexArray, FloatArray, FloatArray]:
    """Triples (Re, Im, size) of every leakage to a foreign user, their radii, and how they count in K_u."""
    J, users, L = task.network.J, task.network.J * task.network.K, task.block_length
    mine = _mine(task)
    others = np.stack([np.delete(np.arange(users), mine[c]) for c in range(J)])
    h = -_clusters(task)[np.arange(J)[:, None], others].conj()  # C, links, N
    links = others.shape[1]
    triples = np.stack([h, 1j * h, 0.0 * h], axis=2).transpose(0, 3, 1, 2).reshape(J, 1, -1, 3 * links)
    radii = task.network.csi_radius.reshape(J, users)[np.arange(J)[:, None], others]
    leaks = np.zeros((J - 1, users, J, links, 3))
    for c, at in np.ndindex(J, links):
        u = others[c, at]
        leaks[c - (c > u // task.network.K), u, c, at, 2] = 1.0
    size_only = np.array([0.0, 0.0, 1.0])
    return (
        np.broadcast_to(triples, (J, L, *triples.shape[2:])),
        (radii[..., None] * size_only).reshape(J, 3 * links),
        leaks.reshape(-1, J, 3 * links),
    )


def _mine(task: Task) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Users of each cluster, (C, own)."""
    users = task.network.J * task.network.K
    return np.arange(users).reshape(1 if task.cooperate else task.network.J, -1)


def _clusters(task: Task) -> ComplexArray:
    """Channels from each cluster to every user, complex (C, J K, N)."""
    if not task.cooperate:
        return task.channels
    return task.channels.swapaxes(0, 1).reshape(1, task.channels.shape[1], -1)
