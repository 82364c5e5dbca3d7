"""Row "symbol-level": real waveforms against the relaxed bound, and against the best of many starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from precoding_case import Check, asked, psk_indices, random_network, rcrb, spread

from precoding import Network
from precoding.arrays import ComplexArray
from precoding.symbollevel.ascent import climb, model_at
from precoding.symbollevel.minimum_power import noise_margin
from precoding.symbollevel.relaxed import solve_relaxed
from precoding.symbollevel.start import nearest_feasible, relaxed_start
from precoding.symbollevel.task import Task, symbol_task

RANDOM_STARTS = 4
CLIMBS, SETTLED = 5, 1e-4  # each climb ends at 2e-4 a step; it is begun anew while that still gains


def symbol_level(scaled: Callable[[int], int]) -> list[Check]:
    return [*_comp(scaled(50)), *_cbf(scaled(12))]


def _drawn(seed: list[int]) -> tuple[Network, np.ndarray]:
    rng = np.random.default_rng(seed)
    network = random_network(rng, block_length=20)
    return network, psk_indices(rng, network)


def _comp(count: int) -> list[Check]:
    excess: list[float] = []
    times: list[float] = []
    for index in range(count):
        network, symbols = _drawn([6, index])
        outcome = asked(network, "slp-comp", (5.0, 10.0, 15.0, 20.0)[index % 4], "exact", symbols)
        if outcome.proven and outcome.design is not None and outcome.design.certificate.is_feasible(0.0):
            excess.append(outcome.design.certificate.gap)
            times.append(outcome.wall_s)
        else:
            print(f"    [6, {index}]: {'infeasible' if outcome.infeasible else 'no waveform'}")
    print(f"  slp-comp excess over the relaxed bound: {spread(excess)}; time {spread(times)} s")
    within = [sum(e <= most for e in excess) / count for most in (0.02, 0.05)]
    return [
        Check("slp-comp feasible", "all", f"{len(excess)} of {count}", len(excess) == count),
        Check("slp-comp within 2 % of the bound", ">= 90 %", f"{within[0]:.0%}", within[0] >= 0.9),
        Check("slp-comp within 5 % of the bound", "all", f"{within[1]:.0%}", within[1] == 1.0),
    ]


def _cbf(count: int) -> list[Check]:
    excess: list[float] = []
    times: list[float] = []
    feasible = infeasible = index = 0
    while len(times) < count:
        network, symbols = _drawn([7, index])
        target_db = (0.0, 5.0, 10.0)[index % 3]
        index += 1
        outcome = asked(network, "slp-cbf", target_db, "exact", symbols)
        if outcome.infeasible:
            infeasible += 1
            continue
        times.append(outcome.wall_s)
        if outcome.design is None or not outcome.design.certificate.is_feasible(0.0):
            continue
        feasible += 1
        excess.append(rcrb(outcome.design) / _best_known(network, symbols, target_db, index) - 1.0)
    print(f"  slp-cbf excess over the best of {RANDOM_STARTS + 2} starts: {spread(excess, '+.2g')}")
    print(f"  slp-cbf time {spread(times)} s; {infeasible} infeasible draws")
    within = sum(e <= 0.02 for e in excess) / count
    return [
        Check("slp-cbf feasible", "all", f"{feasible} of {count}", feasible == count),
        Check("slp-cbf within 2 % of the best start", ">= 90 %", f"{within:.0%}", within >= 0.9),
    ]


def _best_known(network: Network, symbols: np.ndarray, target_db: float, seed: int) -> float:
    """Least of the largest RCRBs that climbs from several places end at."""
    targets = np.full((network.J, network.K), target_db)
    task, _ = symbol_task(network, "slp-cbf", targets, symbols, 4, robust=True)
    return min(_climbed(task, start) for start in _starts(task, seed))


def _starts(task: Task, seed: int) -> list[ComplexArray]:
    """The least noisy waveform, the relaxed solution for the reflections that it makes, and random ones."""
    quiet = task.to_basis(noise_margin(task).X)
    relaxed = relaxed_start(task, solve_relaxed(task, model_at(task, quiet)))
    rng = np.random.default_rng([8, seed])
    starts = [quiet, relaxed]
    for _ in range(RANDOM_STARTS):
        turned = relaxed * np.exp(2j * np.pi * rng.random(relaxed.shape[-1]))
        noise = rng.normal(size=relaxed.shape) + 1j * rng.normal(size=relaxed.shape)
        starts.append(turned + noise * np.linalg.norm(turned) / np.linalg.norm(noise))
    return starts


def _climbed(task: Task, start: ComplexArray) -> float:
    Xi, reached = nearest_feasible(task, start), 0.0
    for _ in range(CLIMBS):
        Xi = climb(task, Xi).Xi
        model = model_at(task, Xi)
        information = float(model.information(Xi).min()) * model.unit
        if information <= reached * (1.0 + SETTLED):
            break
        reached = information
    return float(1.0 / np.sqrt(max(reached, information)))
