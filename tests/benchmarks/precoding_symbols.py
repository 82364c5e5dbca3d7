"""Rows "slp-comp" and "slp-cbf": real waveforms within the channel's coherence time.

Times are of the processor, not of the wall. Warm is the next frame: channels moved by 1 %, targets by 0.1 degrees,
other symbols, and the last design to start from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from precoding_case import Check, psk_indices, random_network, rcrb, spread

from precoding import Design, InfeasibleError, Network, PrecodingError, warm_up
from precoding.reference.joint_symbol_level import relaxed_symbol_level
from precoding.symbollevel import design_symbol_level
from precoding.symbollevel.ascent import climb, model_at
from precoding.symbollevel.bound import bounded_information
from precoding.symbollevel.echoes import echoes
from precoding.symbollevel.fast import fast_waveform
from precoding.symbollevel.minimum_power import noise_margin
from precoding.symbollevel.relaxed import solve_relaxed, symbol_prices
from precoding.symbollevel.repair import is_feasible
from precoding.symbollevel.start import nearest_feasible, relaxed_start
from precoding.symbollevel.task import Task, symbol_task

ARRAYS = (6, 10, 64)
COMP_MS = {20: (15.0, 5.0), 128: (30.0, 20.0), 1024: (120.0, 100.0)}  # cold, warm
CBF_MS = {20: 40.0, 128: 120.0}  # warm
CHANNEL_CHANGE, TARGET_MOVE_DEG = 0.01, 0.1
CBF_TARGETS_DB = (0.0, 5.0, 10.0)


@dataclass
class Times:
    """Of one size, in ms, and what is to be counted."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    feasible: int = 0
    by_cones: int = 0
    infeasible: int = 0


def slp_comp(scaled: Callable[[int], int]) -> list[Check]:
    warm_up("slp-comp")
    checks: list[Check] = []
    designs = feasible = 0
    for L, (cold_ms, warm_ms) in COMP_MS.items():
        for n_tx in ARRAYS:
            times = _timed("slp-comp", n_tx, L, scaled(50), (10.0,))
            designs, feasible = designs + 2 * len(times.cold), feasible + times.feasible
            checks += [_in_time(f"slp-comp L = {L}, n_tx = {n_tx}, cold", cold_ms, times.cold)]
            checks += [_in_time(f"slp-comp L = {L}, n_tx = {n_tx}, warm", warm_ms, times.warm)]
    checks.append(Check("slp-comp feasible", "all", f"{feasible} of {designs}", feasible == designs))
    return [*checks, *_against_long(scaled(200)), *_against_bound(scaled(50)), _against_plain(scaled(50))]


def slp_cbf(scaled: Callable[[int], int]) -> list[Check]:
    warm_up("slp-cbf")
    checks: list[Check] = []
    designs = feasible = 0
    for L, warm_ms in CBF_MS.items():
        for n_tx in ARRAYS:
            times = _timed("slp-cbf", n_tx, L, scaled(50), CBF_TARGETS_DB)
            designs, feasible = designs + len(times.cold) + len(times.warm), feasible + times.feasible
            checks.append(_in_time(f"slp-cbf L = {L}, n_tx = {n_tx}, warm", warm_ms, times.warm))
    checks.append(Check("slp-cbf feasible", "all", f"{feasible} of {designs}", feasible == designs))
    return [*checks, _against_best(scaled(100))]


def _timed(scheme: str, n_tx: int, L: int, count: int, targets_db: tuple[float, ...]) -> Times:
    times = Times()
    for index in range(count):
        rng = np.random.default_rng([20, index, n_tx, L])
        network = random_network(rng, n_tx=n_tx, block_length=L)
        db, first = targets_db[index % len(targets_db)], None
        for row, now in ((times.cold, network), (times.warm, _next_frame(network, rng))):
            first, elapsed_ms = _designed(now, scheme, db, psk_indices(rng, now), first)
            if first is None:
                times.infeasible += 1
                break
            row.append(elapsed_ms)
            times.feasible += first.certificate.is_feasible(0.0)
            times.by_cones += first.status.startswith("by cones")
        else:
            times.gaps.append(first.certificate.gap if first is not None else np.inf)
    print(
        f"  {scheme} L {L:4d} n_tx {n_tx:2d}: cold {spread(times.cold)}, warm {spread(times.warm)} ms; certified gap "
        f"{spread(times.gaps)}; {times.by_cones} by cones, {times.infeasible} infeasible draws",
        flush=True,
    )
    return times


