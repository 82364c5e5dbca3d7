"""A witness proves that no precoder of any rank senses better: prices, and the bound that they make.

With prices z >= 0 on everything that is asked, a sum over all constraints bounds the smallest information from above
(weak duality). Nothing is believed of the solver that named the prices: every matrix is built anew from the network,
and a price that does not fit costs a larger bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import echo_derivatives, illuminations, receive_gains
from precoding.network import Network
from precoding.steering import steering_with_derivative

__all__ = ["HeardChannels", "Witness", "witnessed_information", "witnessed_margin"]

_LEAST_PRICE = 1e-9  # of a BS that has power to spare, in parts of the largest: keeps the yardstick regular
_ROUNDING = 1e-10
_SAME = 1e-13  # relative: what a basis by QR misses of its own columns, to rounding


@dataclass(frozen=True, eq=False)
class HeardChannels:
    """The channels by which a price counts what users hear of one cluster of BSs, N = antennas of the cluster.

    Attributes:
        means: Complex (J K, N): mean of a law of channels within each CSI ball; the estimates if nothing is uncertain.
        covariances: Complex (J K, N, N): its covariance of conj(h); |mean - h|^2 + trace <= radius^2. None if zero.
        basis: Complex (N, r): if given, covariances are (J K, r, r) in its coordinates. Judging is quicker if its
            columns are orthonormal, on one BS each, and hold the means and all that reaches the targets.
        tilts: Only for "paper" robustness, complex (J K, streams, N) of norm <= 1: the direction in which Prop. 3
            charges a stream, h^* h^T + radius^2 I + radius (h^* u^H + u h^T).

    """

    means: ComplexArray
    covariances: ComplexArray | None = None
    tilts: ComplexArray | None = None
    basis: ComplexArray | None = None


@dataclass(frozen=True, eq=False)
class Witness:
    """Prices in natural units (`normalised`): one unit of information is worth 1.

    Attributes:
        sensing: For each BS, real positive semidefinite (p, p) on the parameters of `echo_jacobian`; the [0, 0]
            entries of all BSs together are the price of the smallest information.
        stations: (J,) price of each BS's power.
        antennas: (J, n_tx) price of each antenna's power; None where antennas have no limit.
        users: (J K,) price of each user's noise.
        heard: For each cluster, J of one BS (CBF) or one of J (CoMP).
        foreign: (J,) power over noise of the foreign reflections at each BS, as the bound takes them; 0 in CoMP.

    """

    sensing: tuple[FloatArray, ...]
    stations: FloatArray
    antennas: FloatArray | None
    users: FloatArray
    heard: tuple[HeardChannels, ...]
    foreign: FloatArray


def witnessed_information(network: Network, min_sinr: FloatArray, witness: Witness) -> float:
    """Bound the smallest effective Fisher information of all precoders, of any rank and with any sensing streams.

    sum_m <Z_m, F_m> + sum_k q_k (SINR slack of k) + sum_n l_n (power slack of n) is at least the smallest information
    times sum_m Z_m[0, 0]. It is linear in every stream's covariance W_l, with a matrix -B_l; where all B_l >= 0 the
    streams can only lower it, and sum l P - sum q sigma^2 is left. A B_l that is a little negative is made good by
    raising the l of its cluster.

    Args:
        network: In natural units; its csi_radius is what must be withstood.
        min_sinr: (J, K) linear; 0 where a user was promised nothing.
        witness: Any prices; poor ones give a poor bound.

    Returns:
        Information in 1/rad^2; infinite if the witness proves nothing.

    """
    price = sum(float(Z[0, 0]) for Z in witness.sensing)
    roots = _sensing_roots(witness)
    if not price > 0.0 or roots is None or not _sound(witness):
        return np.inf
    earned = float(witness.users @ network.user_noise.ravel())
    bound = (_paid(network, min_sinr, witness, roots) - earned) / price
    return max(bound, 0.0) if np.isfinite(bound) else np.inf


def witnessed_margin(network: Network, min_sinr: FloatArray, witness: Witness) -> float:
    """Bound the factor by which the noise of all users may rise; below 1 no precoder of any rank meets the targets.

    The same sum without the sensing terms: the noise that prices earn cannot exceed what they pay for power.

    Args:
        network: In natural units.
        min_sinr: (J, K) linear.
        witness: Prices; those on sensing must be zero or absent.

    Returns:
        The factor; infinite if the witness proves nothing.

    """
    earned = float(witness.users @ network.user_noise.ravel())
    if not earned > 0.0 or any(np.any(Z) for Z in witness.sensing) or not _sound(witness):
        return np.inf
    bound = _paid(network, min_sinr, witness, None) / earned
    return bound if np.isfinite(bound) else np.inf


def _paid(network: Network, min_sinr: FloatArray, witness: Witness, roots: FloatArray | None) -> float:
    """Price of all power, after those of each cluster are raised as far as its least B_l needs."""
    from precoding.judged_kernels import largest_deficit

    charges = _own_charges(witness, min_sinr)
    if not np.all(np.isfinite(charges)):
        return np.inf
    power = np.maximum(witness.stations, _LEAST_PRICE * max(float(witness.stations.max()), _ROUNDING))[:, None]
    antenna = np.zeros((network.J, network.n_tx)) if witness.antennas is None else np.maximum(witness.antennas, 0.0)
    limit = np.zeros(antenna.shape) if network.antenna_power is None else network.antenna_power
    yardstick, paid = power + antenna, 0.0
    for stations, heard in zip(_clusters(network, witness), witness.heard, strict=True):
        own = list(stations)
        span = _span(network, witness, stations, heard)
        if not _within_balls(network, stations, heard, span):
            return np.inf
        price = yardstick[own].ravel()
        scale = 1.0 / np.sqrt(price @ (span.real**2 + span.imag**2))  # the price itself, all on one BS
        sensing = None if roots is None else _sensing_form(network, witness.foreign, stations, span, roots[own])
        forms = _stream_forms(network, witness.users, charges, stations, heard, span, sensing)
        relative = forms * (scale[:, None] * scale) + np.eye(len(scale))
        excess = float(largest_deficit(relative, _ROUNDING))
        paid += (1.0 + excess) * float(power[own, 0] @ network.power[own] + np.sum(antenna[own] * limit[own]))
    return paid


def _own_charges(witness: Witness, min_sinr: FloatArray) -> FloatArray:
    """(J K,) what a user's own stream saves of its price: q (1 + 1 / gamma); infinite if nothing was promised."""
    gamma = np.ravel(min_sinr)
    charged = np.where(gamma > 0.0, witness.users * (1.0 + 1.0 / np.where(gamma > 0.0, gamma, 1.0)), np.inf)
    charges: FloatArray = np.where(witness.users > 0.0, charged, 0.0)
    return charges


