"""Row "robust": the exact worst case of every "exact" design, and what it costs beside Prop. 3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from precoding_case import Check, asked, random_network, rcrb, spread

SIZES = ((1, 2, 4), (1, 3, 8), (2, 1, 4), (2, 2, 5), (2, 2, 8), (2, 3, 8), (2, 3, 12), (3, 1, 6), (3, 2, 8))
RADII = (0.005, 0.01, 0.02, 0.04)
SAME = 1e-4  # two certified gaps leave this between equal optima


def robust(scaled: Callable[[int], int]) -> list[Check]:
    margins: list[float] = []
    times: list[float] = []
    rises: list[float] = []
    wanted, pairs = scaled(1000), scaled(100)
    attempt = unproven = infeasible = 0
    while len(margins) + unproven < wanted:
        attempt += 1
        rng = np.random.default_rng([5, attempt])
        network = random_network(rng, *SIZES[attempt % len(SIZES)], csi_radius=float(rng.choice(RADII)))
        scheme, target_db = ("blp-cbf", "blp-comp")[attempt % 2], float(rng.uniform(0.0, 15.0))
        outcome = asked(network, scheme, target_db, "exact")
        if outcome.infeasible:
            infeasible += 1
            continue
        times.append(outcome.wall_s)
        if not outcome.proven or outcome.design is None:
            unproven += 1
            print(f"    [5, {attempt}] {scheme} {SIZES[attempt % len(SIZES)]} {target_db:.1f} dB: not proven")
            continue
        c = outcome.design.certificate
        margins.append(float(np.min(c.worst_sinr_db - c.min_sinr_db)))
        if len(rises) < pairs:
            paper = asked(network, scheme, target_db, "paper")
            if paper.proven and paper.design is not None and paper.design.certificate.withstands_ball:
                rises.append(rcrb(outcome.design) / rcrb(paper.design) - 1.0)
    print(f"  {len(margins)} designs proven, {unproven} not, {infeasible} infeasible draws; time {spread(times)} s")
    print(f"  RCRB of exact over paper - 1: {spread(rises, '+.2g')}, min {min(rises, default=np.nan):+.2g}")
    worse = sum(r > SAME for r in rises)
    return [
        Check(
            f"worst case - target in {len(margins)}", ">= -1e-3 dB", f"{min(margins):+.1e} dB", min(margins) >= -1e-3
        ),
        Check("designs without proof", "0", str(unproven), unproven == 0),
        Check("exact RCRB > paper's, both safe", "0", f"{worse} of {len(rises)} pairs", worse == 0 and bool(rises)),
    ]
