"""Whatever bytes come, the server answers an error or closes that client, and others go on unharmed."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable

import pytest

from drivers import SettingsError
from drivers.virtual.pluto.server import MOST_CONNECTIONS, PlutoServer
from drivers.virtual.pluto.unit import LARGEST_BLOCK
from drivers.virtual.serving import VirtualBench

LINES = 5000
DEVICES = (b"iio:device0", b"iio:device2", b"iio:device3", b"iio:device9", b"")
VERBS = (
    b"PRINT",
    b"OPEN",
    b"CLOSE",
    b"READ",
    b"WRITE",
    b"READBUF",
    b"WRITEBUF",
    b"SET",
    b"TIMEOUT",
    b"GETTRIG",
    b"ZPRINT",
)
WORDS = (b"INPUT", b"OUTPUT", b"DEBUG", b"BUFFER", b"voltage0", b"altvoltage1", b"frequency", b"BUFFERS_COUNT", b"CYCLIC",
         b"00000003", b"ffffffff", b"-1", b"0", b"1", b"64", b"4096", b"99999999999", b"nan", b"\0", b"%s%n")  # fmt: skip


def malformed(rng: random.Random) -> bytes:
    """A line that is wrong, or a request out of place; bounded."""
    match rng.randrange(4):
        case 0:
            return rng.randbytes(rng.randrange(60)).replace(b"\n", b" ") + b"\r\n"
        case 1:
            return (
                b" ".join([rng.choice(VERBS), rng.choice(DEVICES), *rng.choices(WORDS, k=rng.randrange(5))]) + b"\r\n"
            )
        case 2:
            length = rng.randrange(40)
            return b"WRITE iio:device0 ensm_mode %d\r\n" % length + rng.randbytes(length)
        case _:
            return b"x" * rng.choice((900, 1500)) + b"\r\n"


def abuse(port: int, n: int, seed: int) -> tuple[int, int]:
    """Send malformed lines, over new connections whenever one is closed; returns lines sent and connections used."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    sent = connections = 0
    while sent < n:
        connections += 1
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            try:
                for _ in range(min(500, n - sent)):
                    raw.sendall(malformed(rng))
                    sent += 1
                    raw.setblocking(False)
                    try:
                        while raw.recv(1 << 16):
                            pass
                        break  # closed
                    except BlockingIOError:
                        pass
                    raw.setblocking(True)
            except OSError:
                pass  # closed while we were sending
    return sent, connections


class Innocent(threading.Thread):
    """A client that asks for the same all the time, and must never notice anything."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.asked, self.fault = port, 0, ""
        self.enough = threading.Event()

    def run(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as raw, raw.makefile("rb") as answers:
            while not self.enough.is_set() or not self.asked:
                raw.sendall(b"READ iio:device0 INPUT temp0 input\r\n")
                answer = answers.readline() + answers.readline()
                self.asked += 1
                if answer != b"6\n36842\0\n":
                    self.fault = repr(answer)
                    return


def test_thousands_of_malformed_lines_harm_nobody(bench: VirtualBench) -> None:
    port = bench.radios[0].port
    innocent = Innocent(port)
    innocent.start()
    sent, connections = abuse(port, LINES, 1)
    innocent.enough.set()
    innocent.join(30)
    assert (sent, innocent.fault) == (LINES, "")
    assert innocent.asked > 0
    assert connections > 5


def ask(bench: VirtualBench, *requests: bytes) -> list[bytes]:
    with (
        socket.create_connection(("127.0.0.1", bench.radios[0].port), timeout=30) as raw,
        raw.makefile("rb") as answers,
    ):
        raw.sendall(b"".join(requests))
        raw.shutdown(socket.SHUT_WR)
        return answers.read().splitlines()


@pytest.mark.parametrize(
    ("requests", "answers"),
    [
        ([b"READBUF iio:device3 4096\r\n"], [b"-9"]),
        ([b"WRITEBUF iio:device2 4096\r\n"], [b"-9"]),
        ([b"CLOSE iio:device3\r\n"], [b"-9"]),
        ([b"OPEN iio:device9 64 00000003\r\n"], [b"-19"]),
        ([b"OPEN iio:device0 64 00000003\r\n"], [b"-22"]),
        ([b"OPEN iio:device3 64 00000000\r\n"], [b"-22"]),
        ([b"OPEN iio:device3 64 00000010\r\n"], [b"-22"]),
        ([b"OPEN iio:device3 0 00000003\r\n"], [b"-22"]),
        ([b"OPEN iio:device3 64 00000003 CYCLIC\r\n"], [b"-22"]),
        ([b"OPEN iio:device3 %d 00000003\r\n" % LARGEST_BLOCK], [b"-12"]),
        ([b"OPEN iio:device3 64 0000000f\r\n"] * 2, [b"0", b"-16"]),
        ([b"OPEN iio:device2 64 0000000f\r\n", b"WRITEBUF iio:device2 513\r\n"], [b"0", b"-22"]),
        ([b"OPEN iio:device2 64 0000000f\r\n", b"WRITEBUF iio:device2 12\r\n"], [b"0", b"-22"]),
        ([b"OPEN iio:device2 64 0000000f\r\n", b"READBUF iio:device2 512\r\n"], [b"0", b"-22"]),
        ([b"OPEN iio:device3 64 0000000f\r\n", b"WRITEBUF iio:device3 512\r\n"], [b"0", b"-22"]),
        ([b"OPEN iio:device3 64 0000000f\r\n", b"SET iio:device3 BUFFERS_COUNT 2\r\n"], [b"0", b"-16"]),
        ([b"SET iio:device3 BUFFERS_COUNT 0\r\n", b"SET iio:device0 BUFFERS_COUNT 1\r\n"], [b"-22", b"-22"]),
        ([b"READ iio:device0 INPUT voltage7 rssi\r\n", b"READ iio:device0 nothing\r\n"], [b"-2", b"-2"]),
        ([b"GETTRIG iio:device3\r\n", b"SETTRIG iio:device3 x\r\n"], [b"-2", b"-2"]),
        ([b"WRITE iio:device0 ensm_mode 999999\r\n", b"PRINT\r\n"], [b"-22"]),  # out of step: closed
        ([b"y" * 2000 + b"\r\n", b"PRINT\r\n"], [b"-22"]),
        ([b"WRITE iio:device0 ensm_mode 40\r\nfdd"], []),  # gone in the middle of a value
    ],
)
def test_what_makes_no_sense_has_its_error(bench: VirtualBench, requests: list[bytes], answers: list[bytes]) -> None:
    assert ask(bench, *requests) == answers


def test_a_client_that_opens_and_forgets_runs_out_of_connections(bench: VirtualBench, serve: Callable) -> None:
    port = bench.radios[0].port
    opened = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(MOST_CONNECTIONS)]
    try:
        for one in opened:
            one.sendall(b"TIMEOUT 1\r\n")
            assert one.recv(2) == b"0\n"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as further:
            assert further.recv(1) == b""
    finally:
        for one in opened:
            one.close()


def test_nobody_is_served_beyond_loopback(bench: VirtualBench) -> None:
    with pytest.raises(SettingsError, match=r"loopback.*0\.0\.0\.0"):
        PlutoServer(bench.radios[0].unit, "0.0.0.0")  # noqa: S104 - it is refused
