"""M-PSK symbols and the edges of their decision regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.arrays import ComplexArray
from precoding.errors import ArgumentError

__all__ = ["checked_order", "psk_indices", "psk_symbols", "region_edges"]


def checked_order(order: int) -> int:
    """Return the order M of a PSK constellation.

    Raises:
        ArgumentError: It is not a whole number of at least 2.

    """
    if order != int(order) or order < 2:
        raise ArgumentError(f"order: {order!r}, must be the number of PSK symbols: 2, 4, 8, ...")
    return int(order)


def psk_indices(symbols: ArrayLike, order: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return PSK indices as integers of exactly `shape`, each from 0 to M - 1.

    Raises:
        ArgumentError: Wrong shape, not whole numbers, or out of range.

    """
    given, M = np.asarray(symbols), checked_order(order)
    if given.shape != shape:
        raise ArgumentError(f"symbols: shape {given.shape}, must be (J K, L) = {shape}, one row of indices per user")
    if not np.issubdtype(given.dtype, np.integer):
        raise ArgumentError(f"symbols: {given.dtype} values, must be integer PSK indices from 0 to {M - 1}")
    if given.size and (given.min() < 0 or given.max() >= M):
        raise ArgumentError(f"symbols: indices from {given.min()} to {given.max()}, must lie within 0 to {M - 1}")
    return given.astype(np.int64)


def psk_symbols(indices: ArrayLike, order: int) -> ComplexArray:
    """Symbols of unit power: index i is exp(j (2 pi i + pi) / M).

    Args:
        indices: Integers, any shape.
        order: M.

    Returns:
        Complex, same shape.

    """
    symbols: ComplexArray = np.exp(1j * np.pi * (2.0 * np.asarray(indices) + 1.0) / checked_order(order))
    return symbols


def region_edges(indices: ArrayLike, order: int) -> ComplexArray:
    """Inward unit normals r of the two edges of a symbol's constructive region, a wedge of half-angle psi = pi / M.

    y lies in the region that begins at amplitude A, paper eq. (57), if Re(conj(r) y) >= A sin(psi) for both:
    r = d (sin psi -+ j cos psi). Unlike with tan(psi) this holds for BPSK too, where both edges are one line.

    Args:
        indices: Integers (...).
        order: M.

    Returns:
        Complex (..., 2), or (..., 1) for BPSK.

    """
    psi = np.pi / checked_order(order)
    signs = np.array([-1.0, 1.0]) if order > 2 else np.zeros(1)
    edges: ComplexArray = psk_symbols(indices, order)[..., None] * (np.sin(psi) + 1j * signs * np.cos(psi))
    return edges
