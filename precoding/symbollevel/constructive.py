"""Exact worst case of a given waveform over the CSI balls, in closed form; shares nothing with the solvers.

A user decides rightly as long as its noiseless signal stays in the constructive region of its symbol. How deep it
stays there, over all channels of the balls and all symbols of the block, is the margin; the SINR of a symbol-level
waveform is the one whose region, paper eq. (57), just holds that margin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.network import Network

__all__ = ["constructive_margin", "constructive_sinr"]


def constructive_margin(
    network: Network, X: ComplexArray, symbols: NDArray[np.int64], order: int, *, cooperate: bool
) -> FloatArray:
    """Smallest amplitude at which each user's region may begin, over its own CSI ball and the block.

    |Im y| <= (Re y - margin) tan(psi) for y = h~^T x conj(d) and all channels of the ball; paper eq. (60a), (71), (72).
    The channel error costs radius |x_s| in any direction, which some error of the ball really does cost.

    Args:
        network: Channels and radii.
        X: Complex (J, n_tx, L).
        symbols: (J K, L) PSK indices.
        order: M.
        cooperate: CoMP: every BS serves the user, and one ball of radius sqrt(sum_n csi_radius^2) holds its stacked
            channel. Otherwise CBF: only its own BS serves it.

    Returns:
        (J, K) amplitudes in sqrt(power); negative if some symbol can be pushed out of the region of any amplitude.

    """
    return np.asarray(_margin_of_symbols(network, X, symbols, order, cooperate=cooperate).min(axis=2))


def constructive_sinr(
    network: Network, X: ComplexArray, symbols: NDArray[np.int64], order: int, *, cooperate: bool
) -> FloatArray:
    """Largest SINR for which the constructive constraints hold for all symbols and all channels of the balls.

    CBF: paper eq. (60a), where the foreign signals of the same instant act as noise, each at its worst over the
    independent ball of its link: (|h^T x| + radius |x|)^2. CoMP: paper eq. (71), (72), without foreign signals.

    Args:
        network: Channels, radii and noise.
        X: Complex (J, n_tx, L).
        symbols: (J K, L) PSK indices.
        order: M.
        cooperate: CoMP, or else CBF.

    Returns:
        (J, K), linear; 0 where the margin is not positive.

    """
    margin = _margin_of_symbols(network, X, symbols, order, cooperate=cooperate)
    noise = network.user_noise[:, :, None]
    if not cooperate:
        noise = noise + _worst_interference(network, X)
    return np.asarray((np.maximum(margin, 0.0) ** 2 / noise).min(axis=2))


def _margin_of_symbols(
    network: Network, X: ComplexArray, symbols: NDArray[np.int64], order: int, *, cooperate: bool
) -> FloatArray:
    """(J, K, L). The distance from both edges of the wedge, told by the angle of y and not by rotated rows."""
    J, K, L = network.J, network.K, X.shape[2]
    psi = np.pi / order
    phase = np.exp(-1j * (2.0 * np.pi * symbols + np.pi) / order).reshape(J, K, L)
    heard = _heard(network, X)
    size = np.linalg.norm(X, axis=1)
    if cooperate:
        y = heard.sum(axis=0) * phase
        error = np.linalg.norm(network.csi_radius, axis=0)[:, :, None] * np.linalg.norm(size, axis=0)
    else:
        own = np.arange(J)
        y = heard[own, own] * phase
        error = network.csi_radius[own, own][:, :, None] * size[:, None, :]
    return np.asarray(y.real - (np.abs(y.imag) * np.cos(psi) + error) / np.sin(psi))


def _heard(network: Network, X: ComplexArray) -> ComplexArray:
    """What users receive of each BS, (J, J, K, L)."""
    J, K = network.J, network.K
    return np.asarray((network.channels.reshape(J, J * K, -1) @ X).reshape(J, J, K, -1))


def _worst_interference(network: Network, X: ComplexArray) -> FloatArray:
    """(J, K, L) power of the foreign signals at each user."""
    heard = np.abs(_heard(network, X))
    error = network.csi_radius[:, :, :, None] * np.linalg.norm(X, axis=1)[:, None, None, :]
    power = (heard + error) ** 2
    power[np.arange(network.J), np.arange(network.J)] = 0.0
    return np.asarray(power.sum(axis=0))
