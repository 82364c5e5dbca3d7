"""What a user hears for every channel h + e, |e| <= radius: as estimated, by Prop. 3, and exactly.

"paper" is Prop. 3 as printed. It is neither safe nor tight: (33) forgets the error in the signal, whose minimum is
(|h^T w| - radius |w|)_+^2, and (34) gives each stream a worst error of its own and charges radius^2 tr W on top.
"exact" is the S-procedure: one form, one ball, nothing lost. The power heard of a covariance W is h^T W h^*.
"""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np

from precoding.errors import ArgumentError
from precoding.reference.transmitter import Link

__all__ = ["ROBUSTNESS", "form_at_least", "heard", "heard_at_least", "heard_at_most", "is_exact", "largest_heard"]

ROBUSTNESS = ("none", "paper", "exact")

cp: Any = cvxpy  # its type hints miss most of its names


def is_exact(robustness: str) -> bool:
    """Whether constraints are to hold on every channel, by the S-procedure.

    Raises:
        ArgumentError: The name is unknown.

    """
    if robustness not in ROBUSTNESS:
        raise ArgumentError(f"robustness: {robustness!r} is unknown; choose one of {', '.join(ROBUSTNESS)}")
    return robustness == "exact"


def heard(W: Any, link: Link) -> Any:
    """tr(Q W) with Q = h^* h^T (the paper's Q = h h^H after (51) is a slip): power heard on the estimated channel."""
    return cp.real(link.h @ W @ link.h.conj())


def largest_heard(W: Any, link: Link) -> Any:
    """Prop. 3, eq. (34) and (51): tr(Q W) + radius^2 tr W + 2 radius |W h^*|, for one stream."""
    if link.radius == 0.0:
        return heard(W, link)
    power = cp.real(cp.trace(link.T.conj().T @ link.T @ W))
    return heard(W, link) + link.radius**2 * power + 2.0 * link.radius * cp.norm(link.T @ (W @ link.h.conj()))


def heard_at_most(streams: list[Any], link: Link, level: Any, robustness: str) -> list[Any]:
    """Interference of some streams together stays below a level: (44), (45), (53).

    Args:
        streams: One covariance per stream, in the transmitter's coordinates.
        link: To the user.
        level: Number or CVXPY expression, in units of the user's noise.
        robustness: "none", "paper" or "exact".

    """
    if not streams:
        return []
    if robustness == "paper":
        return [sum(largest_heard(W, link) for W in streams) <= level]
    return form_at_least(-sum(streams), link, -level, exact=is_exact(robustness))


def heard_at_least(W: Any, link: Link, level: Any, robustness: str) -> list[Any]:
    """Signal of one stream stays above a level: (46), (52). "paper" is (33), which leaves the error out."""
    return form_at_least(W, link, level, exact=is_exact(robustness))


def form_at_least(M: Any, link: Link, level: Any, *, exact: bool) -> list[Any]:
    """(h + e)^T M (h + e)^* >= level for all |e| <= radius, for any Hermitian M, by the S-procedure.

    There is a loss >= 0 with  [ M + loss E / radius^2,  M h^* ;  h^T M,  h^T M h^* - level - loss ] >= 0, where the
    ball is e^H E e <= radius^2; E = I on the antennas.

    Args:
        M: CVXPY expression in the transmitter's coordinates.
        link: To the user.
        level: Number or CVXPY expression, in units of the user's noise.
        exact: For all e, or only for e = 0.

    """
    if not exact or link.radius == 0.0:
        return [heard(M, link) >= level]
    x, E, loss = link.h.conj()[:, None], np.linalg.inv(link.T.conj().T @ link.T), cp.Variable((1, 1), nonneg=True)
    corner = cp.real(x.conj().T @ M @ x) - level - loss
    return [cp.bmat([[M + loss[0, 0] * E / link.radius**2, M @ x], [x.conj().T @ M, corner]]) >> 0]
