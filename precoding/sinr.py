"""SINR of block-level precoding: on given channels, and as expected under errors of the channel estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, complex_array, float_array
from precoding.errors import ArgumentError

__all__ = ["cooperates", "expected_sinr", "sinr"]


def cooperates(weights: ComplexArray, users_per_cell: int, cooperate: bool | None = None) -> bool:
    """Whether every BS sends every stream (CoMP, J K columns) or only its own (CBF, K columns).

    Args:
        weights: Complex (J, n_tx, S).
        users_per_cell: K.
        cooperate: The answer, if known: then further streams, which only sense, are allowed after those of the users.

    Raises:
        ArgumentError: The number of columns is neither, or too small.

    """
    J, _, streams = weights.shape
    needed = (J if cooperate else 1) * users_per_cell
    if cooperate is not None and streams < needed:
        raise ArgumentError(f"weights: {streams} streams for {needed} users")
    if cooperate is None and streams not in (users_per_cell, J * users_per_cell):
        raise ArgumentError(
            f"weights: {streams} streams, must be K = {users_per_cell} or J K = {J * users_per_cell}; "
            "say whether stations cooperate if some streams only sense"
        )
    return bool(streams == J * users_per_cell) if cooperate is None else cooperate


def sinr(
    channels: ArrayLike, weights: ArrayLike, user_noise: ArrayLike, *, cooperate: bool | None = None
) -> FloatArray:
    """SINR of every user on the channels given, e.g. the true ones; paper eq. (31) for CBF, from eq. (4) for CoMP.

    Args:
        channels: Complex (J, J, K, n_tx): [n, m, k] from BS n to user k of cell m.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP, column m K + k for user k of cell m; further
            columns are streams that only sense.
        user_noise: Noise power, scalar or (J, K).
        cooperate: Whether it is CoMP; by default told from the number of columns, with none that only senses.

    Returns:
        (J, K), linear.

    Raises:
        ArgumentError: Shapes do not fit.

    """
    H = np.asarray(channels, dtype=np.complex128)
    W = np.asarray(weights, dtype=np.complex128)
    noise = float_array("user_noise", user_noise, H.shape[1:3], above=0.0)
    own, total = _received_powers(H, W, cooperates(W, H.shape[2], cooperate))
    return own / (total - own + noise)


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
    J, _, K, n_tx = H.shape
    noise = float_array("user_noise", user_noise, (J, K), above=0.0).ravel()
    variance = float_array("error_variance", error_variance, (J, J, K), above=0.0, or_equal=True)
    s2 = np.moveaxis(variance, 0, 2).reshape(J * K, J).repeat(n_tx, axis=1)  # per user and stacked antenna
    h, streams = np.moveaxis(H, 0, 2).reshape(J * K, J * n_tx), _stacked(W, K)
    others = ~np.eye(J * K, dtype=bool)
    gains, spread = h @ streams, s2 @ np.abs(streams) ** 2
    sign = 1.0 if fresh else -1.0
    powers = np.abs(gains) ** 2 + sign * spread
    interference = np.maximum(np.sum(powers * others, axis=1), 0.0) + noise
    # The mean of a ratio is not the ratio of means: to second order 1 / x has the mean (1 + var x / x^2) / x.
    pull = np.sum(s2 * np.abs((gains * others) @ streams.conj().T) ** 2, axis=1)
    gram = (streams.conj().T * s2[:, None]) @ streams
    scatter = np.sum(np.abs(gram) ** 2 * (others[:, :, None] & others[:, None, :]), axis=(1, 2))
    relative = np.maximum(2 * pull + sign * scatter, 0.0) / interference**2
    correction = 1 + relative if fresh else 1 / (1 + relative)
    return np.asarray(np.maximum(np.diagonal(powers), 0.0) / interference * correction).reshape(J, K)


def _stacked(weights: ComplexArray, users_per_cell: int) -> ComplexArray:
    """All streams on all antennas, (J n_tx, J K): a stream that a BS does not send is zero there."""
    J, n_tx, _ = weights.shape
    if cooperates(weights, users_per_cell):
        return weights.reshape(J * n_tx, -1)
    stacked = np.zeros((J, n_tx, J, users_per_cell), dtype=np.complex128)
    stacked[np.arange(J), :, np.arange(J)] = weights
    return stacked.reshape(J * n_tx, -1)


def _received_powers(channels: ComplexArray, weights: ComplexArray, cooperate: bool) -> tuple[FloatArray, FloatArray]:
    """Power of the own stream and of all streams at every user, (J, K) each."""
    J, _, K, n_tx = channels.shape
    complex_array("weights", weights, (J, n_tx, *weights.shape[2:]))
    cells, users = np.ogrid[:J, :K]
    if cooperate:
        powers = np.abs(np.einsum("nmki,nil->mkl", channels, weights)) ** 2
        return powers[cells, users, cells * K + users], powers.sum(axis=2)
    powers = np.abs(np.einsum("nmki,nil->mknl", channels, weights)) ** 2
    return powers[cells, users, cells, users], powers.sum(axis=(2, 3))
