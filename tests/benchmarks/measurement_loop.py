"""Rows "time" and "closed-loop": how long a frame's measurement takes, and whether the loop follows a walking user."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from precoding_case import Check

from calibration import LevelCalibration
from precoding import steering
from testbed.bench import Bench
from testbed.designer import LiveDesigner
from testbed.frame import Frame
from testbed.loop import FrameDone, Loop, station_power
from testbed.measurement import warm_up
from testbed.measurement.angle_comp import estimate_angles
from testbed.scenario import Scenario

__all__ = ["closed_loop", "measurement_time"]

WARM = 10  # frames before the clock counts
WALK_M_S = 1.4
DESIGN_S = 0.006  # of the frame's 10 ms for a new precoder
FOLLOWED = 60  # frames from which on a walker's channel must be foreseen


def measurement_time(scaled: Callable[[int], int]) -> list[Check]:
    """All of one frame's measurement, at the default sizes; and the joint ML alone."""
    checks = []
    for name in ("two_cells", "two_cells_comp"):
        took: list[float] = []
        _run(Scenario.load(name), scaled(500), measured=took)
        middle, last = 1e3 * np.quantile(took[WARM:], [0.5, 0.99])
        checks.append(Check(f"{name}: measurement, median", "<= 2 ms", f"{middle:.2f} ms", middle <= 2.0))
        checks.append(Check(f"{name}: measurement, p99", "<= 6 ms", f"{last:.2f} ms", last <= 6.0))
    joint = 1e3 * float(np.median([_joint_ml_s(np.random.default_rng(i)) for i in range(scaled(500))]))
    checks.append(Check("CoMP joint ML, J = 2, L = 128", "<= 0.5 ms", f"{joint:.3f} ms", joint <= 0.5))
    return checks


def _joint_ml_s(rng: np.random.Generator) -> float:
    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    sent = np.stack([noise(6, 3) @ noise(3, 128) for _ in range(2)])
    echo = steering(6, 0.2) @ sent[0] + 0.5j * steering(6, -0.4) @ sent[1]
    received = np.outer(steering(10, 0.2), echo) + 10 * noise(10, 128)
    began = time.perf_counter()
    estimate_angles(received, sent, 0)
    return time.perf_counter() - began


def closed_loop(scaled: Callable[[int], int]) -> list[Check]:
    """From a capture to the next precoder loaded; then a user walks: the loop follows, or comes ten times too late."""
    scenario = Scenario.load("two_cells_comp")
    always = replace(scenario, scheme=replace(scenario.scheme, redesign_angle_deg=1e-9))
    turn: list[float] = []
    _run(always, scaled(500), turned=turn)
    middle, last = 1e3 * np.quantile(turn[WARM:], [0.5, 0.99])
    checks = [
        Check("capture to next precoder, median", "<= 10 ms", f"{middle:.1f} ms", middle <= 10.0),
        Check("capture to next precoder, p99", "<= 16 ms", f"{last:.1f} ms", last <= 16.0),
    ]
    for period_s, word in ((0.01, "follows"), (0.1, "ten times slower")):
        walking, turns = _walking(scenario, period_s), []
        done = _run(walking, scaled(1000), turned=turns)[FOLLOWED:]
        user = [u.name for u in scenario.ordered_users].index("bob")
        m, k = divmod(user, scenario.users_per_cell)
        sinr_db = 10 * np.log10([d.outcome.sinr[m, k] for d in done])
        asked_db = walking.scheme.min_sinr_db
        kept = float(np.mean(sinr_db >= asked_db - 1.0))
        promise = float(np.mean([d.outcome.sinr_high[m, k] >= 10**-0.1 * d.outcome.promised_sinr[m, k] for d in done]))
        late = float(np.mean(np.array(turns[WARM:]) > period_s))
        print(
            f"  {word}: SINR least {sinr_db.min():.1f}, 1 % quantile {np.quantile(sinr_db, 0.01):.1f}, median "
            f"{np.median(sinr_db):.1f} dB, asked {asked_db:g}; certificates kept in {100 * promise:.1f} %; turn "
            f"median {1e3 * np.median(turns):.1f}, p99 {1e3 * np.quantile(turns, 0.99):.1f} ms, "
            f"{100 * late:.1f} % later than a frame",
            flush=True,
        )
        what = f"walking user within 1 dB of {asked_db:g} dB, loop {word}"
        follows = word == "follows"
        asked, met = ("all frames", kept == 1.0) if follows else ("lost", kept < 0.5)
        checks.append(Check(what, asked, f"{100 * kept:.1f} % of {len(done)}", met))
    return checks


def _walking(scenario: Scenario, period_s: float) -> Scenario:
    """Bob walks at 1.4 m/s, targets stand; what is promised is what a predicted channel allows."""
    users = tuple(
        replace(user, velocity_m_s=(0.0, WALK_M_S)) if user.name == "bob" else user for user in scenario.users
    )
    targets = tuple(replace(target, velocity_m_s=(0.0, 0.0)) for target in scenario.targets)
    scheme = replace(scenario.scheme, min_sinr_db=8.0, redesign_angle_deg=1e-9, design_time_s=DESIGN_S)
    frame = replace(scenario.frame, period_s=period_s)
    return replace(scenario, users=users, targets=targets, scheme=scheme, frame=frame)


def _run(
    scenario: Scenario, frames: int, *, measured: list[float] | None = None, turned: list[float] | None = None
) -> list[FrameDone]:
    """Run frames, timing every measurement and every turn from one exchange's end to the next one's start."""
    layout = Frame(scenario.frame, scenario.n_stations, scenario.n_tx)
    with Bench(scenario, layout, 1) as bench:
        able = bench.capabilities
        calibrations = {name: LevelCalibration.nominal(able[name], bench.applied[name]) for name in able}
        designer = LiveDesigner(scenario, station_power(scenario))
        designer.warm_up()
        warm_up()
        loop = Loop(scenario, 1, bench, calibrations, designer)
        exchange, measure, ended = bench.exchange, loop.measurement.measure, [0.0]

        def timed_exchange(*arguments):  # type: ignore[no-untyped-def]
            if turned is not None and ended[0]:
                turned.append(time.perf_counter() - ended[0])
            captures = exchange(*arguments)
            ended[0] = time.perf_counter()
            return captures

        def timed_measure(*arguments, **options):  # type: ignore[no-untyped-def]
            began = time.perf_counter()
            outcome = measure(*arguments, **options)
            if measured is not None:
                measured.append(time.perf_counter() - began)
            return outcome

        bench.exchange = timed_exchange  # type: ignore[method-assign]
        loop.measurement.measure = timed_measure  # type: ignore[method-assign]
        return list(loop.run(range(frames)))
