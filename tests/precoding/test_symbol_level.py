from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Design, InfeasibleError, Network, crb_comp
from precoding.symbollevel import (
    bounded_information,
    constructive_sinr,
    design_symbol_level,
    largest_symbol_level_sinr,
    minimum_power_waveform,
)
from precoding.symbollevel.echoes import echoes
from precoding.symbollevel.relaxed import solve_relaxed, symbol_prices
from precoding.symbollevel.relaxed_data import relaxed_dual
from precoding.symbollevel.relaxed_newton import newton_direction
from precoding.symbollevel.repair import is_feasible, repaired
from precoding.symbollevel.task import symbol_task

Make = Callable[..., Network]
SCHEMES = ["slp-cbf", "slp-comp"]


def _symbols(net: Network, order: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, order, (net.J * net.K, net.block_length))


def _design(
    net: Network, scheme: str, db: float, order: int = 4, robust: bool = True, start: Design | None = None
) -> Design:
    targets = np.full((net.J, net.K), db)
    return design_symbol_level(net, scheme, targets, _symbols(net, order), order, robust=robust, start=start)


def _stands(answer: Design, most_gap: float) -> None:
    c = answer.certificate
    assert c.holds()
    assert np.all(c.power <= c.power_limit)  # repaired: no tolerance
    assert np.all(c.antenna_power <= c.antenna_power_limit)
    assert c.shortfall_db <= 1e-9  # rounding of the unit of power
    assert -1e-9 <= c.gap <= most_gap  # weak duality holds but for rounding
    assert c.rank_loss == 0.0
    assert answer.weights is None
    assert answer.waveform().shape == (*c.antenna_power.shape, answer.symbols.shape[1])
    # The history ends at what is sent, but for the last repair; with antenna limits, at the best of all steps.
    assert answer.history[-1] == pytest.approx(c.rcrb_rad.max(), rel=5e-3)


def test_comp_waveforms_are_feasible_and_near_the_relaxed_bound(network: Make) -> None:
    _stands(_design(network(seed=3, block_length=20), "slp-comp", 15.0), most_gap=0.02)  # as of 90 % of networks


def test_cbf_waveforms_are_feasible_and_above_their_bound(network: Make) -> None:
    # The relaxed excess pays no interference between cells: the bound is far below.
    _stands(_design(network(block_length=20), "slp-cbf", 5.0), most_gap=0.3)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("J", "K", "order", "radius"), [(2, 1, 2, 0.01), (1, 3, 8, 0.02), (3, 1, 4, 0.0), (1, 1, 4, 0.0)]
)
def test_other_sizes_and_constellations_are_served(
    network: Make, scheme: str, J: int, K: int, order: int, radius: float
) -> None:
    net = network(J=J, K=K, n_tx=5, block_length=6, csi_radius=radius)
    _stands(_design(net, scheme, 6.0, order), most_gap=0.3)


