"""Row "robust": the exact worst case of every "exact" design, and what it costs beside Prop. 3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from precoding_case import Check, asked, random_network, rcrb, spread

from precoding import Design, Network, crb_cbf
from precoding.blocklevel.joint import Request
from precoding.blocklevel.on_weights import solve_on_weights
from precoding.certificate import foreign_reflections_of, sensing_accuracy
from precoding.fisher import echo_covariance

SIZES = ((1, 2, 4), (1, 3, 8), (2, 1, 4), (2, 2, 5), (2, 2, 8), (2, 3, 8), (2, 3, 12), (3, 1, 6), (3, 2, 8))
RADII = (0.005, 0.01, 0.02, 0.04)
SAME = 1e-4  # two certified gaps leave this between equal optima


def robust(scaled: Callable[[int], int]) -> list[Check]:
    margins: list[float] = []
    times: list[float] = []
    rises: list[float] = []
    alike: list[float] = []
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
                alike.append(_exact_rcrb_beside(network, paper.design) / rcrb(paper.design) - 1.0)
    print(f"  {len(margins)} designs proven, {unproven} not, {infeasible} infeasible draws; time {spread(times)} s")
    print(f"  RCRB of exact over paper - 1: {spread(rises, '+.2g')}, min {min(rises, default=np.nan):+.2g}")
    print(f"  the same at the foreign reflections of the paper's design: {spread(alike, '+.2g')}")
    worse = sum(r > SAME for r in alike)
    settled = sum(r > SAME for r in rises)
    print(
        f"  where BSs (CBF) settle on other foreign reflections, {settled} of {len(rises)} exact designs are the worse"
    )
    return [
        Check(
            f"worst case - target in {len(margins)}", ">= -1e-3 dB", f"{min(margins):+.1e} dB", min(margins) >= -1e-3
        ),
        Check("designs without proof", "0", str(unproven), unproven == 0),
        Check("exact RCRB > paper's, both safe", "0", f"{worse} of {len(alike)} pairs", worse == 0 and bool(alike)),
    ]


def _exact_rcrb_beside(network: Network, paper: Design) -> float:
    """Largest RCRB of the exact optimum, at the foreign reflections that another design makes.

    Every set of weights that Prop. 3 allows and that is safe is allowed by the exact worst case too; but in CBF the
    problem is posed for given foreign reflections, and two designs of their own need not settle on the same.
    """
    request = Request.of(network, paper.scheme, paper.min_sinr_db, robustness="exact")
    assert paper.weights is not None
    foreign = np.zeros(network.J)
    if paper.scheme == "blp-cbf":
        foreign = foreign_reflections_of(request.task.network, paper.weights / request.amplitude)
    weights = solve_on_weights(request.task, foreign, None, None)[0].weights
    if paper.scheme == "blp-comp":
        return float(sensing_accuracy(request.task.network, weights, cooperate=True)[0].max())
    unit, variances = request.task.network, []
    for m in range(unit.J):
        C = echo_covariance(float(unit.arrival_angles[m]), float(foreign[m]), 1.0, unit.n_rx)
        gram = unit.block_length * weights[m] @ weights[m].conj().T
        variances.append(crb_cbf(float(unit.arrival_angles[m]), complex(unit.reflections[m, m]), gram, C))
    return float(np.sqrt(max(variances)))
