"""A witness proves that no precoder of any rank senses better: prices, and the bound that they make.

With prices z >= 0 on everything that is asked, a sum over all constraints bounds the smallest information from above
(weak duality). Nothing is believed of the solver that named the prices: every matrix is built anew from the network,
and a price that does not fit costs a larger bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.fisher import echo_covariance, jacobian_of
from precoding.network import Network
from precoding.steering import steering, steering_derivative

__all__ = ["HeardChannels", "Witness", "witnessed_information", "witnessed_margin"]

_LEAST_PRICE = 1e-9  # of a BS that has power to spare, in parts of the largest: keeps the yardstick regular
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class HeardChannels:
    """The channels by which a price counts what users hear of one cluster of BSs, N = antennas of the cluster.

    Attributes:
        means: Complex (J K, N): mean of a law of channels within each CSI ball; the estimates if nothing is uncertain.
        covariances: Complex (J K, N, N): its covariance of conj(h); |mean - h|^2 + trace <= radius^2. None if zero.
        basis: Complex (N, r), orthonormal: if given, covariances are (J K, r, r) in its coordinates.
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
    raising all l.

    Args:
        network: In natural units; its csi_radius is what must be withstood.
        min_sinr: (J, K) linear; 0 where a user was promised nothing.
        witness: Any prices; poor ones give a poor bound.

    Returns:
        Information in 1/rad^2; infinite if the witness proves nothing.

    """
    price = sum(float(Z[0, 0]) for Z in witness.sensing)
    if not price > 0.0 or not _sound(network, witness):
        return np.inf
    earned = float(witness.users @ network.user_noise.ravel())
    return max((_paid(network, min_sinr, witness) - earned) / price, 0.0)


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
    if not earned > 0.0 or any(np.any(Z) for Z in witness.sensing) or not _sound(network, witness):
        return np.inf
    return _paid(network, min_sinr, witness) / earned


def _paid(network: Network, min_sinr: FloatArray, witness: Witness) -> float:
    """Price of all power, after all power prices are raised as far as the least B_l needs."""
    power = np.maximum(witness.stations, _LEAST_PRICE * max(float(witness.stations.max()), _ROUNDING))[:, None]
    antenna = np.zeros((network.J, network.n_tx)) if witness.antennas is None else np.maximum(witness.antennas, 0.0)
    yardstick = power + antenna
    excess = 0.0
    for stations, heard in zip(_clusters(network, witness), witness.heard, strict=True):
        span = _span(network, witness, stations, heard)
        price = np.sqrt(yardstick[list(stations)].ravel())
        scale = 1.0 / np.sqrt(np.einsum("ni,n->i", np.abs(span) ** 2, price**2))  # the price itself, all on one BS
        for B in _stream_forms(network, min_sinr, witness, stations, heard, span):
            relative = scale[:, None] * B * scale + np.eye(len(B))
            excess = max(excess, -float(np.linalg.eigvalsh(relative)[0]) + _ROUNDING)
    paid = float(power[:, 0] @ network.power)
    if network.antenna_power is not None:
        paid += float(np.sum(antenna * network.antenna_power))
    return (1.0 + excess) * paid


def _sound(network: Network, witness: Witness) -> bool:
    """Whether all prices are finite and of the right sign, and all laws of channels lie within their balls."""
    values = [*witness.sensing, witness.stations, witness.users, witness.foreign]
    if not all(np.all(np.isfinite(v)) for v in values) or np.any(witness.users < 0.0) or np.any(witness.stations < 0.0):
        return False
    if any(np.linalg.eigvalsh(Z)[0] < -_ROUNDING * abs(np.trace(Z)) for Z in witness.sensing):
        return False
    return all(
        _within_balls(network, stations, heard)
        for stations, heard in zip(_clusters(network, witness), witness.heard, strict=True)
    )


def _within_balls(network: Network, stations: tuple[int, ...], heard: HeardChannels) -> bool:
    h, radii = _channels(network, stations), _radii(network, stations)
    spent = np.sum(np.abs(heard.means - h) ** 2, axis=1)
    if heard.covariances is not None:
        spread = np.linalg.eigvalsh(heard.covariances)
        if np.any(spread[:, 0] < -_ROUNDING * np.maximum(spread[:, -1], 1.0)):
            return False
        spent = spent + spread.sum(axis=1)
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
    N = len(stations) * network.n_tx
    if (
        witness.antennas is not None
        or (heard.covariances is not None and heard.basis is None)
        or heard.tilts is not None
    ):
        return np.eye(N, dtype=np.complex128)
    blocks = []
    for own, n in enumerate(stations):
        rows = slice(own * network.n_tx, (own + 1) * network.n_tx)
        angles = network.departure_angles[list(stations), n]
        sent = [steering(network.n_tx, angles), steering_derivative(network.n_tx, angles)]
        columns = [heard.means[:, rows].conj().T, *(v.conj().T for v in sent)]
        if heard.basis is not None:
            columns.append(heard.basis[rows])
        blocks.append(np.linalg.qr(np.concatenate(columns, axis=1))[0])
    whole = np.zeros((N, sum(b.shape[1] for b in blocks)), dtype=np.complex128)
    at = 0
    for own, block in enumerate(blocks):
        whole[own * network.n_tx : (own + 1) * network.n_tx, at : at + block.shape[1]] = block
        at += block.shape[1]
    return whole


def _stream_forms(
    network: Network,
    min_sinr: FloatArray,
    witness: Witness,
    stations: tuple[int, ...],
    heard: HeardChannels,
    span: ComplexArray,
) -> list[ComplexArray]:
    """B_l without its power prices, on a span: for each user's stream, and last for one that only senses."""
    q, gamma = witness.users, np.where(witness.users > 0.0, min_sinr.ravel(), 1.0)
    base = -_sensing_form(network, witness, stations, span)
    h = heard.means.conj() @ span.conj()  # rows: conj(mean) in coordinates of the span
    outer = np.einsum("ui,uj->uij", h, h.conj())
    if heard.covariances is not None:
        lift = span.conj().T if heard.basis is None else span.conj().T @ heard.basis
        outer = outer + lift @ heard.covariances @ lift.conj().T
    own = [m * network.K + k for m in stations for k in range(network.K)]
    if heard.tilts is None:
        base = base + np.einsum("u,uij->ij", q, outer)
        return [base - q[u] * (1.0 + 1.0 / gamma[u]) * outer[u] for u in own] + [base]
    radii = _radii(network, stations)
    outer = outer + radii[:, None, None] ** 2 * np.eye(h.shape[1])
    streams = []
    for column in range(heard.tilts.shape[1]):
        lean = radii[:, None, None] * np.einsum("ui,uj->uij", h, heard.tilts[:, column].conj())
        charged = outer + lean + lean.conj().transpose(0, 2, 1)
        B = base + np.einsum("u,uij->ij", q, charged)
        if column < len(own):
            u = own[column]
            B = B - q[u] * (charged[u] + np.outer(h[u], h[u].conj()) / gamma[u])
        streams.append(B)
    return streams


