"""Precoders in closed form that maximise signal over leakage and noise: what to send when time is short."""

from __future__ import annotations

import numpy as np

from precoding.arrays import ComplexArray
from precoding.network import Network

__all__ = ["signal_to_leakage"]


def signal_to_leakage(network: Network, *, cooperate: bool) -> ComplexArray:
    """Give every user the beam whose power at the user is largest over what it leaks to all others.

    w_k ~ (sum_(l != k) h_l^* h_l^T + mu I)^-1 h_k^* (Sadek, Tarighat and Sayed, IEEE TWC 6(5), 2007), the CSI error as
    leakage of delta^2 / n into every direction. All streams of a BS have the same power, and one BS at least uses all
    it has. It senses by chance and promises nothing: `worst_case_sinr` says what it keeps.

    Args:
        network: Channels, radii, noise and power.
        cooperate: Whether all BSs send all streams (CoMP) or each those of its own users (CBF).

    Returns:
        Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP.

    """
    J, K, n_tx = network.J, network.K, network.n_tx
    links = np.moveaxis(network.channels, 0, 2).reshape(J * K, J, n_tx)  # user, BS, antenna
    blur = np.moveaxis(network.csi_radius, 0, 2).reshape(J * K, J) ** 2 / n_tx
    noise = network.user_noise.ravel() * J * K / float(np.sum(network.power))
    if cooperate:
        beams = _beams(links.reshape(J * K, -1), noise + blur.mean(axis=1), np.arange(J * K))
        streams = beams.T.reshape(J, n_tx, J * K)
    else:
        cells = [_beams(links[:, m], noise + blur[:, m], np.arange(m * K, (m + 1) * K)).T for m in range(J)]
        streams = np.stack(cells)
    loads = np.sum(np.abs(streams) ** 2, axis=(1, 2)) / network.power
    scale = np.sqrt(1.0 / (loads.max() if cooperate else loads))
    return np.asarray(streams * (scale if cooperate else scale[:, None, None]))


def _beams(channels: ComplexArray, floor: np.ndarray, users: np.ndarray) -> ComplexArray:
    """Return the unit beams (len(users), n) of some users among all."""
    n = channels.shape[1]
    found = []
    for k in users:
        others = np.delete(channels, k, axis=0)
        leak = others.T @ others.conj() + float(np.sum(floor)) * np.eye(n)  # rows h^T: leakage is |h^T w|^2
        beam = np.linalg.solve(leak.conj(), channels[k].conj())
        found.append(beam / np.linalg.norm(beam))
    return np.stack(found)
