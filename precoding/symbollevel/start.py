"""Places to start from: the relaxed solution with its excess sent as a waveform, and what is feasible near a place."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.symbollevel.conic import waveform_program
from precoding.symbollevel.relaxed import Relaxed
from precoding.symbollevel.task import Task

__all__ = ["nearest_feasible", "relaxed_start"]

_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0  # of a turn: phases spread evenly over any stretch of the block


def relaxed_start(task: Task, relaxed: Relaxed) -> ComplexArray:
    """Add the strongest direction of the excess to every symbol vector, in a phase that never repeats.

    The relaxed solution senses with an excess that carries no symbols. Sent with any phases it senses as well; what
    that costs the constructive constraints, the first linearised step mends.

    Args:
        task: In natural units.
        relaxed: Solved for it.

    Returns:
        Complex (J, d, L), with full power; in general not feasible.

    """
    C, N = relaxed.excess.shape[:2]
    L = task.block_length
    strength, directions = np.linalg.eigh(relaxed.excess)
    beam = directions[:, :, -1] * np.sqrt(strength[:, -1:] / L)
    carrying = relaxed.Xi.reshape(C, N, L)
    phases = np.exp(2j * np.pi * _GOLDEN * np.arange(L))
    Xi = np.asarray((carrying + beam[:, :, None] * phases).reshape(relaxed.Xi.shape))
    power = np.mean(np.sum(np.abs(Xi) ** 2, axis=1), axis=1)
    return np.asarray(Xi * np.sqrt(task.network.power / power)[:, None, None])


def nearest_feasible(task: Task, Xi: ComplexArray) -> ComplexArray:
    """Return the feasible waveform with the least power of the difference.

    The linear model at a feasible waveform has that waveform as a solution; far from all feasible ones it may have
    none, for its nuisance block must be positive.

    Args:
        task: In natural units; feasible.
        Xi: Complex (J, d, L).

    Returns:
        Complex (J, d, L), feasible to the solver's tolerance; Xi if the solver fails.

    """
    built = waveform_program(task, extra=0)
    built.fix_noise()
    q, P = np.zeros(built.program.n), np.zeros(built.program.n)
    P[built.x] = 1.0
    q[built.x] = -np.stack([Xi.real, Xi.imag], axis=2).transpose(3, 0, 2, 1)
    solution = built.program.solve(q, P)
    return built.waveform(solution) if solution.usable else Xi
