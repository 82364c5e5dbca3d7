"""From a scenario to the scene: every unit, every default, every draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivers.simulated.front_end import FrontEnd
from drivers.simulated.paths import Propagation
from drivers.simulated.scene import Scene
from testbed.scenario import Scenario
from testbed.world import scene

TWO_CELLS = Scenario.load("two_cells")
PAPER = Scenario.load("paper")


def with_first_station(scenario: Scenario, **changes: object) -> Scenario:
    first, *rest = scenario.stations
    return replace(scenario, stations=(replace(first, **changes), *rest))  # type: ignore[arg-type]


def test_decibels_and_degrees_become_linear_and_radian() -> None:
    scenario = with_first_station(TWO_CELLS, antenna_gain_dbi=3.0, orientation_deg=30.0)
    user = replace(scenario.users[0], antenna_gain_dbi=-10.0)
    scenario = replace(
        scenario,
        users=(user, *scenario.users[1:]),
        air=replace(scenario.air, rician_k_db=20.0, leakage_isolation_db=60.0),
    )
    world = scene(scenario, 1)
    assert world.stations[0].antenna_gain == pytest.approx(10**0.3)  # power, not amplitude
    assert world.stations[0].orientation_rad == pytest.approx(np.pi / 6)
    assert world.users[0].antenna_gain == pytest.approx(0.1)
    assert world.rician_k == pytest.approx(100.0)
    assert world.leakage == pytest.approx(1e-6)


def test_no_leakage_and_pure_line_of_sight_are_exact() -> None:
    air = replace(TWO_CELLS.air, rician_k_db=float("inf"), leakage_isolation_db=float("inf"))
    world = scene(replace(TWO_CELLS, air=air), 1)
    assert world.leakage == 0.0
    assert world.rician_k == float("inf")


def test_positions_antennas_and_velocities_are_the_scenarios() -> None:
    world = scene(TWO_CELLS, 1)
    assert [(n.name, n.position_m, n.n_tx, n.n_rx) for n in world.stations] == [
        ("west", (0.0, 0.0), 6, 10),
        ("east", (36.0, 0.0), 6, 10),
    ]
    assert all((user.n_tx, user.n_rx) == (0, 1) for user in world.users)
    assert [target.velocity_m_s for target in world.targets] == [t.velocity_m_s for t in TWO_CELLS.ordered_targets]
    assert [target.rcs_m2 for target in world.targets] == [0.15, 0.1]
    assert (world.carrier_hz, world.symbol_rate_hz, world.seed) == (5.6e9, 200e3, 1)


def test_a_moving_user_moves_in_the_scene() -> None:
    user = replace(TWO_CELLS.users[0], velocity_m_s=(0.5, -0.25))
    world = scene(replace(TWO_CELLS, users=(user, *TWO_CELLS.users[1:])), 1)
    assert world.users[0].velocity_m_s == (0.5, -0.25)


def test_users_and_targets_come_in_the_order_of_their_stations() -> None:
    shuffled = replace(TWO_CELLS, users=TWO_CELLS.users[::-1], targets=TWO_CELLS.targets[::-1])
    world = scene(shuffled, 1)
    assert [target.station for target in world.targets] == ["west", "east"]
    assert [world.serving[user.name] for user in world.users] == 3 * ["west"] + 3 * ["east"]


def test_phases_come_from_the_seed() -> None:
    def phases(world: Scene) -> list[float]:
        return [target.phase_rad for target in world.targets]

    assert phases(scene(TWO_CELLS, 1)) == phases(scene(TWO_CELLS, 1))
    assert phases(scene(TWO_CELLS, 1)) != phases(scene(TWO_CELLS, 2))
    drawn = np.array([phases(scene(TWO_CELLS, seed)) for seed in range(200)])
    assert drawn.min() >= 0
    assert drawn.max() < 2 * np.pi
    # 400 uniform phases: their mean resultant has a standard error of 1/20.
    assert abs(np.exp(1j * drawn).mean()) < 0.2


def test_a_phase_that_is_written_is_taken_and_draws_nothing_from_the_others() -> None:
    walker, stroller = TWO_CELLS.targets
    fixed = replace(TWO_CELLS, targets=(replace(walker, reflection_phase_deg=90.0), stroller))
    assert scene(fixed, 1).targets[0].phase_rad == pytest.approx(np.pi / 2)
    assert scene(fixed, 1).targets[1].phase_rad == scene(TWO_CELLS, 1).targets[1].phase_rad


def test_a_written_phase_of_zero_is_no_missing_one() -> None:
    walker, stroller = TWO_CELLS.targets
    fixed = replace(TWO_CELLS, targets=(replace(walker, reflection_phase_deg=0.0), stroller))
    assert scene(fixed, 1).targets[0].phase_rad == 0.0


def test_a_radios_own_impairments_go_before_those_of_the_air() -> None:
    world = scene(Scenario.load("two_cells_dirty"), 1)
    west, east = world.stations
    ann = world.users[0]
    assert (west.front_end.iq_phase_deg, east.front_end.iq_phase_deg) == (0.5, -0.5)
    assert ann.front_end.iq_phase_deg == 1.0  # of the air
    assert ann.front_end.carrier_offset_ppm == 0.3  # its own
    assert west.front_end.carrier_offset_ppm == 0.0  # nobody's: ideal
    assert (west.front_end.dac_bits, west.front_end.adc_bits) == (14, 12)
    assert all(node.front_end.noise_figure_db == 6.0 for node in world.nodes)


def test_an_own_zero_beats_a_default_that_is_not() -> None:
    """What is said is said, also if it is 0 or false."""
    air = replace(TWO_CELLS.air, impairments=replace(TWO_CELLS.air.impairments, iq_gain_db=1.0, random_phase=True))
    own = replace(TWO_CELLS.stations[0].impairments, iq_gain_db=0.0, random_phase=False, noise_figure_db=0.0)
    world = scene(with_first_station(replace(TWO_CELLS, air=air), impairments=own), 1)
    first, second = (station.front_end for station in world.stations)
    assert (first.iq_gain_db, first.random_phase, first.noise_figure_db) == (0.0, False, 0.0)
    assert (second.iq_gain_db, second.random_phase, second.noise_figure_db) == (1.0, True, 6.0)


def test_what_nobody_said_is_ideal() -> None:
    assert {node.front_end for node in scene(TWO_CELLS, 1).nodes} == {FrontEnd(noise_figure_db=6.0)}


def test_clutter_and_switches_are_the_scenarios() -> None:
    text = TWO_CELLS.text.replace(
        "scattering_rays = 16",
        "scattering_rays = 8\nother_targets = true\nintercell_reflections = false\n"
        "clutter = [{ position_m = [10.0, 4.0], rcs_m2 = 2.0 }]",
    )
    world = scene(Scenario.parse(text, "mine.toml"), 1)
    assert (world.scattering_rays, world.other_targets, world.intercell_reflections) == (8, True, False)
    assert [(clutter.position_m, clutter.rcs_m2) for clutter in world.clutter] == [((10.0, 4.0), 2.0)]


def test_the_link_budget_has_no_normalised_gains() -> None:
    assert scene(TWO_CELLS, 1).normalised is None


def test_normalised_gains_are_linear() -> None:
    gains = scene(PAPER, 1).normalised
    assert gains is not None
    assert gains.echo_snr == pytest.approx(1.0)
    assert gains.user_snr == pytest.approx(1000.0)
    assert (gains.reflection_ratio, gains.user_ratio) == pytest.approx((1 / 3, 1 / 3))
    assert gains.block_length == 30
    assert gains.power_w == pytest.approx(1e-4)  # -10 dBm


def test_stations_of_unequal_power_keep_the_papers_ratio_to_their_own() -> None:
    """|alpha_mm|^2 L P / sigma^2 is written once for all stations: unequal powers must be refused or honoured."""
    text = PAPER.text.replace("power_dbm = -10.0", "power_dbm = -13.0", 1)
    try:
        unequal = Scenario.parse(text, "unequal.toml")
    except ValueError:
        return
    power_w = {station.name: 10 ** ((station.power_dbm - 30) / 10) for station in unequal.stations}
    paths = Propagation(scene(unequal, 1)).at(0.0)
    echoes = {path.rx: abs(path.gain) ** 2 * power_w[path.tx] for path in paths if path.kind == "echo"}
    assert echoes["west"] / echoes["east"] == pytest.approx(1.0)
