"""Wire formats of a virtual N210, each there and back, and what is no packet."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.virtual.n210 import control, eeprom, settings, vita
from drivers.virtual.n210.synthesizer import Synthesizer

packets = st.builds(
    vita.Packet,
    payload=st.integers(0, 50).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
    stream=st.none() | st.integers(0, 2**32 - 1),
    ticks=st.none() | st.integers(0, 2**64 - 1),
    count=st.integers(0, 15),
    start=st.booleans(),
    end=st.booleans(),
    context=st.booleans(),
)


@given(packets)
def test_packets_come_back(packet: vita.Packet) -> None:
    assert vita.unpack(vita.pack(packet)) == packet


@given(st.binary(max_size=80))
def test_any_datagram_is_a_packet_or_refused(datagram: bytes) -> None:
    for parse in (vita.unpack, settings.parse):
        try:
            parse(datagram)
        except vita.Unfit:
            pass
    request = control.parse(datagram)
    assert request is None or len(datagram) >= control.LENGTH


def test_a_header_is_as_the_standard_says() -> None:
    """Type 1 with stream, sample-count time, count 5, end of burst; big-endian words."""
    packed = vita.pack(vita.Packet(b"\0\1\0\2", stream=3, ticks=0x1122334455, count=5, end=True))
    assert packed.hex() == "11150005" + "00000003" + "0000001122334455" + "00010002"


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32)), min_size=1, max_size=20))
def test_samples_come_back_to_half_a_step(parts: list[tuple[float, float]]) -> None:
    samples = np.array([complex(*one) for one in parts], dtype=np.complex64)
    back = vita.samples_of(vita.to_payload(samples))
    assert np.abs((back - samples).view(np.float32)).max() <= 0.51 / vita.FULL_SCALE


def test_samples_beyond_full_scale_are_limited() -> None:
    assert vita.samples_of(vita.to_payload(np.array([3 - 7j], dtype=np.complex64))) == pytest.approx([1 - 1j])


def test_a_settings_command_is_read_and_acknowledged() -> None:
    payload = struct.pack(">II", 0x1234 << 16 | 1 << 8 | 48, 0xCAFE)
    command = settings.parse(b"\0\0\0\1" + vita.pack(vita.Packet(payload, ticks=77, context=True)))
    assert command == settings.Command(index=48, value=0xCAFE, write=True, sequence=0x1234, ticks=77)
    answer = vita.unpack(settings.acknowledgement(command, 9))
    assert struct.unpack(">II", answer.payload) == (0x1234 << 16, 9)


def test_control_replies_keep_the_hosts_number() -> None:
    body = struct.pack(">IIB", 0x5C30, 7, control.PEEK_FPGA).ljust(24, b"\0")
    request = control.parse(struct.pack(">III", control.PROTOCOL, ord("r"), 99) + body)
    assert request is not None
    assert request.register == (0x5C30, 7, control.PEEK_FPGA)
    assert control.acknowledge(request, 11)[:16] == struct.pack(">IIII", 12, ord("R"), 99, 0x5C30)
    assert control.parse(struct.pack(">III", control.PROTOCOL, ord("x"), 99) + body) is None


def test_an_echo_is_as_long_as_asked_for() -> None:
    ask = struct.pack(">IIII", control.PROTOCOL, ord("l"), 1, 1472).ljust(600, b"\0")
    request = control.parse(ask)
    assert request is not None
    assert len(control.echo(request)) == 1472
    assert control.echo(request)[12:16] == struct.pack(">I", 600)


def test_eeproms_say_who_they_are() -> None:
    board = eeprom.daughterboard(eeprom.SBX_RX)
    assert (board[0], int.from_bytes(board[1:3], "little")) == (0xDB, 0x54)
    assert sum(board[:32]) % 256 == 0
    image = eeprom.motherboard("127.0.0.9", "V000001", "west 0")
    assert image[12:16] == bytes([127, 0, 0, 9])
    assert image[24:33].rstrip(b"\0") == b"V000001"


def test_the_synthesizer_makes_what_uhd_asked_for() -> None:
    """The words that UHD 4.3 writes for 2.45 GHz and for 2.4501234 GHz, which it says is 2.4501221 GHz."""
    words = [0x65008A4A, 0x00400005, 0x000FA23C, 0x0001001B, 0x65008A42, 0x00007FF9]
    synthesizer = Synthesizer(100e6)
    for word in (*words, 0x00310000):
        tuned = synthesizer.write(word)
    assert tuned
    assert synthesizer.frequency_hz == pytest.approx(2.45e9, abs=1)
    synthesizer.write(0x003100A0 & ~7)
    assert synthesizer.frequency_hz == pytest.approx(2.4501221e9, abs=10)
