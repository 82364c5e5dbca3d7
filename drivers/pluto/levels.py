"""Levels, word formats and limits of a Pluto: what the driver and the virtual unit must agree on.

Word formats are the maker's (scan elements `le:S16/16>>0` and `le:S12/16>>0`); powers are typical values, since a Pluto
is delivered uncalibrated: between units and over frequency they differ by some decibels.
"""

from __future__ import annotations

from drivers.radio import Range

__all__ = [
    "CENTER_HZ",
    "RX_FULL_SCALE_DBM",
    "RX_FULL_SCALE_WORD",
    "RX_GAIN_DB",
    "SAMPLE_RATE_HZ",
    "TX_FULL_SCALE_DBM",
    "TX_FULL_SCALE_WORD",
    "TX_GAIN_DB",
    "TX_WORD_STEP",
]

# Transmit words are 16 bits with the 12-bit converter's left-aligned: the lowest 4 bits do not reach it.
TX_FULL_SCALE_WORD = 32768
TX_WORD_STEP = 16
# Receive words are 12 bits, right-aligned and sign-extended.
RX_FULL_SCALE_WORD = 2048

# Output of a full-scale complex tone (32768) at hardwaregain 0 dB: the transmit port's typical maximum.
TX_FULL_SCALE_DBM = 7.0
# Input of a complex tone that fills the converter (2048) at hardwaregain 0 dB: about what an AD9361 takes there.
RX_FULL_SCALE_DBM = 0.0

TX_GAIN_DB = Range(-89.75, 0.0)  # an attenuator, in steps of 0.25 dB
RX_GAIN_DB = Range(-3.0, 71.0)  # in steps of 1 dB; the range at 2.4 GHz
CENTER_HZ = Range(70e6, 6e9)  # a unit in AD9363 mode tunes 325 to 3800 MHz only, and refuses the rest itself
SAMPLE_RATE_HZ = Range(521e3, 61.44e6)  # below 25/12 Msps only with the FIR filter decimating by 4
