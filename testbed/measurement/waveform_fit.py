"""The channel as a whole frame shows it: sounding and payload fitted together, and whether the fit explains them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

__all__ = ["WaveformFit", "fit_waveform"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class WaveformFit:
    """Least-squares channels of all users from everything that was sent, y_t = h^T x_t.

    Attributes:
        channels: Complex (n_users, n); with errors of covariance noise * root root^H.
        root: Complex (n, n), root of the inverse Gram matrix of what was sent.
        noise: Power per symbol that the fit leaves, (n_users,).
        freedom: Complex samples that the noise was estimated from.
        payload: Received payload without the carrier offset that the fit still found, (n_users, L).
        p_value: Of the hypothesis that the payload is what the sounding's channel makes of it, in the sounding's noise,
            (n_users,): small where the channel moved within the frame, or something disturbs the payload.
    """

    channels: Complex
    root: Complex
    noise: Vector
    freedom: int
    payload: Complex
    p_value: Vector


def fit_waveform(received: Complex, sent: Complex, time: Vector, n_sounding: int) -> WaveformFit:
    """Fit channels and a small carrier offset to sounding and payload.

    One Gauss-Newton step finds the offset: synchronisation saw the preamble only, and over the payload its error would
    turn strong signals by more than the noise. The test compares what the payload adds to the residual with what the
    sounding leaves alone, F(2 L, 2 (L_p - n)) (Chow, Econometrica 28, 1960).

    Args:
        received: Symbols of sounding, then payload, (n_users, T).
        sent: The same as radiated by all antennas of all stations, (n, T); its sounding has rank n.
        time: Instants of the symbols, (T,), in symbols from the instant whose phase the channels shall have.
        n_sounding: L_p, how many of the symbols are the sounding's.
    """
    inverse = np.linalg.inv(sent @ sent.conj().T)
    solve = sent.conj().T @ inverse
    channels = received @ solve
    column = 1j * time * (channels @ sent)
    column = column - (column @ solve) @ sent
    energy = np.sum(np.abs(column) ** 2, axis=1)
    slope = np.sum((column.conj() * (received - channels @ sent)).real, axis=1) / np.maximum(energy, 1e-300)
    received = received * np.exp(-1j * slope[:, None] * time)
    channels = received @ solve
    residual = np.sum(np.abs(received - channels @ sent) ** 2, axis=1)
    freedom = sent.shape[1] - sent.shape[0]
    return WaveformFit(
        channels=channels,
        root=np.asarray(np.linalg.cholesky(inverse.conj()), dtype=np.complex128),
        noise=residual / freedom,
        freedom=freedom,
        payload=received[:, n_sounding:],
        p_value=_surprise(received[:, :n_sounding], sent[:, :n_sounding], residual, sent.shape[1]),
    )


def _surprise(received: Complex, sounding: Complex, residual: Vector, length: int) -> Vector:
    """Return the p-value of what the payload adds to the sounding's residual."""
    n_tx, n_sounding = sounding.shape
    adjoint = sounding.conj().T
    fitted = (received @ adjoint @ np.linalg.inv(sounding @ adjoint)) @ sounding
    alone = np.sum(np.abs(received - fitted) ** 2, axis=1)
    added, spare = length - n_sounding, n_sounding - n_tx
    ratio = np.maximum(residual - alone, 0.0) / added / np.maximum(alone / spare, np.finfo(float).tiny)
    return np.asarray(fdtrc(2 * added, 2 * spare, ratio))
