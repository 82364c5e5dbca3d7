"""The joint form of (P1) and (P2) at given SINR targets: every user's interference is a variable of its own.

Algorithm 1 forces one interference level on all users and improves it in turns. At fixed gamma that is not needed: the
SINR constraints (30b), (49c) are convex in the covariances as they stand. Only C of (9) couples the base stations of
CBF beyond that; here it is that of given foreign reflections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import FloatArray
from precoding.network import Network, normalised
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import BlockLevelOptimum
from precoding.reference.robust import form_at_least, heard, heard_at_most, is_exact, largest_heard
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import Transmitter, cooperates, power_limits, transmitters

__all__ = ["joint_block_level"]

cp: Any = cvxpy  # its type hints miss most of its names


def joint_block_level(
    network: Network,
    scheme: str,
    min_sinr: FloatArray,
    robustness: str,
    foreign: FloatArray,
    sensing_streams: int = 0,
    time_limit_s: float | None = None,
) -> BlockLevelOptimum | None:
    """Solve (P1) for all BSs at once, or (P2), without interference levels.

        maximise    f
        subject to  effective information at every BS >= f                                (30a), (49a), (49b)
                    SINR of every user >= its gamma, on its channels                      (30b), (49c)
                    power of every BS <= P, W_k >= 0 (rank left free)                     (30c), (49d)

    Args:
        network: In any consistent units.
        scheme: "blp-cbf" or "blp-comp".
        min_sinr: (J, K) gamma, linear.
        robustness: "none" (the estimated channels), "paper" (Prop. 3) or "exact" (all channels, by the S-procedure).
        foreign: (J,) power of foreign reflections at each BS over its noise, per antenna; not used in CoMP.
        sensing_streams: If not 0, each transmitter has one covariance more, of any rank, that carries no symbols.
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show (infeasible, or out of time).

    Raises:
        ArgumentError: An unknown scheme or robustness.

    """
    natural, amplitude = normalised(network)
    cooperate = cooperates(scheme, "blp-cbf", "blp-comp")
    senders = [_Sender(t, *t.streams(sensing_streams)) for t in transmitters(natural, cooperate=cooperate)]
    unit, f = min(information_unit(natural, s.transmitter) for s in senders), cp.Variable()
    gamma, noise = np.ravel(min_sinr), cp.Variable(natural.J * natural.K)
    borne = noise >= 1.0  # the noise that each user can bear
    constraints = [borne]
    for s in senders:
        constraints += [*power_limits(natural, s.transmitter, s.R), *(W >> 0 for W in s.streams)]
        for own, m in enumerate(s.transmitter.stations):
            F = fisher_matrix(natural, s.transmitter, own, s.R, 0.0 if cooperate else float(foreign[m]), unit)
            constraints += information_at_least(F, f, alone=len(s.transmitter.stations) == 1)
        constraints += _sinr_constraints(s, [other for other in senders if other is not s], gamma, noise, robustness)
    problem = cp.Problem(cp.Maximize(f), constraints)
    if not solved(problem, time_limit_s):
        return None
    return BlockLevelOptimum(
        covariances=tuple(amplitude**2 * s.transmitter.on_antennas(s.streams) for s in senders),
        information=float(f.value) * unit,
        sinr=gamma,
        user_prices=np.abs(borne.dual_value),
        intra_level=np.inf,
        inter_level=np.inf,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )


@dataclass(frozen=True, eq=False)
class _Sender:
    """The covariances that one transmitter sends: of its users' streams, then of what only senses; and their sum."""

    transmitter: Transmitter
    streams: list[Any]
    R: Any


def _sinr_constraints(s: _Sender, foreign: list[_Sender], gamma: FloatArray, noise: Any, robustness: str) -> list[Any]:
    """SINR >= gamma for the users of one transmitter: signal / gamma >= own interference + foreign leakage + noise.

    The channels from different BSs err in balls of their own: each leakage has its own worst case.
    """
    constraints: list[Any] = []
    for k, user in enumerate(s.transmitter.users):
        link, W, others = s.transmitter.links[user], s.streams[k], s.streams[:k] + s.streams[k + 1 :]
        borne = noise[user]
        for other in foreign:
            leakage = cp.Variable()
            borne = borne + leakage
            constraints += heard_at_most(other.streams, other.transmitter.links[user], leakage, robustness)
        share = gamma[user] / (1.0 + gamma[user])  # of the signal in all that is received: no number gets large
        if robustness == "paper":
            interference = sum(largest_heard(V, link) for V in others)
            constraints.append((1.0 - share) * heard(W, link) >= share * (interference + borne))
        else:
            constraints += form_at_least(W - share * s.R, link, share * borne, exact=is_exact(robustness))
    return constraints
