"""Array types, and the checks that every argument passes before it reaches an equation."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.errors import ArgumentError

__all__ = ["ComplexArray", "FloatArray", "complex_array", "float_array", "whole_number"]

FloatArray: TypeAlias = NDArray[np.float64]
ComplexArray: TypeAlias = NDArray[np.complex128]
Scalar = TypeVar("Scalar", np.float64, np.complex128)


def complex_array(name: str, value: ArrayLike, shape: tuple[int, ...]) -> ComplexArray:
    """Return `value` as a read-only, finite complex array of exactly `shape`.

    Raises:
        ArgumentError: The shape differs or a value is not finite.

    """
    return _finite(name, np.array(value, dtype=np.complex128), shape)


def float_array(
    name: str, value: ArrayLike, shape: tuple[int, ...], *, above: float = -np.inf, or_equal: bool = False
) -> FloatArray:
    """Return `value` as a read-only, finite real array of `shape`; a scalar is repeated.

    Raises:
        ArgumentError: The shape differs, or a value is not finite or not above the limit (or equal to it, if allowed).

    """
    given = np.array(value, dtype=np.float64)
    array = _finite(name, np.full(shape, given) if given.ndim == 0 else given, shape)
    if np.any(array < above) or (not or_equal and np.any(array == above)):
        raise ArgumentError(f"{name}: smallest value {array.min():g}, must be {'>=' if or_equal else '>'} {above:g}")
    return array


def whole_number(name: str, value: int, *, least: int) -> int:
    """Return `value` as an int of at least `least`.

    Raises:
        ArgumentError: It is not whole or too small.

    """
    if value != int(value) or value < least:
        raise ArgumentError(f"{name}: {value!r}, must be a whole number of at least {least}")
    return int(value)


def _finite(name: str, array: NDArray[Scalar], shape: tuple[int, ...]) -> NDArray[Scalar]:
    if array.shape != shape:
        raise ArgumentError(f"{name}: shape {array.shape}, must be {shape}")
    if not np.all(np.isfinite(array)):
        raise ArgumentError(f"{name}: {np.count_nonzero(~np.isfinite(array))} values are NaN or infinite")
    array.flags.writeable = False
    return array
