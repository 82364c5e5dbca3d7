"""Algorithm 1 of the paper, block-level precoding: interference levels and covariances in turns, with its faults.

- One level for all users. At a given gamma the best information is concave in it, so (P1.B), (P2.B) can only return the
  point that (P1.A), (P2.A) found: the answer depends on the starting level, and "convergence" comes at once.
- C of (9) is that of the last turn's signals while all BSs move together: what (P1.A) reports is not what is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.certificate import foreign_reflections
from precoding.errors import InaccurateError
from precoding.network import Network
from precoding.reference.blp_cbf import solve_p1a, solve_p1b
from precoding.reference.blp_comp import solve_p2a, solve_p2b
from precoding.reference.optimum import BlockLevelOptimum, Goal

__all__ = ["AlternationRequest", "Turn", "cbf_turns", "comp_turns", "largest_sinr_at_start"]

_GIVEN_AWAY = 1e-6  # part of t* that (P1.B) and (P2.B) need not keep, so that their feasible set has an interior


@dataclass(frozen=True, eq=False)
class AlternationRequest:
    """What Algorithm 1 is asked.

    Attributes:
        network: In any consistent units.
        min_sinr: (J, K) gamma, linear; None leaves it free.
        weight: rho, where gamma is free. NF_R and NF_C are the optima of rho = 1 and rho = 0 at the starting levels.
        robustness: "none", "paper" or "exact", as in (P1.A).
        intra_level: Starting I_intra of CBF in units of the users' noise.
        inter_level: Starting I_inter of CBF, or I_comp of CoMP, in units of the users' noise.
        time_limit_s: Of the solver, over all problems; None for no limit.

    """

    network: Network
    min_sinr: FloatArray | None
    weight: float | None
    robustness: str
    intra_level: float
    inter_level: float
    time_limit_s: float | None


@dataclass(frozen=True, eq=False)
class Turn:
    """One pass through the loop.

    Attributes:
        covariances: For each transmitter, complex (K or J K, n, n), of (P1.B) or (P2.B).
        objective: (J,) or (1,), of (P1.A) or (P2.A): what the method believes to have reached; 1/rad^2 at given gamma.
        sinr: (J K,) gamma*, linear.
        levels: The interference levels that the next turn starts from.
        status: The solver's word on the last problem.
        solve_time_s: Of the solver since the beginning.

    """

    covariances: tuple[ComplexArray, ...]
    objective: FloatArray
    sinr: FloatArray
    levels: tuple[float, ...]
    status: str
    solve_time_s: float


def cbf_turns(request: AlternationRequest) -> Iterator[Turn]:
    """Steps 3 to 6: (P1.A) at every BS, (P1.B) at every BS, then the new levels and the new C; and so on for ever.

    The first C is that of even beams, the mean of the paper's random ones.

    Raises:
        InaccurateError: Step 5 has no answer at these levels, or no time is left. Where step 6 has none, the answer of
            step 5 stands.

    """
    network, solve, stations = request.network, _Solver(request), range(request.network.J)
    intra, inter = [request.intra_level] * network.J, request.inter_level
    sent = np.stack([np.eye(network.n_tx, dtype=np.complex128) * P / network.n_tx for P in network.power])
    goals: list[Goal] = []
    while True:
        foreign = foreign_reflections(network, sent) / network.radar_noise
        held: list[dict[str, Any]] = [
            {"intra_level": intra[m], "inter_level": inter, "foreign": foreign[m]} for m in stations
        ]
        goals = goals or [_goal(request, solve, solve_p1a, (m,), held[m]) for m in stations]
        best = [solve(solve_p1a, m, goals[m], **held[m]) for m in stations]
        quiet = [_p1b(request, solve, m, best[m], inter, foreign[m]) for m in stations]
        intra, inter = [b.intra_level for b in quiet], max(b.inter_level for b in quiet)
        sent = np.stack([b.covariances[0].sum(axis=0) for b in quiet])
        yield _turn(goals, best, quiet, (*intra, inter), solve.spent_s)


def comp_turns(request: AlternationRequest) -> Iterator[Turn]:
    """Steps 7 to 9: (P2.A), (P2.B), then the new level; and so on for ever.

    Raises:
        InaccurateError: Step 8 has no answer at this level, or no time is left. Where step 9 has none, the answer of
            step 8 stands.

    """
    solve, level = _Solver(request), request.inter_level
    goal = _goal(request, solve, solve_p2a, (), {"level": level})
    while True:
        best = solve(solve_p2a, goal, level=level)
        least = best.information * (1.0 - _GIVEN_AWAY)
        quiet = solve(solve_p2b, instead=best, least_information=least, min_sinr=best.sinr)
        level = quiet.intra_level
        yield _turn([goal], [best], [quiet], (level,), solve.spent_s)


def largest_sinr_at_start(request: AlternationRequest, *, cooperate: bool) -> list[BlockLevelOptimum]:
    """Solve (P1.A) at every BS, or (P2.A), with rho = 0 at the starting levels: the gamma that they allow.

    Raises:
        InaccurateError: There is no answer, or no time is left.

    """
    solve, talk = _Solver(request), Goal(weight=0.0)
    if cooperate:
        return [solve(solve_p2a, talk, level=request.inter_level)]
    held: dict[str, Any] = {"intra_level": request.intra_level, "inter_level": request.inter_level, "foreign": 0.0}
    return [solve(solve_p1a, m, talk, **held) for m in range(request.network.J)]


class _Solver:
    """Solves the paper's problems for one request within its time, and adds the time up."""

    def __init__(self, request: AlternationRequest) -> None:
        self._request = request
        self.spent_s = 0.0

    def __call__(
        self,
        problem: Callable[..., BlockLevelOptimum | None],
        *arguments: Any,
        instead: BlockLevelOptimum | None = None,
        **levels: Any,
    ) -> BlockLevelOptimum:
        """Solve one of `solve_p1a` to `solve_p2b`; without an answer return `instead`, or raise."""
        limit_s, request = self._request.time_limit_s, self._request
        left_s = None if limit_s is None else limit_s - self.spent_s
        found = None
        if left_s is None or left_s > 0.0:
            found = problem(request.network, *arguments, robustness=request.robustness, time_limit_s=left_s, **levels)
        self.spent_s += 0.0 if found is None else found.solve_time_s
        if found is None and instead is None:
            raise InaccurateError(f"{problem.__name__}: no answer at {levels}, or no time", design=None)
        return found or instead  # type: ignore[return-value]  # one of the two is there


