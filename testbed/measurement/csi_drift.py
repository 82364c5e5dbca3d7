"""How far channels drift from sounding to sounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["channel_distance", "drift_energy", "in_phase"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


def channel_distance(old: Complex, new: Complex, *, cooperative: bool) -> Vector:
    """Return how far each link's channel moved, (J, J, K), apart from phases that no precoder cares about.

    A user's oscillator turns all its channels together. Where stations send independent streams (CBF), even a phase
    of one link alone changes nothing; where they send the same (CoMP), the phases between the links do.

    Args:
        old: Channels, complex (J, J, K, n_tx), [n, m, k].
        new: Channels later.
        cooperative: Whether stations send the same streams.
    """
    turn = np.sum(old.conj() * new, axis=-1, keepdims=True)
    if cooperative:
        turn = np.sum(turn, axis=0, keepdims=True)
    return np.asarray(np.linalg.norm(new * np.exp(-1j * np.angle(turn)) - old, axis=-1))


def drift_energy(old: Complex, new: Complex, error_variance: Vector, *, cooperative: bool) -> Vector:
    """Return how much further two soundings of each link are apart than their noise explains, (J, J, K).

    The mean of |h_new - h_old|^2 is n_tx times both error variances together, less what fitting the phase takes away
    (half a complex unknown for a link in CBF, for all links of a user in CoMP), plus the drift. Without drift the
    result has mean zero: it is negative as often as not.

    Args:
        old: Channels of the sounding before, complex (J, J, K, n_tx), [n, m, k].
        new: Channels of this one.
        error_variance: Of one entry, both soundings' together, (J, J, K).
        cooperative: Whether stations send the same streams.
    """
    fitted = 0.5 / len(old) if cooperative else 0.5
    explained = (old.shape[-1] - fitted) * error_variance
    return np.asarray(channel_distance(old, new, cooperative=cooperative) ** 2 - explained)


def in_phase(new: Complex, old: Complex) -> Complex:
    """Return channels turned, link by link, to where they are nearest to earlier ones.

    Where stations start apart, a link's phase is another in every frame and carries nothing; without this, a channel
    could not be foreseen from those before.

    Args:
        new: Channels, complex (..., n_tx).
        old: Channels before, or NaN.
    """
    turn = np.angle(np.sum(old.conj() * new, axis=-1, keepdims=True))
    return np.asarray(new * np.exp(-1j * np.nan_to_num(turn)))
