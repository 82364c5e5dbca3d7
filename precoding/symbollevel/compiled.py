"""How kernels are compiled, and products of complex matrices kept as stacked real ones.

Complex things with a symbol axis are real arrays (2 n, L), real parts above imaginary ones: loops over symbols then run
in SIMD registers and products in BLAS. Numba is imported, and its cache read, when the first design needs it or by
`precoding.warm_up`.
"""

from __future__ import annotations

import numba as nb
import numpy as np

__all__ = ["CHUNK", "compiled", "gram", "stacked"]

# Not `nnan` and `ninf`: a value out of range must stay one.
compiled = nb.njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"})

CHUNK = 64  # symbols worked on at once: what they need stays in the first cache


@compiled
def gram(A, B):  # type: ignore[no-untyped-def]
    """A B^H, complex, of (2 a, L) and (2 b, L)."""
    G = np.dot(A, B.T)
    a, b = len(A) // 2, len(B) // 2
    return (G[:a, :b] + G[a:, b:]) + 1j * (G[a:, :b] - G[:a, b:])


@compiled
def stacked(A):  # type: ignore[no-untyped-def]
    """Complex (a, b) as the real (2 a, 2 b) that acts on stacked parts."""
    a, b = A.shape
    R = np.empty((2 * a, 2 * b))
    R[:a, :b], R[a:, b:], R[:a, b:], R[a:, :b] = A.real, A.real, -A.imag, A.imag
    return R
