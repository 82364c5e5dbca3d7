"""Who sends a set of streams: one base station (CBF), or all of them as one array (CoMP, the paper's virtual cell)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.errors import ArgumentError
from precoding.network import Network

__all__ = ["Link", "Transmitter", "cooperates", "power_limits", "transmitters"]

# Directions that the users hear at less than this part of the loudest one are not amplified any further.
_FLOOR = 1e-2

cp: Any = cvxpy  # its type hints miss most of its names


@dataclass(frozen=True, eq=False)
class Link:
    """The channel from a transmitter to one user, and how far it may be from the truth.

    Attributes:
        h: Complex (n,), in the transmitter's coordinates: a user receives h^T x' of x = T x'.
        radius: Of the CSI ball around the channel; sqrt(J) delta in CoMP, eq. (3). (71), (72) print delta: a slip.
        T: Complex (n, n), the coordinates.

    """

    h: ComplexArray
    radius: float
    T: ComplexArray


@dataclass(frozen=True, eq=False)
class Transmitter:
    """Base stations that send the same streams, on n = n_stations n_tx antennas, one stream to each of their users.

    Signals are written x = T x', covariances T W T^H: all antennas, in coordinates in which the users hear every
    direction about equally. Else signals 40 dB apart share one matrix, and Clarabel stops early or fails (measured).

    Attributes:
        stations: Indices m of its BSs.
        users: Indices m K + k of the users it serves, in the order of its streams.
        T: Complex (n, n), invertible.
        links: To every user of the network, served or not.

    """

    stations: tuple[int, ...]
    users: tuple[int, ...]
    T: ComplexArray
    links: tuple[Link, ...]

    def streams(self, sensing: int = 0) -> tuple[list[Any], Any]:
        """Covariances W_k of the streams, (n, n) with their rank left free, and their sum R.

        The variables are R and all W_k but the last, which is what the others leave of R: a SINR constraint on
        W_k and R then holds two variables instead of all, which halves the time of CoMP (measured).

        Args:
            sensing: If not 0, one covariance more follows those of the users: of all that only senses.

        """
        n = len(self.T)
        R = cp.Variable((n, n), hermitian=True)
        free = [cp.Variable((n, n), hermitian=True) for _ in range(len(self.users) - 1 + (sensing > 0))]
        return [*free, R - sum(free)], R

    def on_antennas(self, covariances: list[Any]) -> ComplexArray:
        """Values of covariances after a solve, back on the antennas: complex (streams, n, n)."""
        return np.stack([self.T @ W.value @ self.T.conj().T for W in covariances])


def cooperates(scheme: str, alone: str, together: str) -> bool:
    """Whether a scheme is `together` and not `alone`.

    Raises:
        ArgumentError: It is neither.

    """
    if scheme not in (alone, together):
        raise ArgumentError(f"scheme: {scheme!r} is unknown; choose {alone} or {together}")
    return scheme == together


def transmitters(network: Network, *, cooperate: bool) -> tuple[Transmitter, ...]:
    """Split a network: one transmitter of J BSs (CoMP), or J transmitters of one BS (CBF)."""
    every = tuple(range(network.J))
    groups = (every,) if cooperate else tuple((m,) for m in every)
    return tuple(_transmitter(network, stations) for stations in groups)


def power_limits(network: Network, transmitter: Transmitter, R: Any) -> list[Any]:
    """Power of every BS, (30c), (49d), (59b), (73d), and of every antenna where they have limits of their own.

    In (49d) the sum ends at J K, not at K: all streams leave every BS.

    Args:
        network: In natural units.
        transmitter: Of this network.
        R: Covariance of all it sends, in its coordinates.

    """
    constraints: list[Any] = []
    powers = cp.real(cp.diag(transmitter.T @ R @ transmitter.T.conj().T))
    for i, m in enumerate(transmitter.stations):
        of_station = powers[i * network.n_tx : (i + 1) * network.n_tx]
        constraints.append(cp.sum(of_station) <= network.power[m])
        if network.antenna_power is not None:
            constraints.append(of_station <= network.antenna_power[m])
    return constraints


def _transmitter(network: Network, stations: tuple[int, ...]) -> Transmitter:
    rows = list(stations)
    H = network.channels[rows].transpose(1, 2, 0, 3).reshape(network.J * network.K, -1)
    radii: FloatArray = np.sqrt(np.sum(network.csi_radius[rows] ** 2, axis=0)).ravel()
    heard, directions = np.linalg.eigh(H.conj().T @ H)
    T: ComplexArray = (directions / np.sqrt(heard + _FLOOR * heard[-1])) @ directions.conj().T
    return Transmitter(
        stations=stations,
        users=tuple(m * network.K + k for m in stations for k in range(network.K)),
        T=T,
        links=tuple(Link(h @ T, float(radius), T) for h, radius in zip(H, radii, strict=True)),
    )
