from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from numpy.typing import NDArray

from precoding import ArgumentError, Network, crb_cbf, crb_comp, echo_covariance, worst_case_sinr
from precoding.blocklevel.conic import solve_conic
from precoding.blocklevel.joint import Request
from precoding.network import normalised
from precoding.reference import (
    Goal,
    SymbolLevelOptimum,
    joint_block_level,
    relaxed_symbol_level,
    solve_p1a,
    solve_p1b,
    solve_p2a,
    solve_p2b,
    solve_p3a,
    solve_p3b,
    solve_p4,
)
from precoding.reference.fisher_cone import fisher_matrix
from precoding.reference.robust import form_at_least, largest_heard
from precoding.reference.solving import solved
from precoding.reference.transmitter import Link, transmitters
from precoding.worst_case import smallest_form

Make = Callable[..., Network]
Complex = NDArray[np.complex128]

QUIET = np.zeros(2)  # no foreign reflections
# Clarabel stops at 1e-8 of its own scale, or "almost solved" at 5e-5; two statements of one problem meet within this.
SAME = 1e-4


def _targets(network: Network, db: float = 8.0) -> NDArray[np.float64]:
    return np.full((network.J, network.K), 10 ** (db / 10))


def _hermitian(rng: np.random.Generator, n: int) -> Complex:
    A = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return np.asarray(A + A.conj().T)


def _covariance(rng: np.random.Generator, n: int) -> Complex:
    A = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return np.asarray(A @ A.conj().T)


def _strongest(covariances: Complex) -> Complex:
    """Weights from the strongest direction of each stream, (n, streams)."""
    values, vectors = np.linalg.eigh(covariances)
    return np.asarray((vectors[:, :, -1] * np.sqrt(values[:, -1:])).T)


def test_fisher_matrix_of_the_statement_gives_the_bounds_of_the_judge(network: Make) -> None:
    rng, net = np.random.default_rng(0), normalised(network(J=3, K=2, n_tx=4))[0]
    for cooperate in (False, True):
        for transmitter in transmitters(net, cooperate=cooperate):
            R, back = _covariance(rng, len(transmitter.T)), np.linalg.inv(transmitter.T)
            for own, m in enumerate(transmitter.stations):
                foreign = 0.0 if cooperate else 0.7
                expression = cp.Constant(back @ R @ back.conj().T)
                F = fisher_matrix(net, transmitter, own, expression, foreign, 3.0).value
                information = 3.0 * (F[0, 0] - F[0, 1:] @ np.linalg.solve(F[1:, 1:], F[1:, 0]))
                gram, angle = net.block_length * R, float(net.arrival_angles[m])
                if cooperate:
                    variance = crb_comp(m, net.departure_angles[m], net.reflections[m], gram, 1.0, net.n_rx)
                else:
                    C = echo_covariance(angle, foreign, 1.0, net.n_rx)
                    variance = crb_cbf(angle, complex(net.reflections[m, m]), gram, C)
                assert information == pytest.approx(1 / variance, rel=1e-8)  # rounding of two inversions


def test_s_procedure_finds_the_exact_worst_case() -> None:
    rng = np.random.default_rng(1)
    M, h, T = _hermitian(rng, 3), rng.normal(size=3) + 1j * rng.normal(size=3), _hermitian(rng, 3) + 4 * np.eye(3)
    link, level = Link(h @ T, 0.4, T), cp.Variable()
    back = np.linalg.inv(T)
    constraints = form_at_least(cp.Constant(back @ M @ back.conj().T), link, level, exact=True)
    assert solved(cp.Problem(cp.Maximize(level), constraints), None)
    assert level.value == pytest.approx(smallest_form(M, h.conj(), 0.4)[0], rel=1e-5)  # the solver's tolerance


