"""Exact worst case of a given precoder over the CSI balls: a trust-region problem per user, nothing relaxed.

This is the judge of the robust designs and shares no code with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

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
        (J, K), linear.

    """
    W = np.asarray(weights, dtype=np.complex128)
    cooperate = cooperates(W, network.K, cooperate)
    worst = np.empty((network.J, network.K))
    for m, k in np.ndindex(worst.shape):
        if cooperate:
            h, radius = network.channels[:, m, k].ravel(), float(np.linalg.norm(network.csi_radius[:, m, k]))
            streams, own = W.reshape(-1, W.shape[2]), m * network.K + k
            noise = float(network.user_noise[m, k])
        else:
            h, radius, streams, own = network.channels[m, m, k], float(network.csi_radius[m, m, k]), W[m], k
            noise = float(network.user_noise[m, k]) + _worst_leakage(network, W, m, k)
        worst[m, k] = _smallest_ratio(h.conj(), radius, streams, own, noise)
    return worst


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
    if cooperates(W, K, cooperate):
        streams = W.reshape(1, -1, W.shape[2])
        h = network.channels.transpose(1, 2, 0, 3).reshape(1, J * K, -1)
        radii = np.linalg.norm(network.csi_radius, axis=0).reshape(1, J * K)
        groups, columns = np.zeros(J * K, dtype=int), np.arange(J * K)
    else:
        streams, h, radii = W, network.channels.reshape(J, J * K, -1), network.csi_radius.reshape(J, J * K)
        groups, columns = np.arange(J).repeat(K), np.tile(np.arange(K), J)
    heard = np.abs(h @ streams)  # (groups, users, streams)
    charged = (heard + radii[:, :, None] * np.linalg.norm(streams, axis=1)[:, None]) ** 2
    users = np.arange(J * K)
    interference = charged.sum(axis=(0, 2)) - charged[groups, users, columns]
    ratio: FloatArray = heard[groups, users, columns] ** 2 / (interference + network.user_noise.ravel())
    return ratio.reshape(J, K)


def smallest_form(M: ComplexArray, x: ComplexArray, radius: float) -> tuple[float, ComplexArray]:
    """Minimise (x + e)^H M (x + e) over |e| <= radius, M Hermitian and possibly indefinite.

    Stationary points are e = -(M + tau I)^-1 M x with M + tau I >= 0 and |e| = radius. In eigenvector coordinates this
    is one equation in tau. Newton on 1 / |e(tau)| rises to its root from the left and never passes it. If |e| stays
    below the radius at the smallest tau (the hard case), the rest goes along the lowest eigenvector.

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
        floor = max(0.0, -float(d[0]))
        tau = max(floor, float(np.max(np.abs(b) / radius - d)))
        tau = _secular_root(d, b, tau, radius)
        below = d + tau <= _EPS * max(abs(float(d[0])), abs(float(d[-1])))
        e = np.where(below, 0.0, -b / np.where(below, 1.0, d + tau))
        missing = radius**2 - float(np.sum(np.abs(e) ** 2))
        if floor > 0.0 and missing > 0.0:
            # Either sign of the step is a minimiser when b[0] = 0; otherwise the step goes down the gradient.
            e[0] += _step_to_sphere(e[0], -b[0], missing)
        z = z + e
    return float(np.sum(d * np.abs(z) ** 2)), V @ z


def _secular_root(d: FloatArray, b: ComplexArray, tau: float, radius: float) -> float:
    power = np.abs(b) ** 2
    for _ in range(100):
        shifted = d + tau
        seen = shifted > 0.0
        length2 = float(np.sum(power[seen] / shifted[seen] ** 2))
        if length2 <= radius**2:
            return tau
        slope = float(np.sum(power[seen] / shifted[seen] ** 3))
        step = (np.sqrt(length2) / radius - 1.0) * length2 / slope
        if step <= 4 * _EPS * tau:
            return tau
        tau += step
    return tau


def _step_to_sphere(e0: complex, downhill: complex, missing: float) -> complex:
    direction = downhill / abs(downhill) if downhill else 1.0
    along = (np.conj(direction) * e0).real
    return complex(direction * (np.sqrt(along**2 + missing) - along))


def _smallest_ratio(x: ComplexArray, radius: float, streams: ComplexArray, own: int, noise: float) -> float:
    """Dinkelbach's iteration: Newton on the ratio; every iterate is a ratio that some channel in the ball shows."""
    x, streams = _in_their_span(x, streams)
    signal = np.outer(streams[:, own], streams[:, own].conj())
    others = streams @ streams.conj().T - signal
    ratio = _at(x, signal, others, noise)
    for _ in range(100):
        value, x_worst = smallest_form(signal - ratio * others, x, radius)
        if value >= ratio * noise * (1.0 - 1e-12):
            return ratio
        smaller = _at(x_worst, signal, others, noise)
        if smaller >= ratio:
            return ratio
        ratio = smaller
    return ratio


def _in_their_span(x: ComplexArray, streams: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """The same channel and streams in coordinates of their span: an error outside of it is heard by nobody."""
    if streams.shape[1] + 1 >= len(x):
        return x, streams
    basis = np.linalg.qr(np.column_stack([streams, x]))[0]
    return basis.conj().T @ x, basis.conj().T @ streams


def _at(x: ComplexArray, signal: ComplexArray, others: ComplexArray, noise: float) -> float:
    received = max(float((x.conj() @ signal @ x).real), 0.0)
    return received / (max(float((x.conj() @ others @ x).real), 0.0) + noise)


def _worst_leakage(network: Network, W: ComplexArray, m: int, k: int) -> float:
    total = 0.0
    for n in range(network.J):
        if n != m:
            x, streams = _in_their_span(network.channels[n, m, k].conj(), W[n])
            total -= smallest_form(-streams @ streams.conj().T, x, network.csi_radius[n, m, k])[0]
    return total
