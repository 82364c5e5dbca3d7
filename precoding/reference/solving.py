"""How the plain statements are solved."""

from __future__ import annotations

import warnings
from typing import Any

import cvxpy
import numpy as np

__all__ = ["seconds", "solved"]

cp: Any = cvxpy  # its type hints miss most of its names


def solved(problem: Any, time_limit_s: float | None) -> bool:
    """Solve with Clarabel; whether there is a point to judge, however the solver calls it.

    Its status is only kept: whether a point is good enough is said by the certificate. No warm start: a Clarabel object
    kept by CVXPY from an earlier solve fails on new data (measured, CVXPY 1.9.3).
    """
    options = {} if time_limit_s is None else {"time_limit": time_limit_s}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        try:
            problem.solve(solver=cp.CLARABEL, warm_start=False, **options)
        except cp.SolverError:
            return False
    return problem.value is not None and bool(np.isfinite(problem.value))


def seconds(problem: Any) -> float:
    """Time that the solver reports, set-up included where it says so."""
    stats = problem.solver_stats
    return float(stats.solve_time or 0.0) + float(stats.setup_time or 0.0)