def test_proposition_3_bounds_a_stream_from_above_and_is_exact_to_first_order() -> None:
    rng = np.random.default_rng(2)
    w, h = rng.normal(size=4) + 1j * rng.normal(size=4), rng.normal(size=4) + 1j * rng.normal(size=4)
    for radius in (1e-4, 0.3):
        bound = float(
            largest_heard(cp.Constant(np.outer(w, w.conj())), Link(h, radius, np.eye(4, dtype=complex))).value
        )
        # One stream: |W h^*| = |w| |h^T w|, so (34) is the square (|h^T w| + radius |w|)^2 itself.
        assert bound == pytest.approx((abs(h @ w) + radius * np.linalg.norm(w)) ** 2, rel=1e-12)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize("robustness", ["none", "exact"])
def test_joint_statement_agrees_with_that_in_reduced_coordinates(network: Make, scheme: str, robustness: str) -> None:
    net, foreign = network(K=2, n_tx=4, seed=2), np.array([0.02, 0.05]) * (scheme == "blp-cbf")
    gamma = _targets(net)
    plain = joint_block_level(net, scheme, gamma, robustness, foreign)
    task = Request.of(net, scheme, 10 * np.log10(gamma), robustness=robustness).task
    reduced = solve_conic(task, foreign, None)
    assert plain is not None
    assert reduced is not None
    assert plain.information == pytest.approx(reduced.information, rel=2 * SAME)  # 1e-4 is its reward for the mean


def test_without_uncertainty_all_kinds_of_robustness_are_one(network: Make) -> None:
    net = network(K=2, n_tx=4, csi_radius=0.0)
    for scheme in ("blp-cbf", "blp-comp"):
        found = [joint_block_level(net, scheme, _targets(net), kind, QUIET) for kind in ("none", "paper", "exact")]
        values = [one.information for one in found if one is not None]
        assert values == pytest.approx([values[0]] * 3, rel=SAME)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_exact_robustness_holds_and_costs_no_more_than_the_paper_where_that_holds(
    network: Make, scheme: str, seed: int
) -> None:
    net, cooperate = network(K=2, n_tx=4, seed=seed, csi_radius=0.03), scheme == "blp-comp"
    worst_db, information = {}, {}
    for kind in ("paper", "exact"):
        found = joint_block_level(net, scheme, _targets(net), kind, QUIET)
        assert found is not None
        information[kind] = found.information
        weights = np.concatenate([_strongest(W).reshape(-1, net.n_tx, W.shape[0]) for W in found.covariances])
        worst_db[kind] = 10 * np.log10(worst_case_sinr(net, weights, cooperate=cooperate).min())
    assert worst_db["exact"] >= 8.0 - 0.01  # what a second eigenvalue of 1e-4 can cost
    assert information["exact"] >= information["paper"] * (1 - SAME) or worst_db["paper"] < 8.0


def test_sensing_streams_cannot_hurt_and_antenna_limits_cannot_help(network: Make) -> None:
    net = network(K=1, n_tx=4, seed=1)
    gamma = _targets(net)
    plain = joint_block_level(net, "blp-comp", gamma, "none", QUIET)
    helped = joint_block_level(net, "blp-comp", gamma, "none", QUIET, sensing_streams=2)
    limited = joint_block_level(replace(net, antenna_power=np.full((2, 4), 0.25)), "blp-comp", gamma, "none", QUIET)
    assert plain is not None
    assert helped is not None
    assert limited is not None
    assert len(helped.covariances[0]) == 3
    assert helped.information >= plain.information * (1 - SAME)
    assert limited.information < plain.information
    assert np.all(np.diagonal(sum(limited.covariances[0])).real <= 0.25 + 1e-6)  # the solver's tolerance


def test_unknown_names_are_refused(network: Make) -> None:
    net = network(K=1, n_tx=2, block_length=2)
    for scheme, robustness, name in (("blp-cbf", "prop3", "robustness"), ("slp-cbf", "none", "scheme")):
        with pytest.raises(ArgumentError, match=rf"^{name}"):
            joint_block_level(net, scheme, _targets(net), robustness, QUIET)
    with pytest.raises(ArgumentError, match=r"^scheme"):
        relaxed_symbol_level(net, "blp-cbf", _targets(net), _symbols(net, 4), 4, QUIET)
    with pytest.raises(ArgumentError, match=r"^robustness"):
        solve_p2a(net, Goal(), level=1.0, robustness="prop3")


