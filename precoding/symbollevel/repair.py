"""Make a waveform feasible by the exact judge, whatever tolerance its solver had."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.network import Network
from precoding.symbollevel.constructive import constructive_sinr
from precoding.symbollevel.task import Task

__all__ = ["is_feasible", "repaired"]

_HALVINGS = 50


def is_feasible(task: Task, X: ComplexArray) -> bool:
    """Whether a waveform on the antennas, (J, n_tx, L), meets SINR targets and power limits without any tolerance."""
    net = task.network
    held = constructive_sinr(net, X, task.symbols, task.order, cooperate=task.cooperate)
    return bool(np.all(held >= task.min_sinr)) and _within_power(net, X)


def repaired(task: Task, X: ComplexArray, inside: ComplexArray) -> ComplexArray:
    """Move a waveform towards a strictly feasible one until it is feasible.

    Constructive constraints and power limits are convex, so the way from inside to X leaves the feasible set once.

    Args:
        task: In natural units.
        X: Complex (J, n_tx, L).
        inside: Complex (J, n_tx, L), strictly feasible.

    Returns:
        X itself if feasible, else the nearest feasible point on the way to `inside`.

    """
    if is_feasible(task, X):
        return X
    good, bad = 1.0, 0.0  # shares of `inside`
    # The share is most often about 1e-8: approach it by powers of ten first.
    for share in 10.0 ** np.arange(-10.0, 0.0):
        if is_feasible(task, X + share * (inside - X)):
            good = float(share)
            break
        bad = float(share)
    for _ in range(_HALVINGS):
        middle = 0.5 * (good + bad)
        if good - bad <= 0.01 * good:
            break
        good, bad = (middle, bad) if is_feasible(task, X + middle * (inside - X)) else (good, middle)
    return X + good * (inside - X)


def _within_power(net: Network, X: ComplexArray) -> bool:
    antenna = np.mean(np.abs(X) ** 2, axis=2)
    if net.antenna_power is not None and np.any(antenna > net.antenna_power):
        return False
    return bool(np.all(antenna.sum(axis=1) <= net.power))