def _sensing_form(network: Network, witness: Witness, stations: tuple[int, ...], span: ComplexArray) -> ComplexArray:
    """Sum over the BSs of a cluster of 2 L sum_ij Z_ij D_i^H C^-1 D_j (its Hermitian part), on a span."""
    total: ComplexArray = np.zeros((span.shape[1],) * 2, dtype=np.complex128)
    if not witness.sensing:
        return total
    for own, m in enumerate(stations):
        angles, reflections = network.departure_angles[m, list(stations)], network.reflections[m, list(stations)]
        C = echo_covariance(float(network.arrival_angles[m]), float(witness.foreign[m]), 1.0, network.n_rx)
        theta = float(network.arrival_angles[m])
        seen = np.stack([steering(network.n_rx, theta), steering_derivative(network.n_rx, theta)], axis=1)
        white = np.linalg.qr(np.linalg.solve(np.linalg.cholesky(C), seen))[1]  # nothing else of the array is lit
        sent = np.stack([steering(network.n_tx, angles), steering_derivative(network.n_tx, angles)])
        D = jacobian_of(white.T, sent, reflections, own) @ span
        values, vectors = np.linalg.eigh(witness.sensing[m])
        roots = np.einsum("ij,iab->jab", vectors * np.sqrt(np.maximum(values, 0.0)), D)
        flat = roots.reshape(-1, total.shape[0])
        total += 2.0 * network.block_length * flat.conj().T @ flat
    return total