def _sensing_roots(witness: Witness) -> FloatArray | None:
    """Roots (J, p, p) of the prices of information, Z = root root^T; None if one is not positive semidefinite."""
    Z = np.array(witness.sensing)
    if not Z.size or not np.all(np.isfinite(Z)):
        return None
    values, vectors = np.linalg.eigh(Z)
    if np.any(values[:, 0] < -_ROUNDING * np.abs(values.sum(axis=1))):
        return None
    roots: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))[:, None]
    return roots


def _sound(witness: Witness) -> bool:
    """Whether all that a witness says is finite, and its prices are of the right sign."""
    prices = np.concatenate([witness.stations, witness.users, witness.foreign])
    said = [part for h in witness.heard for part in (h.means, h.covariances, h.tilts, h.basis)]
    return bool(np.all(prices >= 0.0)) and all(
        part is None or np.isfinite(part).all() for part in (prices, witness.antennas, *said)
    )


def _within_balls(network: Network, stations: tuple[int, ...], heard: HeardChannels, span: ComplexArray) -> bool:
    """Whether each law of channels lies within its ball."""
    h, radii = _channels(network, stations), _radii(network, stations)
    spent = np.sum(np.abs(heard.means - h) ** 2, axis=1)
    if heard.covariances is not None:
        from precoding.judged_kernels import are_positive

        diagonals = np.einsum("uii->ui", heard.covariances).real
        rounding = _ROUNDING * np.maximum(diagonals.max(axis=1), 1.0)
        if not are_positive(np.ascontiguousarray(heard.covariances), rounding):
            return False
        if heard.basis is None or span is heard.basis:  # orthonormal
            spent = spent + diagonals.sum(axis=1)
        else:
            gram = heard.basis.conj().T @ heard.basis
            spent = spent + np.sum((heard.covariances * gram.T).real, axis=(1, 2))
    slack = _ROUNDING * np.sum(np.abs(h) ** 2, axis=1)
    tilted = heard.tilts is None or bool(np.all(np.linalg.norm(heard.tilts, axis=2) <= 1.0 + _ROUNDING))
    return tilted and bool(np.all(spent <= radii**2 * (1.0 + _ROUNDING) + slack))


def _clusters(network: Network, witness: Witness) -> tuple[tuple[int, ...], ...]:
    every = tuple(range(network.J))
    return (every,) if len(witness.heard) == 1 else tuple((m,) for m in every)


def _channels(network: Network, stations: tuple[int, ...]) -> ComplexArray:
    return network.channels[list(stations)].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)


def _radii(network: Network, stations: tuple[int, ...]) -> FloatArray:
    radii: FloatArray = np.sqrt(np.sum(network.csi_radius[list(stations)] ** 2, axis=0)).ravel()
    return radii


