"""Symbol-level coordinated multipoint, paper (P4): all base stations are one array, and no interference is foreign."""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np
from numpy.typing import ArrayLike

from precoding.network import Network, normalised
from precoding.reference.constructive import constructive_margin, psk, relaxed_samples
from precoding.reference.fisher_cone import fisher_matrix, information_at_least, information_unit
from precoding.reference.optimum import Goal, SymbolLevelOptimum, value_of
from precoding.reference.solving import seconds, solved
from precoding.reference.transmitter import power_limits, transmitters

__all__ = ["solve_p4"]

cp: Any = cvxpy  # its type hints miss most of its names


def solve_p4(
    network: Network, goal: Goal, symbols: ArrayLike, order: int, *, time_limit_s: float | None = None
) -> SymbolLevelOptimum | None:
    """(P4): what no symbol-level precoder of all BSs together can exceed.

        maximise    rho f / NF_R + (1 - rho) gamma' / NF_C,   gamma' = sqrt(gamma)
        subject to  effective information at every BS >= f                                (73a), (73b)
                    R_s >= x_s x_s^H                                                      (73c)
                    power of every BS <= P                                                (73d)
                    constructive margin >= sin psi gamma' sigma                           (71), (72)

    In (71), (72) delta is sqrt(J) delta: the error of the stacked channel, eq. (3).

    Args:
        network: In any consistent units; its csi_radius is what is withstood.
        goal: The objective; its min_sinr is (J K,), its sinr_scale one of gamma'.
        symbols: (J K, L) PSK indices, user k of cell m in row m K + k.
        order: M.
        time_limit_s: Of the solver.

    Returns:
        The optimum; None if the solver has no point to show.

    """
    natural, amplitude = normalised(network)
    (cell,), d = transmitters(natural, cooperate=True), psk(symbols, order)
    given = None if goal.min_sinr is None else Goal(np.sqrt(goal.min_sinr))
    root, rewarded = (given or goal).levels(len(d))
    X, R, constraints = relaxed_samples(cell, d.shape[1])
    unit, f = information_unit(natural, cell), cp.Variable(nonneg=True)
    constraints += power_limits(natural, cell, R)
    for own in cell.stations:
        F = fisher_matrix(natural, cell, own, R, 0.0, unit)
        constraints += information_at_least(F, f, alone=natural.J == 1)
    for user, link in enumerate(cell.links):
        constraints.append(constructive_margin(X, link, d[user], order) >= np.sin(np.pi / order) * root[user])
    problem = cp.Problem(cp.Maximize((given or goal).objective(f, rewarded, unit)), constraints)
    if not solved(problem, time_limit_s):
        return None
    return SymbolLevelOptimum(
        samples=(amplitude * cell.T @ X.value,),
        covariances=(amplitude**2 * cell.on_antennas([R])[0],),
        information=float(f.value) * unit,
        sinr=np.asarray(value_of(root), dtype=np.float64) ** 2,
        inter_level=0.0,
        status=str(problem.status),
        solve_time_s=seconds(problem),
    )
