"""What the compiled kernels see of a task: small matrices that do not grow with the array or the block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.steering import steering, steering_derivative
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.task import Task

__all__ = ["Lit", "lit_task"]


@dataclass(frozen=True, eq=False)
class Lit:
    """A task in the coordinates that targets see (lit) and users hear.

    Attributes:
        B: Complex (J, r_n, d), orthonormal rows of each BS that span all its v and v'.
        E: Complex (J, p, 2, r), Jacobians on the lit coordinates of all BSs, r = J r_n.
        H: Complex (J, U, d), channels of the users that were promised something.
        BH: Complex (r, U), B_n H_n^H.
        HH: Complex (J, U, U), H_n H_n^H.
        station: (r,) the BS of each lit coordinate.
        cap: (J,) sqrt(L P_n).
        edges: (2, U, edges, L), inward normals of the regions, real and imaginary parts.
        depth: (U,).
        radii: (U,).
        promised: (U,) which of the J K users these are.

    """

    B: ComplexArray
    E: ComplexArray
    H: ComplexArray
    BH: ComplexArray
    HH: ComplexArray
    station: NDArray[np.int64]
    cap: FloatArray
    edges: FloatArray
    depth: FloatArray
    radii: FloatArray
    promised: NDArray[np.int64]


def lit_task(task: Task, model: Echoes) -> Lit:
    """Reduce a task.

    Args:
        task: In natural units.
        model: Of its echoes.

    """
    net = task.network
    J = net.J
    rows = np.concatenate([of(net.n_tx, net.departure_angles.T) for of in (steering, steering_derivative)], axis=1)
    seen = (rows / np.linalg.norm(rows, axis=2, keepdims=True)) @ task.basis
    B = np.ascontiguousarray(np.linalg.qr(seen.conj().swapaxes(1, 2))[0].conj().swapaxes(1, 2))
    r_n = B.shape[1]
    p = model.jacobian.shape[1]
    E = np.einsum("mprnd,ncd->mprnc", model.jacobian, B.conj(), optimize=True).reshape(J, p, 2, J * r_n)
    promised = np.flatnonzero(task.depth > 0.0)
    H = np.ascontiguousarray(task.channels[:, promised])
    adjoint = H.conj().swapaxes(1, 2)
    normals = task.edges[promised].transpose(0, 2, 1)
    return Lit(
        B=B,
        E=np.ascontiguousarray(E),
        H=H,
        BH=np.ascontiguousarray((B @ adjoint).reshape(J * r_n, -1)),
        HH=np.ascontiguousarray(H @ adjoint),
        station=np.repeat(np.arange(J), r_n),
        cap=np.sqrt(task.block_length * net.power),
        edges=np.ascontiguousarray([normals.real, normals.imag]),
        depth=task.depth[promised],
        radii=task.radii[promised],
        promised=promised,
    )