def test_units_of_the_network_do_not_matter(network: Make) -> None:
    net = network(K=2, n_tx=4)
    milli = replace(net, power=net.power * 1e3, user_noise=net.user_noise * 1e3, radar_noise=net.radar_noise * 1e3)
    a, b = (joint_block_level(one, "blp-cbf", _targets(net), "none", QUIET) for one in (net, milli))
    assert a is not None
    assert b is not None
    assert b.information == pytest.approx(a.information, rel=SAME)
    assert np.trace(sum(b.covariances[0])).real == pytest.approx(1e3 * np.trace(sum(a.covariances[0])).real, rel=1e-3)


def test_infeasible_targets_have_no_optimum(network: Make) -> None:
    net = network(K=2, n_tx=4)
    assert joint_block_level(net, "blp-cbf", _targets(net, 45.0), "none", QUIET) is None
    assert solve_p2a(net, Goal(_targets(net, 45.0).ravel()), level=10.0, robustness="none") is None


@pytest.mark.parametrize("robustness", ["none", "paper", "exact"])
def test_least_interference_keeps_what_was_reached(network: Make, robustness: str) -> None:
    net, gamma = network(K=2, n_tx=4), np.full(2, 10**0.4)
    levels = {"intra_level": 5.0, "inter_level": 5.0}
    a = solve_p1a(net, 0, Goal(gamma), **levels, foreign=0.1, robustness=robustness)
    assert a is not None
    least = 0.9 * a.information
    b = solve_p1b(
        net,
        0,
        least_information=least,
        min_sinr=gamma,
        inter_level=5.0,
        greatest_levels=(5.0, 5.0),
        foreign=0.1,
        robustness=robustness,
    )
    assert b is not None
    assert b.intra_level + b.inter_level < 0.9 * 10.0  # a tenth of the information buys more than a tenth of the levels
    assert b.inter_level <= 5.0 * (1 + SAME)
    again = solve_p1a(
        net,
        0,
        Goal(gamma),
        intra_level=b.intra_level * (1 + SAME),
        inter_level=5.0,
        foreign=0.1,
        robustness=robustness,
    )
    assert again is not None
    assert again.information >= least * (1 - 1e-3)


def test_weight_trades_sinr_for_information(network: Make) -> None:
    net = network(K=2, n_tx=4)
    ends = [solve_p2a(net, Goal(weight=w), level=10.0, robustness="none") for w in (1.0, 0.0)]
    assert ends[0] is not None
    assert ends[1] is not None
    scales = ends[0].information, float(ends[1].sinr[0])
    found = [solve_p2a(net, Goal(None, w, *scales), level=10.0, robustness="none") for w in (0.3, 0.5, 0.7)]
    points = [(one.information, one.sinr[0]) for one in found if one is not None]
    assert len(points) == 3
    assert points[0][0] < points[1][0] < points[2][0] <= scales[0] * (1 + SAME)
    assert scales[1] * (1 + SAME) >= points[0][1] > points[1][1] > points[2][1]
    # A point of the frontier is the best information at its own gamma.
    fixed = solve_p2a(net, Goal(np.full(4, points[1][1])), level=10.0, robustness="none")
    assert fixed is not None
    assert fixed.information == pytest.approx(points[1][0], rel=1e-3)  # gamma itself is known to the solver's tolerance


