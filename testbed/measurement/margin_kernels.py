"""Compiled least margins under many draws of the error: what `SymbolLevelBlock.amplitudes` says, for machines.

Numba is imported when the first symbol-level frame is measured; a bench does that before it opens
(`testbed.measurement.warm_up`).
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["least_margins"]


@nb.njit(cache=True, error_model="numpy")
def least_margins(signal, wrong, alike, unlike, symbols, slots, scale, chi, blur, serving, edge, partners):  # type: ignore[no-untyped-def]
    """Return the least margin for each error alone and with each of its partners on top, (n_users, 1 + P, draws).

    Args:
        signal: What arrives of each station on the estimated channels, complex (n_users, J, L).
        wrong: What a unit error adds, the same for all users, complex (J, draws, L).
        alike: Likeness of the estimate, complex (n_users,).
        unlike: What a unit error adds to it, complex (n_users, draws).
        symbols: Complex (n_users, L).
        slots: Which are looked at, (n_users, S).
        scale: Root of the noise, (n_users,).
        chi: Factor on the noise of each draw, (draws,).
        blur: What one error adds to the interference of each slot, (n_users, L).
        serving: Whether a station serves a user, (n_users, J).
        edge: 1 / tan(psi).
        partners: For each draw the draws whose errors come on top, (P, draws).
    """
    n_users, n_stations, _ = signal.shape
    n_partners, n_draws = partners.shape
    least = np.full((n_users, 1 + n_partners, n_draws), np.inf)
    for u in range(n_users):
        for k in range(1 + n_partners):
            for d in range(n_draws):
                more = partners[k - 1, d] if k > 0 else -1
                likeness = alike[u] + scale[u] * unlike[u, d]
                if more >= 0:
                    likeness += scale[u] * unlike[u, more]
                turn = np.conj(likeness) / max(abs(likeness), 1e-300)
                noise = scale[u] ** 2 * chi[d]
                for s in slots[u]:
                    own, foreign = 0.0j, -(2.0 if k == 0 else 3.0) * blur[u, s]
                    for j in range(n_stations):
                        error = wrong[j, d, s]
                        if more >= 0:
                            error += wrong[j, more, s]
                        heard = signal[u, j, s] + scale[u] * error
                        if serving[u, j]:
                            own += heard
                        else:
                            foreign += heard.real**2 + heard.imag**2
                    turned = own * turn * np.conj(symbols[u, s])
                    depth = (turned.real - abs(turned.imag) * edge) / np.sqrt(noise + max(foreign, 0.0))
                    least[u, k, d] = min(least[u, k, d], depth)
    return least
