"""The parser of the text protocol: what the real client sends, and what nobody should."""

from __future__ import annotations

import errno

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.virtual.pluto import protocol
from drivers.virtual.pluto.protocol import ProtocolError, parse

SENT = [
    (b"PRINT\r\n", protocol.Print()),
    (b"VERSION\r\n", protocol.Version()),
    (b"EXIT\r\n", protocol.Exit()),
    (b"TIMEOUT 2500\r\n", protocol.Timeout(2500)),
    (b"OPEN iio:device2 4096 00000003\r\n", protocol.Open("iio:device2", 4096, 3, cyclic=False)),
    (b"OPEN iio:device2 4096 0000000f CYCLIC\r\n", protocol.Open("iio:device2", 4096, 15, cyclic=True)),
    (b"CLOSE iio:device2\r\n", protocol.Close("iio:device2")),
    (b"READ iio:device0 INPUT voltage0 rssi\r\n", protocol.Read("iio:device0", "INPUT", "voltage0", "rssi")),
    (b"READ iio:device0 DEBUG loopback\r\n", protocol.Read("iio:device0", "DEBUG", "", "loopback")),
    (b"READ iio:device0 ensm_mode\r\n", protocol.Read("iio:device0", "", "", "ensm_mode")),
    (
        b"WRITE iio:device0 OUTPUT altvoltage1 frequency 11\r\n",
        protocol.Write("iio:device0", "OUTPUT", "altvoltage1", "frequency", 11),
    ),
    (b"READBUF iio:device3 16384\r\n", protocol.ReadBuffer("iio:device3", 16384)),
    (b"WRITEBUF iio:device2 16384\r\n", protocol.WriteBuffer("iio:device2", 16384)),
    (b"SET iio:device3 BUFFERS_COUNT 1\r\n", protocol.SetBuffers("iio:device3", 1)),
    (b"GETTRIG iio:device3\r\n", protocol.GetTrigger("iio:device3")),
    (b"SETTRIG iio:device3 trigger0\r\n", protocol.SetTrigger("iio:device3")),
    (b"\r\n", None),
]
REFUSED = [
    b"ZPRINT\r\n",
    b"BINARY\r\n",
    b"OPEN iio:device2 -1 00000003\r\n",
    b"OPEN iio:device2 1 3\r\n",
    b"OPEN iio:device2 99999999999999999999 00000003\r\n",
    b"READBUF iio:device3 1e3\r\n",
    b"READBUF iio:device3 0x10\r\n",
    b"TIMEOUT -1\r\n",
    b"READ\r\n",
    b"READ iio:device0 INPUT voltage0\r\n",
    b"print\r\n",
    b"\xff\xfe\r\n",
    "TIMEOUT ٣\r\n".encode(),
]
word = st.text(st.characters(codec="ascii"), max_size=20).map(lambda text: text.encode())
verb = st.sampled_from([line.split()[0] if line.split() else b"" for line, _ in SENT])


@pytest.mark.parametrize(("line", "request_"), SENT)
def test_what_clients_send_is_understood(line: bytes, request_: object) -> None:
    assert parse(line) == request_


@pytest.mark.parametrize("line", REFUSED)
def test_what_makes_no_sense_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        parse(line)
    assert refusal.value.code == errno.EINVAL
    assert not refusal.value.ends


@pytest.mark.parametrize("length", [b"-5", b"1e9", b"99999999", b""])
def test_a_value_of_unknown_length_ends_the_connection(length: bytes) -> None:
    """What follows cannot be told from requests any more."""
    with pytest.raises(ProtocolError) as refusal:
        parse(b"WRITE iio:device0 ensm_mode " + length + b"\r\n")
    assert refusal.value.ends


@given(st.binary(max_size=200))
@example(b"WRITE\r\n")
def test_any_bytes_give_a_request_or_a_refusal(line: bytes) -> None:
    try:
        parse(line)
    except ProtocolError as refusal:
        assert refusal.code == errno.EINVAL


@given(verb, st.lists(word, max_size=6))
def test_any_words_after_a_verb_give_a_request_or_a_refusal(first: bytes, words: list[bytes]) -> None:
    try:
        request = parse(b" ".join([first, *words]) + b"\r\n")
    except ProtocolError as refusal:
        assert refusal.code == errno.EINVAL
    else:
        for name in ("length", "samples", "count"):
            assert 0 <= getattr(request, name, 0) <= 1 << 28


def test_answers_count_the_final_nul() -> None:
    assert protocol.text("manual") == b"7\nmanual\0\n"
    assert protocol.number(-errno.EINVAL) == b"-22\n"
