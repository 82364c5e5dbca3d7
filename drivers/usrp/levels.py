"""Nominal levels of daughterboards: what the driver says of a radio without calibration, and a virtual board keeps.

Typical values of an SBX, said of every board: between boards, over frequency and between types they differ by several
decibels, which a level calibration measures.
"""

from __future__ import annotations

__all__ = ["RX_FULL_SCALE_DBM", "TX_FULL_SCALE_DBM"]

# Output of full-scale samples at 0 dB gain: an SBX reaches some +16 dBm at its largest gain, 31.5 dB.
TX_FULL_SCALE_DBM = -15.5
# Input that gives full-scale samples at 0 dB gain.
RX_FULL_SCALE_DBM = -10.0
