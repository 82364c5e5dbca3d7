"""SINR on known symbols, without bias, with its interval.

Everything that stations send is known, so signal, interference and noise are told apart by a joint fit of all streams
(`fit_streams`). The signal's estimate is noncentral chi-square; interference plus noise is nearly chi-square with the
degrees of freedom that its own variance tells; so their ratio is noncentral F. With no other stream this is the exact
law of a single one (Alagha, IEEE Commun. Lett. 5(1), 2001); with strong interferers, whose power is known much better
than that of noise, the interval is far narrower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from testbed.measurement.decomposition import StreamFit, fit_streams
from testbed.measurement.noncentral_f import noncentrality

__all__ = ["SinrEstimate", "estimate_sinr", "sinr_of_fit"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

CONFIDENCE = 0.95
LEAST_NOISE = 1e-100  # watt; keeps silence from being divided by


@dataclass(frozen=True)
class SinrEstimate:
    """Measured SINR, linear, with the ends of its confidence interval; each of shape (n_users,)."""

    value: Vector
    low: Vector
    high: Vector


def estimate_sinr(received: Complex, streams: Complex, confidence: float = CONFIDENCE) -> SinrEstimate:
    """Measure the SINR of users on known symbols.

    Where the block is too short to tell all streams apart, each user's own is fitted alone, and all others count as
    Gaussian noise.

    Args:
        received: Received symbols, (n_users, L).
        streams: Symbols of all streams, unit modulus, (n_streams, L); user u was sent stream u.
        confidence: Coverage of the interval.

    Returns:
        The estimate; its value may be negative when there is no signal.
    """
    fit = fit_streams(received, streams)
    if fit is not None:
        return sinr_of_fit(fit, confidence)
    alone = [fit_streams(received[u : u + 1], streams[u : u + 1]) for u in range(len(received))]
    rows = [sinr_of_fit(one, confidence) for one in alone if one is not None]
    return SinrEstimate(*(np.concatenate([getattr(row, name) for row in rows]) for name in ("value", "low", "high")))


def sinr_of_fit(fit: StreamFit, confidence: float = CONFIDENCE) -> SinrEstimate:
    """Return the SINR that a joint fit of all streams shows.

    With P = |g_own|^2, error variance e of g_own and D = interference plus noise of nu degrees of freedom,
    P / e * E[D] / D obeys noncentral F(2, nu, 2 |g|^2 / e). So (1 - 2 / nu) P / D - e / D is without bias; the interval
    inverts the law in its noncentrality.

    Args:
        fit: Of all streams at all users; user u was sent stream u.
        confidence: Coverage of the interval.
    """
    tail = (1 - confidence) / 2
    denominator, freedom = _interference_plus_noise(fit, float(ndtri(1 - tail)))
    users = np.arange(len(fit.gains))
    noise = np.maximum(fit.noise, LEAST_NOISE)
    power = np.abs(fit.gains[users, users]) ** 2
    error = noise * np.diagonal(fit.spread).real[users]
    ratio, share, f = power / denominator, error / denominator, power / error
    low = noncentrality(f, freedom, 1 - tail) * share / 2
    high = noncentrality(f, freedom, tail) * share / 2
    return SinrEstimate((1 - 2 / freedom) * ratio - share, low, high)


def _interference_plus_noise(fit: StreamFit, normal: float) -> tuple[Vector, Vector]:
    """Return the power of all but the own stream, and its degrees of freedom 2 mean^2 / variance, (n_users,) each.

    The variance rests on the noise's own estimate; on short blocks that calls for Student's wider quantiles.

    Args:
        fit: The gains.
        normal: Normal quantile of the interval's upper end.
    """
    noise = np.maximum(fit.noise, LEAST_NOISE)
    spread, squared = np.diagonal(fit.spread).real, np.abs(fit.spread) ** 2
    own = spread[: len(fit.gains)]
    bias = spread.sum() - own
    scatter = squared.sum() - 2 * squared.sum(axis=1)[: len(own)] + own**2
    others = fit.gains * ~np.eye(len(spread), dtype=bool)[: len(own)]
    across = np.sum((others @ fit.spread) * others.conj(), axis=1).real - noise * scatter
    total = np.maximum(np.sum(np.abs(others) ** 2, axis=1) + noise * (1 - bias), 0.1 * noise)
    student = 1 + (normal**2 + 1) / (4 * fit.freedom)
    of_noise = (1 - bias) ** 2 / fit.freedom + scatter  # the relative variance if there were no interference
    variance = noise**2 * of_noise + 2 * noise * np.maximum(across, 0.0) * student
    return total, 2 / np.minimum(variance / total**2, of_noise)  # interference is always known better than noise
