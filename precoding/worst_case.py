"""Exact worst case of a given precoder over the CSI balls: a trust-region problem per user, nothing relaxed.

This is the judge of the robust designs and shares no code with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.network import Network
from precoding.sinr import cooperates

__all__ = ["prop3_sinr", "smallest_form", "worst_case_sinr"]

_EPS = float(np.finfo(np.float64).eps)


def worst_case_sinr(network: Network, weights: ArrayLike, *, cooperate: bool | None = None) -> FloatArray:
    """Smallest SINR of every user over all channels within its CSI balls.

    CBF: an independent ball around each link, radius csi_radius[n, m, k]. CoMP: one ball around the stacked channel of
    the user, radius sqrt(sum_n csi_radius[n, m, k]^2), which is sqrt(J) delta of paper eq. (3) when all are equal.

    Args:
        network: Channels, radii and noise.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP; further columns only sense.
        cooperate: Whether it is CoMP; by default told from the number of columns, with none that only senses.

    Returns:
        (J, K), linear; NaN, which meets no target, for weights that are not finite.

    """
    from precoding.judged_kernels import worst_ratios  # Numba is imported when something is judged, not before

    W = np.asarray(weights, dtype=np.complex128)
    J, K = network.J, network.K
    cooperate = cooperates(W, K, cooperate)
    if not np.all(np.isfinite(W)):
        return np.full((J, K), np.nan)
    streams, h, radii, groups, columns = _grouped(network, W, cooperate=cooperate)
    # An error outside the span of the streams is heard by nobody.
    basis, reduced = np.linalg.qr(streams)
    x = h.conj() @ basis.conj()
    worst: FloatArray = worst_ratios(reduced, x, radii, network.user_noise.ravel(), groups, columns)
    return worst.reshape(J, K)


def prop3_sinr(network: Network, weights: ArrayLike, *, cooperate: bool | None = None) -> FloatArray:
    """SINR of every user as paper Prop. 3, eq. (33)-(34), estimates its worst case; neither safe nor tight.

    The signal is taken as if it had no error, every stream's interference at a worst error of its own:
    |h^T w_k|^2 / (sum_l (|h^T w_l| + radius |w_l|)^2 + noise).

    Args:
        network: Channels, radii and noise.
        weights: As for `worst_case_sinr`.
        cooperate: As for `worst_case_sinr`.

    Returns:
        (J, K), linear.

    """
    W = np.asarray(weights, dtype=np.complex128)
    J, K = network.J, network.K
    streams, h, radii, groups, columns = _grouped(network, W, cooperate=cooperates(W, K, cooperate))
    heard = np.abs(h @ streams)  # (groups, users, streams)
    charged = (heard + radii[:, :, None] * np.linalg.norm(streams, axis=1)[:, None]) ** 2
    users = np.arange(J * K)
    interference = charged.sum(axis=(0, 2)) - charged[groups, users, columns]
    ratio: FloatArray = heard[groups, users, columns] ** 2 / (interference + network.user_noise.ravel())
    return ratio.reshape(J, K)


def smallest_form(M: ComplexArray, x: ComplexArray, radius: float) -> tuple[float, ComplexArray]:
    """Minimise (x + e)^H M (x + e) over |e| <= radius, M Hermitian and possibly indefinite.

    Stationary points are e = -(M + tau I)^-1 M x with M + tau I >= 0 and |e| = radius. In eigenvector coordinates this
    is one equation in tau, solved for its distance eta from the least tau allowed: in a null of the estimate the root
    is so close to the pole that tau itself has no digits left for it. Newton on 1 / |e| rises to the root from the left
    and never passes it. If |e| stays below the radius at eta = 0 (the hard case), the rest goes along the lowest
    eigenvector.

    Args:
        M: Complex Hermitian (n, n).
        x: Complex (n,).
        radius: At least 0.

    Returns:
        The smallest value and the x + e that reaches it.

    """
    d, V = np.linalg.eigh(M)
    z = V.conj().T @ x
    b = d * z
    if radius > 0.0:
        gaps = d + max(0.0, -float(d[0]))
        eta = _secular_root(gaps, b, max(0.0, float(np.max(np.abs(b) / radius - gaps))), radius)
        seen = gaps + eta > 0.0
        e = np.where(seen, -b, 0.0) / np.where(seen, gaps + eta, 1.0)
        missing = radius**2 - float(np.sum(np.abs(e) ** 2))
        if d[0] < 0.0 and missing > 0.0:
            # Either sign of the step is a minimiser when b[0] = 0; otherwise the step goes down the gradient.
            e[0] += _step_to_sphere(e[0], -b[0], missing)
        z = z + e
    return float(np.sum(d * np.abs(z) ** 2)), V @ z


def _secular_root(gaps: FloatArray, b: ComplexArray, eta: float, radius: float) -> float:
    power = np.abs(b) ** 2
    for _ in range(100):
        shifted = gaps + eta
        seen = shifted > 0.0
        length2 = float(np.sum(power[seen] / shifted[seen] ** 2))
        if length2 <= radius**2:
            return eta
        slope = float(np.sum(power[seen] / shifted[seen] ** 3))
        step = (np.sqrt(length2) / radius - 1.0) * length2 / slope
        if step <= 4 * _EPS * eta:
            return eta
        eta += step
    return eta


def _step_to_sphere(e0: complex, downhill: complex, missing: float) -> complex:
    direction = downhill / abs(downhill) if downhill else 1.0
    along = (np.conj(direction) * e0).real
    return complex(direction * (np.sqrt(along**2 + missing) - along))


def _grouped(
    network: Network, W: ComplexArray, *, cooperate: bool
) -> tuple[ComplexArray, ComplexArray, FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Groups of BSs with one CSI ball each for every user: one group of all (CoMP), or one of each BS (CBF).

    Returns:
        Streams (groups, N, S), channels (groups, J K, N), radii (groups, J K), and of each user the group that serves
        it and the column of its stream.

    """
    J, K = network.J, network.K
    if cooperate:
        h = network.channels.transpose(1, 2, 0, 3).reshape(1, J * K, -1)
        radii = np.sqrt(np.sum(network.csi_radius**2, axis=0)).reshape(1, J * K)
        return W.reshape(1, -1, W.shape[2]), h, radii, np.zeros(J * K, dtype=np.int64), np.arange(J * K)
    h, radii = network.channels.reshape(J, J * K, -1), network.csi_radius.reshape(J, J * K).copy()
    return W, h, radii, np.arange(J).repeat(K), np.tile(np.arange(K), J)
