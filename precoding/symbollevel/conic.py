"""The convex sets of symbol-level precoding as cone data for Clarabel, without a modelling layer between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.task import Task

__all__ = ["ConeProgram", "Solution", "waveform_program"]

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Solution:
    """What Clarabel returned.

    Attributes:
        x: Variables.
        z: Multipliers of all rows.
        status: In its words.
        solve_time_s: Its own.

    """

    x: FloatArray
    z: FloatArray
    status: str
    solve_time_s: float

    @property
    def usable(self) -> bool:
        """Whether there is a point to look at; how good it is, the judge says."""
        return self.status in ("Solved", "AlmostSolved", "InsufficientProgress", "MaxIterations", "MaxTime") and bool(
            np.all(np.isfinite(self.x))
        )


@dataclass(eq=False)
class ConeProgram:
    """Minimise x^T P x / 2 + q^T x subject to A x + s = b, s in a product of cones; rows are added group by group.

    Attributes:
        n: Number of variables.
        groups: For each group of rows: kind ("zero", "nonneg", "soc", "psd"), cone sizes, and its A and b.

    """

    n: int
    groups: list[tuple[str, list[int], sparse.csr_matrix, FloatArray]] = field(default_factory=list)

    def add(self, kind: str, sizes: list[int], entries: list[tuple[Any, Any, Any]], b: FloatArray) -> slice:
        """Add rows s = b + sum of entries (row, column, value) within one group; returns where its multipliers lie."""
        flat = [np.broadcast_arrays(r, c, v) for r, c, v in entries]
        rows, columns, values = (np.concatenate([part[i].ravel() for part in flat]) for i in range(3))
        A = sparse.csr_matrix((-values, (rows.astype(np.int64), columns.astype(np.int64))), shape=(len(b), self.n))
        first = sum(len(group[3]) for group in self.groups)
        self.groups.append((kind, sizes, A, b))
        return slice(first, first + len(b))

    def solve(self, q: FloatArray, P: FloatArray | None = None, time_limit_s: float | None = None) -> Solution:
        """Solve with linear cost q and diagonal quadratic cost P."""
        import clarabel

        cones = {
            "zero": clarabel.ZeroConeT,
            "nonneg": clarabel.NonnegativeConeT,
            "soc": clarabel.SecondOrderConeT,
            "psd": clarabel.PSDTriangleConeT,
        }
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.max_threads = 1
        settings.presolve_enable = False
        if time_limit_s is not None:
            settings.time_limit = time_limit_s
        A = sparse.csc_matrix(sparse.vstack([g[2] for g in self.groups]))
        b = np.concatenate([g[3] for g in self.groups])
        quadratic = sparse.csc_matrix(sparse.diags(np.zeros(self.n) if P is None else P))
        specs = [cones[kind](size) for kind, sizes, _, _ in self.groups for size in sizes]
        found = clarabel.DefaultSolver(quadratic, q, A, b, specs, settings).solve()
        return Solution(np.array(found.x), np.array(found.z), str(found.status), float(found.solve_time))


@dataclass(frozen=True, eq=False)
class WaveformProgram:
    """All waveforms that meet constructive, leakage and power constraints, for any noise amplitude tau.

    Attributes:
        program: Cone rows; a caller adds its objective's.
        x: (L, J, 2, d) columns of the real and imaginary parts of Xi.
        tau: Column of the factor on every user's noise amplitude; 1 is the network as it is.
        free: First of the columns left to the caller.
        depth_rows: Multiplier rows of the constructive constraints, user by user.
        power_rows: Multiplier rows of the BSs' powers (the first of each cone, in strides).

    """

    program: ConeProgram
    x: Index
    tau: int
    free: int
    depth_rows: slice
    power_rows: slice

    def fix_noise(self) -> None:
        """Set tau to 1: the noise as it is."""
        row = np.zeros(1, dtype=np.int64)
        self.program.add("zero", [1], [(row, np.array([self.tau]), 1.0)], -np.ones(1))

    def waveform(self, solution: Solution) -> ComplexArray:
        """Xi, complex (J, d, L)."""
        parts = solution.x[self.x]
        return np.asarray((parts[:, :, 0] + 1j * parts[:, :, 1]).transpose(1, 2, 0))


def waveform_program(task: Task, extra: int) -> WaveformProgram:
    """Build the set {Xi, tau}: eq. (63), (64), (67) or (71), (72) with free leakage levels, and power.

    Args:
        task: In natural units.
        extra: Further variables for the caller's objective.

    """
    net, L, d = task.network, task.block_length, task.basis.shape[2]
    J, users = net.J, net.J * net.K
    groups = 1 if task.cooperate else J
    links = (J - 1) * users if task.leaks else 0
    sizes = [L * J * 2 * d, L * groups, links, users if links else 0, 1]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    x = np.arange(sizes[0]).reshape(L, J, 2, d)
    size = (starts[1] + np.arange(sizes[1])).reshape(L, groups)
    leak = starts[2] + np.arange(links)
    tau = int(starts[4])
    level = starts[3] + np.arange(users) if links else np.full(users, tau)
    program = ConeProgram(int(starts[5]) + extra)
    depth_rows = _constructive(program, task, x, size, level)
    _sizes(program, x, size)
    if links:
        _leakage(program, task, x, size, leak, level, tau)
    power_rows = _power(program, task, x)
    return WaveformProgram(program, x, tau, int(starts[5]), depth_rows, power_rows)


def _constructive(program: ConeProgram, task: Task, x: Index, size: Index, level: Index) -> slice:
    """Re(conj(r) h^T x_s) - radius |x_s| >= depth level, for all users, symbols and edges."""
    users, L, edges = task.edges.shape
    row = np.arange(users * L * edges).reshape(users, L, edges)
    z = task.edges.conj()[:, :, :, None, None] * task.channels.transpose(1, 0, 2)[:, None, None]
    served = task.serving.T
    parts = np.stack([z.real, -z.imag], axis=4)  # users, L, edges, J, 2, d
    entries = []
    for u in range(users):
        at = np.flatnonzero(served[u])
        entries.append((row[u][:, :, None, None, None], x[:, None, at], parts[u][:, :, at]))
        column = size[:, 0 if size.shape[1] == 1 else int(at[0])]
        entries.append((row[u], column[:, None], np.full((L, edges), -task.radii[u])))
        entries.append((row[u], level[u], np.full((L, edges), -task.depth[u])))
    return program.add("nonneg", [row.size], entries, np.zeros(row.size))


def _sizes(program: ConeProgram, x: Index, size: Index) -> None:
    """|x_s| <= size, over all BSs (CoMP) or each (CBF)."""
    L, groups = size.shape
    parts = x.reshape(L, groups, -1)
    width = parts.shape[2] + 1
    row = np.arange(L * groups * width).reshape(L, groups, width)
    entries = [(row[:, :, 0], size, 1.0), (row[:, :, 1:], parts, 1.0)]
    program.add("soc", [width] * (L * groups), entries, np.zeros(row.size))


def _leakage(program: ConeProgram, task: Task, x: Index, size: Index, leak: Index, level: Index, tau: int) -> None:
    """|h^T x_ns| + radius |x_ns| <= leak_nu for all s, and level_u >= |(tau, leak_u)|; paper eq. (65)-(67)."""
    net, L = task.network, task.block_length
    radii = net.csi_radius.reshape(net.J, -1)
    n, u = np.nonzero(~task.serving)
    row = np.arange(len(n) * L * 3).reshape(len(n), L, 3)
    h = task.channels[n, u][:, None]
    columns = x[:, n].transpose(1, 0, 2, 3)  # links, L, 2, d
    entries = [
        (row[:, :, 0], leak[:, None], 1.0),
        (row[:, :, 0], size[:, n].T, -radii[n, u][:, None]),
        (row[:, :, 1, None, None], columns, np.stack([h.real, -h.imag], axis=2)),
        (row[:, :, 2, None, None], columns, np.stack([h.imag, h.real], axis=2)),
    ]
    program.add("soc", [3] * (len(n) * L), entries, np.zeros(row.size))
    users, J = net.J * net.K, net.J
    levels = np.arange(users * (J + 1)).reshape(users, J + 1)
    foreign = leak[np.argsort(u, kind="stable")].reshape(users, J - 1)
    noise = np.full(users, tau)
    entries = [(levels[:, 0], level, 1.0), (levels[:, 1], noise, 1.0), (levels[:, 2:], foreign, 1.0)]
    program.add("soc", [J + 1] * users, entries, np.zeros(levels.size))


def _power(program: ConeProgram, task: Task, x: Index) -> slice:
    """|X_n|_F <= sqrt(L P_n), and the same for each antenna that has a limit."""
    net, L = task.network, task.block_length
    per_station = x.transpose(1, 0, 2, 3).reshape(net.J, -1)
    power_rows = _norm_limits(program, per_station, np.sqrt(L * net.power))
    if net.antenna_power is not None:
        per_antenna = x.transpose(1, 3, 0, 2).reshape(net.J * net.n_tx, -1)
        _norm_limits(program, per_antenna, np.sqrt(L * net.antenna_power.ravel()))
    return power_rows


def _norm_limits(program: ConeProgram, columns: Index, limits: FloatArray) -> slice:
    width = columns.shape[1] + 1
    row = np.arange(columns.size + len(columns)).reshape(len(columns), width)
    b = np.zeros(row.shape)
    b[:, 0] = limits
    return program.add("soc", [width] * len(columns), [(row[:, 1:], columns, 1.0)], b.ravel())
