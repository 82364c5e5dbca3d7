"""Nominal levels of daughterboards: what the driver says of a radio without calibration, and a virtual board keeps.

Typical values: between boards and over frequency they differ by several decibels, which a level calibration measures.
"""

from __future__ import annotations

__all__ = ["SBX_RX_FULL_SCALE_DBM", "SBX_TX_FULL_SCALE_DBM"]

# Output of full-scale samples at 0 dB gain: an SBX reaches some +16 dBm at its largest gain, 31.5 dB.
SBX_TX_FULL_SCALE_DBM = -15.5
# Input that gives full-scale samples at 0 dB gain.
SBX_RX_FULL_SCALE_DBM = -10.0
