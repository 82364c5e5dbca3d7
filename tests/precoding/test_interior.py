"""The interior point on the weights: its forms against differences, its answers against their witnesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import InaccurateError, InfeasibleError, Network, design, witnessed_information
from precoding.blocklevel.compiled_links import compiled_links
from precoding.blocklevel.forms import Form, NominalLinks, PaperLinks, as_real
from precoding.blocklevel.joint import Request
from precoding.blocklevel.on_weights import noise_margin, solve_on_weights
from precoding.blocklevel.targets import Targets
from precoding.blocklevel.worst_links import worst_links
from precoding.witness import Witness
from precoding.worst_case import smallest_form

Make = Callable[..., Network]
Complex = np.ndarray

USERS, STREAMS, DIM = 3, 4, 5


def complex_normal(rng: np.random.Generator, *shape: int) -> Complex:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def some_forms() -> dict[str, Callable[[Complex], Form]]:
    rng = np.random.default_rng(0)
    h = complex_normal(rng, USERS, DIM)
    c = -np.ones((USERS, STREAMS))
    c[np.arange(USERS), np.arange(USERS)] = 1 / 3
    radius = np.array([0.3, 0.5, 0.1])
    return {
        "nominal": lambda W: NominalLinks(W, h, c),
        "paper": lambda W: PaperLinks(W, h, c, radius, np.full(USERS, 1e-3)),
        "worst, smoothed": lambda W: worst_links(W, h, c, radius, np.array([1e-2, 3e-2, 0.0])),
        "worst": lambda W: worst_links(W, h, c, radius, np.zeros(USERS)),
        "compiled": lambda W: compiled_links(W, h, c, radius, np.array([1e-2, 3e-2, 0.0])),
    }


def weights() -> tuple[Complex, Complex]:
    rng = np.random.default_rng(1)
    return 0.3 * complex_normal(rng, STREAMS, DIM), 1e-4 * complex_normal(rng, STREAMS, DIM)


@pytest.mark.parametrize("name", some_forms())
def test_derivatives_are_those_of_central_differences(name: str) -> None:
    form, (W, d) = some_forms()[name], weights()
    at, after, before = form(W), form(W + d), form(W - d)
    slope = np.sum(at.gradients.conj() * d, axis=(1, 2)).real
    # Central differences of steps of 1e-4 are wrong by their square, times what third derivatives there are.
    assert slope == pytest.approx((after.values - before.values) / 2, rel=1e-5, abs=1e-9)
    prices = np.array([0.3, 0.9, 0.5])[: len(at.values)]
    turned = np.einsum("u,uli->li", prices, after.gradients - before.gradients) / 2
    assert np.linalg.norm(at.curvature(prices) @ as_real(d) + as_real(turned)) < 1e-5 * np.linalg.norm(as_real(turned))


@pytest.mark.parametrize(("streams", "dim", "users"), [(4, 5, 3), (6, 20, 6), (5, 4, 6)])
@pytest.mark.parametrize("mu", [0.0, 1e-2])
def test_compiled_worst_case_is_the_readable_one(streams: int, dim: int, users: int, mu: float) -> None:
    rng = np.random.default_rng(5)
    W, h = 0.3 * complex_normal(rng, streams, dim), complex_normal(rng, users, dim)
    c, radius, prices = -np.ones((users, streams)), rng.uniform(0.1, 0.5, users), rng.random(users)
    own = np.arange(min(users, streams))
    c[own, own] = 0.3
    smoothing = np.full(users, mu)
    plain, fast = worst_links(W, h, c, radius, smoothing), compiled_links(W, h, c, radius, smoothing)
    # The same formulas; the decomposition is in another basis.
    assert fast.values == pytest.approx(plain.values, rel=1e-9)
    assert np.allclose(fast.gradients, plain.gradients, rtol=1e-9, atol=1e-9)
    M = plain.curvature(prices)
    assert np.abs(fast.curvature(prices) - M).max() < 1e-9 * np.abs(M).max()


def squares(parts: tuple[Complex, np.ndarray], d: Complex) -> np.ndarray:
    """The second differential given as a block of every stream and rows, applied to a direction."""
    block, rows = parts
    return as_real(d @ block.T) + rows.T @ (rows @ as_real(d))


@pytest.mark.parametrize(("prices", "barrier"), [((0.3, 0.9), 0.0), ((0.0, 0.0), 0.7), ((0.3, 0.9), 0.7)])
def test_information_and_its_barrier_have_the_derivatives_they_claim(prices: tuple[float, ...], barrier: float) -> None:
    rng, (W, d) = np.random.default_rng(2), weights()
    D, y = complex_normal(rng, 2, 3, 2, DIM), np.array(prices)
    at, after, before = (Targets.at(w, D, 1e-9) for w in (W, W + d, W - d))

    def priced(t: Targets) -> float:
        return float(y @ t.values + barrier * t.spread)

    def slope(t: Targets) -> np.ndarray:
        return y @ t.jacobian + barrier * t.pull

    # Central differences of steps of 1e-4 are wrong by their square, times what third derivatives there are.
    assert slope(at) @ as_real(d) == pytest.approx((priced(after) - priced(before)) / 2, rel=1e-5)
    turned = (slope(after) - slope(before)) / 2
    assert np.linalg.norm(squares(at.curvature(y, barrier), d) + turned) < 1e-5 * np.linalg.norm(turned)


def test_smoothing_never_promises_more_than_the_exact_worst_case() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        W, h = complex_normal(rng, STREAMS, DIM), complex_normal(rng, 1, DIM)
        c, radius = -np.ones((1, STREAMS)), rng.uniform(0.05, 1.0, size=1)
        c[0, 0] = 1 / rng.uniform(0.5, 30.0)
        exact = smallest_form((c * W.T) @ W.conj(), h[0].conj(), float(radius[0]))[0]
        assert worst_links(W, h, c, radius, np.zeros(1)).values[0] == pytest.approx(exact, rel=1e-8, abs=1e-8)
        assert worst_links(W, h, c, radius, 10 ** rng.uniform(-4, 0, 1)).values[0] <= exact + 1e-9 * abs(exact)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize("robustness", ["none", "paper", "exact"])
@pytest.mark.parametrize(("n_tx", "target_db"), [(6, 5.0), (16, 15.0), (64, 10.0)])
def test_one_set_of_constants_serves_all_sizes(
    network: Make, scheme: str, robustness: str, n_tx: int, target_db: float
) -> None:
    found = design(network(n_tx=n_tx, n_rx=max(10, n_tx)), scheme, min_sinr_db=target_db, robustness=robustness)
    assert found.status.startswith("interior point: converged")
    # What the issue asks of block-level designs.
    assert found.certificate.gap <= (1e-3 if robustness == "exact" else 1e-4)
    assert found.certificate.shortfall_db <= 0.0


@pytest.mark.parametrize("seed", range(4))
def test_wide_balls_at_high_sinr_do_not_jam_the_path(network: Make, seed: int) -> None:
    """Starts where users are not served yet, and many worst channels at once, ended in dead ends before."""
    found = design(network(n_tx=10, csi_radius=0.05, seed=seed), "blp-comp", min_sinr_db=15.0)
    assert found.status.startswith("interior point: converged")
    assert found.certificate.holds()


def test_large_cooperative_networks_are_solved_in_a_second_or_two(network: Make) -> None:
    found = design(network(J=3, K=4, n_tx=8), "blp-comp", min_sinr_db=8.0)
    assert found.certificate.holds(5e-4)
    assert found.weights is not None
    assert found.weights.shape == (3, 8, 12)


def witness(net: Network, target_db: float) -> tuple[Request, Witness, float]:
    request = Request.of(net, "blp-comp", np.full((net.J, net.K), target_db), robustness="exact")
    (answer,) = solve_on_weights(request.task, np.zeros(net.J), None, None)
    assert answer.witness is not None
    bound = witnessed_information(request.task.network, request.task.min_sinr, answer.witness)
    return request, answer.witness, bound


def test_any_prices_bound_what_any_design_reaches(network: Make) -> None:
    net = network(K=2, n_tx=4)
    request, prices, tight = witness(net, 8.0)
    reached = design(net, "blp-comp", min_sinr_db=8.0).certificate.information.min()
    assert reached <= tight <= reached * (1 + 1e-3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = replace(
            prices,
            users=prices.users * rng.uniform(0, 3, size=prices.users.shape),
            stations=prices.stations * rng.uniform(0.2, 3, size=prices.stations.shape),
        )
        assert witnessed_information(request.task.network, request.task.min_sinr, other) >= reached


def test_prices_that_make_no_sense_prove_nothing(network: Make) -> None:
    request, prices, _ = witness(network(K=2, n_tx=4), 8.0)
    heard = prices.heard[0]
    false = [
        replace(prices, users=-prices.users),
        replace(prices, users=prices.users * np.nan),
        replace(prices, stations=-prices.stations),
        replace(prices, sensing=tuple(-Z for Z in prices.sensing)),
        replace(prices, heard=(replace(heard, means=heard.means * 1.1),)),  # channels outside the balls
        replace(prices, heard=(replace(heard, covariances=np.ones_like(heard.covariances)),)),
    ]
    for one in false:
        assert witnessed_information(request.task.network, request.task.min_sinr, one) == np.inf


@pytest.mark.parametrize("robustness", ["none", "exact"])
def test_noise_margin_is_bounded_by_its_witness_and_close_to_it(network: Make, robustness: str) -> None:
    request = Request.of(network(K=2, n_tx=4), "blp-cbf", np.full((2, 2), 10.0), robustness=robustness)
    margin = noise_margin(request.task)
    assert 1.0 < margin.factor <= margin.bound <= margin.factor * (1 + 1e-2)
    # Less noise at every user by that factor, or targets at the limit, are the same.
    louder = replace(request.task.network, user_noise=request.task.network.user_noise * 1.02 * margin.bound)
    with pytest.raises(InfeasibleError):
        design(louder, "blp-cbf", min_sinr_db=10.0, robustness=robustness)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_antenna_limits_hold_and_cost_accuracy(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=4)
    free = design(net, scheme, min_sinr_db=8.0)
    even = design(replace(net, antenna_power=np.full((2, 4), 0.25)), scheme, min_sinr_db=8.0)
    assert np.all(even.certificate.antenna_power <= 0.25 * (1 + 1e-9))
    assert even.certificate.holds()
    assert free.certificate.antenna_power.max() > 0.25
    assert even.certificate.rcrb_rad.max() > free.certificate.rcrb_rad.max()


def test_a_user_without_promise_is_served_what_is_left(network: Make) -> None:
    net = network(K=2, n_tx=4)
    some = np.array([[8.0, -np.inf], [8.0, 8.0]])
    fewer, all_four = (design(net, "blp-cbf", min_sinr_db=t).certificate for t in (some, 8.0))
    assert fewer.holds()
    assert fewer.rcrb_rad.max() < all_four.rcrb_rad.max()


def test_out_of_time_the_earlier_design_is_kept_while_it_holds(network: Make) -> None:
    net = network(seed=8)
    first = design(net, "blp-comp", min_sinr_db=6.0)
    with pytest.raises(InaccurateError) as caught:
        design(net, "blp-comp", min_sinr_db=5.0, start=first, time_limit_s=1e-9)
    kept = caught.value.design
    assert kept is not None
    assert kept.status == "the earlier design, unchanged"
    assert kept.certificate.is_feasible()
    assert kept.weights == pytest.approx(first.weights, rel=1e-12)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_with_a_start_ever_less_is_to_be_done(network: Make, scheme: str) -> None:
    net = network(seed=8)
    first = design(net, scheme, min_sinr_db=5.0, tolerance=1e-3)
    near = replace(net, channels=net.channels * np.exp(1e-3j), csi_radius=1.01 * net.csi_radius)
    again = design(near, scheme, min_sinr_db=5.0, start=first, tolerance=1e-3)
    cold = design(near, scheme, min_sinr_db=5.0, tolerance=1e-3)
    # Both are within their tolerance of the same bound.
    assert again.certificate.rcrb_rad.max() == pytest.approx(cold.certificate.rcrb_rad.max(), rel=2e-3)
    assert again.certificate.gap <= 1e-3
    assert len(again.history) <= len(cold.history)
