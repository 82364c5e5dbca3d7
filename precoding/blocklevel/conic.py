"""The joint block-level problem handed to Clarabel without a modelling layer, as its dual.

    maximise    min_m f_m + eps mean_m f_m / ease_m
    subject to  SINR targets, power limits

f_m is the effective Fisher information at BS m. The mean, of weight eps, gives a BS with slack one best answer instead
of many; ease_m measures each BS by what it gets of evenly spread power, so that one with much cannot bend the rest.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.conic_cones import ConeProgramme
from precoding.blocklevel.conic_exchange import priced_optimum
from precoding.blocklevel.conic_prices import Prices
from precoding.blocklevel.conic_sensing import SensingData, sensing_data
from precoding.blocklevel.conic_witness import witness_of
from precoding.blocklevel.relaxation import Relaxation
from precoding.blocklevel.task import Task

__all__ = ["solve_conic"]

_MEAN_WEIGHT = 1e-5  # costs the smallest information up to this part for each multiple that another BS has


def solve_conic(task: Task, foreign: FloatArray, time_limit_s: float | None) -> Relaxation | None:
    """Solve the joint problem at fixed targets and fixed foreign reflections.

    Args:
        task: The problem; its network in natural units.
        foreign: (J,) power over noise of the foreign reflections at each BS; 0 in CoMP.
        time_limit_s: For the solver, or None.

    Returns:
        The relaxed optimum with its witness, whose bound is the optimum itself where the solver ended well; None if it
        found the targets infeasible or has no point to show. Each cluster's covariances are one for each of its users
        and, if the task has sensing streams, last the sum of those. `solve_time_s` includes the building.

    """
    began = time.perf_counter()
    sensing = sensing_data(task, foreign)
    optimum = priced_optimum(task, sensing, partial(_price_information, sensing), time_limit_s)
    if optimum is None:
        return None
    lifted = tuple(
        cluster.basis @ W @ cluster.basis.conj().T
        for cluster, W in zip(task.clusters, optimum.covariances, strict=True)
    )
    return Relaxation(
        covariances=lifted,
        information=sensing.least_information(task, optimum.covariances),
        status=optimum.status,
        witness=witness_of(task, sensing, optimum),
        solve_time_s=time.perf_counter() - began,
    )


def _price_information(sensing: SensingData, programme: ConeProgramme, prices: Prices) -> None:
    """Z_m >= 0, and shares Z_m[0, 0] that add up to the price of the objective."""
    least = _MEAN_WEIGHT / len(sensing.ease) / sensing.ease
    first = [slice(Z.start, Z.start + 1) for Z in prices.sensing]
    programme.require("zero", 1, [(one, np.ones((1, 1))) for one in first], np.array([-1.0 - least.sum()]))
    for one, share in zip(first, least, strict=True):
        programme.require("nonnegative", 1, [(one, np.ones((1, 1)))], np.array([-share]))
    for Z, scale in zip(prices.sensing, sensing.scales, strict=True):
        programme.require("semidefinite", len(scale), [(Z, np.eye(Z.stop - Z.start))])
