"""A proof that no waveform senses better, and no relaxed one (P3), (P4) either: weak duality, computed anew.

With prices on everything that is asked, a sum over all constraints bounds the smallest information from above. Nothing
is believed of the solver that named the prices: all is built on the antennas from the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import jacobian_of
from precoding.network import Network
from precoding.steering import steering, steering_derivative, steering_with_derivative
from precoding.symbollevel.psk import region_edges

__all__ = ["SymbolPrices", "bounded_information"]

_ROUNDING = 1e-10
_LEAST_EXCESS = 1e-13
_NEWTON_STEPS, _CONVERGED = 60, 1e-9


@dataclass(frozen=True, eq=False)
class SymbolPrices:
    """Prices in natural units (`normalised`): one unit of information is worth sum_m sensing[m, 0, 0].

    Attributes:
        sensing: (J, p, p) real positive semidefinite, on the parameters of `echo_jacobian`.
        stations: (J,) of each BS's power.
        antennas: (J, n_tx) of each antenna's power; None without such limits.
        edges: (J K, L, edges) of each constructive constraint.
        leaks: Complex (J, L, J K) of each leakage from a BS to a foreign user, as a vector; None in CoMP.
        leak_sizes: (J, L, J K) at least their moduli; None in CoMP.
        foreign: (J,) power over noise of the foreign reflections at each BS, as the bound takes them; 0 in CoMP.

    """

    sensing: FloatArray
    stations: FloatArray
    antennas: FloatArray | None
    edges: FloatArray
    leaks: ComplexArray | None
    leak_sizes: FloatArray | None
    foreign: FloatArray


def bounded_information(
    network: Network, min_sinr: FloatArray, symbols: NDArray[np.int64], order: int, prices: SymbolPrices
) -> float:
    """Bound the smallest effective Fisher information of all waveforms that carry the symbols.

    sum_s [c_s^H x - w_s |x| - x^H B x] is what is left of every symbol vector x; its largest value is known in closed
    form but for one root. CoMP if there are no prices of leakage, else CBF with leakage levels as in paper eq. (67).

    Args:
        network: In natural units; its csi_radius is what must be withstood.
        min_sinr: (J, K) linear.
        symbols: (J K, L) PSK indices.
        order: M.
        prices: Any; poor ones give a poor bound.

    Returns:
        Information in 1/rad^2; infinite if the prices prove nothing.

    """
    price = float(prices.sensing[:, 0, 0].sum())
    if not _sound(prices) or not price > 0.0:
        return np.inf
    J, users = network.J, network.J * network.K
    depth = np.sqrt(min_sinr.ravel()) * np.sin(np.pi / order)
    noise = depth * prices.edges.sum(axis=(1, 2))
    total = -_noise_earned(noise, np.zeros((1, users)) if prices.leak_sizes is None else prices.leak_sizes.sum(axis=1))
    power = np.repeat(prices.stations[:, None], network.n_tx, axis=1)
    paid = prices.stations * network.power
    if network.antenna_power is not None and prices.antennas is not None:
        power, paid = power + prices.antennas, paid + np.sum(prices.antennas * network.antenna_power, axis=1)
    every = list(range(J))
    for stations in [every] if prices.leaks is None else [[m] for m in every]:
        yardstick = power[stations].ravel()
        c, w = _pulls(network, symbols, order, prices, stations)
        bases = _seen(network, stations, alike=prices.antennas is None)
        seen = np.asarray(block_diag(*bases))
        c, echo = c @ seen, _sensing_form(network, prices, stations, bases)
        paying = seen.conj().T @ (yardstick[:, None] * seen)
        root = 1.0 / np.sqrt(np.diagonal(paying).real)
        relative = 1.0 - float(np.linalg.eigvalsh(root[:, None] * echo * root)[-1])
        excess = max(_LEAST_EXCESS - relative, 0.0)  # raise all power prices until B >= 0
        total += (1.0 + excess) * network.block_length * float(paid[stations].sum())
        total += _largest_left((1.0 + excess) * paying - echo, c, w)
    return total / price


def _sound(prices: SymbolPrices) -> bool:
    """Whether all prices are finite and of the right sign."""
    real = [prices.stations, prices.edges, prices.foreign]
    real += [p for p in (prices.antennas, prices.leak_sizes) if p is not None]
    if not all(np.all(np.isfinite(p)) and np.all(p >= 0.0) for p in real) or not np.all(prices.stations > 0.0):
        return False
    if prices.leaks is not None and prices.leak_sizes is not None:
        return bool(np.all(np.abs(prices.leaks) <= prices.leak_sizes)) and _semidefinite(prices.sensing)
    return _semidefinite(prices.sensing)


def _semidefinite(sensing: FloatArray) -> bool:
    scale = 1.0 / np.sqrt(np.maximum(np.einsum("mii->mi", sensing), np.finfo(np.float64).tiny))
    return bool(np.all(np.linalg.eigvalsh(scale[:, :, None] * sensing * scale[:, None, :])[:, 0] >= -_ROUNDING))


def _noise_earned(noise: FloatArray, leaks: FloatArray) -> float:
    """Sum of min over levels a >= 0 of N sqrt(1 + |a|^2) - K a, for noise N (JK,) and leakage K (J, JK)."""
    leaked = np.sum(leaks**2, axis=0)
    if np.any(leaked > noise**2):
        return -np.inf
    return float(np.sum(np.sqrt(noise**2 - leaked)))


def _sensing_form(network: Network, prices: SymbolPrices, stations: list[int], bases: ComplexArray) -> ComplexArray:
    """Sum over the BSs of a cluster of 2 sum_ij Z_ij D_i^H C^-1 D_j (its Hermitian part), on the bases of its BSs.

    Echoes lie in the span of a and a', which are orthogonal, and C differs from I along a only.
    """
    P, n_tx, n = bases.shape
    total: ComplexArray = np.zeros((P * n,) * 2, dtype=np.complex128)
    for own, m in enumerate(stations):
        angles, reflections = network.departure_angles[m, stations], network.reflections[m, stations]
        strength = np.linalg.norm(steering_with_derivative(network.n_rx, network.arrival_angles[m]), axis=1)
        strength[0] /= np.sqrt(1.0 + network.n_rx * prices.foreign[m])
        v = (steering_with_derivative(n_tx, angles)[:, :, None] @ bases)[:, :, 0]
        whitened = jacobian_of(np.diag(strength).astype(np.complex128), v, reflections, own)
        weighted = np.tensordot(prices.sensing[m], whitened, axes=1).reshape(-1, len(total))
        form = 2.0 * whitened.reshape(weighted.shape).conj().T @ weighted
        total += 0.5 * (form + form.conj().T)
    return total


def _seen(network: Network, stations: list[int], *, alike: bool) -> ComplexArray:
    """Orthonormal bases of what users and targets see of each BS, complex (P, n_tx, n).

    Of the rest B is the power price, which is positive; with prices of antennas, that are not alike, nothing is left.
    """
    angles = network.departure_angles[:, stations].T
    rows = [network.channels[stations].reshape(len(stations), -1, network.n_tx)]
    rows += [of(network.n_tx, angles) for of in (steering, steering_derivative)]
    unit = [part / np.maximum(np.abs(part).max(axis=(1, 2), keepdims=True), 1e-300) for part in rows]
    directions = np.concatenate(unit, axis=1).conj().swapaxes(1, 2)
    if not alike or directions.shape[2] >= network.n_tx:
        return np.repeat(np.eye(network.n_tx, dtype=np.complex128)[None], len(stations), axis=0)
    return np.asarray(np.linalg.qr(directions)[0])


def _pulls(
    network: Network, symbols: NDArray[np.int64], order: int, prices: SymbolPrices, stations: list[int]
) -> tuple[ComplexArray, FloatArray]:
    """c_s, complex (L, N), and w_s (L,) of one cluster."""
    J, K = network.J, network.K
    h = network.channels[stations].transpose(1, 2, 0, 3).reshape(J * K, -1)
    radii = np.sqrt(np.sum(network.csi_radius[stations] ** 2, axis=0)).ravel()
    own = np.array([m * K + k for m in stations for k in range(K)])
    push = np.sum(region_edges(symbols, order) * prices.edges, axis=2)[own]
    c, w = push.T @ h[own].conj(), prices.edges[own].sum(axis=2).T @ radii[own]
    if prices.leaks is not None and prices.leak_sizes is not None:
        c = c - prices.leaks[stations[0]] @ h.conj()
        w = w + prices.leak_sizes[stations[0]] @ radii
    return c, w


def _largest_left(B: ComplexArray, c: ComplexArray, w: FloatArray) -> float:
    """Sum over s of sup_x Re(c_s^H x) - w_s |x| - x^H B x, B > 0.

    -w |x| <= -w Re v^H x for any |v| <= 1, so every such v gives a bound. The best is c / (2 rho B + w) with rho = |x|
    at which its length is 1, found by Newton's method on the reciprocal length, which is concave in rho.
    """
    b, V = np.linalg.eigh(B)
    b = np.maximum(b, _ROUNDING * _ROUNDING * b[-1])
    power = np.abs(c @ V.conj()) ** 2
    w = w[:, None]
    tiny = 1e-100  # its square is a number too
    rho = np.maximum(np.sqrt(power.sum(axis=1, keepdims=True)) - w, 0.0) / (2.0 * b[-1])
    for _ in range(_NEWTON_STEPS):
        reach = 1.0 / np.maximum(2.0 * rho * b + w, tiny)
        v2 = power * reach**2
        length = np.sqrt(v2.sum(axis=1, keepdims=True))
        if np.all((length <= 1.0 + _CONVERGED) | (power.sum(axis=1, keepdims=True) == 0.0)):
            break
        slope = np.sum(2.0 * b * v2 * reach, axis=1, keepdims=True)
        rho = rho + np.where(length > 1.0, (length - 1.0) * length**2 / np.maximum(slope, tiny), 0.0)
    reach = 1.0 / np.maximum(2.0 * rho * b + w, tiny)
    length = np.sqrt(np.sum(power * reach**2, axis=1, keepdims=True))
    left = 1.0 - w * reach / np.maximum(length, 1.0)
    return float(np.sum(power * left**2 / (4.0 * b)))
