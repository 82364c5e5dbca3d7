"""From the solver's prices to a witness that stands up to its check: rounding is taken back, at a price."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.cluster import Cluster
from precoding.blocklevel.conic_cones import from_vector, symmetric
from precoding.blocklevel.conic_exchange import PricedOptimum
from precoding.blocklevel.conic_prices import Prices, Tilts, signal_shares, stream_forms
from precoding.blocklevel.conic_sensing import SensingData
from precoding.blocklevel.task import Task
from precoding.witness import HeardChannels, Witness

__all__ = ["witness_of"]

_SPARE_PRICE = 1e-9  # added to every BS, in parts of the largest: a price of 0 leaves nothing to make good with
_TINY = float(np.finfo(np.float64).tiny)


def witness_of(task: Task, sensing: SensingData | None, optimum: PricedOptimum) -> Witness:
    """Read the witness of an optimum: of the smallest information, or of the noise margin where nothing is sensed.

    Every price is put back within its cone; where a B_l is then a little negative, its BSs' prices are raised by that.
    """
    prices, x = optimum.prices, _within_cones(optimum.prices, optimum.x)
    stations = x[prices.stations].copy()
    for which, cluster in enumerate(task.clusters):
        stations[list(cluster.stations)] += _missing(task, sensing, optimum, x, which)
    stations += _SPARE_PRICE * stations.max()
    worth = 1.0
    named: tuple[FloatArray, ...] = ()
    if sensing is not None:  # in the unit of x, of information
        worth = sensing.unit / sum(float(x[Z.start]) for Z in prices.sensing)
        named = tuple(
            worth * symmetric(x[Z]) / np.outer(scale, scale)
            for Z, scale in zip(prices.sensing, sensing.scales, strict=True)
        )
    return Witness(
        sensing=named,
        stations=worth * stations,
        antennas=None if task.network.antenna_power is None else worth * x[prices.antennas].reshape(len(stations), -1),
        users=worth * signal_shares(task) * x[prices.users],
        heard=tuple(_heard(task, optimum, x, which) for which in range(len(task.clusters))),
        foreign=np.zeros(len(stations)) if sensing is None else sensing.foreign,
    )


def _within_cones(prices: Prices, x: FloatArray) -> FloatArray:
    x = x.copy()
    signed = slice(prices.stations.start, prices.mixing[-1][-1].stop)
    x[signed] = np.maximum(x[signed], 0.0)
    for Z in prices.sensing:
        values, vectors = np.linalg.eigh(symmetric(x[Z]))
        i, j = np.tril_indices(len(values))
        x[Z] = ((vectors * np.maximum(values, 0.0)) @ vectors.T)[i, j] * np.where(i == j, 1.0, np.sqrt(2.0))
    p = x[prices.users]
    for parts, tilts in zip(prices.mixing, prices.tilts, strict=True):
        for user, (part, of_user) in enumerate(zip(parts, tilts, strict=True)):
            charged = float(x[part].sum())
            x[part] *= 1.0 if charged <= p[user] else p[user] / charged
            for tilt in of_user:
                if tilt is not None:
                    x[tilt] *= min(1.0, p[user] / max(float(np.linalg.norm(x[tilt])), _TINY))
    return x


def _missing(task: Task, sensing: SensingData | None, optimum: PricedOptimum, x: FloatArray, which: int) -> float:
    """By how much the B_l of a cluster fall short of zero, per unit of transmit power."""
    cluster = task.clusters[which]
    to_reduced = np.linalg.inv(cluster.directions.conj().T @ cluster.basis)
    lowest = 0.0
    for terms in stream_forms(task, sensing, optimum.errors, optimum.prices, which):
        B = to_reduced.conj().T @ from_vector(sum(matrix @ x[where] for where, matrix in terms)) @ to_reduced
        lowest = min(lowest, float(np.linalg.eigvalsh(B)[0]))
    return -lowest


def _heard(task: Task, optimum: PricedOptimum, x: FloatArray, which: int) -> HeardChannels:
    """Laws of channels and tilts on antennas; outside the span of `directions` they serve no end."""
    cluster, p = task.clusters[which], x[optimum.prices.users]
    means = task.network.channels[list(cluster.stations)].transpose(1, 2, 0, 3).reshape(len(p), -1).copy()
    if task.robustness == "paper":
        return HeardChannels(means, tilts=_tilts(cluster, optimum.prices.tilts[which], x, p))
    if task.robustness == "none":
        return HeardChannels(means)
    covariances = np.zeros((len(p), means.shape[1], means.shape[1]), dtype=np.complex128)
    for user, (part, errors) in enumerate(zip(optimum.prices.mixing[which], optimum.errors[which], strict=True)):
        weights = x[part] / max(float(p[user]), _TINY)
        mean = weights @ errors
        spread = (weights * errors.T) @ errors.conj() - np.outer(mean, mean.conj())
        means[user] += (cluster.directions @ mean).conj()
        covariances[user] = cluster.directions @ spread @ cluster.directions.conj().T
    return HeardChannels(means, covariances)


def _tilts(cluster: Cluster, tilts: Tilts, x: FloatArray, p: FloatArray) -> ComplexArray:
    found = np.zeros((len(p), len(tilts[0]), len(cluster.directions)), dtype=np.complex128)
    for user, of_user in enumerate(tilts):
        for column, tilt in enumerate(of_user):
            if tilt is not None:
                v = x[tilt] / max(float(p[user]), _TINY)
                found[user, column] = cluster.directions @ (v[0::2] - 1j * v[1::2])
    return found
