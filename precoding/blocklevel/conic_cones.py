"""Cone data for Clarabel, written directly: Hermitian matrices as real vectors, and constraints as rows.

Clarabel knows real symmetric matrices only. A Hermitian H enters as [[Re, -Im], [Im, Re]], of twice the size, which is
positive semidefinite where H is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["ConeProgramme", "ConeSolution", "Term", "doubled", "from_vector", "symmetric", "to_vector"]

Term = tuple[slice, Any]
"""Some of the variables, and the dense or sparse matrix (rows, variables) that they meet."""


@dataclass(frozen=True, eq=False)
class ConeSolution:
    """What Clarabel returned.

    Attributes:
        value: Of the objective.
        x: The variables.
        duals: For each constraint, in the order in which they were required, its multiplier.
        status: The solver's own word.

    """

    value: float
    x: FloatArray
    duals: list[FloatArray]
    status: str


class ConeProgramme:
    """Minimise cost @ x, subject to the constraints that are required one after the other.

    Args:
        cost: (n,).

    """

    def __init__(self, cost: FloatArray) -> None:
        self._cost = cost
        self._blocks: list[tuple[str, int, list[Term], FloatArray]] = []

    def require(self, cone: str, size: int, terms: list[Term], offset: FloatArray | None = None) -> None:
        """Hold offset + sum of matrix @ x[columns] within a cone.

        Args:
            cone: "zero", "nonnegative", "second-order" (the first row bounds the norm of the others), or
                "semidefinite" (`size` is the order of the real matrix, the rows are its `symmetric` vector).
            size: Rows, or order.
            terms: Every variable at most once.
            offset: (rows,), zero by default.

        """
        rows = size * (size + 1) // 2 if cone == "semidefinite" else size
        self._blocks.append((cone, size, terms, np.zeros(rows) if offset is None else offset))

    def solve(self, time_limit_s: float | None) -> ConeSolution | None:
        """Solve with Clarabel; None if it says that there is no solution, or has no finite point to show."""
        import clarabel

        kinds = {
            "zero": clarabel.ZeroConeT,
            "nonnegative": clarabel.NonnegativeConeT,
            "second-order": clarabel.SecondOrderConeT,
            "semidefinite": clarabel.PSDTriangleConeT,
        }
        cones = [kinds[cone](size) for cone, size, _, _ in self._blocks]
        n = len(self._cost)
        offset = np.concatenate([one[3] for one in self._blocks])
        solver = clarabel.DefaultSolver(
            sparse.csc_matrix((n, n)), self._cost, self._matrix(), offset, cones, _settings(clarabel, time_limit_s)
        )
        answer = solver.solve()
        x, z, status = np.asarray(answer.x), np.asarray(answer.z), str(answer.status)
        if "Infeasible" in status or not (np.all(np.isfinite(x)) and np.all(np.isfinite(z))):
            return None
        ends = np.cumsum([len(one[3]) for one in self._blocks])
        return ConeSolution(float(answer.obj_val), x, np.split(z, ends[:-1]), status)

    def _matrix(self) -> Any:
        """Return A of b - A x in K."""
        rows, columns, values = [], [], []
        first = 0
        for _, _, terms, offset in self._blocks:
            for where, matrix in terms:
                part = sparse.coo_array(matrix)
                rows.append(part.coords[0] + first)
                columns.append(part.coords[1] + where.start)
                values.append(part.data)
            first += len(offset)
        triplets = -np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return sparse.csc_matrix(triplets, shape=(first, len(self._cost)))


def _settings(clarabel: Any, time_limit_s: float | None) -> Any:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1  # the same numbers on every machine; more threads gain nothing at these sizes (measured)
    settings.direct_solve_method = "faer"  # supernodal: in CoMP 2 to 3 times faster than "qdldl" (measured)
    settings.equilibrate_enable = False  # the data come scaled; with it Clarabel stops early (measured)
    settings.iterative_refinement_max_iter = 30  # as above: the last digit of the SINR targets hangs on it (measured)
    settings.iterative_refinement_stop_ratio = 2.0
    if time_limit_s is not None:
        settings.time_limit = time_limit_s
    return settings


def to_vector(H: ComplexArray) -> FloatArray:
    """Hermitian matrices (..., n, n) as real vectors (..., n^2) with the same inner products.

    Row by row of the lower triangle: sqrt(2) Re and sqrt(2) Im of each entry, then the diagonal one. The vector of a
    leading block is thus a leading part.
    """
    i, j, scale, kept = _places(H.shape[-1])
    entries = H[..., i, j] * scale
    both = np.stack([entries.real, entries.imag], axis=-1)
    vectors: FloatArray = both.reshape(*entries.shape[:-1], len(kept))[..., kept]
    return vectors


def from_vector(v: FloatArray) -> ComplexArray:
    """Return the Hermitian matrices of `to_vector`: the inverse."""
    n = round(np.sqrt(v.shape[-1]))
    i, j, scale, kept = _places(n)
    both = np.zeros((*v.shape[:-1], len(kept)))
    both[..., kept] = v
    entries = both.reshape(*v.shape[:-1], -1, 2) @ np.array([1.0, 1j]) / scale
    H = np.zeros((*v.shape[:-1], n, n), dtype=np.complex128)
    H[..., j, i] = entries.conj()
    H[..., i, j] = entries
    return H


def symmetric(v: FloatArray) -> FloatArray:
    """Real symmetric matrix of Clarabel's vector: one triangle, all but the diagonal times sqrt(2)."""
    n = round((np.sqrt(8 * len(v) + 1) - 1) / 2)
    i, j = np.tril_indices(n)
    S = np.zeros((n, n))
    S[j, i] = S[i, j] = v / np.where(i == j, 1.0, np.sqrt(2.0))
    return S


@cache
def doubled(n: int) -> Any:
    """Sparse matrix from the vector of H to Clarabel's vector of [[Re, -Im], [Im, Re]].

    Its transpose leads back from a multiplier to the Hermitian one.
    """
    i, j, _, kept = _places(n)
    at = np.cumsum(kept) - 1
    re, im, off = at[0::2], at[1::2], i != j
    plus = [(_triangle(i, j), re), (_triangle(n + i, n + j), re), (_triangle(n + i, j)[off], im[off])]
    minus = [(_triangle(n + j, i)[off], im[off])]
    rows, columns = (np.concatenate([pair[k] for pair in plus + minus]) for k in (0, 1))
    signs = np.ones(len(rows))
    signs[len(rows) - np.count_nonzero(off) :] = -1.0
    return sparse.csr_matrix((signs, (rows, columns)), shape=(n * (2 * n + 1), n * n))


def _triangle(i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of entry (i, j), i >= j, in Clarabel's vector: the upper triangle by columns."""
    return i * (i + 1) // 2 + j


@cache
def _places(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, NDArray[np.bool_]]:
    """Lower-triangular indices, their weights, and which of (Re, Im, Re, Im, ...) are free."""
    i, j = np.tril_indices(n)
    kept = np.ones((len(i), 2), dtype=np.bool_)
    kept[i == j, 1] = False
    return i, j, np.where(i == j, 1.0, np.sqrt(2.0)), kept.ravel()
