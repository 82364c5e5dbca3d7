"""Whatever bytes come, the server answers an error or closes that client, and others go on unharmed."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drivers import SettingsError
from drivers.virtual.pluto.server import MOST_CONNECTIONS, PlutoServer
from drivers.virtual.pluto.unit import LARGEST_BLOCK
from drivers.virtual.serving import VirtualBench

LINES = 5000


@pytest.fixture(scope="session")
def malformed() -> ModuleType:
    """The benchmark's generator of malformed requests."""
    path = Path(__file__).parents[2] / "benchmarks" / "malformed.py"
    spec = importlib.util.spec_from_file_location("malformed", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_thousands_of_malformed_lines_harm_nobody(bench: VirtualBench, malformed: ModuleType) -> None:
    port = bench.radios[0].port
    innocent = malformed.Innocent(port)
    innocent.start()
    sent, connections = malformed.abuse(port, LINES, 1)
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
