"""The method "alternating": Algorithm 1 of the paper as printed, judged by what its weights really do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, float_array, whole_number
from precoding.blocklevel.relaxation import Relaxation, rank_one_weights
from precoding.certificate import Certificate, certify
from precoding.errors import ArgumentError, InaccurateError, InfeasibleError
from precoding.network import Network
from precoding.result import Design

if TYPE_CHECKING:
    from precoding.reference.algorithm_1 import AlternationRequest, Turn
    from precoding.reference.optimum import BlockLevelOptimum

__all__ = ["design_alternating"]

_SETTLED = 1e-3  # relative change of the paper's objective from turn to turn: the solver itself wanders by some 1e-4
_LEAST_SINR = 1e-10  # what a free gamma without reward is reported as
_SCHEMES = ("blp-cbf", "blp-comp")
_ROBUSTNESS = ("none", "paper", "exact")


def design_alternating(
    network: Network,
    scheme: str,
    *,
    min_sinr_db: ArrayLike | None = None,
    weight: float | None = None,
    robustness: str = "paper",
    intra_level: float = 10.0,
    inter_level: float = 10.0,
    max_iterations: int = 20,
    time_limit_s: float | None = None,
) -> Design:
    """Design block-level precoders by Algorithm 1.

    The foreign reflections of the first turn are those of even beams: the mean of the paper's random start.

    Args:
        network: What to design for, in any consistent units.
        scheme: "blp-cbf" or "blp-comp".
        min_sinr_db: Target in dB, one for all or (J, K), -inf for users that are promised nothing; or `weight`.
        weight: rho of the paper, 0 (communication) to 1 (sensing), with gamma free; NF_R and NF_C are the optima of
            rho = 1 and rho = 0 at the starting levels.
        robustness: "none"; "paper", Prop. 3, whose worst case may miss the target; or "exact", (44)-(46) and (52)-(53)
            each for every channel in its ball: safe, but with a worst channel for each constraint, so not tight.
        intra_level: Starting level of the interference within a cell, in units of the users' noise; the paper has 10.
            Not used in CoMP.
        inter_level: Starting level of the interference from other cells (CBF), or of all of it (CoMP); same units.
        max_iterations: Turns at most.
        time_limit_s: Of the solver, over all turns; the last turn that was completed by then counts.

    Returns:
        The design of the last turn that the solver could finish, without a proven bound; `history` holds the largest
        RCRB of the real weights after each turn. The certificate may show a shortfall of the worst-case SINR: that is
        what the method gives. With `weight` the targets in it are the gamma that the method ended with.

    Raises:
        ArgumentError: An unknown name, a wrong shape or size; or a symbol-level scheme, for which the paper's method
            returns no waveform.
        InfeasibleError: The targets cannot be met at the starting levels.
        InaccurateError: The solver failed, or had no time, before the first turn was completed.

    """
    request = _request(network, scheme, min_sinr_db, weight, robustness, (intra_level, inter_level), time_limit_s)
    design = None
    for turn in islice(_turns(request, scheme), whole_number("max_iterations", max_iterations, least=1)):
        design = _judged(request, scheme, turn, design)
    if design is None:
        raise _explained(request, scheme)
    return design


def _turns(request: AlternationRequest, scheme: str) -> Iterator[Turn]:
    """Turns until the paper's objective settles, or until the solver has no answer or no time."""
    from precoding.reference.algorithm_1 import cbf_turns, comp_turns

    before = np.array([np.inf])
    try:
        for turn in comp_turns(request) if scheme == "blp-comp" else cbf_turns(request):
            yield turn
            if np.all(np.abs(turn.objective - before) <= _SETTLED * turn.objective):
                return
            before = turn.objective
    except InaccurateError:
        return


def _request(
    network: Network,
    scheme: str,
    min_sinr_db: ArrayLike | None,
    weight: float | None,
    robustness: str,
    levels: tuple[float, float],
    time_limit_s: float | None,
) -> AlternationRequest:
    from precoding.reference.algorithm_1 import AlternationRequest

    if scheme in ("slp-cbf", "slp-comp"):
        raise ArgumentError(
            f'method: "alternating" is not for {scheme}: the relaxed (P3), (P4) carry little of their power as '
            'symbols and give no waveform; choose "joint"'
        )
    for name, value, known in (("scheme", scheme, _SCHEMES), ("robustness", robustness, _ROBUSTNESS)):
        if value not in known:
            raise ArgumentError(f"{name}: {value!r} is unknown; choose one of {', '.join(known)}")
    if (min_sinr_db is None) == (weight is None):
        raise ArgumentError("min_sinr_db, weight: give exactly one of them")
    if weight is not None and not 0.0 <= weight <= 1.0:
        raise ArgumentError(f"weight: {weight}, must be from 0 to 1")
    streams = network.K if scheme == "blp-cbf" else network.J * network.K
    if network.block_length < streams:
        raise ArgumentError(
            f"network.block_length: {network.block_length} symbols cannot hold {streams} orthogonal streams of {scheme}"
        )
    for name, level in zip(("intra_level", "inter_level"), levels, strict=True):
        float_array(name, level, (), above=0.0)
    if time_limit_s is not None and not time_limit_s > 0.0:
        raise ArgumentError(f"time_limit_s: {time_limit_s}, must be positive or None")
    targets = None if min_sinr_db is None else _linear(network, min_sinr_db)
    return AlternationRequest(network, targets, weight, robustness, levels[0], levels[1], time_limit_s)


