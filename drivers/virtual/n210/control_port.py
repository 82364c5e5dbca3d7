"""Who answers on the control port: identity, EEPROMs, registers and words of the firmware."""

from __future__ import annotations

import ipaddress

from drivers.virtual.n210 import control, eeprom
from drivers.virtual.n210.hardware import Hardware, Outgoing
from drivers.virtual.n210.registers import READBACK_BASE, SETTINGS_BASE, Fw, Port

__all__ = ["ControlPort"]

_GPSDO_UNLIKELY = 0x1234ABCD  # what the maker's firmware keeps there if no GPS-disciplined oscillator may be asked
_FIRMWARE_MINOR = 4


class ControlPort:
    """Answers requests; what it keeps is where the EEPROMs will be read and what hosts left with the firmware."""

    def __init__(self, address: str, serial: str, name: str, hardware: Hardware) -> None:
        self._address = int(ipaddress.IPv4Address(address))
        self._hardware = hardware
        self._images = {
            eeprom.MOTHERBOARD: eeprom.motherboard(address, serial, name),
            eeprom.TX_BOARD: eeprom.daughterboard(eeprom.SBX_TX),
            eeprom.RX_BOARD: eeprom.daughterboard(eeprom.SBX_RX),
        }
        self._pointers: dict[int, int] = {}
        self._words = {int(Fw.HAS_GPSDO): _GPSDO_UNLIKELY, int(Fw.MINOR_VERSION): _FIRMWARE_MINOR}

    def answer(self, datagram: bytes, now_s: float) -> Outgoing:
        """Yield the reply to a request, and what it makes the hardware send."""
        request = control.parse(datagram)
        if request is None:
            return
        if request.kind == "a":
            yield Port.CONTROL, control.reply(request, self._address.to_bytes(4, "big"))
        elif request.kind == "l":
            yield Port.CONTROL, control.echo(request)
        elif request.kind == "r":
            yield from self._register(request, now_s)
        elif request.kind == "h":
            address, count, content = request.i2c
            if count:  # the first byte is where to read or write next; writing more is accepted and forgotten
                self._pointers[address] = content[0]
            yield Port.CONTROL, control.reply(request, request.body)
        elif request.kind == "i":
            yield Port.CONTROL, control.reply(request, self._read_eeprom(request))
        else:  # SPI of clock distribution and converters, which are as they should be
            yield Port.CONTROL, control.reply(request, bytes(4))

    def _read_eeprom(self, request: control.Request) -> bytes:
        address, count, _ = request.i2c
        at = self._pointers.get(address, 0)
        self._pointers[address] = at + count
        content = self._images.get(address, b"")[at : at + count].ljust(count, b"\xff")
        return bytes([address, count]) + content

    def _register(self, request: control.Request, now_s: float) -> Outgoing:
        address, value, action = request.register
        read = 0
        if action == control.PEEK_FPGA:
            read = self._hardware.read((address - READBACK_BASE) // 4, now_s)
        elif action == control.POKE_FPGA and address >= SETTINGS_BASE:
            yield from self._hardware.write((address - SETTINGS_BASE) // 4, value, now_s)
        elif action == control.PEEK_FW:
            read = self._words.get(address, 0)
        elif action == control.POKE_FW:
            self._words[address] = value
        yield Port.CONTROL, control.acknowledge(request, read)
