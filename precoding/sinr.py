"""SINR of block-level precoding: on given channels, and as expected under errors of the channel estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, complex_array, float_array
from precoding.errors import ArgumentError

__all__ = ["cooperates", "expected_sinr", "sinr"]


def cooperates(weights: ComplexArray, users_per_cell: int) -> bool:
    """Whether every BS sends every stream (CoMP, J K columns) or only its own (CBF, K columns).

    Raises:
        ArgumentError: The number of columns is neither.

    """
    J, _, streams = weights.shape
    if streams not in (users_per_cell, J * users_per_cell):
        raise ArgumentError(f"weights: {streams} streams, must be K = {users_per_cell} or J K = {J * users_per_cell}")
    return bool(streams == J * users_per_cell)


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


def expected_sinr(
    channels: ArrayLike, weights: ArrayLike, user_noise: ArrayLike, error_variance: ArrayLike, *, fresh: bool
) -> FloatArray:
    """SINR to be expected of a precoder on true channels that are known through noisy estimates.

    An estimate's error e adds s_e^2 |w_l|^2 to the power of stream l, with opposite meaning in two cases. A precoder
    made from these estimates has its nulls where they are: the true channel misses them by e, so the expected power is
    higher than |h^T w_l|^2. A precoder made before is independent of e, which has then been added to what is seen of
    it: the expected power is lower.

    Args:
        channels: Estimates, complex (J, J, K, n_tx): [n, m, k] from BS n to user k of cell m.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP.
        user_noise: Noise power, scalar or (J, K).
        error_variance: Variance s_e^2 of each channel entry, scalar or (J, J, K).
        fresh: Whether the weights were designed from these estimates.

    Returns:
        (J, K), linear.

    Raises:
        ArgumentError: Shapes do not fit.

    """
    H, W = np.asarray(channels, dtype=np.complex128), np.asarray(weights, dtype=np.complex128)
    J, _, K, _ = H.shape
    variance = float_array("error_variance", error_variance, (J, J, K), above=0.0, or_equal=True)
    noise = float_array("user_noise", user_noise, (J, K), above=0.0)
    streams = np.sum(np.abs(W) ** 2, axis=1)  # (J, K) or (J, J K): power of each stream from each BS
    if cooperates(W, K):
        spread = np.einsum("nmk,nl->mkl", variance, streams)
    else:
        spread = np.einsum("nmk,nl->mknl", variance, streams).reshape(J, K, J * K)
    return _ratio(_received_powers(H, W) + (spread if fresh else -spread), noise)


def _received_powers(channels: ComplexArray, weights: ComplexArray) -> FloatArray:
    """Power of every stream at every user, (J, K, J K)."""
    J, _, K, n_tx = channels.shape
    complex_array("weights", weights, (J, n_tx, *weights.shape[2:]))
    paths = "nmki,nil->mkl" if cooperates(weights, K) else "nmki,nil->mknl"
    amplitudes: FloatArray = np.abs(np.einsum(paths, channels, weights)).reshape(J, K, J * K)
    return amplitudes**2


def _ratio(powers: FloatArray, noise: FloatArray) -> FloatArray:
    own = np.einsum("uu->u", powers.reshape(noise.size, noise.size)).reshape(noise.shape)
    # Estimated powers, their bias removed, may add up to less than nothing; true ones cannot.
    interference = np.maximum(powers.sum(axis=-1) - own, 0.0)
    ratio: FloatArray = np.maximum(own, 0.0) / (interference + noise)
    return ratio