def _designed(
    network: Network, scheme: str, db: float, symbols: NDArray[np.int64], start: Design | None
) -> tuple[Design | None, float]:
    targets = np.full((network.J, network.K), db)
    began = time.process_time()
    try:
        answer = design_symbol_level(network, scheme, targets, symbols, 4, robust=True, start=start)
    except InfeasibleError:
        return None, np.nan
    return answer, 1e3 * (time.process_time() - began)


def _next_frame(network: Network, rng: np.random.Generator) -> Network:
    size = np.abs(network.channels).mean(axis=(2, 3), keepdims=True)
    noise = rng.normal(size=network.channels.shape) + 1j * rng.normal(size=network.channels.shape)
    move = np.deg2rad(TARGET_MOVE_DEG) * rng.choice([-1.0, 1.0], network.departure_angles.shape)
    angles = network.departure_angles + move
    channels = network.channels + CHANNEL_CHANGE * size * noise / np.sqrt(2)
    return replace(network, channels=channels, departure_angles=angles, arrival_angles=np.diagonal(angles))


def _in_time(what: str, limit_ms: float, elapsed_ms: list[float]) -> Check:
    middle = float(np.median(elapsed_ms)) if elapsed_ms else np.inf
    return Check(f"{what}, median", f"<= {limit_ms:g} ms", f"{middle:.1f} ms in {len(elapsed_ms)}", middle <= limit_ms)


def _against_long(count: int) -> list[Check]:
    """Excess in RCRB over a run of ten times the steps, over sizes and constellations."""
    excess: list[float] = []
    without = 0
    for index in range(count):
        rng = np.random.default_rng([21, index])
        J, n_tx, order = int(rng.choice([2, 3])), int(rng.choice([6, 8, 10, 16, 32, 64])), int(rng.choice([2, 4, 8]))
        network = random_network(rng, J, 3 if J == 2 else 2, n_tx, block_length=20)
        targets = np.full((J, network.K), float(rng.choice([5.0, 10.0])))
        task, _ = symbol_task(network, "slp-comp", targets, psk_indices(rng, network, order), order, robust=True)
        short, long = (fast_waveform(task, None, None, effort) for effort in (1, 10))
        if short is None or long is None or not is_feasible(task, short.X):
            without += 1
            continue
        excess.append(float(np.sqrt(_information(task, long.X) / _information(task, short.X))) - 1.0)
    within = sum(e <= 1e-3 for e in excess) / count
    print(f"  slp-comp excess over ten times the steps: {spread(excess)}; {without} without a fast waveform")
    return [
        Check(f"slp-comp within 0.1 % of ten times the steps ({count})", ">= 95 %", f"{within:.1%}", within >= 0.95)
    ]


def _against_bound(count: int) -> list[Check]:
    """Excess in RCRB over the relaxed bound at n_tx = 6, L = 20; slow to solve, so not what the certificate says."""
    excess: list[float] = []
    cheap: list[float] = []
    for index in range(count):
        rng = np.random.default_rng([22, index])
        network = random_network(rng, block_length=20)
        symbols, db = psk_indices(rng, network), (5.0, 10.0, 15.0, 20.0)[index % 4]
        answer, _ = _designed(network, "slp-comp", db, symbols, None)
        if answer is None:
            print(f"    [22, {index}]: infeasible")
            continue
        task, _ = symbol_task(network, "slp-comp", answer.min_sinr_db, symbols, 4, robust=True)
        model = echoes(task, np.zeros(task.network.J))
        prices = symbol_prices(task, model, solve_relaxed(task, model))
        bound = bounded_information(task.network, task.min_sinr, task.symbols, 4, prices)
        excess.append(rcrb(answer) * float(np.sqrt(bound)) - 1.0)
        cheap.append(answer.certificate.gap)
    near, far = (sum(e <= most for e in excess) / max(len(excess), 1) for most in (0.02, 0.05))
    print(
        f"  slp-comp excess over the relaxed bound: {spread(excess)}; the certificate's own bound says {spread(cheap)}"
    )
    return [
        Check(f"slp-comp within 2 % of the relaxed bound ({len(excess)})", ">= 90 %", f"{near:.0%}", near >= 0.9),
        Check(f"slp-comp within 5 % of the relaxed bound ({len(excess)})", "all", f"{far:.0%}", far == 1.0),
    ]