def _span(network: Network, witness: Witness, stations: tuple[int, ...], heard: HeardChannels) -> ComplexArray:
    """Orthonormal columns (N, r), each on one BS, outside of which every B_l is the power price alone.

    All antennas where they have prices of their own, or where a law of channels spreads over all of them.
    """
    P, n_tx = len(stations), network.n_tx
    spread = heard.covariances is not None and heard.basis is None
    if witness.antennas is not None or spread or heard.tilts is not None:
        return np.eye(P * n_tx, dtype=np.complex128)
    possible = [departure[np.ix_(stations, stations)].T for _, departure in network.possible_angles]  # [n, m]
    angles = np.concatenate(possible, axis=1)
    rays = np.concatenate(steering_with_derivative(n_tx, angles), axis=1)
    means = heard.means.reshape(-1, P, n_tx).swapaxes(0, 1)
    columns = np.concatenate([means, rays], axis=1).conj().swapaxes(1, 2)  # (P, n_tx, c)
    if heard.basis is None:
        return _orthonormal(columns)
    basis = heard.basis.reshape(P, n_tx, -1)
    return heard.basis if _holds(basis, columns) else _orthonormal(np.concatenate([columns, basis], axis=2))


def _holds(basis: ComplexArray, columns: ComplexArray) -> bool:
    """Whether a basis (P, n_tx, r) is orthonormal, with columns on one BS each, and holds the columns (P, n_tx, c)."""
    owned = np.any(basis != 0.0, axis=1)
    if np.any(np.count_nonzero(owned, axis=0) != 1):
        return False
    for of_station, own, wanted in zip(basis, owned, columns, strict=True):
        U = of_station[:, own]
        back = U.conj().T
        missed = np.abs(wanted - U @ (back @ wanted)).max(axis=0)
        if not np.all(np.abs(back @ U - np.eye(U.shape[1])) <= _SAME):
            return False
        if not np.all(missed <= _SAME * np.linalg.norm(wanted, axis=0)):
            return False
    return True


def _orthonormal(columns: ComplexArray) -> ComplexArray:
    """Orthonormal columns (P n_tx, P c), each on one BS, that hold those of each BS, (P, n_tx, c)."""
    P, n_tx, c = columns.shape
    if c >= n_tx:
        return np.eye(P * n_tx, dtype=np.complex128)
    whole = np.zeros((P, n_tx, P, c), dtype=np.complex128)
    whole[np.arange(P), :, np.arange(P)] = np.linalg.qr(columns)[0]
    return whole.reshape(P * n_tx, P * c)


def _stream_forms(
    network: Network,
    users: FloatArray,
    charges: FloatArray,
    stations: tuple[int, ...],
    heard: HeardChannels,
    span: ComplexArray,
    sensing: ComplexArray | None,
) -> ComplexArray:
    """B_l without its power prices, on a span: for each user's stream, and last for one that only senses."""
    h = heard.means.conj() @ span.conj()  # rows: conj(mean) in coordinates of the span
    outer = h[:, :, None] * h[:, None, :].conj()
    if heard.covariances is not None:
        cov = heard.covariances
        if heard.basis is not None and span is not heard.basis:
            lift = span.conj().T @ heard.basis
            cov = lift @ cov @ lift.conj().T
        outer += cov
    base = np.zeros(outer.shape[1:], dtype=np.complex128) if sensing is None else -sensing
    own = [m * network.K + k for m in stations for k in range(network.K)]
    if heard.tilts is None:
        base = base + np.tensordot(users, outer, 1)
        return np.concatenate([base - charges[own, None, None] * outer[own], base[None]])
    radii = _radii(network, stations)
    forms = []
    for column in range(heard.tilts.shape[1]):
        lean = radii[:, None, None] * h[:, :, None] * heard.tilts[:, column, None, :].conj()
        charged = outer + radii[:, None, None] ** 2 * np.eye(h.shape[1]) + lean + lean.conj().swapaxes(1, 2)
        B = base + np.tensordot(users, charged, 1)
        if column < len(own):
            u = own[column]
            B = B - users[u] * charged[u] - (charges[u] - users[u]) * np.outer(h[u], h[u].conj())
        forms.append(B)
    return np.array(forms)


def _sensing_form(
    network: Network, foreign: FloatArray, stations: tuple[int, ...], span: ComplexArray, roots: FloatArray
) -> ComplexArray:
    """Sum over the BSs of a cluster of 2 L sum_ij Z_ij D_i^H C^-1 D_j, on a span."""
    m, P, possible = list(stations), len(stations), network.possible_angles
    form = np.zeros((span.shape[1],) * 2, dtype=np.complex128)
    for arrival, departure in possible:
        sent = illuminations(departure[np.ix_(m, m)], span.reshape(P, network.n_tx, -1))
        gains = receive_gains(arrival[m], foreign[m], np.ones(P), network.n_rx)
        D = echo_derivatives(sent, network.reflections[np.ix_(m, m)], np.arange(P), gains)
        flat = (roots.swapaxes(1, 2) @ D.reshape(*D.shape[:2], -1)).reshape(-1, span.shape[1])
        form += 2.0 * network.block_length / len(possible) * (flat.conj().T @ flat)
    return form
