"""SINR on known symbols, without bias, with its interval.

The interval is exact when interference and noise are Gaussian. A few strong PSK interferers have a steadier power than
Gaussian ones, and the exact law then gives intervals that are too wide (99 % instead of 95 % on the shipped
scenario); so the degrees of freedom of the residual are matched to the fourth moment of the interferers, which are
known and can be fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ncfdtr, ndtri

__all__ = ["SinrEstimate", "estimate_sinr", "noncentrality", "residual_freedom"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class SinrEstimate:
    """Measured SINR, linear, with the ends of its confidence interval; each of shape (...)."""

    value: Vector
    low: Vector
    high: Vector


def estimate_sinr(
    received: Complex, symbols: Complex, freedom: Vector | None = None, confidence: float = 0.95
) -> SinrEstimate:
    """Measure the SINR of known symbols of unit modulus.

    With h = y s^H / L and the residual energy r = |y - h s|^2, g_0 = |h|^2 (L-1) / r obeys L g_0 ~ noncentral
    F(2, 2(L-1), 2 L g) for Gaussian interference and noise. The unbiased estimate is (L-2)/(L-1) g_0 - 1/L; the
    interval inverts the law in its noncentrality (see also Alagha, IEEE Commun. Lett. 5(1), 2001).

    Args:
        received: Received symbols, (..., L).
        symbols: What the user was sent, unit modulus, (..., L).
        freedom: Degrees of freedom of the residual's power, (...), from `residual_freedom`; None for the Gaussian
            2(L-1).
        confidence: Coverage of the interval.

    Returns:
        The estimate; its value may be negative when there is no signal.
    """
    length = symbols.shape[-1]
    amplitude = np.mean(received * symbols.conj(), axis=-1)
    residual = np.sum(np.abs(received - amplitude[..., None] * symbols) ** 2, axis=-1)
    ratio = np.abs(amplitude) ** 2 * (length - 1) / np.maximum(residual, np.finfo(float).tiny)
    freedom = np.full(ratio.shape, 2.0 * (length - 1)) if freedom is None else freedom
    value = (1 - 2 / freedom) * ratio - 1 / length
    tail = (1 - confidence) / 2
    low = noncentrality(length * ratio, 2.0, freedom, 1 - tail) / (2 * length)
    high = noncentrality(length * ratio, 2.0, freedom, tail) / (2 * length)
    return SinrEstimate(value, low, high)


def residual_freedom(received: Complex, streams: Complex) -> Vector:
    """Return the degrees of freedom that the power of everything but the own stream really has, (n_users,).

    For x = sum_l g_l s_l + z of power P the variance of |x|^2 is P^2 + |E x^2|^2 + sum_l c_l |g_l|^4, with the fourth
    cumulant c = -1 of PSK (-2 of BPSK); a Gaussian x has P^2, which gives 2 (L - 1). The gains are fitted to all
    streams jointly.

    Args:
        received: Received symbols, (n_users, L).
        streams: Symbols of all streams, unit modulus, (n_users, L); user u was sent stream u.
    """
    count, length = streams.shape
    gaussian = np.full(len(received), 2.0 * (length - 1))
    if length < 2 * count:  # too short for a joint fit to mean anything
        return gaussian
    inverse = np.linalg.inv(streams @ streams.conj().T)
    gains = received @ streams.conj().T @ inverse
    noise = np.sum(np.abs(received - gains @ streams) ** 2, axis=1) / (length - count)
    power = np.maximum(np.abs(gains) ** 2 - np.outer(noise, np.diagonal(inverse).real), 0.0)
    others = ~np.eye(count, dtype=bool)[: len(received)]
    total = np.sum(power * others, axis=1) + noise
    second = np.abs(np.mean(streams**2)) > 0.5  # BPSK is not circular
    squares = np.abs(np.sum(gains**2 * others, axis=1)) ** 2 if second else np.zeros(len(received))
    fourth = (-2.0 if second else -1.0) * np.sum(power**2 * others, axis=1)
    return np.asarray(gaussian / np.clip(1 + (squares + fourth) / total**2, 0.02, 2.0))


def noncentrality(f: Vector, freedom_1: float, freedom_2: float | Vector, probability: float) -> Vector:
    """Return the noncentrality at which a noncentral F variable is below f with a given probability; 0 if none.

    The probability, written as a normal quantile, is nearly linear in the square root of the noncentrality, so a few
    secant steps suffice (scipy's own inverse gives up at 10,000, that is 17 dB at 128 symbols).
    """
    f = np.asarray(f, dtype=float)
    wanted = ndtri(probability)

    def quantile(root: Vector) -> Vector:
        tiny = 1e-300
        return np.asarray(ndtri(np.clip(ncfdtr(freedom_1, freedom_2, root**2, f), tiny, 1 - 1e-16)) - wanted)

    before = np.sqrt(np.maximum(freedom_1 * (f - 1), 0.0))
    error_before = quantile(before)
    root = np.maximum(before + error_before * np.sqrt(1 + freedom_1 * f / freedom_2), 0.0)
    for _ in range(4):
        error = quantile(root)
        run = error - error_before
        step = np.where(run != 0, error * (root - before) / np.where(run != 0, run, 1), 0.0)
        before, error_before, root = root, error, np.maximum(root - step, 0.0)
    if np.all(f > 100.0):  # no interval reaches down to no signal at all
        return np.asarray(root**2)
    return np.asarray(np.where(quantile(np.zeros_like(f)) <= 0, 0.0, root**2))