def _against_plain(count: int) -> Check:
    """The plain statement of (P4), which gives a bound and no waveform, against a warm design; L = 20, n_tx = 6."""
    plain_ms: list[float] = []
    fast_ms: list[float] = []
    asked: list[tuple[Network, NDArray[np.int64]]] = []
    for index in range(count):
        rng = np.random.default_rng([23, index])
        network = random_network(rng, block_length=20)
        first, _ = _designed(network, "slp-comp", 10.0, psk_indices(rng, network), None)
        moved = _next_frame(network, rng)
        asked.append((moved, psk_indices(rng, moved)))
        fast_ms.append(_designed(moved, "slp-comp", 10.0, asked[-1][1], first)[1])
    for moved, symbols in asked[: max(count // 10, 1)]:
        gamma = np.full((moved.J, moved.K), 10.0)
        began = time.process_time()
        relaxed_symbol_level(moved, "slp-comp", gamma, symbols, 4, np.zeros(moved.J))
        plain_ms.append(1e3 * (time.process_time() - began))
    ratio = float(np.median(plain_ms) / np.median(fast_ms))
    print(f"  slp-comp plain statement {spread(plain_ms)} ms, fast {spread(fast_ms)} ms")
    return Check(
        f"slp-comp L = 20: plain ({len(plain_ms)}) / warm ({count})", ">= 1000", f"{ratio:.0f}", ratio >= 1000.0
    )


def _against_best(count: int) -> Check:
    """Excess in RCRB of slp-cbf over the best local optimum known, of conic climbs and fast climbs from elsewhere."""
    excess: list[float] = []
    index = infeasible = 0
    while len(excess) < count:
        rng = np.random.default_rng([24, index])
        network = random_network(rng, block_length=20)
        symbols, db = psk_indices(rng, network), CBF_TARGETS_DB[index % 3]
        index += 1
        answer, _ = _designed(network, "slp-cbf", db, symbols, None)
        if answer is None:
            infeasible += 1
            continue
        task, amplitude = symbol_task(network, "slp-cbf", answer.min_sinr_db, symbols, 4, robust=True)
        own = answer.samples / amplitude
        best = max(_information(task, X) for X in (own, *_others(task, own)))
        excess.append(float(np.sqrt(best / _information(task, own))) - 1.0)
    within = sum(e <= 0.02 for e in excess) / count
    print(f"  slp-cbf excess over the best local optimum known: {spread(excess)}; {infeasible} infeasible draws")
    return Check(f"slp-cbf within 2 % of the best known ({count})", ">= 95 %", f"{within:.0%}", within >= 0.95)


def _others(task: Task, own: NDArray[np.complex128]) -> Iterator[NDArray[np.complex128]]:
    """Conic climbs from the design, the least noisy and the relaxed waveform; longer and turned fast climbs."""
    quiet = task.to_basis(noise_margin(task).X)
    try:
        relaxed = relaxed_start(task, solve_relaxed(task, model_at(task, quiet)))
        starts = [task.to_basis(own), quiet, nearest_feasible(task, relaxed)]
    except PrecodingError:
        starts = [task.to_basis(own), quiet]
    for start in starts:
        yield task.to_antennas(climb(task, start).Xi)
    # Another order of the symbols is another start for each of them: the beams' phases go with the place in the block.
    for turn, effort in ((0, 4), (5, 1), (10, 1), (15, 1)):
        found = fast_waveform(replace(task, symbols=np.roll(task.symbols, turn, axis=1)), None, None, effort)
        if found is not None:
            yield np.roll(found.X, -turn, axis=2)


def _information(task: Task, X: NDArray[np.complex128]) -> float:
    Xi = task.to_basis(X)
    model = model_at(task, Xi)
    return float(model.information(Xi).min()) * model.unit


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
