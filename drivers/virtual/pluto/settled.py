"""From a unit's attributes to the states that its physics works with. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.pluto.catalogue import DDS, PHY
from drivers.virtual.pluto.description import Device
from drivers.virtual.pluto.front import ReceiveState, TransmitState
from drivers.virtual.pluto.transceiver import RX_LO, TX_LO, Transceiver
from drivers.virtual.pluto.waveform import Buffer, Tone, Tones, Waveform, codes

__all__ = ["generators", "looped_back", "receive_state", "transmit_state"]


def transmit_state(
    unit: Transceiver, playing: tuple[Waveform, ...], phase_rad: float, *, swapped: bool
) -> TransmitState:
    """Return what a unit's attributes make of what its converters play."""
    radiates = unit.read(PHY, "out_altvoltage1_TX_LO_powerdown") == "0" and "fdd" in unit.read(PHY, "/ensm_mode")
    gains = tuple(_decibels(unit, f"out_voltage{i}_hardwaregain") for i in range(unit.chip.n))
    return TransmitState(playing if radiates else (), float(unit.read(PHY, TX_LO)), phase_rad, gains, swapped)


def receive_state(unit: Transceiver, phase_rad: float) -> ReceiveState:
    """Return how a unit's attributes let it receive."""
    gains = tuple(
        _decibels(unit, f"in_voltage{i}_hardwaregain")
        if unit.read(PHY, f"in_voltage{i}_gain_control_mode") == "manual"
        else None
        for i in range(unit.chip.n)
    )
    return ReceiveState(
        float(unit.read(PHY, RX_LO)),
        phase_rad,
        gains,
        loopback=unit.read(PHY, "debug/loopback") == "1",
        deaf=unit.read(PHY, "out_altvoltage0_RX_LO_powerdown") == "1",
    )


def generators(unit: Transceiver, dds: Device) -> tuple[Waveform, ...]:
    """Return what the test generators play while no transmit buffer is open: nothing if all are off."""
    tones = []
    for channel in dds.channels:
        if channel.label and unit.read(DDS, channel.files["raw"]) == "1":
            values = {name: float(unit.read(DDS, channel.files[name])) for name in ("frequency", "phase", "scale")}
            tones.append(
                Tone(
                    channel=int(channel.label[2]) - 1,  # as in TX1_I_F1
                    quadrature="_Q_" in channel.label,
                    frequency_hz=values["frequency"],
                    phase_rad=float(np.radians(values["phase"] / 1000)),
                    scale=values["scale"],
                )
            )
    heard = tuple(tone for tone in tones if tone.scale > 0)
    return (Tones(unit.chip.n, heard),) if heard else ()


def looped_back(
    playing: tuple[Waveform, ...], n_channels: int, start_s: float, n: int, sample_rate_hz: float
) -> NDArray[np.int16]:
    """Return transmit words as receive words, (n_channels, n, 2): the chip's digital loopback."""
    words = np.zeros((n_channels, n, 2), dtype=np.int16)
    for one in playing:
        if isinstance(one, Buffer):
            words += codes(one.raw(round((start_s - one.start_s) * one.rate_hz), n))
        else:
            digital = one.samples(start_s, n, sample_rate_hz)
            words += np.rint(2047 * digital.view(np.float32)).astype(np.int16).reshape(words.shape)
    return words


def _decibels(unit: Transceiver, file: str) -> float:
    return float(unit.read(PHY, file).split()[0])