def test_least_common_interference_of_comp_meets_its_own_level(network: Make) -> None:
    net, gamma = network(K=2, n_tx=4), np.full(4, 10**0.8)
    a = solve_p2a(net, Goal(gamma), level=10.0, robustness="paper")
    assert a is not None
    b = solve_p2b(net, least_information=0.9 * a.information, min_sinr=gamma, robustness="paper")
    assert b is not None
    W = b.covariances[0]
    h, radius = net.channels.transpose(1, 2, 0, 3).reshape(4, -1), np.sqrt(2) * 0.01
    heard = [
        sum(
            (abs(hk @ V @ hk.conj()) + radius**2 * np.trace(V).real + 2 * radius * np.linalg.norm(V @ hk.conj()))
            for l, V in enumerate(W)
            if l != k
        )
        for k, hk in enumerate(h)
    ]
    assert max(heard) / 1e-3 == pytest.approx(b.intra_level, rel=1e-2)  # the loudest defines it; (51) by hand
    assert b.intra_level < 10.0


def test_leakage_is_shared_among_the_foreign_base_stations(network: Make) -> None:
    net, level = network(J=3, K=1, n_tx=4), 0.5
    found = solve_p1a(
        net, 0, Goal(np.array([2.0])), intra_level=1.0, inter_level=level, foreign=0.0, robustness="paper"
    )
    assert found is not None
    W = found.covariances[0][0]
    heard = [
        abs(h @ W @ h.conj()) + 0.01**2 * np.trace(W).real + 2 * 0.01 * np.linalg.norm(W @ h.conj())
        for h in net.channels[0, 1:, 0]
    ]
    assert max(heard) / 1e-3 == pytest.approx(level / 2, rel=1e-3)  # (45) with J - 1 = 2, by hand; it binds
    h = net.channels[0, 0, 0]
    assert abs(h @ W @ h.conj()) / 1e-3 >= 2.0 * (1.0 + level + 1.0) * (1 - SAME)  # (46)


def test_single_cell_block_level_schemes_are_one(network: Make) -> None:
    net = network(J=1, K=2, n_tx=4)
    gamma = _targets(net)
    for kind in ("none", "paper", "exact"):
        cbf, comp = (joint_block_level(net, s, gamma, kind, QUIET) for s in ("blp-cbf", "blp-comp"))
        p1 = solve_p1a(net, 0, Goal(gamma[0]), intra_level=5.0, inter_level=9.0, foreign=0.0, robustness=kind)
        p2 = solve_p2a(net, Goal(gamma[0]), level=5.0, robustness=kind)
        assert cbf is not None
        assert comp is not None
        assert p1 is not None
        assert p2 is not None
        assert cbf.information == pytest.approx(comp.information, rel=SAME)
        assert p1.information == pytest.approx(p2.information, rel=SAME)
        assert p1.information <= cbf.information * (1 + SAME)


def _symbols(network: Network, order: int) -> NDArray[np.int64]:
    return np.random.default_rng(3).integers(0, order, (network.J * network.K, network.block_length))


def _least_margin(network: Network, X: Complex, symbols: NDArray[np.int64], order: int, gamma: float) -> float:
    """Smallest constructive margin of stacked samples at CoMP's users, by hand over random errors; >= 0 if it holds."""
    rng, psi = np.random.default_rng(4), np.pi / order
    h = network.channels.transpose(1, 2, 0, 3).reshape(len(symbols), -1)
    radius = np.sqrt(network.J) * network.csi_radius.max()
    least = np.inf
    for _ in range(200):
        e = rng.normal(size=h.shape) + 1j * rng.normal(size=h.shape)
        e *= radius / np.linalg.norm(e, axis=1, keepdims=True)
        y = (h + e) @ X * np.exp(-1j * np.pi * (2 * symbols + 1) / order)
        reach = np.sqrt(gamma * network.user_noise.max())
        least = min(least, float(np.min((y.real - reach) * np.sin(psi) - np.abs(y.imag) * np.cos(psi))))
    return least


