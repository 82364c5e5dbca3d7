"""Probability that a decision between two signals in Gaussian noise goes wrong."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray

__all__ = ["noncoherent_error", "probability_positive"]

_SADDLES = 1.0 / (1.0 + np.exp(-np.linspace(-16.0, 16.0, 161)))  # where the saddle point is looked for, 0 to 1
_LINE = np.linspace(0.0, 14.0, 141)  # the line through it is cut where less than 1e-6 of the integral is left


def noncoherent_error(snr: float, correlation: FloatArray) -> FloatArray:
    """Error probability of choosing between two equally strong signals of unknown phase by their correlators.

    Q1(sqrt a, sqrt b) - exp(-(a + b) / 2) I0(sqrt(a b)) / 2 with a, b = snr / 2 (1 -+ sqrt(1 - |rho|^2)); Proakis,
    Digital Communications, noncoherent detection of correlated signals. Half of exp(-snr / 2) at rho = 0.

    Args:
        snr: Energy of the signal over the noise power, linear.
        correlation: (M,) rho of the two signals, 0 to 1 in modulus.

    Returns:
        (M,).

    """
    apart = np.sqrt(np.maximum(1.0 - np.abs(correlation) ** 2, 0.0))
    shifts = snr / 2 * np.stack([1.0 - apart, 1.0 + apart], axis=-1)
    return probability_positive(np.broadcast_to([1.0, -1.0], shifts.shape), shifts, np.ones(2))


def probability_positive(levels: FloatArray, shifts: FloatArray, counts: FloatArray) -> FloatArray:
    """Probability that sum_i levels_i |z_i + d_i|^2 > 0 for independent z_i ~ CN(0, 1).

    The inverse Laplace transform of the moment generating function exp(K(s)), along the line through its saddle point,
    where nothing cancels: small probabilities keep their digits (Rice, SIAM J. Sci. Stat. Comput. 1(4), 1980).

    Args:
        levels: (M, n); where all are zero the decision is a coin's.
        shifts: (M, n): |d_i|^2.
        counts: (n,) how often each term occurs.

    Returns:
        (M,).

    """
    top = levels.max(axis=1, keepdims=True)
    levels = levels / np.where(top > 0.0, top, 1.0)

    def cumulant(s: ComplexArray | FloatArray) -> ComplexArray:
        left = 1.0 - s[..., None] * levels[:, None]
        return np.asarray(np.sum((1.0 / left - 1.0) * shifts[:, None], axis=-1) - np.log(left) @ counts)

    real = np.broadcast_to(_SADDLES, (len(levels), len(_SADDLES)))
    at = _SADDLES[np.argmin(cumulant(real).real - np.log(real), axis=1)][:, None]
    left = 1.0 - at * levels
    curvature = np.sum(levels**2 * (counts + 2 * shifts / left) / left**2, axis=1, keepdims=True) + at**-2
    s = at + 1j * np.sinh(_LINE) / np.sqrt(curvature)
    values = (np.exp(cumulant(s)) / s).real * np.cosh(_LINE) / np.sqrt(curvature)
    integral = (values.sum(axis=1) - values[:, 0] / 2) * _LINE[1] / np.pi
    return np.where(top[:, 0] > 0.0, integral, np.where(np.any(levels, axis=1), 0.0, 0.5))
