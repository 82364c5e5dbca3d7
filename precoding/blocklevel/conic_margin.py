"""How far a network can go: the noise margin at given SINR targets, who limits it, and the largest common SINR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.conic_cones import ConeProgramme
from precoding.blocklevel.conic_exchange import priced_optimum
from precoding.blocklevel.conic_prices import Prices, signal_shares
from precoding.blocklevel.conic_witness import witness_of
from precoding.blocklevel.infeasible import largest_common_sinr
from precoding.blocklevel.task import Task
from precoding.witness import Witness

__all__ = ["NoiseMargin", "largest_common_sinr_conic", "largest_margin_conic"]

_LEAST_DB = -100.0


@dataclass(frozen=True, eq=False)
class NoiseMargin:
    """The largest factor by which the noise of all users may rise with the targets still met.

    Attributes:
        db: The factor in dB; below 0 the targets are infeasible.
        user_shares: (J, K) share of each user in the price of noise, sum 1: 1 % less noise at this user alone raises
            the factor by this share of 1 % (to first order).
        station_shares: (J,) share of each BS and its antennas in the price of power, sum 1, in the same sense.
        witness: Prices that prove the factor; see `witnessed_margin`.

    """

    db: float
    user_shares: FloatArray
    station_shares: FloatArray
    witness: Witness


def largest_margin_conic(task: Task, time_limit_s: float | None = None) -> NoiseMargin | None:
    """Maximise the noise that all users may have at the targets of `task`, within its power limits.

    Always feasible: with very little noise any target that the channels allow can be met. Its dual is that of the
    design without sensing, with the users' prices adding up to 1.

    Args:
        task: Its network in natural units.
        time_limit_s: For the solver, or None.

    Returns:
        The margin, or None if the solver has no point to show.

    """
    optimum = priced_optimum(task, None, partial(_price_noise, signal_shares(task)), time_limit_s)
    if optimum is None:
        return None
    witness = witness_of(task, None, optimum)
    paid = witness.stations * task.network.power
    if task.network.antenna_power is not None and witness.antennas is not None:
        paid = paid + np.sum(witness.antennas * task.network.antenna_power, axis=1)
    factor = max(optimum.value, 10 ** (_LEAST_DB / 10))
    users = _shares(witness.users).reshape(task.min_sinr.shape)
    return NoiseMargin(10 * float(np.log10(factor)), users, _shares(paid), witness)


def largest_common_sinr_conic(task: Task) -> float:
    """Find the largest SINR in dB, within 0.01 dB, that all users of `task` can have together, whatever its targets.

    Raises:
        ArithmeticError: The solver failed on the way.

    """

    def margin_db(target_db: float) -> float:
        margin = largest_margin_conic(replace(task, min_sinr=np.full(task.min_sinr.shape, 10 ** (target_db / 10))))
        if margin is None:
            raise ArithmeticError(f"Clarabel gave no margin at {target_db:.2f} dB")
        return margin.db

    return largest_common_sinr(margin_db)


def _price_noise(shares: FloatArray, programme: ConeProgramme, prices: Prices) -> None:
    """One unit of noise at all users is worth 1."""
    programme.require("zero", 1, [(prices.users, shares[None])], np.array([-1.0]))


def _shares(prices: FloatArray) -> FloatArray:
    return prices / max(float(prices.sum()), np.finfo(np.float64).tiny)
