from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from precoding import Network

NOISE = 1e-3  # P / sigma^2 = 30 dB at power 1


def rayleigh_network(
    J: int = 2,
    K: int = 3,
    n_tx: int = 6,
    seed: int = 0,
    csi_radius: float = 0.01,
    n_rx: int = 10,
    block_length: int = 30,
) -> Network:
    """Rayleigh CN(0, 1) in the own cell, variance 1/3 between cells; |alpha|^2 L P / sigma^2 = 1 on the own path."""
    rng = np.random.default_rng(seed)
    shape = (J, J, K, n_tx)
    channels = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / np.sqrt(2)
    own = np.eye(J, dtype=bool)
    channels[~own] /= np.sqrt(3)
    arrival = np.deg2rad(10.0 + 3.0 * np.arange(J))
    departure = np.deg2rad(np.array([-25.0, 35.0, -40.0])[(np.arange(J)[:, None] + np.arange(J)) % 3])
    departure[own] = arrival
    gains = np.where(own, 1.0, 1.0 / 3.0) * NOISE / block_length
    reflections = np.sqrt(gains) * np.exp(2j * np.pi * rng.random((J, J)))
    return Network(channels, arrival, departure, reflections, n_rx, 1.0, NOISE, NOISE, csi_radius, block_length)


@pytest.fixture
def network() -> Callable[..., Network]:
    return rayleigh_network