@pytest.mark.parametrize("order", [2, 4, 8])
def test_relaxed_comp_samples_hold_but_carry_too_little_to_reach_the_bound(network: Make, order: int) -> None:
    net = network(K=2, n_tx=4, block_length=4, csi_radius=0.02)
    symbols = _symbols(net, order)
    found = relaxed_symbol_level(net, "slp-comp", _targets(net), symbols, order, QUIET)
    assert found is not None
    X = found.samples[0]
    assert _least_margin(net, X, symbols, order, 10**0.8) >= -1e-6  # of amplitudes near 0.1
    excess = np.linalg.eigvalsh(found.covariances[0] - X @ X.conj().T / net.block_length)
    assert excess[0] >= -1e-6
    sent = [
        crb_comp(m, net.departure_angles[m], net.reflections[m], X @ X.conj().T, 1e-3, net.n_rx) for m in range(net.J)
    ]
    assert 1 / max(sent) < 0.9 * found.information  # a bound, not a waveform


def test_no_constraint_on_symbols_is_the_largest_bound(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=3)
    symbols = _symbols(net, 4)
    free = solve_p4(net, Goal(weight=1.0), symbols, 4)
    held = [solve_p4(net, Goal(_targets(net, db).ravel()), symbols, 4) for db in (10.0, 20.0)]
    values = [one.information for one in (free, *held) if one is not None]
    assert len(values) == 3
    assert values[0] >= values[1] * (1 - SAME)
    assert values[1] > values[2]


def test_joint_symbol_level_is_never_below_a_common_level(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=3)
    symbols, gamma = _symbols(net, 4), _targets(net, 5.0)
    joint = relaxed_symbol_level(net, "slp-cbf", gamma, symbols, 4, QUIET)
    assert joint is not None
    for level in (1.0, 4.0):
        found = [solve_p3a(net, m, Goal(gamma[m]), symbols, 4, inter_level=level, foreign=0.0) for m in range(net.J)]
        each = [one for one in found if one is not None]
        assert len(each) == net.J
        assert joint.information >= min(one.information for one in each) * (1 - SAME)
        assert all(_loudest(net, m, one) <= level * (1 + 1e-3) for m, one in enumerate(each))


def _loudest(network: Network, m: int, found: SymbolLevelOptimum) -> float:
    """Largest worst-case power at a foreign user over its noise, times J - 1."""
    h, X = np.delete(network.channels[m], m, axis=0).reshape(-1, network.n_tx), found.samples[0]
    amplitude = np.abs(h @ X) + network.csi_radius.max() * np.linalg.norm(X, axis=0)
    return float(amplitude.max() ** 2 / network.user_noise.max() * (network.J - 1))


def test_least_leakage_of_symbols_keeps_what_was_reached(network: Make) -> None:
    net = network(K=2, n_tx=4, block_length=3)
    symbols, gamma = _symbols(net, 4), np.full(2, 10**0.5)
    a = solve_p3a(net, 1, Goal(gamma), symbols, 4, inter_level=4.0, foreign=0.0)
    assert a is not None
    least = 0.99 * a.information
    b = solve_p3b(net, 1, symbols, 4, least_information=least, min_sinr=gamma, inter_level=4.0, foreign=0.0)
    assert b is not None
    assert b.inter_level < 4.0
    assert _loudest(net, 1, b) == pytest.approx(b.inter_level, rel=1e-2)  # the loudest symbol defines it


def test_single_cell_symbol_level_schemes_are_one(network: Make) -> None:
    net = network(J=1, K=2, n_tx=4, block_length=4)
    symbols, gamma = _symbols(net, 4), _targets(net, 10.0)
    bounds = [relaxed_symbol_level(net, s, gamma, symbols, 4, QUIET) for s in ("slp-cbf", "slp-comp")]
    bounds.append(solve_p3a(net, 0, Goal(gamma[0]), symbols, 4, inter_level=9.0, foreign=0.0))
    values = [one.information for one in bounds if one is not None]
    assert values == pytest.approx([values[0]] * 3, rel=SAME)


def test_nothing_of_the_reference_is_imported_with_the_package() -> None:
    script = "import sys, precoding; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = result.stdout.split()
    assert "precoding.network" in loaded
    assert {"cvxpy", "precoding.reference"}.isdisjoint(loaded)
