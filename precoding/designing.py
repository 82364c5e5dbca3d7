"""The front door: check the request and hand it to the solver of its scheme."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import float_array
from precoding.blocklevel import design_block_level
from precoding.errors import ArgumentError
from precoding.network import Network
from precoding.result import Design

__all__ = ["ROBUSTNESS", "SCHEMES", "design"]

SCHEMES = ("blp-cbf", "blp-comp")
ROBUSTNESS = ("exact", "none")


def design(
    network: Network,
    scheme: str,
    *,
    min_sinr_db: ArrayLike,
    robustness: str = "exact",
    time_limit_s: float | None = None,
) -> Design:
    """Design precoders that sense best while every user gets its SINR.

    Maximises the smallest effective Fisher information of the targets' angles, subject to an SINR for every user and a
    power limit for every base station; paper (P1) and (P2) at fixed gamma, solved jointly.

    Args:
        network: What to design for, in any consistent units.
        scheme: "blp-cbf" (each BS serves its own users and hears its own signal) or "blp-comp" (all serve all).
        min_sinr_db: Target in dB, one for all or (J, K).
        robustness: "exact" holds the targets for every channel in the CSI balls; "none" on the estimates only.
        time_limit_s: Of the solver, over all passes; what it reached by then is judged like any answer.

    Returns:
        A design whose certificate holds.

    Raises:
        ArgumentError: An unknown name, a wrong shape, or a block shorter than its number of streams.
        InfeasibleError: No precoder meets the targets.
        InaccurateError: The solver ended short of what the certificate demands; carries the design.

    """
    _known("scheme", scheme, SCHEMES)
    _known("robustness", robustness, ROBUSTNESS)
    targets_db = float_array("min_sinr_db", min_sinr_db, (network.J, network.K))
    if time_limit_s is not None and not time_limit_s > 0.0:
        raise ArgumentError(f"time_limit_s: {time_limit_s}, must be positive or None")
    streams = network.K if scheme == "blp-cbf" else network.J * network.K
    if network.block_length < streams:
        raise ArgumentError(
            f"network.block_length: {network.block_length} symbols cannot hold {streams} orthogonal streams of {scheme}"
        )
    robust = robustness == "exact" and bool(np.any(network.csi_radius > 0.0))
    return design_block_level(network, scheme, targets_db, robust=robust, time_limit_s=time_limit_s)


def _known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}: {value!r} is unknown; choose one of {', '.join(known)}")
