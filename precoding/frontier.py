"""The whole trade between SINR and accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from precoding.designing import design
from precoding.errors import ArgumentError, InfeasibleError
from precoding.network import Network
from precoding.result import Design

__all__ = ["frontier"]


def frontier(
    network: Network,
    scheme: str,
    min_sinr_db: ArrayLike,
    *,
    symbols: ArrayLike | None = None,
    robustness: str = "exact",
    psk_order: int = 4,
    sensing_streams: int | None = None,
    time_limit_s: float | None = None,
) -> tuple[Design, ...]:
    """Design for one common SINR after the other, each from the one before.

    Args:
        network: What to design for.
        scheme: As for `design`.
        min_sinr_db: Rising targets in dB, (points,).
        symbols: As for `design`.
        robustness: As for `design`.
        psk_order: As for `design`.
        sensing_streams: As for `design`.
        time_limit_s: For each point.

    Returns:
        A design for every target that is feasible: the rest of the axis has none.

    Raises:
        ArgumentError: The targets do not rise.
        InaccurateError: A certificate does not hold.

    """
    targets = np.atleast_1d(np.asarray(min_sinr_db, dtype=np.float64))
    if targets.ndim != 1 or np.any(np.diff(targets) <= 0.0):
        raise ArgumentError("min_sinr_db: a frontier needs targets that rise, in one row")
    points: list[Design] = []
    for target in targets:
        try:
            points.append(
                design(
                    network,
                    scheme,
                    min_sinr_db=float(target),
                    symbols=symbols,
                    robustness=robustness,
                    start=points[-1] if points else None,
                    psk_order=psk_order,
                    sensing_streams=sensing_streams,
                    time_limit_s=time_limit_s,
                )
            )
        except InfeasibleError:
            break
    return tuple(points)
