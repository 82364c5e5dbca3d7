"""Block-level design: relax, recover one direction a stream, judge; again until the answer stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.certificate import Certificate, certify, foreign_reflections
from precoding.cluster import Cluster, clusters
from precoding.errors import InaccurateError, InfeasibleError
from precoding.network import Network, normalised
from precoding.relaxation import Relaxation, rank_one_weights
from precoding.result import Design

if TYPE_CHECKING:
    from precoding.feasibility import NoiseMargin

__all__ = ["design_block_level"]

_PASSES = 12
_SETTLED = 1e-4  # relative change of the largest RCRB from pass to pass
_SHORTFALL_DB = 1e-4  # a tenth of what a certificate allows
_ROUNDED_DB = 0.05  # a shortfall beyond this is not rounding: the relaxation's rank is above one
_STEP_DB = 3.0  # of one raise: a deep shortfall in the worst case says little about how much is missing
_MOST_RAISED_DB = 12.0  # targets raised further than this cost more than they save


@dataclass(frozen=True, eq=False)
class _Request:
    """One design: `network` as asked, `unit` in natural units; both with the CSI balls that must be held."""

    scheme: str
    network: Network
    unit: Network
    amplitude: float
    clusters: tuple[Cluster, ...]
    robust: bool
    min_sinr_db: FloatArray


def design_block_level(
    network: Network, scheme: str, min_sinr_db: FloatArray, *, robust: bool, time_limit_s: float | None
) -> Design:
    """Design for "blp-cbf" or "blp-comp"; see `precoding.design`.

    In CBF the covariance of the foreign reflections couples the BSs: each pass takes it from the weights of the last.
    Targets that rounding has missed are raised by what is missing, and solved again.
    """
    held = network if robust else replace(network, csi_radius=np.zeros_like(network.csi_radius))
    unit, amplitude = normalised(held)
    groups = clusters(unit, cooperate=scheme == "blp-comp")
    request = _Request(scheme, held, unit, amplitude, groups, robust, min_sinr_db)
    passes = _passes(request, time_limit_s)
    if not passes:
        raise _explained(request)
    standing = [one for one in passes if one.certificate.is_feasible()]
    design = passes[-1] if not standing else standing[-1]
    if not design.certificate.holds():
        raise _inaccurate(design)
    return design


def _passes(request: _Request, time_limit_s: float | None) -> list[Design]:
    """Return every pass's design, settled or not: whether one stands is for its certificate to say."""
    from precoding.sensing import SensingProblem

    problem = SensingProblem(request.unit, request.clusters, robust=request.robust)
    aim_db, foreign, bound = request.min_sinr_db, np.zeros(request.network.J), np.inf
    passes: list[Design] = []
    for _ in range(_PASSES):
        spent = passes[-1].solve_time_s if passes else 0.0
        if time_limit_s is not None and spent >= time_limit_s:
            return passes
        left = None if time_limit_s is None else time_limit_s - spent
        relaxation = problem.solve(10 ** (aim_db / 10), foreign, left)
        if relaxation is None:
            return passes
        if np.max(aim_db - request.min_sinr_db) <= _ROUNDED_DB:  # a bound of the problem that was asked
            bound = relaxation.information
        previous = passes[-1] if passes else None
        design = _judged(request, relaxation, bound, previous, patient=len(passes) < _PASSES // 2)
        passes.append(design)
        missing = design.certificate.min_sinr_db - design.certificate.worst_sinr_db
        caused = foreign_reflections(request.unit, design.weights / request.amplitude)
        # Two BSs can answer each other in turns for ever; half a step from the third pass on ends that.
        foreign = caused if len(design.history) < 3 else (foreign + caused) / 2
        if missing.max() <= _SHORTFALL_DB and (len(request.clusters) == 1 or _same(previous, design)):
            return passes
        aim_db = aim_db + np.where(missing > _SHORTFALL_DB, np.minimum(1.5 * missing, _STEP_DB), 0.0)
        if np.max(aim_db - request.min_sinr_db) > _MOST_RAISED_DB:
            return passes
    return passes


def _judged(
    request: _Request, relaxation: Relaxation, bound: float, previous: Design | None, *, patient: bool
) -> Design:
    """Certify every recovery of rank one; keep the one of least RCRB if patient, else the one of least shortfall."""
    recoveries = list(_recoveries(request, relaxation, bound))
    weights, certificate = min(
        recoveries, key=lambda pair: float(pair[1].rcrb_rad.max()) if patient else pair[1].shortfall_db
    )
    return Design(
        scheme=request.scheme,
        min_sinr_db=request.min_sinr_db,
        weights=weights,
        certificate=certificate,
        status=relaxation.status,
        solve_time_s=relaxation.solve_time_s + (previous.solve_time_s if previous else 0.0),
        history=(*(previous.history if previous else ()), float(certificate.rcrb_rad.max())),
    )


def _recoveries(request: _Request, relaxation: Relaxation, bound: float) -> Iterator[tuple[ComplexArray, Certificate]]:
    for recovered, rank_loss in rank_one_weights(relaxation, _own_channels(request), request.network.n_tx):
        weights = _within_power(recovered, request.unit.power) * request.amplitude
        yield (
            weights,
            certify(
                request.network,
                weights,
                min_sinr_db=request.min_sinr_db,
                bound_information=bound,
                rank_loss=rank_loss,
            ),
        )


def _own_channels(request: _Request) -> tuple[ComplexArray, ...]:
    """For each cluster, the channels of its users from its stations, (streams, n), in the order of its streams."""
    J, K, n_tx = request.network.J, request.network.K, request.network.n_tx
    to_user = request.network.channels.reshape(J, J * K, n_tx)
    return tuple(
        to_user[list(c.stations)][:, list(c.users)].transpose(1, 0, 2).reshape(len(c.users), -1)
        for c in request.clusters
    )


def _within_power(weights: ComplexArray, limit: FloatArray) -> ComplexArray:
    """Take back what the solver's tolerance let a BS exceed its limit by."""
    power = np.sum(np.abs(weights) ** 2, axis=(1, 2))
    scale: FloatArray = np.sqrt(np.minimum(1.0, limit / np.maximum(power, np.finfo(np.float64).tiny)))
    return weights * scale[:, None, None]


def _same(previous: Design | None, design: Design) -> bool:
    """Whether the passes have settled; only the largest RCRB counts, since a BS with slack may wander."""
    if previous is None:
        return False
    before, now = previous.history[-1], design.history[-1]
    return abs(now - before) <= _SETTLED * before


def _explained(request: _Request) -> InfeasibleError | InaccurateError:
    """Why there is no design: asked of a problem that always has an answer."""
    from precoding.feasibility import MarginProblem, largest_common_sinr

    problem = MarginProblem(request.unit, request.clusters, robust=request.robust)
    margin = problem.solve(10 ** (request.min_sinr_db / 10))
    if margin is None:
        return InaccurateError(f"{request.scheme}: the solver failed and gave no reason", design=None)
    if margin.db >= 0.0:
        return InaccurateError(
            f"{request.scheme}: the solver failed although the targets leave {margin.db:.3g} dB; "
            "lower min_sinr_db a little or allow more time",
            design=None,
        )
    try:
        largest_db, _ = largest_common_sinr(problem, request.min_sinr_db.shape)
    except ArithmeticError as error:
        return InaccurateError(f"{request.scheme}: the targets are infeasible, but {error}", design=None)
    return _infeasible(request, margin, largest_db)


def _infeasible(request: _Request, margin: NoiseMargin, largest_db: float) -> InfeasibleError:
    m, k = (int(i) for i in np.unravel_index(margin.user_shares.argmax(), margin.user_shares.shape))
    n = int(margin.station_shares.argmax())
    beyond = f"{-margin.db:.2f} dB beyond the power limits" if margin.db > -30 else "out of reach at any power"
    return InfeasibleError(
        f"{request.scheme}: the SINR targets are {beyond}. User {k} of cell {m} "
        f"limits (target {request.min_sinr_db[m, k]:.2f} dB, {margin.user_shares[m, k]:.0%} of the noise price), at BS "
        f"{n}'s power limit of {request.network.power[n]:g} ({margin.station_shares[n]:.0%} of the power price). All "
        f"users together can have {largest_db:.2f} dB: lower min_sinr_db, sound longer, or drop that user",
        user=(m, k),
        station=n,
        max_sinr_db=largest_db,
    )


def _inaccurate(design: Design) -> InaccurateError:
    c = design.certificate
    return InaccurateError(
        f"{design.scheme}: the certificate does not hold after {len(design.history)} passes: worst-case SINR "
        f"{c.shortfall_db:+.2g} dB below target, RCRB {c.gap:.2g} above its bound, rank loss {c.rank_loss:.2g}, solver "
        f"says {design.status!r}; the design is attached to this error",
        design=design,
    )
