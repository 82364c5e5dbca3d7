"""What a user receives, told apart by stream: signal, intra-cell and inter-cell interference, noise; paper eq. (31).

All streams are known and sent at the same time, so their gains are fitted jointly; the joint fit does not take the
streams' chance correlation over a short block for interference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Decomposition", "StreamFit", "decompose", "fit_streams"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

INDISTINCT = 10.0  # an error variance so many times that of orthogonal streams: the block cannot tell them apart


@dataclass(frozen=True)
class StreamFit:
    """Gains of all streams at all users, by least squares.

    Attributes:
        gains: Complex (n_users, n_streams); with errors of covariance noise * spread.
        spread: Inverse Gram matrix of the streams, complex (n_streams, n_streams).
        noise: What no stream explains, power per symbol, (n_users,).
        freedom: Complex samples that the noise was estimated from.
    """

    gains: Complex
    spread: Complex
    noise: Vector
    freedom: int


@dataclass(frozen=True)
class Decomposition:
    """Received power of each kind and its standard error, each (n_users,); estimates without bias may be negative.

    Attributes:
        signal: Of the own stream.
        intra_cell: Of the streams of the own cell's other users.
        inter_cell: Of all other cells' streams.
        noise: What no stream explains.
        signal_error: Standard error of `signal`; the others alike.
        intra_cell_error: See `signal_error`.
        inter_cell_error: See `signal_error`.
        noise_error: See `signal_error`.
    """

    signal: Vector
    intra_cell: Vector
    inter_cell: Vector
    noise: Vector
    signal_error: Vector
    intra_cell_error: Vector
    inter_cell_error: Vector
    noise_error: Vector


def fit_streams(received: Complex, streams: Complex) -> StreamFit | None:
    """Fit all streams jointly to what each user received: y_u = sum_l g_ul s_l + z_u.

    Args:
        received: Received symbols, (n_users, L).
        streams: Symbols of all streams, unit mean power, (n_streams, L).

    Returns:
        The fit; None where the block is shorter than two symbols a stream or cannot tell the streams apart.
    """
    count, length = streams.shape
    if length < 2 * count:
        return None
    conjugate = streams.conj().T
    gram = streams @ conjugate
    ridge = 1e-9 * length * np.eye(count)  # streams that are alike get a huge spread instead of an exception
    spread = np.asarray(np.linalg.inv(gram + ridge), dtype=np.complex128)
    if np.max(np.diagonal(spread).real) * length > INDISTINCT:
        return None
    gains = received @ conjugate @ spread
    residual = received - gains @ streams
    freedom = length - count
    return StreamFit(gains, spread, np.sum(np.abs(residual) ** 2, axis=1) / freedom, freedom)


def decompose(fit: StreamFit, users_per_cell: int) -> Decomposition:
    """Return the power of each kind at each user, without the bias |error|^2 of squared estimates.

    Args:
        fit: Of all J K streams at all J K users; user u was sent stream u, cell by cell.
        users_per_cell: K.
    """
    stream = np.arange(len(fit.spread))
    own = np.eye(len(stream), dtype=bool)
    cell = (stream[:, None] // users_per_cell) == (stream // users_per_cell)
    signal, signal_error = total_power(fit, own)
    intra, intra_error = total_power(fit, cell & ~own)
    inter, inter_error = total_power(fit, ~cell)
    noise_error = fit.noise / np.sqrt(fit.freedom)
    return Decomposition(signal, intra, inter, fit.noise, signal_error, intra_error, inter_error, noise_error)


def total_power(fit: StreamFit, chosen: NDArray[np.bool_]) -> tuple[Vector, Vector]:
    """Return the power of some streams together and its standard error, (n_users,) each.

    Args:
        fit: The gains.
        chosen: Which streams count at which user, (n_users, n_streams).
    """
    gains = fit.gains * chosen
    spread = np.diagonal(fit.spread).real
    bias = chosen @ spread
    scatter = np.sum((chosen @ np.abs(fit.spread) ** 2) * chosen, axis=1)
    across = np.sum((gains @ fit.spread) * gains.conj(), axis=1).real - fit.noise * scatter
    power = np.sum(np.abs(gains) ** 2, axis=1) - fit.noise * bias
    variance = 2 * fit.noise * np.maximum(across, 0.0) + fit.noise**2 * (scatter + bias**2 / fit.freedom)
    return power, np.sqrt(variance)
