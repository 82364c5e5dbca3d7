"""Block-level design: solve, judge, and believe only what is proven; if it is not, ask the next solver."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.answer import Answer, Solver, Start
from precoding.blocklevel.cluster import clusters
from precoding.blocklevel.infeasible import refuse_if_infeasible
from precoding.blocklevel.on_weights import prove_with_more_streams, solve_on_weights
from precoding.blocklevel.task import Task
from precoding.certificate import Certificate, certify, foreign_reflections_of
from precoding.errors import InaccurateError
from precoding.network import Network, exactly_known, normalised
from precoding.result import Design
from precoding.witness import Witness, witnessed_information

__all__ = ["Request", "design_block_level", "design_with_enough_streams"]

_PASSES = 12
_TIGHTENED = 2  # times that more accuracy is asked for
_SETTLED = 0.1  # change of the largest RCRB from pass to pass, in tolerances
_CLOSE = {"none": 1.0, "paper": 1.0, "exact": 10.0}  # gap, in tolerances, beyond which another solver is asked
_CONES_TAKE_S = 0.1  # at least
_CANDIDATES = 3  # designs for which a better proof is looked for among all witnesses
# The solvers aim higher by a hair, so that what they round still keeps the promise to the last digit.
_HEADROOM_DB, _SHORTFALL_DB = 1e-5, 0.0
_STEP_DB = 3.0  # of one raise: a deep shortfall in the worst case says little about how much is missing
_MOST_RAISED_DB = 12.0  # targets raised further than this cost more than they save


@dataclass(frozen=True, eq=False)
class Request:
    """One design: as asked, and in natural units.

    Attributes:
        scheme: "blp-cbf" or "blp-comp".
        network: As asked.
        amplitude: Unit of the weights.
        task: What the solvers get.
        min_sinr_db: (J, K); -inf where a user is promised nothing.

    """

    scheme: str
    network: Network
    amplitude: float
    task: Task
    min_sinr_db: FloatArray

    @classmethod
    def of(
        cls,
        network: Network,
        scheme: str,
        min_sinr_db: FloatArray,
        *,
        robustness: str,
        sensing_streams: int = 0,
        tolerance: float = 1e-4,
    ) -> Request:
        """Normalise, and split into clusters."""
        held = exactly_known(network) if robustness == "none" else network
        unit, amplitude = normalised(held)
        groups = clusters(unit, cooperate=scheme == "blp-comp")
        task = Task(unit, groups, robustness, 10 ** (min_sinr_db / 10), sensing_streams, tolerance)
        return cls(scheme, network, amplitude, task, min_sinr_db)

    @property
    def close(self) -> float:
        """Gap that is left alone. The exact worst case costs its smoothing: ten times as much at high SINR."""
        return max(self.task.tolerance, min(_CLOSE[self.task.robustness] * self.task.tolerance, 1e-3))

    @property
    def cooperate(self) -> bool:
        """Whether it is CoMP."""
        return self.scheme == "blp-comp"


def design_with_enough_streams(
    request: Request, *, start: Design | None = None, time_limit_s: float | None = None
) -> Design:
    """Design as `design_block_level` does; where one stream a user is too few, with streams that only sense besides.

    With one user a cell the best covariance may have a rank that one stream cannot carry. Then no proof closes for it,
    and a few more streams close it in a fraction of the time that cones would take to show that they are missing.
    """
    began = time.perf_counter()
    try:
        return design_block_level(request, start=start, time_limit_s=time_limit_s, solvers=_QUICK)
    except InaccurateError as error:
        short = error
    task, few = request.task, _few(request)
    fits = len(task.clusters[0].users) + few <= task.network.block_length
    spent = time.perf_counter() - began
    left = None if time_limit_s is None else time_limit_s - spent
    if short.design is None or not fits or task.sensing_streams >= few or (left is not None and left <= 0.0):
        return design_block_level(request, start=start or short.design, time_limit_s=left)
    more = replace(request, task=replace(task, sensing_streams=few))
    try:
        design = design_block_level(more, time_limit_s=left, solvers=_QUICK)
    except InaccurateError:
        return design_block_level(request, start=short.design, time_limit_s=left)
    return replace(design, status=f"{design.status}, {few} streams that only sense")


def _few(request: Request) -> int:
    """Return how many streams that only sense were enough in 282 of 283 networks of one user a cell."""
    return request.network.J if request.cooperate else 1


def design_block_level(
    request: Request,
    *,
    start: Design | None = None,
    time_limit_s: float | None = None,
    solvers: tuple[tuple[Solver, int], ...] | None = None,
) -> Design:
    """Design for "blp-cbf" or "blp-comp"; see `precoding.design`.

    The weights themselves are optimised first. Where their certificate does not close, a proof with more streams is
    tried, and then the relaxation by cones. A proof holds for any weights, whoever found them.

    In the time given, what is feasible is improved as far as it goes; if nothing new is feasible by then, the earlier
    design may still be.

    Raises:
        InfeasibleError: Proven.
        InaccurateError: No certificate holds; carries the best that is feasible, with its gap.
    """
    began = time.perf_counter()
    found: list[_Found] = []
    first = None if start is None else _start_of(request, start)
    design: Design | None = None
    for solver, most_passes in solvers or _SOLVERS:
        left = None if time_limit_s is None else began + time_limit_s - time.perf_counter()
        # Cones know no mean over angles, and are not worth beginning in a hurry.
        least_s = _CONES_TAKE_S if solver is _by_cones else 0.0
        if (left is not None and left <= least_s) or (solver is _by_cones and np.any(request.network.angle_spread)):
            break
        found += _settled(request, solver, most_passes, first, left)
        design = _best(request, found)
        first = first if design is None else _start_of(request, design)
        if design is not None and design.certificate.gap <= request.close:
            return design
        in_time = time_limit_s is None or time.perf_counter() - began < time_limit_s
        if design is None and solver is solve_on_weights and in_time:
            refuse_if_infeasible(request)
    if design is None and start is not None:
        design = _unchanged(request, start, found)
    design = design or (found[-1].design if found else None)
    if design is None or not design.certificate.holds():
        raise _inaccurate(request, design)
    return design


@dataclass(frozen=True, eq=False)
class _Found:
    design: Design
    witness: Witness | None


def _best(request: Request, found: list[_Found]) -> Design | None:
    """Return the feasible design of least RCRB, with the tightest of all proofs; a proven one before any other.

    In CBF an early pass can be better by a little than what the BSs settle on, but nothing proves it.
    """
    within = [f.design for f in found if f.design.certificate.is_feasible()]
    feasible = [d for d in within if d.certificate.is_feasible(0.0)] or within
    proven = [d for d in feasible if d.certificate.gap <= request.close]
    if proven:
        return min(proven, key=_merit)
    tightened = [_tightened(request, d, found) for d in sorted(feasible, key=_merit)[:_CANDIDATES]]
    proven = [d for d in tightened if d.certificate.gap <= request.close]
    return min(proven or tightened, key=_merit, default=None)


def _unchanged(request: Request, start: Design, found: list[_Found]) -> Design | None:
    """Return the earlier design as it is, if it still keeps its promises."""
    earlier = _start_of(request, start)
    if earlier is None:
        return None
    same = Answer(earlier.weights, None, 0.0, "the earlier design, unchanged", 0.0, earlier.memory)
    design = _judged(request, same, None)
    if not design.certificate.is_feasible():
        return None
    return _tightened(request, design, found) if found else design


def _tightened(request: Request, design: Design, found: list[_Found]) -> Design:
    """The same weights with the tightest of all proofs; if the cones found it, the status says so."""
    weights = np.asarray(design.weights, dtype=np.complex128)
    bounds = [_bound(request, weights, f.witness) for f in found]
    best = int(np.argmin(bounds))
    certificate = _certified(request, weights, bounds[best], design.certificate.rank_loss)
    borrowed = found[best].design.status.startswith("cones") and not design.status.startswith("cones")
    return replace(design, certificate=certificate, status=design.status + ("; proof by cones" if borrowed else ""))


def _by_cones(task: Task, foreign: FloatArray, start: Start | None, time_limit_s: float | None) -> list[Answer]:
    from precoding.blocklevel.by_cones import solve_by_cones

    return solve_by_cones(task, foreign, start, time_limit_s)


# Whoever only proves, and the cones at first, get the one pass that a proof of the best weights so far needs.
_SOLVERS: tuple[tuple[Solver, int], ...] = (
    (solve_on_weights, _PASSES),
    (prove_with_more_streams, 1),
    (_by_cones, 1),
    (_by_cones, _PASSES),
)
_QUICK = _SOLVERS[:2]


def _start_of(request: Request, design: Design) -> Start | None:
    """Weights and memory of a design, in natural units; None if they have another shape."""
    streams = len(request.task.clusters[0].users) + request.task.sensing_streams
    if design.weights is None or design.weights.shape[2] != streams:
        return None
    return Start(design.weights / request.amplitude, design.memory)


def _settled(
    request: Request, solver: Solver, most_passes: int, start: Start | None, time_limit_s: float | None
) -> list[_Found]:
    """Pass until the foreign reflections are those of the answer itself, and the gap is as small as asked.

    Targets that rounding has missed are raised; a solver whose gap stays open is asked for more accuracy.
    """
    task, network, raised_db = request.task, request.task.network, np.full(request.min_sinr_db.shape, _HEADROOM_DB)
    alone, tightened = len(task.clusters) > 1, 0
    foreign = np.zeros(network.J) if start is None or not alone else _reflected(network, start.weights)
    passes: list[_Found] = []
    for turn in range(most_passes):
        spent = passes[-1].design.solve_time_s if passes else 0.0
        left = None if time_limit_s is None else time_limit_s - spent
        if left is not None and left <= 0.0:
            break
        answers = solver(replace(task, min_sinr=task.min_sinr * 10 ** (raised_db / 10)), foreign, start, left)
        if not answers:
            break
        previous = passes[-1].design if passes else None
        judged = [_Found(_judged(request, a, previous), a.witness) for a in answers]
        passes.append(min(judged, key=lambda f: _merit(f.design) if turn < _PASSES // 2 else _shortfall(f.design)))
        design = passes[-1].design
        start = _start_of(request, design)
        missing = request.min_sinr_db - design.certificate.promised_sinr_db  # -inf where nothing was promised
        if missing.max() <= _SHORTFALL_DB:
            # The gap is for the foreign reflections of this very design: once it is closed, nothing is left to settle.
            if design.certificate.gap <= request.task.tolerance:
                break
            if not alone or _same(request, previous, design):
                if tightened == _TIGHTENED or answers[0].memory is None:
                    break
                tightened += 1
                task = replace(task, tolerance=task.tolerance / 4.0)
        caused = _reflected(network, start.weights) if alone and start is not None else foreign
        # Two BSs can answer each other in turns for ever; half a step from the third pass on ends that.
        foreign = caused if turn < 2 else (foreign + caused) / 2
        raised_db += np.where(missing > _SHORTFALL_DB, np.minimum(1.5 * missing, _STEP_DB), 0.0)
        if raised_db.max() > _MOST_RAISED_DB:
            break
    return passes


def _judged(request: Request, answer: Answer, previous: Design | None) -> Design:
    """Certify an answer against a bound for the very foreign reflections that it makes."""
    weights = _within_power(answer.weights, request.task.network) * request.amplitude
    information = _bound(request, weights, answer.witness)
    certificate = _certified(request, weights, information, answer.rank_loss)
    return Design(
        scheme=request.scheme,
        min_sinr_db=request.min_sinr_db,
        weights=weights,
        certificate=certificate,
        status=answer.status,
        solve_time_s=answer.solve_time_s + (previous.solve_time_s if previous else 0.0),
        history=(*(previous.history if previous else ()), float(certificate.rcrb_rad.max())),
        memory=answer.memory,
    )


def _certified(request: Request, weights: ComplexArray, information: float, rank_loss: float) -> Certificate:
    return certify(
        request.network,
        weights,
        min_sinr_db=request.min_sinr_db,
        bound_information=information,
        rank_loss=rank_loss,
        robustness=request.task.robustness,
        cooperate=request.cooperate,
    )


def _bound(request: Request, weights: ComplexArray, witness: Witness | None) -> float:
    if witness is None:
        return np.inf
    if not request.cooperate:
        witness = replace(witness, foreign=_reflected(request.task.network, weights / request.amplitude))
    return witnessed_information(request.task.network, request.task.min_sinr, witness)


def _reflected(network: Network, weights: ComplexArray) -> FloatArray:
    return foreign_reflections_of(network, weights)


def _within_power(weights: ComplexArray, network: Network) -> ComplexArray:
    """Take back what the solver's tolerance let a BS or an antenna exceed its limit by."""
    antenna = np.sum(np.abs(weights) ** 2, axis=2)
    tiny = np.finfo(np.float64).tiny
    share = np.minimum(1.0, network.power / np.maximum(antenna.sum(axis=1), tiny))
    if network.antenna_power is not None:
        share = np.minimum(share, np.min(network.antenna_power / np.maximum(antenna, tiny), axis=1))
    scale: FloatArray = np.sqrt(share)
    return weights * scale[:, None, None]


def _merit(design: Design) -> float:
    return float(design.certificate.rcrb_rad.max())


def _shortfall(design: Design) -> float:
    return design.certificate.shortfall_db


def _same(request: Request, previous: Design | None, design: Design) -> bool:
    """Whether the passes have settled; only the largest RCRB counts, since a BS with slack may wander."""
    if previous is None:
        return False
    before, now = previous.history[-1], design.history[-1]
    return abs(now - before) <= _SETTLED * request.task.tolerance * before


def _inaccurate(request: Request, design: Design | None) -> InaccurateError:
    if design is None:
        return InaccurateError(f"{request.scheme}: no answer in the time given; allow more", design=None)
    c = design.certificate
    hint = f"; with fewer streams than the targets can use, try sensing_streams={_few(request)}"
    hint = hint if c.is_feasible() and not request.task.sensing_streams else ""
    return InaccurateError(
        f"{design.scheme}: the certificate does not hold after {len(design.history)} passes: promised SINR "
        f"{c.shortfall_db:+.2g} dB below target, RCRB {c.gap:.2g} above its bound, rank loss {c.rank_loss:.2g}, solver "
        f"says {design.status!r}; the design is attached to this error{hint}",
        design=design,
    )
