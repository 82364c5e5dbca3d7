"""What a block-level solver is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.network import Network

__all__ = ["Task"]


@dataclass(frozen=True, eq=False)
class Task:
    """The joint problem at fixed SINR targets.

    Attributes:
        network: In natural units (`normalised`); its radii are zero where robustness is "none".
        clusters: J of one BS each (CBF) or one of J (CoMP).
        robustness: "none", "paper" (Prop. 3) or "exact".
        min_sinr: (J, K) linear.
        sensing_streams: Streams of every cluster without a user.
        tolerance: Of the RCRB, relative.

    """

    network: Network
    clusters: tuple[Cluster, ...]
    robustness: str
    min_sinr: FloatArray
    sensing_streams: int = 0
    tolerance: float = 1e-4

    @property
    def targets(self) -> FloatArray:
        """(J K,) the SINR targets, linear."""
        return np.ravel(self.min_sinr)
