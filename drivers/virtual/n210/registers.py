"""Where an N210 keeps what: UDP ports, settings registers, readback registers, SPI slaves."""

from __future__ import annotations

__all__ = ["Fw", "Port", "Readback", "Setting", "Spi"]

from enum import IntEnum

SETTINGS_BASE = 0x7000
READBACK_BASE = 0x5C00


class Port(IntEnum):
    """UDP ports of a board."""

    CONTROL = 49152
    RX_0 = 49156
    TX = 49157
    RX_1 = 49158
    SETTINGS = 49159


class Setting(IntEnum):
    """Indices of settings registers; the first of a block where it has several."""

    CLOCK = 0  # reference input: see `clock`
    TIME_HI = 10
    TIME_LO = 11
    TIME_FLAGS = 12
    TIME_IMMEDIATELY = 13
    SPI_DIVIDER = 20
    SPI_CONTROL = 21
    SPI_DATA = 22
    RX_CONTROL_0 = 32
    RX_DSP_0 = 48
    RX_CONTROL_1 = 80
    RX_DSP_1 = 96
    TX_CONTROL = 144
    TX_DSP = 160
    GPIO = 184


class Readback(IntEnum):
    """Indices of readback registers."""

    SPI = 0
    GPIO = 9
    TIME_HI = 10
    TIME_LO = 11
    COMPATIBILITY = 12
    INTERRUPTS = 13
    PPS_TIME_HI = 14
    PPS_TIME_LO = 15


class Fw(IntEnum):
    """Words that the board's firmware shares with the host."""

    LOCK_TIME = 0
    LOCK_OWNER = 1
    HAS_GPSDO = 3
    MINOR_VERSION = 7


class Spi(IntEnum):
    """Select bits of the SPI slaves that matter here: synthesizers of the daughterboards, receive converter."""

    RX_BOARD = 16
    TX_BOARD = 128
    CONVERTER = 256
