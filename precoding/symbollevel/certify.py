"""The certificate of a symbol-level waveform: what is really sent is what is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from precoding.arrays import ComplexArray, FloatArray
from precoding.certificate import Certificate, antenna_limit, relative_gap, sensing_accuracy
from precoding.network import Network
from precoding.symbollevel.constructive import constructive_sinr

__all__ = ["certify_waveform"]


def certify_waveform(
    network: Network,
    X: ComplexArray,
    symbols: NDArray[np.int64],
    order: int,
    scheme: str,
    *,
    min_sinr_db: FloatArray,
    bound_information: float,
    robust: bool = True,
    attainable: bool = False,
) -> Certificate:
    """Judge a waveform by its own Gram matrix X X^H, paper Prop. 1 (CBF) or Prop. 2 (CoMP), and eq. (60a), (71), (72).

    Args:
        network: What it is for.
        X: Complex (J, n_tx, L).
        symbols: (J K, L) PSK indices it carries.
        order: M.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) targets.
        bound_information: Proven bound of the smallest Fisher information, 1/rad^2; infinite if there is none.
        robust: Whether targets had to hold over the CSI balls, or on the estimated channels only.
        attainable: See `Certificate`.

    Returns:
        The certificate, whether it holds or not.

    """
    cooperate = scheme.endswith("comp")
    antenna_power = np.mean(np.abs(X) ** 2, axis=2)
    rcrb, output_snr = sensing_accuracy(network, X / np.sqrt(X.shape[2]), cooperate=cooperate)
    bound = 1.0 / np.sqrt(bound_information) if bound_information > 0.0 else np.inf
    estimated = replace(network, csi_radius=np.zeros_like(network.csi_radius))
    worst = _db(constructive_sinr(network, X, symbols, order, cooperate=cooperate))
    nominal = _db(constructive_sinr(estimated, X, symbols, order, cooperate=cooperate))
    return Certificate(
        rcrb_rad=rcrb,
        bound_rcrb_rad=float(bound),
        gap=relative_gap(rcrb, float(bound)),
        attainable=attainable,
        promised_sinr_db=worst if robust else nominal,
        worst_sinr_db=worst,
        sinr_db=nominal,
        min_sinr_db=min_sinr_db,
        power=antenna_power.sum(axis=1),
        power_limit=network.power,
        antenna_power=antenna_power,
        antenna_power_limit=antenna_limit(network),
        rank_loss=0.0,
        array_output_snr_db=_db(output_snr),
    )


def _db(ratio: FloatArray) -> FloatArray:
    return 10.0 * np.log10(np.maximum(ratio, np.finfo(np.float64).tiny))
