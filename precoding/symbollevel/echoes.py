"""Fisher information of a waveform, and the linear model that bounds it from below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.certificate import foreign_reflections
from precoding.fisher import effective_information, jacobian_of
from precoding.steering import steering_with_derivative
from precoding.symbollevel.task import Task

__all__ = ["Echoes", "echoes", "foreign_of"]


@dataclass(frozen=True, eq=False)
class Echoes:
    """How the mean echo at every BS turns with its parameters: F_m,ij = Re <E_i X, E_j X> in whitened noise.

    Attributes:
        jacobian: Complex (J, p, 2, J, d): at each BS, by each parameter (the target's angle first), on an orthonormal
            basis of span{a, a'}, from each BS. Columns of BSs whose signal the receiver does not know are zero.
            Parameters other than the angle are scaled to unit Frobenius norm: they are nuisances, their unit is free.
        scale: (J, p) by which each parameter's Jacobian was multiplied; scale[:, 0] is the same for all BSs.
        unit: One unit of information on the angle in 1/rad^2.
        foreign: (J,) power over noise of the foreign reflections that was assumed.

    """

    jacobian: ComplexArray
    scale: FloatArray
    unit: float
    foreign: FloatArray

    def mean(self, Xi: ComplexArray) -> ComplexArray:
        """Derivatives of the mean echo, complex (J, p, 2, L)."""
        J, p = self.jacobian.shape[:2]
        return (self.jacobian.reshape(J * p * 2, -1) @ Xi.reshape(-1, Xi.shape[2])).reshape(J, p, 2, -1)

    def fisher(self, Xi: ComplexArray) -> FloatArray:
        """Fisher matrices, (J, p, p)."""
        Y = self.mean(Xi)
        flat = Y.reshape(*Y.shape[:2], -1)
        return np.asarray((flat.conj() @ flat.swapaxes(1, 2)).real)

    def information(self, Xi: ComplexArray) -> FloatArray:
        """(J,) effective information on each angle, in units of `unit`."""
        return np.array([effective_information(F) for F in self.fisher(Xi)])


def foreign_of(task: Task, Xi: ComplexArray) -> FloatArray:
    """(J,) power over noise of the foreign reflections at each BS that a waveform makes; paper eq. (9); 0 in CoMP."""
    if task.cooperate:
        return np.zeros(task.network.J)
    X = task.to_antennas(Xi)
    return foreign_reflections(task.network, X @ X.conj().swapaxes(1, 2) / X.shape[2])


def echoes(task: Task, foreign: FloatArray) -> Echoes:
    """Return the Jacobians of all BSs in the basis of the task, whitened by C = foreign a a^H + I.

    Args:
        task: In natural units.
        foreign: (J,) power over noise of the foreign reflections at each BS.

    """
    net = task.network
    J, n_rx = net.J, net.n_rx
    known = [np.arange(J) if task.cooperate else np.array([m]) for m in range(J)]
    p = 3 * len(known[0])
    E = np.zeros((J, p, 2, J, task.basis.shape[2]), dtype=np.complex128)
    for m, stations in enumerate(known):
        own = int(np.flatnonzero(stations == m)[0])
        # a and a' are orthogonal and hold all echoes; C differs from I along a only.
        strength = np.linalg.norm(steering_with_derivative(n_rx, net.arrival_angles[m]), axis=1)
        strength[0] /= np.sqrt(1.0 + n_rx * foreign[m])
        v = steering_with_derivative(net.n_tx, net.departure_angles[m, stations])
        seen = (v[:, :, None] @ task.basis[stations])[:, :, 0]
        D = jacobian_of(np.diag(strength).astype(np.complex128), seen, net.reflections[m, stations], own)
        E[m][:, :, stations] = D.reshape(p, 2, len(stations), -1)
    E *= np.sqrt(2.0)
    size = np.sqrt(np.sum(np.abs(E) ** 2, axis=(2, 3, 4)))
    scale = 1.0 / (np.where(size > 0.0, size, 1.0) * np.sqrt(task.block_length))
    # Full power in a random direction shows about this much; the solvers then work with numbers near 1.
    unit = float(np.mean(size[:, 0] ** 2) * task.block_length / E.shape[4])
    scale[:, 0] = 1.0 / np.sqrt(unit)
    return Echoes(E * scale[:, :, None, None, None], scale, unit, foreign)
