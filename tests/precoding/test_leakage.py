"""Precoders in closed form, against the Rayleigh quotient that they maximise."""

from __future__ import annotations

import numpy as np
import pytest

from precoding import Network, signal_to_leakage, sinr, worst_case_sinr


def network(seed: int, radius: float = 0.0) -> Network:
    rng = np.random.default_rng(seed)
    J, K, n_tx = 2, 3, 6
    channels = (rng.normal(size=(J, J, K, n_tx)) + 1j * rng.normal(size=(J, J, K, n_tx))) / np.sqrt(2)
    angles = rng.uniform(-1, 1, (J, J))
    return Network(channels, angles.diagonal().copy(), angles, np.ones((J, J)), 10, 1.0, 1e-3, 1e-3, radius, 30)


@pytest.mark.parametrize("cooperate", [False, True])
def test_power_is_used_and_not_exceeded(cooperate: bool) -> None:
    weights = signal_to_leakage(network(0), cooperate=cooperate)
    power = np.sum(np.abs(weights) ** 2, axis=(1, 2))
    assert np.all(power <= 1.0 + 1e-12)
    assert power.max() == pytest.approx(1.0)


def test_one_cell_alone_gets_the_beam_of_the_largest_quotient() -> None:
    net = network(1)
    weights = signal_to_leakage(net, cooperate=True)
    h = np.moveaxis(net.channels, 0, 2).reshape(6, 12)
    floor = 6 * 1e-3 * 6 / 2.0
    for k in range(6):
        w = weights[..., k].reshape(-1)
        leak = np.delete(h, k, axis=0)
        quotient = abs(h[k] @ w) ** 2 / (np.sum(np.abs(leak @ w) ** 2) + floor * np.sum(np.abs(w) ** 2))
        matrix = leak.conj().T @ leak + floor * np.eye(12)
        largest = (h[k] @ np.linalg.solve(matrix, h[k].conj())).real
        assert quotient == pytest.approx(largest, rel=1e-9)


def test_users_are_served_and_the_worst_case_is_what_is_kept() -> None:
    for seed in range(5):
        net = network(seed, radius=0.05)
        weights = signal_to_leakage(net, cooperate=True)
        got, kept = sinr(net.channels, weights, net.user_noise), worst_case_sinr(net, weights)
        assert np.all(got > 10.0)  # twelve antennas for six users at 30 dB
        assert np.all(kept <= got)
        assert np.all(kept > 0.0)
