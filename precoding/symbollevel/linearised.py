"""One conic step: the best waveform for the linear model of the Fisher information at a given one."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.symbollevel.conic import ConeProgram, Index, Solution, waveform_program
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.task import Task

__all__ = ["linearised_step"]


def linearised_step(
    task: Task, model: Echoes, Xi: ComplexArray, time_limit_s: float | None = None
) -> tuple[ComplexArray | None, Solution]:
    """Maximise the smallest information of the linear model at Xi over all feasible waveforms.

    F_ij >= Re <E_i Xi, E_j X> + Re <E_i X, E_j Xi> - Re <E_i Xi, E_j Xi> as matrices, with equality at X = Xi. Kept as
    a matrix inequality with t, so that the nuisances minimise within the step, the model lies below the information
    everywhere: no step loses information.

    Args:
        task: In natural units.
        model: Of the echoes.
        Xi: Complex (J, d, L), feasible or nearly.
        time_limit_s: Of the solver.

    Returns:
        The waveform, None if the solver has none, and its solution.

    """
    beams, reduced, links = _illumination(model)
    J, p = model.jacobian.shape[:2]
    n_lit = len(links) * 2 * 2 * task.block_length
    built = waveform_program(task, extra=1 + n_lit)
    lit = built.free + 1 + np.arange(n_lit).reshape(len(links), task.block_length, 2, 2)  # link, s, (re, im), beam
    _light(built.program, built.x, lit, beams, links)
    Y, F = model.mean(Xi), model.fisher(Xi)
    j, i = np.nonzero(np.tri(p, dtype=bool))  # upper triangle, column by column
    scale = np.where(i == j, 1.0, np.sqrt(2.0))
    row = np.arange(J * len(i)).reshape(J, len(i))
    entries = [(row[:, 0], np.full(J, built.free), -np.ones(J))]
    for link, (m, _) in enumerate(links):
        pull = np.einsum("irb,jrs->ijbs", reduced[link].conj(), Y[m])
        pull = ((pull + pull.swapaxes(0, 1))[i, j] * scale[:, None, None]).swapaxes(1, 2)  # pairs, s, beam
        entries.append((row[m][:, None, None, None], lit[link], np.stack([pull.real, pull.imag], axis=2)))
    built.program.add("psd", [p] * J, entries, (-F[:, i, j] * scale).ravel())
    built.fix_noise()
    q = np.zeros(built.program.n)
    q[built.free] = -1.0
    solution = built.program.solve(q, time_limit_s=time_limit_s)
    return built.waveform(solution) if solution.usable else None, solution


def _illumination(model: Echoes) -> tuple[ComplexArray, ComplexArray, list[tuple[int, int]]]:
    """What of a BS's signal a receiver's echo depends on: two beams for each link (m, n), towards v and v'.

    Returns:
        Orthonormal beams, complex (links, 2, d); Jacobians on them, complex (links, p, 2, 2); and the links.

    """
    J, p, _, _, d = model.jacobian.shape
    links = [(m, n) for m, n in np.ndindex(J, J) if np.any(model.jacobian[m, :, :, n])]
    flat = np.stack([model.jacobian[m, :, :, n].reshape(2 * p, d) for m, n in links])
    U, size, beams = np.linalg.svd(flat, full_matrices=False)
    return beams[:, :2], (U[:, :, :2] * size[:, None, :2]).reshape(-1, p, 2, 2), links


def _light(program: ConeProgram, x: Index, lit: Index, beams: ComplexArray, links: list[tuple[int, int]]) -> None:
    """Set lit = beams x_n: far fewer variables for the matrix inequalities than the waveform itself."""
    row = np.arange(lit.size).reshape(lit.shape)
    entries = [(row, lit, -np.ones(lit.shape))]
    for link, (_, n) in enumerate(links):
        V = beams[link]
        parts = np.array([[V.real, -V.imag], [V.imag, V.real]])  # (re, im) of lit, (re, im) of x, beam, antenna
        entries.append((row[link][:, :, None, :, None], x[:, None, n, :, None, :], parts))
    program.add("zero", [lit.size], entries, np.zeros(lit.size))
