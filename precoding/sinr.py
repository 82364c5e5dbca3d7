"""SINR of block-level precoding: on given channels, and as expected under errors of the channel estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, complex_array, float_array
from precoding.errors import ArgumentError
from precoding.network import Network

__all__ = ["cooperates", "predicted_sinr", "sinr"]


def cooperates(weights: ComplexArray, users_per_cell: int) -> bool:
    """Whether every BS sends every stream (CoMP, J K columns) or only its own (CBF, K columns).

    Raises:
        ArgumentError: The number of columns is neither.
    """
    J, _, streams = weights.shape
    if streams not in (users_per_cell, J * users_per_cell):
        raise ArgumentError(f"weights: {streams} streams, must be K = {users_per_cell} or J K = {J * users_per_cell}")
    return streams == J * users_per_cell


def sinr(channels: ArrayLike, weights: ArrayLike, user_noise: ArrayLike) -> FloatArray:
    """SINR of every user on the channels given, e.g. the true ones; paper eq. (31) for CBF, from eq. (4) for CoMP.

    Args:
        channels: Complex (J, J, K, n_tx): [n, m, k] from BS n to user k of cell m.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP, column m K + k for user k of cell m.
        user_noise: Noise power, scalar or (J, K).

    Returns:
        (J, K), linear.

    Raises:
        ArgumentError: Shapes do not fit.
    """
    H = np.asarray(channels, dtype=np.complex128)
    W = np.asarray(weights, dtype=np.complex128)
    noise = float_array("user_noise", user_noise, H.shape[1:3], above=0.0)
    return _ratio(_received_powers(H, W), noise)


def predicted_sinr(network: Network, weights: ArrayLike, error_variance: ArrayLike) -> FloatArray:
    """SINR to be expected when the design knows the channels only up to an estimation error.

    Every stream adds s_e^2 |w_l|^2 to the interference, the user's own too: what reaches the user by way of the
    unknown part of the channel has a random phase against h^T w and mean zero, so it cannot be counted as signal.

    Args:
        network: Supplies the estimated channels and the noise.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP.
        error_variance: Variance s_e^2 of each channel entry, scalar or (J, J, K) for [n, m, k].

    Returns:
        (J, K), linear.

    Raises:
        ArgumentError: Shapes do not fit.
    """
    W = np.asarray(weights, dtype=np.complex128)
    J, K = network.J, network.K
    variance = float_array("error_variance", error_variance, (J, J, K), above=0.0, or_equal=True)
    powers = _received_powers(network.channels, W)
    spread = np.einsum("nmk,n->mk", variance, np.sum(np.abs(W) ** 2, axis=(1, 2)))
    return _ratio(powers, network.user_noise + spread)


def _received_powers(channels: ComplexArray, weights: ComplexArray) -> FloatArray:
    """Power of every stream at every user, (J, K, J K)."""
    J, _, K, n_tx = channels.shape
    complex_array("weights", weights, (J, n_tx, *weights.shape[2:]))
    if cooperates(weights, K):
        return np.abs(np.einsum("nmki,nil->mkl", channels, weights)) ** 2
    return np.abs(np.einsum("nmki,nil->mknl", channels, weights)).reshape(J, K, J * K) ** 2


def _ratio(powers: FloatArray, noise: FloatArray) -> FloatArray:
    own = np.einsum("uu->u", powers.reshape(noise.size, noise.size)).reshape(noise.shape)
    return own / (powers.sum(axis=-1) - own + noise)
