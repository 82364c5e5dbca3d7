"""A waveform of least power, and with it the repair in closed form of one that is nearly feasible; slp-comp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.fast_data import Lit

__all__ = ["LeastPower", "least_power_waveform", "mended"]

_ROUNDS, _SWEEPS = 40, 20
_ROUNDING = 1e-10  # how far beyond a constraint is aimed, relative: more than the arithmetic of the judge


@dataclass(frozen=True, eq=False)
class LeastPower:
    """Waveform with all symbols in their regions.

    Attributes:
        Xi: Complex (J, d, L).
        used: Largest part of a BS's power that it takes.

    """

    Xi: ComplexArray
    used: float


def least_power_waveform(lit: Lit) -> LeastPower | None:
    """Return a feasible waveform of about the least power; None if none was found, which proves nothing."""
    from precoding.symbollevel.projection import least_power

    limits = lit.cap**2
    depth = lit.depth * (1.0 + _ROUNDING)
    omega, w, energies, found = least_power(lit.HH, lit.edges, depth, lit.radii, limits, _ROUNDS, _SWEEPS)
    if not found:
        return None
    half = len(omega) // 2
    Xi = lit.H.conj().swapaxes(1, 2) @ (omega[:half] + 1j * omega[half:]) / w[:, None, None]
    return LeastPower(np.asarray(Xi), float(np.max(energies / limits)))


def mended(lit: Lit, Xi: ComplexArray, least: LeastPower) -> ComplexArray:
    """Return the waveform with every symbol pushed into its region and every BS within its power.

    The margin Re(conj(r) h^T x) - radius |x| is superadditive: adding (lack / margin of X_least) X_least mends a
    symbol exactly. Regions are convex: a mixture with X_least stays inside and takes less power.

    Args:
        lit: The task.
        Xi: Complex (J, d, L).
        least: Its waveform of least power.

    """
    lack = lit.depth[:, None] * (1.0 + _ROUNDING) - _margins(lit, Xi)
    have = np.maximum(_margins(lit, least.Xi), np.finfo(np.float64).tiny)
    missing = np.max(lack / have, axis=0, initial=0.0)
    Xi = Xi + missing * least.Xi
    apart = least.Xi - Xi
    here, slope, bend = (np.sum((a.conj() * b).real, axis=(1, 2)) for a, b in ((Xi, Xi), (Xi, apart), (apart, apart)))
    over = here - lit.cap**2 * (1.0 - _ROUNDING)
    if np.all(over <= 0.0):
        return Xi
    # bend a^2 + 2 slope a + over = 0, its smaller root, in the form without cancellation
    share = np.where(over > 0.0, over / (-slope + np.sqrt(np.maximum(slope**2 - bend * over, 0.0))), 0.0)
    return Xi + min(float(share.max()), 1.0) * apart


def _margins(lit: Lit, Xi: ComplexArray) -> FloatArray:
    """(U, L) smallest over the edges."""
    q = np.sum(lit.H @ Xi, axis=0)
    reach = lit.edges[0] * q.real[:, None] + lit.edges[1] * q.imag[:, None]
    norms = np.sqrt(np.sum(np.abs(Xi) ** 2, axis=(0, 1)))
    return np.asarray(reach.min(axis=1) - lit.radii[:, None] * norms)
