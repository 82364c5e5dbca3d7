"""Have everything that is compiled ready before the first frame: from numba's cache, or made anew once per machine."""

from __future__ import annotations

import numpy as np

from precoding.designing import design
from precoding.network import Network

__all__ = ["warm_up"]


def warm_up(scheme: str, robustness: str = "exact") -> None:
    """Design for a small network, from nothing and from a neighbour, so that no later design waits for a compiler.

    Args:
        scheme: As for `design`.
        robustness: As for `design`.

    Raises:
        ArgumentError: An unknown scheme or robustness.

    """
    known = _small_network(0.0)
    size = known.J * known.K, known.block_length
    symbols = np.random.default_rng(0).integers(0, 4, size) if scheme.startswith("slp") else None
    first = design(known, scheme, min_sinr_db=3.0, robustness=robustness, symbols=symbols)
    moved = _small_network(1e-3)
    design(moved, scheme, min_sinr_db=3.0, robustness=robustness, symbols=symbols, start=first, tolerance=1e-3)


def _small_network(turned_rad: float) -> Network:
    """Two cells of two users, seen under angles that differ, with eight antennas each."""
    seen = np.linspace(-0.9, 0.9, 8).reshape(2, 2, 2) + turned_rad
    channels = np.exp(1j * (np.pi * np.sin(seen)[..., None] * np.arange(8) + 8.0 * seen[..., None]))
    departure = np.array([[0.2, -0.4], [0.5, -0.1]]) + turned_rad
    return Network(channels, departure.diagonal(), departure, np.full((2, 2), 0.01), 4, 1.0, 1e-2, 1e-3, 0.01, 8)
