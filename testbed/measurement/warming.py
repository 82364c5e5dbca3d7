"""Have everything that is computed once and kept ready before the first frame."""

from __future__ import annotations

import numpy as np

from testbed.frame import Frame
from testbed.measurement.margins import SymbolLevelBlock, measure_margins
from testbed.measurement.noncentral_f import noncentrality
from testbed.measurement.sinr import CONFIDENCE
from testbed.measurement.stations import observe_station
from testbed.measurement.unaligned_users import UnalignedObserver
from testbed.measurement.users import UserObserver
from testbed.measurement.waveform_fit import fit_waveform
from testbed.scenario import FrameOptions

__all__ = ["warm_up"]


def warm_up() -> None:
    """Compute the tables behind the SINR's interval, and compile or load every search, so that no frame waits."""
    _measure_a_small_frame()
    tail = (1 - CONFIDENCE) / 2
    for probability in (tail, 1 - tail):
        noncentrality(np.ones(1), 100.0, probability)
    sent = np.exp(1j * np.arange(32.0) ** 2).reshape(2, 16)
    symbols = np.ones((2, 8), dtype=complex)
    block = SymbolLevelBlock(sent[:, None, 8:].copy(), symbols, 4, True, np.ones((2, 2, 1), dtype=complex))
    measure_margins(block, fit_waveform(np.ones((2, 2)) @ sent + 0.1, sent, np.arange(16.0), 8))


def _measure_a_small_frame() -> None:
    """Send a frame through an ideal channel, and let stations of both kinds and a user measure it."""
    frame, power = Frame(FrameOptions(symbol_rate_hz=1e6), 2, 2), np.ones(2)
    rng = np.random.default_rng(0)
    sent = frame.modulate(np.eye(2) @ frame.draw(rng, 2), power)
    radiated = frame.pulse.detect(frame.pulse.spectrum_of(sent))
    heard = np.concatenate(sent).astype(np.complex128)
    heard += 0.01 * rng.standard_normal(heard.shape)
    for cooperative in (False, True):
        observe_station(frame, 0, heard, radiated, cooperative=cooperative, payload=True)
    UserObserver(frame, power, CONFIDENCE).observe(heard[:2], None)
    UnalignedObserver(frame, CONFIDENCE).observe(heard[:2], None, radiated)
