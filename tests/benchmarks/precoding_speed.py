"""Rows "time" and "import"."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from precoding_case import Check, random_network

from precoding import Network
from precoding.arrays import FloatArray
from precoding.blocklevel.cluster import clusters
from precoding.blocklevel.conic import solve_conic
from precoding.blocklevel.on_weights import solve_on_weights
from precoding.blocklevel.task import Task
from precoding.network import normalised
from precoding.reference import joint_block_level

LEAST_RATIO = {"blp-cbf": 3.0, "blp-comp": 1.5}
TARGET_DB = 8.0
ARRAYS = (16, 32, 64, 128)


def speed(scaled: Callable[[int], int]) -> list[Check]:
    checks = []
    print("  median times in ms, J = 2, K = 3, n_tx = 6, building included")
    print(f"  {'':<16} {'plain':>8} {'Clarabel':>9} {'interior':>9}   plain/Clarabel  plain/interior")
    for scheme in ("blp-cbf", "blp-comp"):
        for kind in ("none", "exact"):
            slow = scheme == "blp-comp" and kind == "exact"
            plain, conic, weights = _medians(scheme, kind, scaled(30 if slow else 100) // 10 or 1)
            times = f"{1e3 * plain:8.0f} {1e3 * conic:9.1f} {1e3 * weights:9.1f}"
            print(f"  {scheme + ' ' + kind:<16} {times}   {plain / conic:14.1f} {plain / weights:14.1f}", flush=True)
            least = LEAST_RATIO[scheme]
            got = f"{plain / conic:.1f} (interior point {plain / weights:.0f})"
            checks.append(Check(f"{scheme} {kind}: plain / Clarabel", f">= {least:g}", got, plain / conic >= least))
    return checks + _sizes(scaled)


def _medians(scheme: str, kind: str, count: int) -> FloatArray:
    times = np.empty((count, 3))
    for index in range(count):
        network = random_network(np.random.default_rng([10, index]), csi_radius=0.0 if kind == "none" else 0.01)
        task, foreign = _task(network, scheme, kind)
        gamma = np.full((2, 3), 10 ** (TARGET_DB / 10))
        times[index, 0] = _seconds(lambda: joint_block_level(network, scheme, gamma, kind, foreign))  # noqa: B023
        times[index, 1] = _seconds(lambda: solve_conic(task, foreign, None))  # noqa: B023
        times[index, 2] = _seconds(lambda: solve_on_weights(task, foreign, None, None))  # noqa: B023
    return np.median(times, axis=0)


def _sizes(scaled: Callable[[int], int]) -> list[Check]:
    """Where the array is larger than all directions that matter, its size should not."""
    print("  median times in ms over the array's size, n_tx = " + ", ".join(map(str, ARRAYS)))
    checks = []
    for scheme in ("blp-cbf", "blp-comp"):
        for kind in ("none", "exact"):
            slow = 100 if scheme == "blp-cbf" else 50 if kind == "none" else 30
            count = max(scaled(slow) // 10, 1)
            times = np.array([_by_size(scheme, kind, n_tx, count) for n_tx in ARRAYS])
            for name, row in zip(("Clarabel", "interior"), times.T, strict=True):
                ratio = float(row.max() / row.min())
                print(f"  {scheme} {kind} {name:<9}" + "".join(f"{1e3 * t:9.1f}" for t in row), flush=True)
                what = f"{scheme} {kind} {name}: slowest / fastest"
                checks.append(Check(what, "<= 1.5", f"{ratio:.2f}", ratio <= 1.5))
    return checks


def _by_size(scheme: str, kind: str, n_tx: int, count: int) -> FloatArray:
    times = np.empty((count, 2))
    for index in range(count):
        network = random_network(np.random.default_rng([11, index]), n_tx=n_tx)
        task, foreign = _task(network, scheme, kind)
        times[index, 0] = _seconds(lambda: solve_conic(task, foreign, None))  # noqa: B023
        times[index, 1] = _seconds(lambda: solve_on_weights(task, foreign, None, None))  # noqa: B023
    return np.median(times, axis=0)


def _task(network: Network, scheme: str, kind: str) -> tuple[Task, FloatArray]:
    held = replace(network, csi_radius=np.zeros_like(network.csi_radius)) if kind == "none" else network
    unit, _ = normalised(held)
    targets = np.full((unit.J, unit.K), 10 ** (TARGET_DB / 10))
    foreign = np.zeros(unit.J) if scheme == "blp-comp" else np.full(unit.J, 0.2)
    return Task(unit, clusters(unit, cooperate=scheme == "blp-comp"), kind, targets), foreign


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def importing(scaled: Callable[[int], int]) -> list[Check]:
    count = max(scaled(9), 3)
    bare, whole = (
        float(np.median([_seconds(lambda: _fresh(code)) for _ in range(count)]))  # noqa: B023
        for code in ("pass", "import precoding")
    )
    got = f"{whole:.3f} s (the interpreter alone {bare:.3f} s), median of {count}"
    return [Check("import precoding, fresh interpreter", "<= 0.3 s", got, whole <= 0.3)]


def _fresh(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)
