"""Proof of a design, computed from the weights by code that shares nothing with the solvers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.bounds import array_output_snr, crb_cbf, crb_comp, interference_power
from precoding.fisher import echo_covariance
from precoding.network import Network
from precoding.sinr import cooperates, sinr
from precoding.worst_case import worst_case_sinr

__all__ = ["Certificate", "certify", "foreign_reflections"]

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Certificate:
    """What weights achieve, what was asked, and what no precoder can exceed.

    Attributes:
        rcrb_rad: (J,) root Cramer-Rao bound of each target's angle at gram L W W^H: Prop. 1 (CBF) or Prop. 2 (CoMP).
        bound_rcrb_rad: What the largest of them cannot go below, from the relaxed optimum. In CBF the relaxed problem
            takes the foreign reflections as the last pass made them; where rounding missed a target, it is the optimum
            at the target raised by that much (at most 0.05 dB).
        gap: max(rcrb_rad) / bound_rcrb_rad - 1.
        worst_sinr_db: (J, K) exact worst case within the CSI balls that the design had to hold (radius 0 if none).
        sinr_db: (J, K) on the estimated channels.
        min_sinr_db: (J, K) the targets.
        power: (J,) of each BS, in the unit of the network.
        power_limit: (J,).
        antenna_power: (J, n_tx) of each antenna.
        rank_loss: Largest part of a stream's relaxed covariance outside its strongest direction.
        array_output_snr_db: (J,) of the echo after receive beamforming; below 15 dB a CRB says nothing about errors.

    """

    rcrb_rad: FloatArray
    bound_rcrb_rad: float
    gap: float
    worst_sinr_db: FloatArray
    sinr_db: FloatArray
    min_sinr_db: FloatArray
    power: FloatArray
    power_limit: FloatArray
    antenna_power: FloatArray
    rank_loss: float
    array_output_snr_db: FloatArray

    @property
    def shortfall_db(self) -> float:
        """The most that a worst-case SINR misses its target by, in dB; negative if all are exceeded."""
        return float(np.max(self.min_sinr_db - self.worst_sinr_db))

    def is_feasible(self, tolerance_db: float = 1e-3) -> bool:
        """Whether SINR targets (within `tolerance_db`) and power limits are met."""
        within_power = bool(np.all(self.power <= self.power_limit * (1.0 + _ROUNDING)))
        return within_power and self.shortfall_db <= tolerance_db

    def holds(self, tolerance: float = 1e-3) -> bool:
        """Whether the design is feasible and proven optimal.

        Args:
            tolerance: For the SINR in dB, and for the relative gap between RCRB and bound.

        """
        return self.is_feasible(tolerance) and abs(self.gap) <= tolerance


def certify(
    network: Network,
    weights: ComplexArray,
    *,
    min_sinr_db: FloatArray,
    bound_information: float,
    rank_loss: float,
) -> Certificate:
    """Judge weights.

    Args:
        network: What they are for; its csi_radius is what they must withstand.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP.
        min_sinr_db: (J, K) targets.
        bound_information: Relaxed optimum of the smallest Fisher information, 1/rad^2.
        rank_loss: Of the relaxed solution.

    Returns:
        The certificate, whether it holds or not.

    """
    antenna_power = np.sum(np.abs(weights) ** 2, axis=2)
    rcrb, output_snr = _sensing(network, weights)
    bound = 1.0 / np.sqrt(bound_information) if bound_information > 0.0 else np.inf
    return Certificate(
        rcrb_rad=rcrb,
        bound_rcrb_rad=float(bound),
        gap=float(rcrb.max() / bound - 1.0) if np.isfinite(bound) else np.inf,
        worst_sinr_db=_db(worst_case_sinr(network, weights)),
        sinr_db=_db(sinr(network.channels, weights, network.user_noise)),
        min_sinr_db=min_sinr_db,
        power=antenna_power.sum(axis=1),
        power_limit=network.power,
        antenna_power=antenna_power,
        rank_loss=rank_loss,
        array_output_snr_db=_db(output_snr),
    )


def foreign_reflections(network: Network, weights: ComplexArray) -> FloatArray:
    """Power per snapshot and antenna that each BS hears of foreign signals by way of its target, (J,); 0 in CoMP."""
    if cooperates(weights, network.K):
        return np.zeros(network.J)
    R = weights @ weights.conj().transpose(0, 2, 1)
    powers = []
    for m in range(network.J):
        foreign = np.arange(network.J) != m
        powers.append(
            interference_power(network.departure_angles[m][foreign], network.reflections[m][foreign], R[foreign])
        )
    return np.array(powers)


def _sensing(network: Network, weights: ComplexArray) -> tuple[FloatArray, FloatArray]:
    """RCRB in rad and linear array-output SNR at each BS."""
    stacked = weights.reshape(network.J * network.n_tx, -1)
    interference = foreign_reflections(network, weights)
    variance, snr = np.empty(network.J), np.empty(network.J)
    for m in range(network.J):
        noise, n_rx = float(network.radar_noise[m]), network.n_rx
        if cooperates(weights, network.K):
            angles, reflections = network.departure_angles[m], network.reflections[m]
            gram = network.block_length * stacked @ stacked.conj().T
            variance[m] = crb_comp(m, angles, reflections, gram, noise, n_rx)
        else:
            angles, reflections = network.arrival_angles[m : m + 1], network.reflections[m, m : m + 1]
            gram = network.block_length * weights[m] @ weights[m].conj().T
            C = echo_covariance(float(angles[0]), float(interference[m]), noise, n_rx)
            variance[m] = crb_cbf(float(angles[0]), complex(reflections[0]), gram, C)
        snr[m] = array_output_snr(angles, reflections, gram, noise, n_rx)
    return np.sqrt(variance), snr


def _db(ratio: FloatArray) -> FloatArray:
    return 10.0 * np.log10(np.maximum(ratio, np.finfo(np.float64).tiny))
