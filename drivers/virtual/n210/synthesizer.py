"""The frequency that an ADF4350 makes of its registers. Source: Analog Devices, ADF4350 data sheet, rev. A."""

from __future__ import annotations

__all__ = ["Synthesizer"]


class Synthesizer:
    """An integer-N or fractional-N synthesizer with an output divider, written word by word.

    Register 0 comes last: it starts the oscillator's search, so that a tune is complete with it.
    """

    def __init__(self, reference_hz: float) -> None:
        self._reference_hz = reference_hz
        self._words: dict[int, int] = {}

    def write(self, word: int) -> bool:
        """Take one word of 32 bits, whose lowest three are the register's number; returns whether it is a tune."""
        self._words[word & 7] = word
        return word & 7 == 0 and {1, 2, 4} <= self._words.keys()

    @property
    def frequency_hz(self) -> float:
        """The output's frequency."""
        r0, r1, r2, r4 = (self._words[i] for i in (0, 1, 2, 4))
        doubled, halved, r = r2 >> 25 & 1, r2 >> 24 & 1, max(r2 >> 14 & 0x3FF, 1)
        compared_hz = self._reference_hz * (1 + doubled) / (r * (1 + halved))
        ratio = (r0 >> 15 & 0xFFFF) + (r0 >> 3 & 0xFFF) / max(r1 >> 3 & 0xFFF, 1)
        divider = 1 << (r4 >> 20 & 7)
        fundamental = r4 >> 23 & 1  # whether the loop is fed from before the output divider
        return compared_hz * ratio / divider if fundamental else compared_hz * ratio
