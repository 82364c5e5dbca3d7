"""Symbol-level precoding: real waveforms whose interference is constructive, and that sense best.

    answer = design_symbol_level(network, "slp-comp", min_sinr_db, symbols, order, robust=True)

What is designed is the waveform X of one block of PSK symbols, not a covariance: what is judged is what is sent.
"""

from __future__ import annotations

from precoding.symbollevel.bound import SymbolPrices, bounded_information
from precoding.symbollevel.certify import certify_waveform
from precoding.symbollevel.constructive import constructive_margin, constructive_sinr
from precoding.symbollevel.designing import design_symbol_level
from precoding.symbollevel.minimum_power import largest_symbol_level_sinr, minimum_power_waveform
from precoding.symbollevel.psk import psk_symbols, region_edges

__all__ = [
    "SymbolPrices",
    "bounded_information",
    "certify_waveform",
    "constructive_margin",
    "constructive_sinr",
    "design_symbol_level",
    "largest_symbol_level_sinr",
    "minimum_power_waveform",
    "psk_symbols",
    "region_edges",
]
