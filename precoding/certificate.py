"""Proof of a design, computed from the weights by code that shares nothing with the solvers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.bounds import DARK
from precoding.fisher import echo_derivatives, illuminations, information_left, receive_gains
from precoding.network import Network
from precoding.sinr import cooperates, sinr
from precoding.steering import steering
from precoding.worst_case import prop3_sinr, worst_case_sinr

__all__ = [
    "Certificate",
    "antenna_limit",
    "certify",
    "foreign_reflections",
    "foreign_reflections_of",
    "relative_gap",
    "sensing_accuracy",
]

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Certificate:
    """What weights or a waveform achieve, what was asked, and what no precoder can exceed.

    Attributes:
        rcrb_rad: (J,) root Cramer-Rao bound of each target's angle for what is sent, gram L W W^H or X X^H: Prop. 1
            (CBF) or Prop. 2 (CoMP). With a spread of angles, of the information expected over it.
        bound_rcrb_rad: What the largest of them cannot go below, proven by a witness that was checked. In CBF for the
            foreign reflections that this very design makes.
        gap: max(rcrb_rad) / bound_rcrb_rad - 1.
        attainable: Whether an optimum can meet the bound, so that a gap is a fault. Not so at symbol level, where the
            relaxation may send power that carries no symbols, nor for the alternating method.
        promised_sinr_db: (J, K) what the design had to hold, by the robustness it was asked for: "exact" the worst case
            below, "paper" Prop. 3, "none" the estimated channels.
        worst_sinr_db: (J, K) exact worst case within the CSI balls, whatever was asked. At symbol level the SINR to
            which the smallest constructive margin of the block belongs.
        sinr_db: (J, K) the same on the estimated channels.
        min_sinr_db: (J, K) the targets.
        power: (J,) of each BS, in the unit of the network.
        power_limit: (J,).
        antenna_power: (J, n_tx) of each antenna.
        antenna_power_limit: (J, n_tx), infinite where an antenna has no limit of its own.
        rank_loss: Part of the relaxed optimum's information that recovering one direction a stream gave up; 0 where the
            solver worked on the weights or samples themselves.
        array_output_snr_db: (J,) of the echo after receive beamforming; below 15 dB a CRB says nothing about errors.

    """

    rcrb_rad: FloatArray
    bound_rcrb_rad: float
    gap: float
    attainable: bool
    promised_sinr_db: FloatArray
    worst_sinr_db: FloatArray
    sinr_db: FloatArray
    min_sinr_db: FloatArray
    power: FloatArray
    power_limit: FloatArray
    antenna_power: FloatArray
    antenna_power_limit: FloatArray
    rank_loss: float
    array_output_snr_db: FloatArray

    @property
    def information(self) -> FloatArray:
        """(J,) effective Fisher information of each target's angle in 1/rad^2."""
        return self.rcrb_rad**-2.0

    @property
    def shortfall_db(self) -> float:
        """The most that a promised SINR misses its target by, in dB; negative if all are exceeded."""
        return float(np.max(self.min_sinr_db - self.promised_sinr_db))

    @property
    def withstands_ball(self) -> bool:
        """Whether the targets hold (within 1e-3 dB) for every channel in the CSI balls, whatever was asked."""
        return bool(np.all(self.worst_sinr_db >= self.min_sinr_db - 1e-3))

    def is_feasible(self, tolerance_db: float = 1e-3) -> bool:
        """Whether the promised SINR (within `tolerance_db`) and all power limits are met."""
        within_power = np.all(self.power <= self.power_limit * (1.0 + _ROUNDING))
        within_antennas = np.all(self.antenna_power <= self.antenna_power_limit * (1.0 + _ROUNDING))
        return bool(within_power and within_antennas) and self.shortfall_db <= tolerance_db

    def holds(self, tolerance: float = 1e-3) -> bool:
        """Whether the design is feasible and, where the bound is attainable, proven optimal.

        Args:
            tolerance: For the SINR in dB, and for the relative gap between RCRB and bound.

        """
        near = self.gap <= tolerance if self.attainable else np.isfinite(self.gap)
        return self.is_feasible(tolerance) and bool(near) and self.gap >= -tolerance


def certify(
    network: Network,
    weights: ComplexArray,
    *,
    min_sinr_db: FloatArray,
    bound_information: float,
    rank_loss: float,
    robustness: str = "exact",
    attainable: bool = True,
    cooperate: bool | None = None,
) -> Certificate:
    """Judge weights.

    Args:
        network: What they are for.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP; further columns only sense.
        min_sinr_db: (J, K) targets.
        bound_information: Proven bound of the smallest Fisher information, 1/rad^2; infinite if there is none.
        rank_loss: Of the relaxed solution.
        robustness: By what the promise is judged: "exact", "paper" or "none".
        attainable: See `Certificate`.
        cooperate: Whether it is CoMP; by default told from the number of columns, with none that only senses.

    Returns:
        The certificate, whether it holds or not.

    Raises:
        ArgumentError: The weights have another shape, or are not finite.

    """
    cooperate = cooperates(weights, network.K, cooperate)
    nominal = sinr(network.channels, weights, network.user_noise, cooperate=cooperate)  # refuses what is not finite
    antenna_power = np.sum(np.abs(weights) ** 2, axis=2)
    rcrb, output_snr = sensing_accuracy(network, weights, cooperate=cooperate)
    worst = worst_case_sinr(network, weights, cooperate=cooperate)
    promised = {"exact": worst, "none": nominal}
    if robustness not in promised:
        promised[robustness] = prop3_sinr(network, weights, cooperate=cooperate)
    bound = 1.0 / np.sqrt(bound_information) if bound_information > 0.0 else np.inf
    return Certificate(
        rcrb_rad=rcrb,
        bound_rcrb_rad=float(bound),
        gap=relative_gap(rcrb, float(bound)),
        attainable=attainable,
        promised_sinr_db=_db(promised[robustness]),
        worst_sinr_db=_db(worst),
        sinr_db=_db(nominal),
        min_sinr_db=min_sinr_db,
        power=antenna_power.sum(axis=1),
        power_limit=network.power,
        antenna_power=antenna_power,
        antenna_power_limit=antenna_limit(network),
        rank_loss=rank_loss,
        array_output_snr_db=_db(output_snr),
    )