def _linear(network: Network, min_sinr_db: ArrayLike) -> FloatArray:
    """Targets as power ratios, (J, K); 0 for -inf."""
    given = np.asarray(min_sinr_db, dtype=np.float64)
    nothing = np.isneginf(given)
    targets = 10 ** (float_array("min_sinr_db", np.where(nothing, 0.0, given), (network.J, network.K)) / 10)
    return np.where(nothing, 0.0, targets)


def _judged(request: AlternationRequest, scheme: str, turn: Turn, previous: Design | None) -> Design:
    """Recover one direction per stream, in the better way of two, and certify the real weights."""
    network, cooperate = request.network, scheme == "blp-comp"
    gamma = np.maximum(turn.sinr, _LEAST_SINR) if request.min_sinr is None else request.min_sinr
    targets_db = _db(gamma).reshape(network.J, network.K)
    relaxation = Relaxation(turn.covariances, float(turn.objective.min()), turn.status, turn.solve_time_s)
    judged: list[tuple[ComplexArray, Certificate]] = []
    rank_loss = _outside_strongest(relaxation)
    for recovered in rank_one_weights(relaxation, _own_channels(network, cooperate=cooperate), network.n_tx):
        weights = _within_power(network, recovered)
        certificate = certify(
            network,
            weights,
            min_sinr_db=targets_db,
            bound_information=np.inf,
            rank_loss=rank_loss,
            robustness=request.robustness,
            attainable=False,
            cooperate=cooperate,
        )
        judged.append((weights, certificate))
    feasible = [one for one in judged if one[1].is_feasible()]
    weights, certificate = (
        min(feasible, key=lambda one: float(one[1].rcrb_rad.max()))
        if feasible
        else min(judged, key=lambda one: one[1].shortfall_db)
    )
    return Design(
        scheme=scheme,
        min_sinr_db=targets_db,
        certificate=certificate,
        status=turn.status,
        solve_time_s=turn.solve_time_s,
        history=(*(previous.history if previous else ()), float(certificate.rcrb_rad.max())),
        weights=weights,
        weight=request.weight,
    )


def _own_channels(network: Network, *, cooperate: bool) -> tuple[ComplexArray, ...]:
    """For each transmitter the channels to the users of its streams, complex (streams, n)."""
    J, K, n_tx = network.J, network.K, network.n_tx
    if cooperate:
        return (network.channels.transpose(1, 2, 0, 3).reshape(J * K, J * n_tx),)
    return tuple(network.channels[m, m] for m in range(J))


def _within_power(network: Network, weights: ComplexArray) -> ComplexArray:
    """Take back what the solver's tolerance let a BS or an antenna exceed its limit by."""
    antennas = np.sum(np.abs(weights) ** 2, axis=2)
    excess = np.maximum(antennas.sum(axis=1) / network.power, 1.0)
    if network.antenna_power is not None:
        excess = np.maximum(excess, np.max(antennas / network.antenna_power, axis=1))
    within: ComplexArray = weights / np.sqrt(excess)[:, None, None]
    return within


def _db(ratio: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):  # a user that is promised nothing has -inf
        return np.asarray(10.0 * np.log10(ratio))


def _explained(request: AlternationRequest, scheme: str) -> InfeasibleError | InaccurateError:
    """Why there is no first turn: told by the largest common SINR at the starting levels."""
    from precoding.reference.algorithm_1 import largest_sinr_at_start

    failed = InaccurateError(f"{scheme}: the solver found no first turn; allow more time", design=None)
    if request.min_sinr is None:
        return failed
    try:
        largest = largest_sinr_at_start(request, cooperate=scheme == "blp-comp")
    except InaccurateError:
        return failed
    offered_db = _db(np.array([a.sinr[0] for a in largest]))
    asked_db = _db(request.min_sinr.reshape(len(largest), -1).max(axis=1))
    group = int(np.argmax(asked_db - offered_db))
    if asked_db[group] <= offered_db[group]:
        return failed
    return _infeasible(request, scheme, largest[group], group, float(offered_db.min()))


def _infeasible(
    request: AlternationRequest, scheme: str, largest: BlockLevelOptimum, group: int, largest_db: float
) -> InfeasibleError:
    K, n_tx = request.network.K, request.network.n_tx
    m, k = divmod(group * K + int(largest.user_prices.argmax()), K)
    powers = np.diagonal(largest.covariances[0].sum(axis=0)).real.reshape(-1, n_tx).sum(axis=1)
    station = group if len(powers) == 1 else int(np.argmax(powers / request.network.power))
    return InfeasibleError(
        f"{scheme}: starting levels of {request.intra_level:g} and {request.inter_level:g} times the noise leave all "
        f"users together {largest_db:.2f} dB; user {k} of cell {m} limits, at BS {station}. Start from others, lower "
        'min_sinr_db, or choose method "joint", which has no levels',
        user=(m, k),
        station=station,
        max_sinr_db=largest_db,
    )


def _outside_strongest(relaxation: Relaxation) -> float:
    """Largest part of a stream's power outside its strongest direction."""
    loss = 0.0
    for covariances in relaxation.covariances:
        values = np.maximum(np.linalg.eigvalsh(covariances), 0.0)
        loss = max(loss, float(np.max(1.0 - values[:, -1] / np.maximum(values.sum(axis=1), 1e-300))))
    return loss