def test_one_cell_alone_is_the_same_in_both_schemes(network: Make) -> None:
    net = network(J=1, n_tx=5, block_length=8)
    found = [_design(net, scheme, 8.0).certificate for scheme in SCHEMES]
    assert found[0].bound_rcrb_rad == pytest.approx(found[1].bound_rcrb_rad, rel=1e-6)  # one problem, solved alike
    assert found[0].rcrb_rad[0] == pytest.approx(found[1].rcrb_rad[0], rel=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unequal_powers_noises_radii_and_antenna_limits_are_respected(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=6, block_length=6)
    rng = np.random.default_rng(3)
    net = replace(
        net,
        power=np.array([2.0, 0.5]),
        user_noise=net.user_noise * rng.uniform(0.5, 2.0, (2, 2)),
        radar_noise=net.radar_noise * np.array([1.0, 3.0]),
        csi_radius=rng.uniform(0.0, 0.02, (2, 2, 2)),
        antenna_power=np.array([[0.4], [0.1]]) * np.ones(6),
    )
    targets = np.array([[3.0, 6.0], [4.0, 5.0]])
    answer = design_symbol_level(net, scheme, targets, _symbols(net), 4, robust=True)
    _stands(answer, most_gap=0.6)
    free = design_symbol_level(replace(net, antenna_power=None), scheme, targets, _symbols(net), 4, robust=True)
    assert free.certificate.bound_rcrb_rad < answer.certificate.bound_rcrb_rad or scheme == "slp-cbf"
    assert np.any(free.certificate.antenna_power > net.antenna_power)  # the limits did bind


def test_the_certificate_judges_the_waveform_that_is_sent(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=8)
    answer = _design(net, "slp-comp", 8.0)
    X = answer.waveform(_symbols(net)).reshape(8, 8)
    for m in range(2):
        angles, reflections = net.departure_angles[m], net.reflections[m]
        variance = crb_comp(m, angles, reflections, X @ X.conj().T, float(net.radar_noise[m]), net.n_rx)
        assert answer.certificate.rcrb_rad[m] == pytest.approx(np.sqrt(variance), rel=1e-9)  # the same formula
    with pytest.raises(ArgumentError, match="symbols"):
        answer.waveform(_symbols(net) + 1)


def test_robustness_none_promises_the_estimated_channels_only(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=8, csi_radius=0.05)
    nominal, robust = (_design(net, "slp-comp", 8.0, robust=r).certificate for r in (False, True))
    assert nominal.holds()
    assert not nominal.withstands_ball
    assert robust.withstands_ball
    assert nominal.rcrb_rad.max() < robust.rcrb_rad.max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_earlier_design_as_start_does_not_change_the_answer(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5, block_length=6)
    cold = _design(net, scheme, 6.0)
    rng = np.random.default_rng(0)
    moved = replace(net, channels=net.channels + 0.01 * rng.normal(size=net.channels.shape))
    warm, anew = _design(moved, scheme, 6.0, start=cold), _design(moved, scheme, 6.0)
    _stands(warm, most_gap=0.3)
    # Both stop when a step gains less than 2e-4; local optima differ by less than half a percent (measured 0.3 %).
    assert warm.certificate.rcrb_rad.max() == pytest.approx(anew.certificate.rcrb_rad.max(), rel=5e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_targets_are_feasible_up_to_the_largest_sinr_and_no_further(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5, block_length=8)
    largest_db = largest_symbol_level_sinr(net, scheme, _symbols(net), 4)
    _stands(_design(net, scheme, largest_db - 0.02), most_gap=np.inf)
    with pytest.raises(InfeasibleError, match="limits") as caught:
        _design(net, scheme, largest_db + 0.02)
    assert caught.value.max_sinr_db == pytest.approx(largest_db, abs=2e-3)  # the search stops at 1e-3 dB
    assert 0 <= caught.value.station < 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_largest_sinr_is_reached_with_the_least_power_equal_to_the_limit(network: Make, scheme: str) -> None:
    net = network(J=1, n_tx=5, block_length=8)
    largest_db = largest_symbol_level_sinr(net, scheme, _symbols(net), 4)
    X = minimum_power_waveform(net, scheme, np.full((1, 3), largest_db), _symbols(net), 4, limited=False)
    power = np.mean(np.sum(np.abs(X) ** 2, axis=1))
    assert power == pytest.approx(net.power[0], rel=1e-3)  # 1e-3 dB of the search, and the solver


@pytest.mark.parametrize("scheme", SCHEMES)
def test_least_power_meets_every_target_with_less_than_any_design(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5, block_length=8)
    targets = np.array([[3.0, 6.0], [4.0, 5.0]])
    X = minimum_power_waveform(net, scheme, targets, _symbols(net), 4)
    held = constructive_sinr(net, X, _symbols(net), 4, cooperate=scheme == "slp-comp")
    assert np.all(10 * np.log10(held) >= targets - 1e-9)  # rounding
    assert np.mean(np.sum(np.abs(X) ** 2, axis=(0, 1))) < 0.1 * net.power.sum()
    with pytest.raises(InfeasibleError):
        minimum_power_waveform(net, scheme, targets + 60.0, _symbols(net), 4)


def test_least_power_for_one_user_is_the_matched_filter(network: Make) -> None:
    net = network(J=1, K=1, n_tx=4, block_length=4, csi_radius=0.0)
    X = minimum_power_waveform(net, "slp-comp", np.full((1, 1), 10.0), _symbols(net), 4)
    needed = 10.0 * net.user_noise[0, 0] / np.linalg.norm(net.channels[0, 0, 0]) ** 2
    # One user's region begins at sqrt(gamma noise); conj(h) reaches it with the least power. Solver tolerance.
    assert np.mean(np.sum(np.abs(X) ** 2, axis=(0, 1))) == pytest.approx(needed, rel=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("radius", [0.0, 0.02])
def test_the_bound_is_that_of_the_plain_statement(network: Make, scheme: str, radius: float) -> None:
    from precoding.reference.joint_symbol_level import relaxed_symbol_level

    net = network(K=2, n_tx=4, block_length=4, csi_radius=radius)
    foreign = np.zeros(2) if scheme == "slp-comp" else np.array([0.1, 0.3])
    targets_db = np.full((2, 2), 5.0)
    task, _ = symbol_task(net, scheme, targets_db, _symbols(net), 4, robust=True)
    model = echoes(task, foreign)
    prices = symbol_prices(task, model, solve_relaxed(task, model))
    bound = bounded_information(task.network, task.min_sinr, task.symbols, 4, prices)
    plain = relaxed_symbol_level(net, scheme, 10 ** (targets_db / 10), _symbols(net), 4, foreign)
    assert plain is not None
    # The path ends 1e-3 units of information above the optimum, of about 5 units; the plain solver adds its own.
    assert bound == pytest.approx(plain.information, rel=5e-4)
    assert bound >= plain.information * (1 - 1e-5)


def test_wrong_prices_prove_less_and_never_more(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=6)
    for scheme in SCHEMES:
        task, _ = symbol_task(net, scheme, np.full((2, 2), 5.0), _symbols(net), 4, robust=True)
        model = echoes(task, np.zeros(2))
        prices = symbol_prices(task, model, solve_relaxed(task, model))
        best = bounded_information(task.network, task.min_sinr, task.symbols, 4, prices)
        # The best prices are within 3e-4 of the optimum, and no prices go below that.
        for poor in (
            replace(prices, stations=0.7 * prices.stations),
            replace(prices, stations=1.5 * prices.stations),
            replace(prices, edges=1.2 * prices.edges),
            replace(prices, edges=0.0 * prices.edges),
        ):
            assert bounded_information(task.network, task.min_sinr, task.symbols, 4, poor) >= best * (1 - 3e-4)
        for wrong in (replace(prices, edges=-prices.edges), replace(prices, sensing=-prices.sensing)):
            assert bounded_information(task.network, task.min_sinr, task.symbols, 4, wrong) == np.inf


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("radius", [0.0, 0.02])
def test_newton_direction_agrees_with_differences(network: Make, scheme: str, radius: float) -> None:
    net = network(K=2, n_tx=4, block_length=3, csi_radius=radius)
    task, _ = symbol_task(net, scheme, np.full((2, 2), 5.0), _symbols(net), 4, robust=True)
    dual, at = relaxed_dual(task, echoes(task, np.zeros(2)))
    rng = np.random.default_rng(0)
    if radius > 0.0:
        at = replace(at, p=1e-5 * (rng.normal(size=at.p.shape) + 1j * rng.normal(size=at.p.shape)))
    mu, h = 0.3, 1e-4
    gradient, step = newton_direction(dual, at, mu)
    difference = (dual.value(at.moved(step, h), mu) - dual.value(at.moved(step, -h), mu)) / (2 * h)
    assert gradient.slope(step) == pytest.approx(difference, rel=1e-6)  # of second order in h
    ahead, back = (newton_direction(dual, at.moved(step, sign * h), mu)[0] for sign in (1, -1))
    left = (ahead.y - back.y) / (2 * h) + gradient.y  # H step + gradient = 0
    assert np.abs(left).max() <= 1e-6 * np.abs(gradient.y).max()
    left = ((ahead.theta - back.theta) / (2 * h) + gradient.theta)[dual.unity == 0.0]
    assert np.abs(left).max() <= 1e-6 * np.abs(gradient.theta).max()
    assert np.sum(dual.unity * step.theta) == pytest.approx(0.0, abs=1e-9)


def test_repair_moves_no_further_than_needed(network: Make) -> None:
    net = network(K=2, n_tx=5, block_length=6)
    task, _ = symbol_task(net, "slp-comp", np.full((2, 2), 5.0), _symbols(net), 4, robust=True)
    inside = 1.5 * minimum_power_waveform(task.network, "slp-comp", np.full((2, 2), 5.0), _symbols(net), 4)
    assert is_feasible(task, inside)
    outside = -0.01 * inside
    X = repaired(task, outside, inside)
    assert is_feasible(task, X)
    assert not is_feasible(task, outside + 0.98 * (X - outside))  # the search stops at 1 % of the share
    assert repaired(task, inside, 0.0 * inside) is inside


@pytest.mark.parametrize(
    ("symbols", "order", "name"),
    [
        (np.zeros((4, 5), int), 4, "symbols"),
        (np.full((4, 6), 4), 4, "symbols"),
        (np.zeros((4, 6)), 4, "symbols"),
        (np.zeros((4, 6), int), 1, "order"),
    ],
)
def test_bad_symbols_are_named(network: Make, symbols: np.ndarray, order: int, name: str) -> None:
    net = network(K=2, n_tx=4, block_length=6)
    with pytest.raises(ArgumentError, match=name):
        design_symbol_level(net, "slp-comp", np.zeros((2, 2)), symbols, order, robust=True)


def test_a_start_of_another_shape_and_a_wrong_scheme_are_refused(network: Make) -> None:
    net = network(K=1, n_tx=4, block_length=4)
    start = _design(net, "slp-comp", 0.0)
    with pytest.raises(ArgumentError, match="start"):
        _design(network(K=1, n_tx=5, block_length=4), "slp-comp", 0.0, start=start)
    with pytest.raises(ArgumentError, match="scheme"):
        _design(net, "blp-comp", 0.0)


def test_importing_loads_no_solver() -> None:
    code = "import sys, precoding.symbollevel; sys.exit(any(m in sys.modules for m in ('clarabel', 'cvxpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