def _p1b(
    request: AlternationRequest, solve: _Solver, station: int, best: BlockLevelOptimum, inter: float, foreign: float
) -> BlockLevelOptimum:
    return solve(
        solve_p1b,
        station,
        instead=best,
        least_information=best.information * (1.0 - _GIVEN_AWAY),
        min_sinr=best.sinr,
        inter_level=inter,
        greatest_levels=(request.intra_level, request.inter_level),
        foreign=foreign,
    )


def _goal(
    request: AlternationRequest,
    solve: _Solver,
    problem: Callable[..., BlockLevelOptimum | None],
    station: tuple[int, ...],
    levels: dict[str, Any],
) -> Goal:
    """At given targets f alone; else rho, with its normalisation from rho = 1 and rho = 0."""
    rho, targets = request.weight, request.min_sinr
    if rho is None or targets is not None:
        return Goal(min_sinr=None if targets is None else targets[station].ravel())
    sensing = solve(problem, *station, Goal(weight=1.0), **levels)
    talking = solve(problem, *station, Goal(weight=0.0), **levels)
    return Goal(None, rho, sensing.information, float(talking.sinr[0]))


def _turn(
    goals: list[Goal],
    best: list[BlockLevelOptimum],
    quiet: list[BlockLevelOptimum],
    levels: tuple[float, ...],
    spent_s: float,
) -> Turn:
    objective = [g.objective(a.information, float(a.sinr[0]), 1.0) for g, a in zip(goals, best, strict=True)]
    return Turn(
        covariances=tuple(b.covariances[0] for b in quiet),
        objective=np.array(objective, dtype=np.float64),
        sinr=np.concatenate([a.sinr for a in best]),
        levels=levels,
        status=quiet[-1].status,
        solve_time_s=spent_s,
    )
