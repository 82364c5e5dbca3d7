"""slp-cbf the fast way: sense from the start, let every symbol find its region, climb inside, prove."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.bound import SymbolPrices, bounded_information
from precoding.symbollevel.cbf_cells import Cells, cells
from precoding.symbollevel.cbf_interior import climb_inside
from precoding.symbollevel.cbf_point import BONUS, Interior, Multipliers
from precoding.symbollevel.echoes import Echoes, echoes, foreign_of
from precoding.symbollevel.found import UNSETTLED, Found, is_over
from precoding.symbollevel.minimum_power import noise_margin
from precoding.symbollevel.repair import is_feasible, repaired
from precoding.symbollevel.task import Task

__all__ = ["fast_cbf"]

_LOAD = 0.9  # of the power, at first
_SUM_SHARE = 0.7  # of it in the beam v, at first; the rest in v', whose gradient vanishes where it has nothing
_LEVELS = 1.0, 2.0  # noise amplitudes that may leak, at first; the second where the first led nowhere
_SWEEPS = 10
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0  # of a turn: phases spread evenly over any stretch of the block
_GAP = 5e-4  # of the information, left by the barrier
_RISES = np.geomspace(1e-6, 10.0, 71)


def fast_cbf(task: Task, deadline_s: float | None, effort: int = 1) -> Found | None:
    """Design slp-cbf; arguments and answer as for `fast_waveform`."""
    model = echoes(task, np.zeros(task.network.J))
    c = cells(task, model)
    at, prices, history, status = _climbed(task, c, deadline_s, effort)
    samples = task.to_antennas(at.samples)
    if not history or not np.all(np.isfinite(samples)):
        return None
    if not is_feasible(task, samples):
        margin = noise_margin(task)
        if margin.db <= 0.0:
            return None
        samples, status = repaired(task, samples, margin.X), UNSETTLED
    proof = _prices(task, model, c, at, prices, foreign_of(task, task.to_basis(samples)))
    bound = min(bounded_information(task.network, task.min_sinr, task.symbols, task.order, each) for each in proof)
    if not (is_feasible(task, samples) and np.isfinite(bound)):
        return None
    return Found(samples, bound, status, tuple(float(f) * model.unit for f in history))


def _climbed(
    task: Task, c: Cells, deadline_s: float | None, effort: int
) -> tuple[Interior, Multipliers, tuple[float, ...], str]:
    """Climb; once more from elsewhere where that does not settle, as in a null on a target, and keep what is best."""
    ends = []
    for level in _LEVELS:
        end = climb_inside(c, *_first(task, c, level), deadline_s, _GAP / effort, effort)
        feasible = is_feasible(task, task.to_antennas(end[0].samples))
        ends.append((feasible and end[3] == "Settled", feasible, end))
        if ends[-1][0] or is_over(deadline_s):
            break
    return max(ends, key=lambda one: one[:2])[2]


def _first(task: Task, c: Cells, level: float) -> tuple[FloatArray, FloatArray]:
    """Sensing beams in phases that never repeat, moved near to the regions: X (J, 2 d, L), and levels (J, U)."""
    from precoding.symbollevel.projection import project

    J, U = c.own.shape
    L = task.block_length
    size = np.sqrt(c.cap2 / L)
    levels = np.where(c.own, 0.0, level + 1.1 * c.radii * size[:, None])
    theta = np.maximum(c.levels(levels) + np.where(c.own, 1.0, -1.0) * c.radii * size[:, None], 0.0)
    turns = np.exp(2j * np.pi * _GOLDEN * np.outer([1.0, 2.0], np.arange(L)))
    shares = np.sqrt(_LOAD * np.array([_SUM_SHARE, 1.0 - _SUM_SHARE]))
    X = np.empty((J, c.Hr.shape[2], L))
    for n in range(J):
        z = c.beams[n] @ (size[n] * shares[:, None] * turns)
        heard = c.H[n] @ z
        q = np.concatenate([heard.real, heard.imag])
        omega = np.zeros((2 * U, L))
        ball = ~c.own[n]
        edges = np.where(ball[:, None, None], 0.0, c.edges)
        K = np.ascontiguousarray(c.H[n] @ c.H[n].conj().T)
        project(q, np.zeros(c.edges.shape[1:]), omega, K, edges, np.repeat(theta[n][:, None], L, axis=1), ball, _SWEEPS)
        z = z + c.H[n].conj().T @ (omega[:U] + 1j * omega[U:])
        z *= min(1.0, float(np.sqrt(_LOAD * c.cap2[n] / np.sum(np.abs(z) ** 2))))
        X[n] = np.concatenate([z.real, z.imag])
    return X, levels


def _prices(
    task: Task, model: Echoes, c: Cells, at: Interior, prices: Multipliers, foreign: FloatArray
) -> list[SymbolPrices]:
    """Multipliers, leakages made cheap enough that a level exists, and power dear enough; the same without users."""
    J, U = c.own.shape
    users, L = task.network.J * task.network.K, task.block_length
    own = c.own[:, :, None]
    size = np.where(own, 0.0, prices.leaks)
    noise = c.depth * prices.edges.sum(axis=(0, 2, 3))
    leaked = np.sqrt(np.sum(size.sum(axis=2) ** 2, axis=0))
    size = size * np.minimum(1.0, 0.999 * noise / np.maximum(leaked, 1e-30))[None, :, None]
    q = at.q[:, :U] + 1j * at.q[:, U:]
    leaks = size * q / np.maximum(np.abs(q), 1e-30) * np.minimum(np.abs(q) / np.maximum(at.a, 1e-30)[:, :, None], 1.0)
    normals = c.edges[0] + 1j * c.edges[1]
    push = np.where(own, np.sum(normals * prices.edges, axis=2), -leaks)
    away = np.einsum("nu,nul->nl", c.radii, size + prices.edges.sum(axis=2))
    stations = _raised(c, at, prices, push, away)
    u = at.echo.u * model.scale
    edges = np.zeros(task.edges.shape)
    edges[c.promised] = prices.edges.sum(axis=0).transpose(0, 2, 1)
    all_leaks, all_sizes = np.zeros((J, L, users), dtype=np.complex128), np.zeros((J, L, users))
    all_leaks[:, :, c.promised], all_sizes[:, :, c.promised] = leaks.swapaxes(1, 2), size.swapaxes(1, 2)
    named = SymbolPrices(
        sensing=(prices.sensing + BONUS)[:, None, None] * u[:, :, None] * u[:, None, :],
        stations=stations,
        antennas=None,
        edges=edges,
        leaks=all_leaks,
        leak_sizes=all_sizes,
        foreign=foreign,
    )
    alone = replace(named, edges=0.0 * edges, leaks=0.0 * all_leaks, leak_sizes=0.0 * all_sizes)
    return [named, replace(alone, stations=_least_power_prices(at, prices))]


def _raised(c: Cells, at: Interior, prices: Multipliers, push: ComplexArray, away: FloatArray) -> FloatArray:
    """(J,) prices of power, each raised to where the bound is least.

    What is left of a symbol is |c_s|^2 / 4 (B + e)^-1, c_s being what pulls at x_s, and e costs power; both are sums
    over eigenvalues of B. The direction of x_s stands for the subgradient of |x_s|, which is valid and nearly best.
    """
    stations = _least_power_prices(at, prices)
    d = at.X.shape[1] // 2
    for n, samples in enumerate(at.samples):
        Q = np.sqrt((prices.sensing[n] + BONUS) / stations[n]) * at.echo.Q[n]
        b, V = np.linalg.eigh(np.eye(d) - Q.conj().T @ Q)
        along = samples / np.sqrt(np.maximum(at.norm2[n], 1e-300))
        pull = (c.H[n].conj().T @ push[n] - away[n] * along) / np.sqrt(stations[n])
        size = np.sum(np.abs(V.conj().T @ pull) ** 2, axis=1) / 4.0
        rises = max(-float(b[0]), 0.0) * (1.0 + _RISES[0]) + _RISES
        cost = np.sum(size / (b + rises[:, None]), axis=1) + rises * stations[n] * c.cap2[n]
        stations[n] *= 1.0 + float(rises[cost.argmin()])
    return stations


def _least_power_prices(at: Interior, prices: Multipliers) -> FloatArray:
    """(J,) below which sensing alone would pay for any power."""
    seen = at.echo.Q @ at.echo.Q.conj().swapaxes(1, 2)
    return np.asarray((prices.sensing + BONUS) * np.linalg.eigvalsh(seen)[:, -1])
