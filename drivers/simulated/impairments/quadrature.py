"""Faults of direct conversion: imbalance of I and Q, and a constant offset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dc_offset", "iq_imbalance", "iq_imbalance_coefficients"]

Complex = NDArray[np.complexfloating]


def iq_imbalance_coefficients(gain_db: float, phase_deg: float) -> tuple[complex, complex]:
    """Return mu and nu of y = mu x + nu conj(x).

    I has the gain a, Q the gain b, a/b = g, and each axis leans by half of the phase error psi towards the other. Power
    is kept: a^2 + b^2 = 2, so |mu|^2 + |nu|^2 = 1. The image is rejected by
    |mu|^2 / |nu|^2 = (1 + g^2 + 2 g cos psi) / (1 + g^2 - 2 g cos psi).
    Source: T. Schenk, "RF Imperfections in High-rate Wireless Systems", 2008, ch. 5.

    Args:
        gain_db: 20 log10 g, gain of I over Q.
        phase_deg: psi, by how much I and Q fall short of a right angle.

    """
    g, half = 10 ** (gain_db / 20), np.radians(phase_deg) / 2
    b = np.sqrt(2 / (1 + g**2))
    a = g * b
    mu = ((a + b) * np.cos(half) + 1j * (a - b) * np.sin(half)) / 2
    nu = ((a - b) * np.cos(half) - 1j * (a + b) * np.sin(half)) / 2
    return complex(mu), complex(nu)


def iq_imbalance(samples: Complex, gain_db: float, phase_deg: float) -> Complex:
    """Unbalance I and Q, which adds a mirrored, conjugate image to the spectrum; see `iq_imbalance_coefficients`.

    Args:
        samples: Shape (..., n_samples).
        gain_db: Gain of I over Q.
        phase_deg: By how much I and Q fall short of a right angle.

    Returns:
        Unbalanced samples, same shape; a circular signal keeps its power.

    """
    if gain_db == 0 and phase_deg == 0:
        return samples
    mu, nu = iq_imbalance_coefficients(gain_db, phase_deg)
    unbalanced: Complex = mu * samples
    unbalanced += nu * np.conj(samples)
    return unbalanced


def dc_offset(samples: Complex, offset: complex | Complex) -> Complex:
    """Add a constant.

    Args:
        samples: Shape (..., n_samples).
        offset: The constant, in the unit of samples: one for all channels, or one each, shape (...).

    Returns:
        Shifted samples, same shape.

    """
    if not np.any(offset):
        return samples
    shifted: Complex = samples + np.asarray(offset, dtype=samples.dtype)[..., np.newaxis]
    return shifted
