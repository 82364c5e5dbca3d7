"""What the interior point of slp-cbf sees of a task: every BS with its own users, its leakages and its own echo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.steering import steering, steering_derivative
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.task import Task

__all__ = ["Cells", "Sensing", "cells", "gram", "real", "sensing"]


@dataclass(frozen=True, eq=False)
class Cells:
    """A task as every BS sees it; U users were promised something.

    Attributes:
        E: Complex (J, p, 2, d), Jacobians of the own signal without foreign reflections.
        towards: Complex (J, J, d): [m, n] amplitude at BS m of a foreign signal of BS n by target m, so that the sum
            over a block is its power; own ones are zero.
        H: Complex (J, U, d).
        Hr: (J, U, 2 d) rows that give the real part of what users receive.
        Hi: (J, U, 2 d) the imaginary part.
        edges: (2, U, edges, L), inward normals of the regions, real and imaginary parts.
        own: (J, U) which BS serves which user.
        radii: (J, U).
        depth: (U,).
        cap2: (J,) L P_n.
        beams: Complex (J, d, 2), unit vectors of each BS to its own target: v^* and v'^*.
        n_rx: Receive antennas.
        promised: (U,) which of the J K users these are.

    """

    E: ComplexArray
    towards: ComplexArray
    H: ComplexArray
    Hr: FloatArray
    Hi: FloatArray
    edges: FloatArray
    own: NDArray[np.bool_]
    radii: FloatArray
    depth: FloatArray
    cap2: FloatArray
    beams: ComplexArray
    n_rx: int
    promised: NDArray[np.int64]

    def levels(self, a: FloatArray) -> FloatArray:
        """(J, U): depth of own users, whose noise the leakages a (J, U) raise; a itself for foreign users."""
        raised = self.depth * np.sqrt(1.0 + np.sum(np.where(self.own, 0.0, a) ** 2, axis=0))
        return np.where(self.own, raised, a)

    def heard(self, X: FloatArray) -> FloatArray:
        """(J, 2 U, L), what users receive of X (J, 2 d, L)."""
        return np.concatenate([self.Hr @ X, self.Hi @ X], axis=1)

    def held(self, q: FloatArray, norm2: FloatArray) -> bool:
        """Whether all users' targets and powers hold, each symbol with its own interference, and not its level."""
        U = len(self.depth)
        error = self.radii[:, :, None] * np.sqrt(norm2)[:, None]
        disturbed = np.where(self.own[:, :, None], 0.0, np.hypot(q[:, :U], q[:, U:]) + error)
        asked = self.depth[:, None] * np.sqrt(1.0 + np.sum(disturbed**2, axis=0))
        n = self.own.argmax(axis=0)
        users = np.arange(U)
        reach = self.edges[0] * q[n, users][:, None] + self.edges[1] * q[n, users + U][:, None]
        inside = np.all(reach.min(axis=1) - error[n, users] >= asked)
        return bool(inside and np.all(norm2.sum(axis=1) <= self.cap2))


@dataclass(frozen=True, eq=False)
class Sensing:
    """Information at one waveform, and what its derivatives are made of.

    Attributes:
        f: (J,) information.
        u: (J, p) weights of the parameters, 1 for the angle.
        E: Complex (J, p, 2, d), Jacobians in the noise of the foreign reflections.
        Q: Complex (J, 2, d), sum_i u_i E_i.
        nuisances: (J, p - 1, p - 1) their Fisher matrix.
        per_foreign: (J,) derivative of f by the power of the foreign reflections, not positive.
        foreign: (J,) that power over noise, per snapshot.

    """

    f: FloatArray
    u: FloatArray
    E: ComplexArray
    Q: ComplexArray
    nuisances: FloatArray
    per_foreign: FloatArray
    foreign: FloatArray


def cells(task: Task, model: Echoes) -> Cells:
    """Lay out a task.

    Args:
        task: In natural units.
        model: Of its echoes without foreign reflections.

    """
    net, L = task.network, task.block_length
    own = np.arange(net.J)
    promised = np.flatnonzero(task.depth > 0.0)
    H = task.channels[:, promised]
    normals = task.edges[promised].transpose(0, 2, 1)
    v, dv = (np.stack([of(net.n_tx, row) for row in net.departure_angles]) for of in (steering, steering_derivative))
    ahead = np.stack([v[own, own], dv[own, own]], axis=1) @ task.basis
    beams = (ahead / np.linalg.norm(ahead, axis=2, keepdims=True)).conj().swapaxes(1, 2)
    towards = np.einsum("mnt,ntd->mnd", v * net.reflections[:, :, None], task.basis) / np.sqrt(L)
    towards[own, own] = 0.0
    return Cells(
        E=np.ascontiguousarray(model.jacobian[own, :, :, own]),
        towards=towards,
        H=np.ascontiguousarray(H),
        Hr=np.concatenate([H.real, -H.imag], axis=2),
        Hi=np.concatenate([H.imag, H.real], axis=2),
        edges=np.ascontiguousarray([normals.real, normals.imag]),
        own=np.ascontiguousarray(task.serving[:, promised]),
        radii=np.ascontiguousarray(net.csi_radius.reshape(net.J, -1)[:, promised]),
        depth=task.depth[promised],
        cap2=L * net.power,
        beams=np.ascontiguousarray(beams),
        n_rx=net.n_rx,
        promised=promised,
    )


def sensing(c: Cells, R: ComplexArray) -> Sensing:
    """Evaluate the information at Gram matrices R = X X^H of all BSs, complex (J, d, d)."""
    J, p = c.E.shape[:2]
    seen = np.sum((c.towards[:, :, None] @ R)[:, :, 0] * c.towards.conj(), axis=(1, 2))
    w = 1.0 / (1.0 + c.n_rx * seen.real)
    E = c.E.copy()
    E[:, :, 0] *= np.sqrt(w)[:, None, None]
    left = (E.reshape(J, 2 * p, -1) @ R).reshape(J, p, -1)
    F = (left @ E.reshape(J, p, -1).conj().swapaxes(1, 2)).real
    y = np.linalg.solve(F[:, 1:, 1:], F[:, 1:, :1])[:, :, 0]
    u = np.concatenate([np.ones((J, 1)), -y], axis=1)
    Q = (u[:, None] @ E.reshape(J, p, -1)).reshape(J, 2, -1)
    lit = np.sum((Q[:, :1] @ R)[:, 0] * Q[:, 0].conj(), axis=1).real
    return Sensing(F[:, 0, 0] - np.sum(F[:, 0, 1:] * y, axis=1), u, E, Q, F[:, 1:, 1:], -c.n_rx * w * lit, seen.real)


def real(A: ComplexArray) -> FloatArray:
    """Complex (..., a, b) as the real (..., 2 a, 2 b) that acts on stacked parts."""
    top = np.concatenate([A.real, -A.imag], axis=-1)
    return np.concatenate([top, np.concatenate([A.imag, A.real], axis=-1)], axis=-2)


def gram(A: FloatArray, B: FloatArray) -> ComplexArray:
    """A B^H, complex (J, d, d), of stacked parts (J, 2 d, L)."""
    G = A @ B.swapaxes(1, 2)
    d = A.shape[1] // 2
    return np.asarray((G[:, :d, :d] + G[:, d:, d:]) + 1j * (G[:, d:, :d] - G[:, :d, d:]))