def relative_gap(rcrb_rad: FloatArray, bound_rcrb_rad: float) -> float:
    """How far the largest RCRB is above its bound; infinite if there is no bound."""
    known = np.isfinite(bound_rcrb_rad) and bound_rcrb_rad > 0.0
    return float(rcrb_rad.max() / bound_rcrb_rad - 1.0) if known else np.inf


def antenna_limit(network: Network) -> FloatArray:
    """Return the power limit of every antenna, (J, n_tx); infinite without one."""
    if network.antenna_power is None:
        return np.full((network.J, network.n_tx), np.inf)
    return network.antenna_power


def foreign_reflections(network: Network, covariances: ComplexArray) -> FloatArray:
    """Power per snapshot and antenna that each BS hears of foreign signals by way of its target, (J,).

    Args:
        network: Angles and reflections.
        covariances: Complex (J, n_tx, n_tx) of every BS's signal.

    """
    v = steering(network.n_tx, network.departure_angles).swapaxes(0, 1)  # [n, m]
    return _from_abroad(network, np.sum((v @ covariances * v.conj()).real, axis=2).T)


def foreign_reflections_of(network: Network, signals: ComplexArray) -> FloatArray:
    """Return the same as `foreign_reflections` for signals with R_n = X_n X_n^H.

    Args:
        network: Angles and reflections.
        signals: Complex (J, n_tx, S): weights, or a waveform over sqrt(L).

    """
    v = steering(network.n_tx, network.departure_angles).swapaxes(0, 1)
    return _from_abroad(network, np.sum(np.abs(v @ signals) ** 2, axis=2).T)


def _from_abroad(network: Network, beams: FloatArray) -> FloatArray:
    """Sum over the BSs n != m of |alpha_mn|^2 beams[m, n]."""
    reflected = np.abs(network.reflections) ** 2 * beams
    total: FloatArray = np.sum(np.where(np.eye(network.J, dtype=bool), 0.0, reflected), axis=1)
    return total


def sensing_accuracy(network: Network, signals: ComplexArray, *, cooperate: bool) -> tuple[FloatArray, FloatArray]:
    """Return the RCRB in rad and the linear array-output SNR at each BS, without a matrix of the size of the arrays.

    The same as `crb_cbf` and `crb_comp` of `precoding.bounds`, from what reaches the targets.

    Args:
        network: What is sensed.
        signals: Complex (J, n_tx, S) with R = sum_s x_s x_s^H: weights, or a waveform over sqrt(L).
        cooperate: Whether each BS knows the signals of all (CoMP) or only its own (CBF).

    """
    J, possible, alpha = network.J, network.possible_angles, network.reflections
    power, own = np.sum(np.abs(signals) ** 2, axis=(1, 2)), np.arange(J)
    fisher, echoes = zip(*(_echoes(network, signals, *angles, cooperate) for angles in possible), strict=True)
    information, echo = information_left(sum(fisher) / len(possible)), sum(echoes) / len(possible)
    # To rounding in a null, the information is a difference of rounding errors.
    if cooperate:
        brightest = np.sum(np.abs(alpha) ** 2, axis=1) * power.sum() * J * network.n_tx
    else:
        brightest = np.abs(alpha[own, own]) ** 2 * power * network.n_tx
    known = (information > 0.0) & (echo > DARK * brightest)
    rcrb = np.where(known, 1.0 / np.sqrt(np.where(known, information, 1.0)), np.inf)
    return rcrb, network.n_rx * network.block_length * echo / network.radar_noise


def _echoes(
    network: Network, signals: ComplexArray, arrival: FloatArray, departure: FloatArray, cooperate: bool
) -> tuple[FloatArray, FloatArray]:
    """Fisher information (J, p, p) and echo power per snapshot and antenna (J,), for targets at given angles."""
    stations = np.arange(network.J)
    sent, reflections = illuminations(departure, signals), network.reflections
    if cooperate:
        foreign, own = np.zeros(network.J), stations
    else:  # each receiver knows its own path only; the others are noise
        foreign, own = _from_abroad(network, np.sum(np.abs(sent[:, 0]) ** 2, axis=2)), 0 * stations
        sent, reflections = sent[stations, :, stations, None], reflections[stations, stations, None]
    gains = receive_gains(arrival, foreign, network.radar_noise, network.n_rx)
    D = echo_derivatives(sent, reflections, own, gains).reshape(network.J, 3 * reflections.shape[1], -1)
    echo = np.sum(np.abs((reflections[:, None] @ sent[:, 0])[:, 0]) ** 2, axis=1)
    return 2.0 * network.block_length * (D.conj() @ D.swapaxes(1, 2)).real, echo


def _db(ratio: FloatArray) -> FloatArray:
    return 10.0 * np.log10(np.maximum(ratio, np.finfo(np.float64).tiny))
