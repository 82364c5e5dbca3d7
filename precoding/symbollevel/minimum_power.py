"""Symbol-level precoding without sensing: least power, most noise that users bear, largest common SINR.

Least power for given SINR targets is the design of Wei et al. (2020), reference [35] of the paper: its eq. (16) for CBF
and eq. (39) for CoMP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray
from precoding.errors import InaccurateError, InfeasibleError
from precoding.network import Network
from precoding.symbollevel.conic import waveform_program
from precoding.symbollevel.constructive import constructive_sinr
from precoding.symbollevel.task import Task, symbol_task

__all__ = ["NoiseMargin", "infeasible", "largest_symbol_level_sinr", "minimum_power_waveform", "noise_margin"]

_TOLERANCE_DB, _MOST_SOLVES = 1e-3, 40
_LEAST_DB = -60.0


@dataclass(frozen=True, eq=False)
class NoiseMargin:
    """How much more noise all users could bear, and the waveform that bears it.

    Attributes:
        db: Largest factor on the noise power; below 0 the SINR targets are infeasible.
        X: Complex (J, n_tx, L) in natural units; strictly inside all limits if db > 0.
        user_shares: (J, K) share of each user in the price of noise, sum 1.
        station_shares: (J,) share of each BS in the price of power, sum 1.

    """

    db: float
    X: ComplexArray
    user_shares: FloatArray
    station_shares: FloatArray


def noise_margin(task: Task) -> NoiseMargin:
    """Maximise the noise that all users bear at their SINR targets, within the power limits; always has an answer.

    Raises:
        InaccurateError: The solver failed.

    """
    built = waveform_program(task, extra=0)
    q = np.zeros(built.program.n)
    q[built.tau] = -1.0
    solution = built.program.solve(q)
    if not solution.usable:
        raise InaccurateError(f"symbol-level noise margin: the solver ended with {solution.status!r}", design=None)
    tau = max(float(solution.x[built.tau]), 10 ** (_LEAST_DB / 20))
    users = solution.z[built.depth_rows].reshape(task.edges.shape).sum(axis=(1, 2)) * task.depth
    stations = solution.z[built.power_rows].reshape(task.network.J, -1)[:, 0] * np.sqrt(task.network.power)
    X = task.to_antennas(built.waveform(solution)) / np.sqrt(tau)
    return NoiseMargin(20 * float(np.log10(tau)), X, _shares(users).reshape(task.min_sinr.shape), _shares(stations))


def largest_symbol_level_sinr(
    network: Network, scheme: str, symbols: ArrayLike, order: int, *, robust: bool = True
) -> float:
    """Find the largest SINR in dB that all users can have together within the power limits; (P3), (P4) at weight 0.

    In CoMP one problem says it: without foreign signals a target 1 dB higher is 1 dB more noise. In CBF a margin of f
    dB at one target bounds the answer, for a target lower by x dB bears at least x dB more noise: it lies beyond
    target + f. Between the bounds the interval is halved.

    Args:
        network: In any consistent units.
        scheme: "slp-cbf" or "slp-comp".
        symbols: (J K, L) PSK indices.
        order: M.
        robust: Over the CSI balls, or on the estimated channels only.

    Raises:
        ArgumentError: Bad scheme, symbols or order.
        InaccurateError: The solver failed.

    """
    zero_db = np.zeros((network.J, network.K))
    return _largest_sinr(symbol_task(network, scheme, zero_db, symbols, order, robust=robust)[0])


def minimum_power_waveform(
    network: Network,
    scheme: str,
    min_sinr_db: FloatArray,
    symbols: ArrayLike,
    order: int,
    *,
    robust: bool = True,
    limited: bool = True,
) -> ComplexArray:
    """Minimise the total power of a constructive-interference waveform; reference [35], eq. (16) and (39).

    Args:
        network: In any consistent units.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) targets.
        symbols: (J K, L) PSK indices.
        order: M.
        robust: Over the CSI balls, or on the estimated channels only.
        limited: Hold the power limits of the network; [35] has none.

    Returns:
        Complex (J, n_tx, L), feasible by `constructive_sinr`.

    Raises:
        ArgumentError: Bad scheme, symbols or order.
        InfeasibleError: No waveform meets the targets.
        InaccurateError: The solver failed.

    """
    task, amplitude = symbol_task(network, scheme, min_sinr_db, symbols, order, robust=robust)
    if limited:
        margin = noise_margin(task)
        if margin.db < 0.0:
            raise infeasible(task, margin, network.power)
    else:
        most = 1e6 * task.network.power
        task = replace(task, network=replace(task.network, power=most, antenna_power=None))
    built = waveform_program(task, extra=0)
    built.fix_noise()
    on_samples = np.zeros(built.program.n)
    on_samples[built.x] = 1.0
    solution = built.program.solve(np.zeros(built.program.n), on_samples)
    if not solution.usable:
        raise InaccurateError(f"{scheme}: least power: the solver ended with {solution.status!r}", design=None)
    return amplitude * _scaled_to_target(task, task.to_antennas(built.waveform(solution)))


def infeasible(task: Task, margin: NoiseMargin, power: FloatArray) -> InfeasibleError:
    """Say who limits, and what all users together can have.

    Args:
        task: The infeasible one.
        margin: Its noise margin.
        power: (J,) limits in the caller's unit, for the message.

    """
    m, k = (int(i) for i in np.unravel_index(margin.user_shares.argmax(), margin.user_shares.shape))
    n = int(margin.station_shares.argmax())
    largest_db, target_db = _largest_sinr(task), 10 * np.log10(task.min_sinr[m, k])
    beyond = "out of reach at any power" if margin.db <= _LEAST_DB else f"{-margin.db:.2f} dB beyond the power limits"
    share, price = margin.user_shares[m, k], margin.station_shares[n]
    return InfeasibleError(
        f"{task.scheme}: the SINR targets are {beyond}. User {k} of cell {m} limits (target {target_db:.2f} dB, "
        f"{share:.0%} of the noise price), at BS {n}'s power limit of {power[n]:g} ({price:.0%} of the power price). "
        f"All users together can have {largest_db:.2f} dB with these symbols: lower min_sinr_db, sound longer, or drop "
        "that user",
        user=(m, k),
        station=n,
        max_sinr_db=largest_db,
    )


def _largest_sinr(task: Task) -> float:
    low, high, at = -np.inf, np.inf, 0.0
    for _ in range(_MOST_SOLVES):
        margin = noise_margin(replace(task, min_sinr=np.full_like(task.min_sinr, 10 ** (at / 10)))).db
        if not task.leaks:
            return at + margin
        if margin >= 0.0:
            low, high = max(low, at), min(high, at + margin)
        else:
            low, high = max(low, at + margin) if margin > 0.5 * _LEAST_DB else low, min(high, at)
        if high - low <= _TOLERANCE_DB:
            return low
        at = 0.5 * (low + high) if np.isfinite(low) else high - 10.0
    raise InaccurateError(f"the largest SINR lies between {low:.3f} and {high:.3f} dB, not found closer", design=None)


def _scaled_to_target(task: Task, X: ComplexArray) -> ComplexArray:
    """Undo what the solver's tolerance left short: more power is more SINR for all, in CBF too."""
    for _ in range(50):
        held = constructive_sinr(task.network, X, task.symbols, task.order, cooperate=task.cooperate)
        missing = float(np.max(task.min_sinr / np.maximum(held, np.finfo(np.float64).tiny)))
        if missing <= 1.0:
            break
        X = X * np.sqrt(missing * (1.0 + 1e-12))
    return X


def _shares(prices: FloatArray) -> FloatArray:
    positive = np.maximum(prices, 0.0)
    return np.asarray(positive / max(float(positive.sum()), np.finfo(np.float64).tiny))
