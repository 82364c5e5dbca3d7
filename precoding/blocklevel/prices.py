"""From the interior point's prices to a witness in antenna coordinates."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.forms import Form, PaperLinks
from precoding.blocklevel.interior import Optimum
from precoding.blocklevel.programme import Programme
from precoding.blocklevel.worst_links import WorstLinks, law_of_errors
from precoding.witness import HeardChannels, Witness

__all__ = ["witness_of"]


def witness_of(programme: Programme, optimum: Optimum) -> Witness:
    """Name the prices at an optimum; how good they are is for `witnessed_information` to say."""
    network, rows, prices = programme.task.network, programme.rows, optimum.prices
    users = np.zeros(network.J * network.K)
    users[programme.served] = prices[rows.users] / programme.noise_units[programme.served]
    limit = network.antenna_power
    return Witness(
        sensing=tuple(_sensing(programme, optimum)),
        stations=prices[rows.stations] / network.power,
        antennas=None if limit is None else prices[rows.antennas].reshape(limit.shape) / limit,
        users=users,
        heard=tuple(
            _heard(programme, i, W, links)
            for i, (W, links) in enumerate(zip(optimum.point.weights, optimum.point.links, strict=True))
        ),
        foreign=programme.foreign,
    )


def _sensing(programme: Programme, optimum: Optimum) -> list[FloatArray]:
    of_station: dict[int, FloatArray] = {}
    for i, cluster in enumerate(programme.task.clusters):
        if programme.margin:
            continue
        targets = optimum.point.targets[i]
        for m, z, inverse, scale in zip(cluster.stations, targets.z, targets.inverse, programme.scales[i], strict=True):
            Z = optimum.prices[m] * np.outer(z, z)
            if programme.spreads:
                Z[1:, 1:] += optimum.barrier * inverse
            of_station[m] = Z / np.outer(scale, scale)
    return [of_station[m] for m in sorted(of_station)]


def _heard(programme: Programme, i: int, W: ComplexArray, links: Form) -> HeardChannels:
    network, cluster, served = programme.task.network, programme.task.clusters[i], programme.served
    U = cluster.directions
    h = network.channels[list(cluster.stations)].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)
    if isinstance(links, WorstLinks):
        unit = np.sqrt(programme.noise_units[served])[:, None]
        error, spread = law_of_errors(cluster.radii[served], unit * links.error, links.inverse)
        means, covariances = h.copy(), np.zeros((len(h), *spread.shape[1:]), dtype=np.complex128)
        means[served] += (error @ U.T).conj()
        covariances[served] = spread
        return HeardChannels(means, covariances, basis=U)
    if isinstance(links, PaperLinks):
        # Prop. 3 charges each stream in its own direction, as it is heard by the user.
        heard = links.h @ W.T
        phase = heard.conj() / np.sqrt(np.abs(heard) ** 2 + links.rounding[:, None])
        unit = W / np.sqrt(np.sum(np.abs(W) ** 2, axis=1, keepdims=True) + 1e-12)
        tilts = np.zeros((len(h), *W.shape[:1], h.shape[1]), dtype=np.complex128)
        tilts[served] = (phase[:, :, None] * unit) @ U.T
        return HeardChannels(h, None, tilts)
    return HeardChannels(h)
