from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Design, InaccurateError, InfeasibleError, Network, design, sinr
from precoding.blocklevel.cluster import clusters
from precoding.network import normalised

Make = Callable[..., Network]


def _stands(answer: Design) -> None:
    c = answer.certificate
    assert c.holds(1e-3)
    assert c.rank_loss < 1e-3  # what Clarabel's stopping early leaves; an untight relaxation shows 0.1 or more
    assert np.all(c.promised_sinr_db >= c.min_sinr_db - 1e-3)  # the tolerance that the issue allows
    assert np.all(c.power <= c.power_limit * (1 + 1e-9))  # rounding of a rescaling
    assert np.allclose(c.antenna_power.sum(axis=1), c.power, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("robustness", ["none", "exact"])
def test_cbf_designs_are_tight_and_certified(network: Make, seed: int, robustness: str) -> None:
    answer = design(network(seed=seed), "blp-cbf", min_sinr_db=8.0, robustness=robustness)
    _stands(answer)
    assert answer.weights.shape == (2, 6, 3)
    assert answer.solve_time_s > 0.0
    assert len(answer.history) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_comp_designs_are_tight_and_certified(network: Make, seed: int) -> None:
    answer = design(network(seed=seed), "blp-comp", min_sinr_db=10.0, robustness="none")
    _stands(answer)
    assert answer.weights.shape == (2, 6, 6)


def test_robust_comp_holds_on_every_channel_drawn_from_the_balls(network: Make) -> None:
    net = network(K=2, n_tx=4, csi_radius=0.03)
    answer = design(net, "blp-comp", min_sinr_db=[[10.0, 6.0], [8.0, 12.0]])
    _stands(answer)
    rng = np.random.default_rng(0)
    for _ in range(300):
        e = rng.normal(size=(2, 2, 2, 4)) + 1j * rng.normal(size=(2, 2, 2, 4))
        e *= np.sqrt(2) * 0.03 / np.linalg.norm(e, axis=(0, 3), keepdims=True)
        held = 10 * np.log10(sinr(net.channels + e, answer.weights, net.user_noise))
        assert np.all(held >= answer.min_sinr_db - 1e-3)


def test_robustness_costs_accuracy_and_cooperation_gains_it(network: Make) -> None:
    net = network(K=2, n_tx=4, csi_radius=0.03)
    worst = {
        (scheme, kind): design(net, scheme, min_sinr_db=8.0, robustness=kind).certificate.rcrb_rad.max()
        for scheme in ("blp-cbf", "blp-comp")
        for kind in ("none", "exact")
    }
    assert worst["blp-cbf", "none"] < worst["blp-cbf", "exact"]
    assert worst["blp-comp", "none"] < worst["blp-comp", "exact"] < worst["blp-cbf", "exact"]


def test_single_cell_schemes_agree(network: Make) -> None:
    net = network(J=1)
    cbf, comp = (design(net, s, min_sinr_db=10.0) for s in ("blp-cbf", "blp-comp"))
    _stands(cbf)
    # The same convex problem: equal to what the solver resolves.
    assert cbf.certificate.rcrb_rad == pytest.approx(comp.certificate.rcrb_rad, rel=1e-4)


def test_three_cells_work(network: Make) -> None:
    _stands(design(network(J=3, K=2), "blp-cbf", min_sinr_db=8.0, robustness="none"))


def test_one_user_per_cell_works(network: Make) -> None:
    _stands(design(network(K=1, seed=1), "blp-comp", min_sinr_db=8.0, robustness="none"))


def test_subspace_of_users_and_targets_loses_nothing(network: Make) -> None:
    net, n = network(K=2, n_tx=12, n_rx=16), 12
    small = clusters(normalised(net)[0], cooperate=False)[0]
    assert small.basis.shape == (n, 6)  # 4 users, steering vector and derivative
    answer = design(net, "blp-cbf", min_sinr_db=10.0)
    outside = np.eye(n) - small.basis @ np.linalg.pinv(small.basis)
    assert np.linalg.norm(outside @ answer.weights[0]) < 1e-9  # rounding
    _stands(answer)


def test_unit_of_power_does_not_matter(network: Make) -> None:
    net = network(K=2, n_tx=4)
    watt = replace(
        net, channels=net.channels * 1e-5, csi_radius=net.csi_radius * 1e-5, user_noise=net.user_noise * 1e-10
    )
    milli = replace(watt, power=watt.power * 1e3, user_noise=watt.user_noise * 1e3, radar_noise=watt.radar_noise * 1e3)
    a, b, c = (design(x, "blp-cbf", min_sinr_db=8.0) for x in (net, watt, milli))
    # The same normalised problem up to rounding, which an early stop of the solver magnifies.
    assert b.certificate.rcrb_rad == pytest.approx(a.certificate.rcrb_rad, rel=1e-4)
    assert c.certificate.rcrb_rad == pytest.approx(a.certificate.rcrb_rad, rel=1e-4)
    assert c.certificate.power == pytest.approx(1e3 * a.certificate.power, rel=1e-4)


def test_phases_and_order_of_users_do_not_matter(network: Make) -> None:
    net = network(K=2, n_tx=4)
    reference = design(net, "blp-comp", min_sinr_db=8.0, robustness="none").certificate.rcrb_rad
    turned = replace(net, channels=net.channels * np.exp(0.7j))
    swapped = replace(net, channels=net.channels[:, :, ::-1])
    for same in (turned, swapped):
        # Equal problems; the tolerance is the solver's.
        assert design(same, "blp-comp", min_sinr_db=8.0, robustness="none").certificate.rcrb_rad == pytest.approx(
            reference, rel=1e-4
        )


def test_waveform_of_orthogonal_symbols_has_the_designed_power(network: Make) -> None:
    net = network(K=2, n_tx=4)
    S = np.exp(2j * np.pi * np.outer(np.arange(4), np.arange(8)) / 8)  # rows of a DFT: S S^H = 8 I
    for scheme in ("blp-cbf", "blp-comp"):
        answer = design(net, scheme, min_sinr_db=8.0, robustness="none")
        X = answer.waveform(S)
        assert X.shape == (2, 4, 8)
        assert np.array_equal(X, answer.waveform(S.reshape(2, 2, 8)))
        assert np.mean(np.abs(X) ** 2, axis=2) == pytest.approx(answer.certificate.antenna_power, rel=1e-9)
        with pytest.raises(ArgumentError, match="symbols"):
            answer.waveform(S[:3])


@pytest.mark.parametrize(("scheme", "robustness"), [("blp-cbf", "none"), ("blp-cbf", "exact"), ("blp-comp", "none")])
def test_infeasible_request_says_who_limits_and_what_is_possible(network: Make, scheme: str, robustness: str) -> None:
    net = network(K=2, n_tx=4, seed=1)
    with pytest.raises(InfeasibleError, match=r"User \d of cell \d") as caught:
        design(net, scheme, min_sinr_db=45.0, robustness=robustness)
    largest = caught.value.max_sinr_db
    # 0.05 dB: found within 0.01 dB, and the rest for the solver, which has no room left at the edge.
    assert design(net, scheme, min_sinr_db=largest - 0.05, robustness=robustness).certificate.is_feasible()
    with pytest.raises(InfeasibleError):
        design(net, scheme, min_sinr_db=largest + 0.05, robustness=robustness)


def test_limiting_user_is_the_one_whose_noise_is_worst(network: Make) -> None:
    noise = np.full((2, 2), 1e-3)
    noise[1, 0] = 30.0
    with pytest.raises(InfeasibleError) as caught:
        design(replace(network(K=2, n_tx=4), user_noise=noise), "blp-cbf", min_sinr_db=10.0, robustness="none")
    assert caught.value.user == (1, 0)
    assert caught.value.station == 1


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({"scheme": "blp"}, "scheme"),
        ({"robustness": "best"}, "robustness"),
        ({"min_sinr_db": [1.0, 2.0]}, "min_sinr_db"),
        ({"min_sinr_db": np.nan}, "min_sinr_db"),
        ({"time_limit_s": 0.0}, "time_limit_s"),
    ],
)
def test_a_bad_request_is_refused_by_name(network: Make, keywords: dict[str, object], name: str) -> None:
    request: dict[str, object] = {"scheme": "blp-cbf", "min_sinr_db": 5.0, **keywords}
    with pytest.raises(ArgumentError, match=rf"^{name}"):
        design(network(), **request)  # type: ignore[arg-type]


def test_block_shorter_than_its_streams_is_refused(network: Make) -> None:
    with pytest.raises(ArgumentError, match="block_length"):
        design(network(block_length=5), "blp-comp", min_sinr_db=5.0)


def test_no_time_is_an_error_and_not_a_design(network: Make) -> None:
    with pytest.raises(InaccurateError):
        design(network(), "blp-cbf", min_sinr_db=8.0, time_limit_s=1e-6)


def test_what_is_proven_to_the_tolerance_asked_is_left_alone(network: Make) -> None:
    """A loose tolerance must not send a proven design to slower solvers that prove more."""
    answer = design(network(csi_radius=0.02), "blp-comp", min_sinr_db=10.0, tolerance=1e-2)
    assert answer.status.startswith("interior point: converged")
    assert 1e-4 < answer.certificate.gap <= 1e-2
    assert answer.certificate.is_feasible()
