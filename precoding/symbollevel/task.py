"""What a symbol-level solver is asked, in coordinates that do not grow with the array."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.errors import ArgumentError
from precoding.network import Network, normalised
from precoding.steering import steering, steering_derivative
from precoding.symbollevel.psk import checked_order, psk_indices, region_edges

__all__ = ["Task", "symbol_task"]


@dataclass(frozen=True, eq=False)
class Task:
    """Sense best while every symbol of every user stays in its constructive region.

    A waveform has two forms: X, complex (J, n_tx, L) on the antennas, and Xi, complex (J, d, L) in the coordinates of
    `basis`. Norms and powers of a BS are the same in both.

    Attributes:
        network: In natural units (`normalised`); its radii are zero where nothing is uncertain.
        cooperate: CoMP (every BS serves every user) or else CBF.
        min_sinr: (J, K) linear.
        symbols: (J K, L) PSK indices.
        order: M.

    """

    network: Network
    cooperate: bool
    min_sinr: FloatArray
    symbols: NDArray[np.int64]
    order: int

    @property
    def scheme(self) -> str:
        """Its name."""
        return "slp-comp" if self.cooperate else "slp-cbf"

    @property
    def block_length(self) -> int:
        """Symbols per block, L."""
        return int(self.symbols.shape[1])

    @property
    def leaks(self) -> bool:
        """Whether foreign signals disturb users."""
        return not self.cooperate and self.network.J > 1

    @cached_property
    def basis(self) -> ComplexArray:
        """Orthonormal (J, n_tx, d): outside this span a BS reaches no user and no target, for wasted power.

        Where antennas have limits of their own it matters how power is spread over them: then it is the identity.
        """
        net = self.network
        seen = [net.channels.reshape(net.J, -1, net.n_tx)]
        seen += [of(net.n_tx, net.departure_angles.T) for of in (steering, steering_derivative)]
        unit = [rows / np.maximum(np.abs(rows).max(axis=(1, 2), keepdims=True), 1e-300) for rows in seen]
        directions = np.concatenate(unit, axis=1).conj().swapaxes(1, 2)
        if net.antenna_power is not None or directions.shape[2] >= net.n_tx:
            return np.broadcast_to(np.eye(net.n_tx, dtype=np.complex128), (net.J, net.n_tx, net.n_tx))
        return np.linalg.qr(directions)[0]

    @cached_property
    def channels(self) -> ComplexArray:
        """Complex (J, J K, d): from each BS to every user, in the coordinates of the basis."""
        return self.network.channels.reshape(self.network.J, -1, self.network.n_tx) @ self.basis

    @cached_property
    def edges(self) -> ComplexArray:
        """Complex (J K, L, edges): inward normals of each symbol's constructive region."""
        return region_edges(self.symbols, self.order)

    @cached_property
    def depth(self) -> FloatArray:
        """(J K,) how far inside each edge a symbol must stay, in units of the noise amplitude: sqrt(gamma) sin(psi)."""
        return np.asarray(np.sqrt(self.min_sinr.ravel()) * np.sin(np.pi / self.order))

    @cached_property
    def serving(self) -> NDArray[np.bool_]:
        """(J, J K): which BS serves which user."""
        J, K = self.network.J, self.network.K
        return np.ones((J, J * K), dtype=bool) if self.cooperate else np.repeat(np.eye(J, dtype=bool), K, axis=1)

    @cached_property
    def radii(self) -> FloatArray:
        """(J K,) radius of the ball of the channel that serves each user."""
        all_radii = self.network.csi_radius.reshape(self.network.J, -1)
        return np.asarray(np.sqrt(np.sum(np.where(self.serving, all_radii, 0.0) ** 2, axis=0)))

    def to_antennas(self, Xi: ComplexArray) -> ComplexArray:
        """Return the waveform on the antennas."""
        return np.asarray(self.basis @ Xi)

    def to_basis(self, X: ComplexArray) -> ComplexArray:
        """Return the part of a waveform that reaches anybody."""
        return np.asarray(self.basis.conj().swapaxes(1, 2) @ X)


def symbol_task(
    network: Network, scheme: str, min_sinr_db: FloatArray, symbols: ArrayLike, order: int, *, robust: bool
) -> tuple[Task, float]:
    """State a request in natural units.

    Args:
        network: In any consistent units.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) targets.
        symbols: (J K, L) PSK indices.
        order: M.
        robust: Whether targets hold over the CSI balls, or on the estimated channels only.

    Returns:
        The task, and the amplitude unit of its waveforms.

    Raises:
        ArgumentError: Bad scheme, symbols or order.

    """
    if scheme not in ("slp-cbf", "slp-comp"):
        raise ArgumentError(f"scheme: {scheme!r} is not of symbol level; choose slp-cbf or slp-comp")
    indices = psk_indices(symbols, order, (network.J * network.K, network.block_length))
    held = network if robust else replace(network, csi_radius=np.zeros_like(network.csi_radius))
    unit, amplitude = normalised(held)
    return Task(
        unit, scheme == "slp-comp", 10 ** (np.asarray(min_sinr_db) / 10), indices, checked_order(order)
    ), amplitude
