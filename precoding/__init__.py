"""Precoders for multi-cell ISAC: arrays in, arrays out, and a certificate for every answer.

    network = Network(channels, arrival_angles, departure_angles, reflections, n_rx, power, ...)
    answer = design(network, "blp-comp", min_sinr_db=10.0)
    X = answer.waveform(symbols)
    answer.certificate.rcrb_rad

No files, clocks, logs or random numbers. Conventions: the user receives h^T x; arrays are half-wavelength and
phase-centred; angles in rad from broadside.
"""

from __future__ import annotations

from precoding.bounds import array_output_snr, crb_cbf, crb_comp, crb_slepian_bangs, interference_power
from precoding.certificate import Certificate, certify
from precoding.designing import METHODS, ROBUSTNESS, SCHEMES, design
from precoding.detection import noncoherent_error
from precoding.errors import ArgumentError, InaccurateError, InfeasibleError, PrecodingError
from precoding.fisher import echo_covariance, echo_jacobian, effective_information, fisher_information
from precoding.frontier import frontier
from precoding.leakage import signal_to_leakage
from precoding.network import Network
from precoding.result import Design
from precoding.sinr import expected_sinr, sinr
from precoding.steering import steering, steering_derivative
from precoding.threshold import (
    SECTOR_RAD,
    IntervalErrors,
    method_of_interval_errors,
    no_information_rms,
    ziv_zakai,
)
from precoding.warming import warm_up
from precoding.witness import HeardChannels, Witness, witnessed_information
from precoding.worst_case import prop3_sinr, worst_case_sinr

__all__ = [
    "METHODS",
    "ROBUSTNESS",
    "SCHEMES",
    "SECTOR_RAD",
    "ArgumentError",
    "Certificate",
    "Design",
    "HeardChannels",
    "InaccurateError",
    "InfeasibleError",
    "IntervalErrors",
    "Network",
    "PrecodingError",
    "Witness",
    "array_output_snr",
    "certify",
    "crb_cbf",
    "crb_comp",
    "crb_slepian_bangs",
    "design",
    "echo_covariance",
    "echo_jacobian",
    "effective_information",
    "expected_sinr",
    "fisher_information",
    "frontier",
    "interference_power",
    "method_of_interval_errors",
    "no_information_rms",
    "noncoherent_error",
    "prop3_sinr",
    "signal_to_leakage",
    "sinr",
    "steering",
    "steering_derivative",
    "warm_up",
    "witnessed_information",
    "worst_case_sinr",
    "ziv_zakai",
]
