from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from precoding import ArgumentError, Network, expected_sinr, sinr, worst_case_sinr
from precoding.worst_case import smallest_form

Make = Callable[..., Network]
Array = NDArray[np.complex128]


def _hermitian(rng: np.random.Generator, n: int) -> Array:
    A = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return A + A.conj().T


def _on_sphere(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    e = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return np.asarray(e / np.linalg.norm(e, axis=-1, keepdims=True))


def _value(M: Array, x: Array) -> NDArray[np.float64]:
    return np.asarray(np.einsum("...i,ij,...j->...", x.conj(), M, x).real)


@pytest.mark.parametrize("seed", range(5))
def test_no_point_of_the_ball_undercuts_the_smallest_form(seed: int) -> None:
    rng = np.random.default_rng(seed)
    M, x, radius = _hermitian(rng, 4), 3 * _on_sphere(rng, (4,)), 0.7
    smallest, where = smallest_form(M, x, radius)
    assert np.linalg.norm(where - x) == pytest.approx(radius, rel=1e-9)  # a Newton root
    assert _value(M, where) == pytest.approx(smallest, rel=1e-12)

    def penalised(u: NDArray[np.float64]) -> float:
        e = u[:4] + 1j * u[4:]
        return float(_value(M, x + e * radius / max(1.0, float(np.linalg.norm(e)))))

    found = min(minimize(penalised, rng.normal(size=8), method="BFGS").fun for _ in range(5))
    assert np.all(_value(M, x + radius * _on_sphere(rng, (20000, 4))) >= smallest - 1e-12)
    assert found == pytest.approx(smallest, abs=1e-6)  # BFGS stops at gradient 1e-5


def test_hard_case_steps_along_the_lowest_eigenvector() -> None:
    M = np.diag([-1.0, 2.0, 3.0]).astype(complex)
    x = np.array([0.0, 0.3, 0.0], dtype=complex)
    smallest, where = smallest_form(M, x, 1.0)
    # By hand: tau = 1, e_1 = -2 * 0.3 / 3 = -0.2, |e_0|^2 = 0.96, value = -0.96 + 2 * 0.01.
    assert smallest == pytest.approx(-0.94, rel=1e-12)
    assert np.linalg.norm(where - x) == pytest.approx(1.0, rel=1e-12)


def test_semidefinite_form_reaches_zero_inside_the_ball() -> None:
    w = np.array([1.0, 1j, 0.5], dtype=np.complex128)
    assert smallest_form(np.outer(w, w.conj()), 0.1 * w, 5.0)[0] == pytest.approx(0.0, abs=1e-12)


def test_single_stream_meets_its_closed_form() -> None:
    rng = np.random.default_rng(3)
    w, x = _on_sphere(rng, (6,)) * 2, _on_sphere(rng, (6,)) * 3
    value, _ = smallest_form(np.outer(w, w.conj()), x, 0.1)
    assert value == pytest.approx((abs(np.vdot(w, x)) - 0.1 * np.linalg.norm(w)) ** 2, rel=1e-9)
    largest, _ = smallest_form(-np.outer(w, w.conj()), x, 0.1)
    assert -largest == pytest.approx((abs(np.vdot(w, x)) + 0.1 * np.linalg.norm(w)) ** 2, rel=1e-9)


def _weights(network: Network, streams: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(network.J, network.n_tx, streams)) + 1j * rng.normal(size=(network.J, network.n_tx, streams))
    return np.asarray(W / np.linalg.norm(W, axis=(1, 2), keepdims=True))


@pytest.mark.parametrize("streams", [2, 4])
def test_no_channel_within_the_balls_is_worse_and_a_search_comes_close(network: Make, streams: int) -> None:
    net = replace(network(K=2, n_tx=3), csi_radius=np.random.default_rng(2).uniform(0.02, 0.2, (2, 2, 2)))
    W = _weights(net, streams, seed=1)
    worst = worst_case_sinr(net, W)

    def balled(raw: NDArray[np.float64], m: int, k: int) -> Array:
        e = (raw[:6] + 1j * raw[6:]).reshape(2, 3)
        radii = net.csi_radius[:, m, k]
        if streams == 4:
            return np.asarray(e * np.linalg.norm(radii) / max(1.0, float(np.linalg.norm(e))))
        return np.asarray(e * radii[:, None] / np.maximum(1.0, np.linalg.norm(e, axis=1))[:, None])

    def ratio(raw: NDArray[np.float64], m: int, k: int) -> float:
        H = net.channels.copy()
        H[:, m, k] += balled(raw, m, k)
        return float(sinr(H, W, net.user_noise)[m, k])

    rng = np.random.default_rng(4)
    for m, k in np.ndindex(2, 2):
        trials = [ratio(3 * rng.normal(size=12), m, k) for _ in range(500)]
        starts = [minimize(ratio, rng.normal(size=12), args=(m, k), method="BFGS").fun for _ in range(4)]
        assert min(trials) >= worst[m, k] * (1 - 1e-9)  # rounding
        assert min(starts) == pytest.approx(worst[m, k], rel=1e-4, abs=1e-6)  # BFGS with a projection that has a kink


def test_radius_zero_is_the_nominal_sinr(network: Make) -> None:
    net = replace(network(), csi_radius=np.zeros((2, 2, 3)))
    for streams in (3, 6):
        W = _weights(net, streams, seed=5)
        assert np.allclose(worst_case_sinr(net, W), sinr(net.channels, W, net.user_noise), rtol=1e-9)  # rounding


def test_sinr_of_the_paper_by_loops(network: Make) -> None:
    net = network(K=2, n_tx=4)
    W = _weights(net, 2, seed=6)

    def power(n: int, m: int, k: int, l: int) -> float:
        return float(abs(net.channels[n, m, k] @ W[n, :, l]) ** 2)

    for m, k in np.ndindex(2, 2):
        total = sum(power(n, m, k, l) for n in range(2) for l in range(2))
        own = power(m, m, k, k)
        expected = own / (total - own + net.user_noise[m, k])
        assert sinr(net.channels, W, net.user_noise)[m, k] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("streams", [3, 6])
def test_expected_powers_of_a_fresh_precoder_are_means_over_errors(network: Make, streams: int) -> None:
    net, s_e2 = network(), 0.01
    W = _weights(net, streams, seed=7)
    rng = np.random.default_rng(8)
    shape = (20000, *net.channels.shape)
    errors = np.sqrt(s_e2 / 2) * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    paths = "tnmki,nil->tmkl" if streams == 6 else "tnmki,nil->tmknl"
    mean = (np.abs(np.einsum(paths, net.channels - errors, W)) ** 2).mean(axis=0).reshape(6, 6)
    own = np.diag(mean)
    expected = (own / (mean.sum(axis=1) - own + 1e-3)).reshape(2, 3)
    assert np.allclose(expected_sinr(net.channels, W, 1e-3, s_e2, fresh=True), expected, rtol=0.02)  # 20000 draws
    nominal = sinr(net.channels, W, 1e-3)
    assert np.allclose(expected_sinr(net.channels, W, 1e-3, 0.0, fresh=True), nominal, rtol=1e-12)


def test_error_power_is_added_to_a_fresh_and_taken_from_an_older_precoder() -> None:
    h, w, noise, s_e2 = np.array([1.0, 1j]), np.array([0.5, 0.25]), 0.1, 0.04
    seen, spread = abs(h @ w) ** 2, s_e2 * np.sum(w**2)
    H, W = h.reshape(1, 1, 1, 2), w.reshape(1, 2, 1)
    assert expected_sinr(H, W, noise, s_e2, fresh=True)[0, 0] == pytest.approx((seen + spread) / noise)
    assert expected_sinr(H, W, noise, s_e2, fresh=False)[0, 0] == pytest.approx((seen - spread) / noise)


def test_wrong_number_of_streams_is_refused(network: Make) -> None:
    net = network()
    with pytest.raises(ArgumentError, match="weights: 4 streams"):
        sinr(net.channels, _weights(net, 4, seed=9), net.user_noise)
