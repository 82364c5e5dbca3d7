"""The joint form of (P3) at given SINR targets, and (P4): the relaxed bound of symbol-level precoding.

In (60a) the noise and the foreign signals are met by sqrt(sigma^2 + sum of a_n^2), convex in the amplitudes a_n that
each BS may let each foreign user hear: they are variables here, where (P3.A) has one level for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray
from precoding.network import Network, normalised
from precoding.reference.constructive import constructive_margin, heard_amplitude, psk, relaxed_samples
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import Goal, SymbolLevelOptimum
from precoding.reference.slp_comp import solve_p4
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import Transmitter, cooperates, power_limits, transmitters

__all__ = ["relaxed_symbol_level"]

cp: Any = cvxpy  # its type hints miss most of its names


def relaxed_symbol_level(
    network: Network,
    scheme: str,
    min_sinr: FloatArray,
    symbols: ArrayLike,
    order: int,
    foreign: FloatArray,
    time_limit_s: float | None = None,
) -> SymbolLevelOptimum | None:
    """Solve (P3) for all BSs at once without interference levels, or (P4), at given gamma.

        maximise    f
        subject to  effective information at every BS >= f                                (59a)
                    power of every BS <= P, R_s >= x_s x_s^H                              (59b), (59c)
                    constructive margin >= sin psi sqrt(gamma (sigma^2 + sum_n a_n^2))    (60a)
                    |h_n^T x_s| + delta |x_s| <= a_n, each foreign user of BS n           (66)

    Args:
        network: In any consistent units; its csi_radius is what is withstood, exactly.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr: (J, K) gamma, linear.
        symbols: (J K, L) PSK indices, user k of cell m in row m K + k.
        order: M.
        foreign: (J,) power of foreign reflections at each BS over its noise, per antenna; not used in CoMP.
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show.

    Raises:
        ArgumentError: An unknown scheme.

    """
    gamma = np.ravel(min_sinr)
    if cooperates(scheme, "slp-cbf", "slp-comp"):
        return solve_p4(network, Goal(gamma), symbols, order, time_limit_s=time_limit_s)
    natural, amplitude = normalised(network)
    d = psk(symbols, order)
    senders = [_Sender(t, *relaxed_samples(t, d.shape[1])) for t in transmitters(natural, cooperate=False)]
    unit, f = min(information_unit(natural, s.transmitter) for s in senders), cp.Variable()
    constraints: list[Any] = []
    for m, s in enumerate(senders):
        F = fisher_matrix(natural, s.transmitter, 0, s.R, float(foreign[m]), unit)
        constraints += [*s.relaxed, *power_limits(natural, s.transmitter, s.R), *information_at_least(F, f, alone=True)]
        constraints += _margin_constraints(s, [other for other in senders if other is not s], gamma, d, order)
    problem = cp.Problem(cp.Maximize(f), constraints)
    if not solved(problem, time_limit_s):
        return None
    return SymbolLevelOptimum(
        samples=tuple(amplitude * s.transmitter.T @ s.X.value for s in senders),
        covariances=tuple(amplitude**2 * s.transmitter.on_antennas([s.R])[0] for s in senders),
        information=float(f.value) * unit,
        sinr=gamma,
        inter_level=np.inf,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )


@dataclass(frozen=True, eq=False)
class _Sender:
    """What one BS sends: samples, the mean of their relaxed covariances, and the relation between the two."""

    transmitter: Transmitter
    X: Any
    R: Any
    relaxed: list[Any]


def _margin_constraints(
    s: _Sender, foreign: list[_Sender], gamma: FloatArray, d: ComplexArray, order: int
) -> list[Any]:
    constraints: list[Any] = []
    for user in s.transmitter.users:
        leakages = []
        for other in foreign:
            leakages.append(cp.Variable(nonneg=True))
            constraints.append(heard_amplitude(other.X, other.transmitter.links[user]) <= leakages[-1])
        heard = cp.norm(cp.hstack([1.0, *leakages]), 2)
        margin = constructive_margin(s.X, s.transmitter.links[user], d[user], order)
        constraints.append(margin >= np.sin(np.pi / order) * np.sqrt(gamma[user]) * heard)
    return constraints
