"""What is written in the EEPROMs of an N210 with SBX daughterboards: identity, addresses, types of board."""

from __future__ import annotations

import ipaddress

__all__ = ["MOTHERBOARD", "RX_BOARD", "TX_BOARD", "daughterboard", "motherboard"]

MOTHERBOARD, TX_BOARD, RX_BOARD = 0x50, 0x54, 0x55  # addresses on the I2C bus
SBX_RX, SBX_TX = 0x0054, 0x0055  # SBX version 3
_N210_R4 = 0x0A11
_SIZE = 256


def motherboard(address: str, serial: str, name: str) -> bytes:
    """Return the motherboard's EEPROM.

    Args:
        address: Its IPv4 address.
        serial: Its serial number, up to 8 characters.
        name: The name its owner gave it, up to 22 characters.
    """
    image = bytearray(b"\xff" * _SIZE)
    ip = ipaddress.IPv4Address(address).packed
    _put(image, 0, _N210_R4.to_bytes(2, "little"))
    _put(image, 2, b"\x00\x50\xc2\x85" + ip[2:])  # a MAC address of the maker's block
    _put(image, 8, b"\xff\x00\x00\x00")
    _put(image, 12, ip)
    _put(image, 18, b"\x00\x00")
    _put(image, 20, b"\x00\x00")
    image[23] = 0  # no GPS-disciplined oscillator inside
    _put(image, 24, serial.encode("ascii")[:8].ljust(9, b"\0"))
    _put(image, 33, name.encode("ascii", "replace")[:22].ljust(23, b"\0"))
    _put(image, 56, b"\x7f\x00\x00\x01")
    return bytes(image)


def daughterboard(kind: int) -> bytes:
    """Return a daughterboard's EEPROM: its type, and a byte that makes the sum of the first 32 zero, modulo 256."""
    image = bytearray(_SIZE)
    image[0] = 0xDB
    _put(image, 1, kind.to_bytes(2, "little"))
    image[31] = -sum(image[:31]) & 0xFF
    return bytes(image)


def _put(image: bytearray, at: int, content: bytes) -> None:
    image[at : at + len(content)] = content
