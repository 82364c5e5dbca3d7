"""An SBX front end of one direction: its oscillator's frequency and phase, and its gain, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivers.virtual.n210.clock import TICKS_PER_S
from drivers.virtual.n210.synthesizer import Synthesizer

__all__ = ["GAIN_DB", "SbxFrontEnd", "Tune"]

GAIN_DB = 31.5  # of the attenuator in front of or behind the mixer, in steps of 0.5 dB
_ATTENUATOR_SHIFT, _ATTENUATOR_MASK = 8, 0x3F
_CONVERTER_STEP_DB = {0x17: 0.5, 0x1A: 0.05}


@dataclass(frozen=True)
class Tune:
    """The state of a front end, as one command left it.

    Attributes:
        lo_hz: Frequency of the synthesizer at the nominal reference.
        nco_hz: Frequency by which the digital mixer turns, upwards positive.
        phase_rad: Phase of the synthesizer at air time zero, less that of its frequency.
        gain_db: Gain over the least one.
    """

    lo_hz: float
    nco_hz: float
    phase_rad: float
    gain_db: float


class SbxFrontEnd:
    """Keeps its phase over timed tunes, for these restart the synthesizer at a known tick; draws one at every other.

    Not modelled: settling of the loop, dependence of gain and phase on frequency and temperature.
    """

    def __init__(self, phase_rad: float, rng: np.random.Generator) -> None:
        """Begin untuned.

        Args:
            phase_rad: What its cables and traces add, the same at every timed tune.
            rng: Source of the phases of untimed tunes.
        """
        self._synthesizer = Synthesizer(TICKS_PER_S)
        self._kept_rad = phase_rad
        self._rng = rng
        self._lo_hz, self._nco_hz, self._phase_rad, self._gain_db = 0.0, 0.0, phase_rad, 0.0
        self._converter_db: dict[int, float] = {}
        self.tunes = 0

    @property
    def tune(self) -> Tune:
        """What it is set to."""
        gain_db = self._gain_db + sum(self._converter_db.values())
        return Tune(self._lo_hz, self._nco_hz, self._phase_rad, gain_db)

    def write_synthesizer(self, word: int, *, timed: bool) -> None:
        """Take a word for the synthesizer."""
        if self._synthesizer.write(word):
            self.tunes += 1
            self._lo_hz = self._synthesizer.frequency_hz
            self._phase_rad = self._kept_rad if timed else float(self._rng.uniform(0, 2 * np.pi))

    def write_nco(self, word: int) -> None:
        """Take the step of the digital mixer, a signed fraction of the tick rate."""
        signed = word - (1 << 32) if word >> 31 else word
        self._nco_hz = signed / 2**32 * TICKS_PER_S

    def write_converter(self, word: int) -> None:
        """Take a word for the receive converter, which has digital gains: register 0x17 in 0.5 dB, 0x1A in 0.05 dB."""
        register, value = word >> 24, word >> 16 & 0xFF
        if register in _CONVERTER_STEP_DB:
            self._converter_db[register] = value * _CONVERTER_STEP_DB[register]

    def write_pins(self, pins: int) -> None:
        """Take the 16 pins that the board drives while sending and receiving; six of them are the attenuator's."""
        attenuation_steps = ~(pins >> _ATTENUATOR_SHIFT) & _ATTENUATOR_MASK
        self._gain_db = GAIN_DB - 0.5 * attenuation_steps
