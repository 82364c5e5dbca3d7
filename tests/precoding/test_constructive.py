from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Network
from precoding.symbollevel import constructive_margin, constructive_sinr, psk_symbols, region_edges

Make = Callable[..., Network]


def _case(network: Make, order: int) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network in which every radius and noise differs, symbols, and a waveform that is deep in all regions."""
    rng = np.random.default_rng(order)
    net = network(K=2, n_tx=8, block_length=5)
    net = replace(
        net, csi_radius=rng.uniform(0.0, 0.02, (2, 2, 2)), user_noise=net.user_noise * rng.uniform(0.5, 2.0, (2, 2))
    )
    symbols = rng.integers(0, order, (4, 5))
    H = net.channels.reshape(2, 4, 8)
    wanted = np.stack([psk_symbols(symbols, order) * ((np.arange(4) // 2) == n)[:, None] for n in range(2)])
    leaked = 0.05 * (rng.normal(size=wanted.shape) + 1j * rng.normal(size=wanted.shape))
    return net, symbols, np.linalg.pinv(H) @ (wanted + leaked)


def _sinr_by_definition(
    net: Network, H: np.ndarray, X: np.ndarray, symbols: np.ndarray, order: int, cooperate: bool
) -> np.ndarray:
    """Largest gamma of paper eq. (60a), (71): |Im y| <= (Re y - sqrt(gamma noise)) tan(psi), on the channels H."""
    heard = np.einsum("nmki,nis->nmks", H, X)
    own = heard.sum(axis=0) if cooperate else heard[np.arange(2), np.arange(2)]
    noise = np.repeat(net.user_noise[:, :, None], X.shape[2], axis=2)
    if not cooperate:
        noise = noise + np.abs(heard[[1, 0], [0, 1]]) ** 2
    y = own * psk_symbols(symbols, order).conj().reshape(own.shape)
    depth = y.real - (np.abs(y.imag) / np.tan(np.pi / order) if order > 2 else 0.0)
    return (np.maximum(depth, 0.0) ** 2 / noise).min(axis=2)


@pytest.mark.parametrize("cooperate", [False, True])
@pytest.mark.parametrize("order", [2, 4, 8])
def test_on_known_channels_the_sinr_is_that_of_the_definition(network: Make, order: int, cooperate: bool) -> None:
    net, symbols, X = _case(network, order)
    known = replace(net, csi_radius=0.0)
    found = constructive_sinr(known, X, symbols, order, cooperate=cooperate)
    # Both are closed forms: only rounding is between them.
    assert np.allclose(found, _sinr_by_definition(net, net.channels, X, symbols, order, cooperate), rtol=1e-10)


@pytest.mark.parametrize("cooperate", [False, True])
@pytest.mark.parametrize("order", [2, 4, 8])
def test_no_channel_of_the_balls_is_worse_than_the_worst_case(network: Make, order: int, cooperate: bool) -> None:
    net, symbols, X = _case(network, order)
    worst = constructive_sinr(net, X, symbols, order, cooperate=cooperate)
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(net.csi_radius, axis=0) if cooperate else net.csi_radius
    for _ in range(300):
        e = rng.normal(size=net.channels.shape) + 1j * rng.normal(size=net.channels.shape)
        axes = (0, 3) if cooperate else (3,)
        e *= (radius if not cooperate else radius[None])[..., None] / np.linalg.norm(e, axis=axes, keepdims=True)
        held = _sinr_by_definition(net, net.channels + e, X, symbols, order, cooperate)
        assert np.all(held >= worst * (1 - 1e-12))  # rounding


@pytest.mark.parametrize("order", [2, 4, 8])
def test_some_channel_of_the_balls_meets_the_worst_case_of_cbf(network: Make, order: int) -> None:
    net, symbols, X = _case(network, order)
    worst = constructive_sinr(net, X, symbols, order, cooperate=False)
    edges, size = region_edges(symbols, order), np.linalg.norm(X, axis=1)
    reached = np.full((2, 2), np.inf)
    for s in range(X.shape[2]):
        for edge in range(edges.shape[2]):
            H = net.channels.copy()
            for n, m, k in np.ndindex(2, 2, 2):
                x = X[n, :, s]
                towards = -edges[2 * m + k, s, edge] if n == m else net.channels[n, m, k] @ x
                H[n, m, k] += net.csi_radius[n, m, k] * towards / abs(towards) * x.conj() / size[n, s]
            held = _sinr_by_definition(net, H, X[:, :, s : s + 1], symbols[:, s : s + 1], order, cooperate=False)
            reached = np.minimum(reached, held)
    assert np.allclose(reached, worst, rtol=1e-9)  # rounding


def test_the_worst_case_of_comp_has_one_ball_around_the_stacked_channel(network: Make) -> None:
    net, symbols, X = _case(network, 4)
    margin = constructive_margin(net, X, symbols, 4, cooperate=True)
    nominal = constructive_margin(replace(net, csi_radius=0.0), X, symbols, 4, cooperate=True)
    most = np.linalg.norm(net.csi_radius, axis=0) * np.linalg.norm(X.reshape(16, -1), axis=0).max() / np.sin(np.pi / 4)
    assert np.all(margin >= nominal - most - 1e-12)  # rounding
    assert np.all(margin < nominal)


def test_a_symbol_outside_its_region_has_no_sinr(network: Make) -> None:
    net, symbols, X = _case(network, 4)
    assert np.all(constructive_sinr(net, -X, symbols, 4, cooperate=True) == 0.0)
    assert np.all(constructive_margin(net, -X, symbols, 4, cooperate=True) < 0.0)


def test_index_i_is_the_symbol_at_an_odd_multiple_of_pi_over_m() -> None:
    assert np.allclose(psk_symbols([0, 1, 2, 3], 4), np.array([1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j]) / np.sqrt(2))
    assert np.allclose(psk_symbols([0, 1], 2), [1j, -1j])
    with pytest.raises(ArgumentError, match="order"):
        psk_symbols([0], 1)
