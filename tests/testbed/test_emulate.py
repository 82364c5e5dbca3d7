"""`testbed emulate`: a scenario's radios on loopback, until it is interrupted."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.virtual.faults import PLUTO_KINDS
from testbed.emulation import describe, serve
from testbed.scenario import Scenario

ROOT = Path(__file__).parents[2]
TO_PLUTOS = [
    ("n_tx = 4\nn_rx = 6\nradio = \"simulated\"", "n_tx = 2\nn_rx = 2\nradio = \"pluto:ip:192.168.2.1\""),
    ("radio = \"simulated\"", "radio = \"pluto:usb:1.2.5\""),
    ("5.6e9", "2.4e9"),
    ("[5.47e9, 5.725e9]", "[2.4e9, 2.48e9]"),
    ("rx_gain_db = 60.0", "rx_gain_db = 50.0"),
]  # fmt: skip


@pytest.fixture
def on_plutos(scenario: Path) -> Path:
    text = scenario.read_text()
    for old, new in TO_PLUTOS:
        assert old in text
        text = text.replace(old, new)
    scenario.write_text(text)
    return scenario


@contextmanager
def emulating(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, once it has said everything that it says at the start."""
    command = [sys.executable, "-m", "testbed", "emulate", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said += line
        try:
            yield process, said
        finally:
            process.kill()


def ask(port: int, request: bytes, answers: int = 1) -> list[bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, raw.makefile("rb") as lines:
        raw.sendall(request)
        return [lines.readline() for _ in range(answers)]


def test_it_serves_until_it_is_interrupted(on_plutos: Path) -> None:
    with emulating(on_plutos) as (process, said):
        rows = re.findall(r"^ +(\w+) +pluto:ip:127\.0\.0\.1:(\d+) +(\w+) +(.*)$", said, re.MULTILINE)
        assert [row[0] for row in rows] == ["west", "ann"]
        assert [row[3].partition("-")[2] for row in rows] == ["AD9361)", "AD9363A)"]
        for _, port, serial, _ in rows:
            length, xml = ask(int(port), b"PRINT\r\n", 2)
            assert int(length) > 1000
            assert xml.startswith(b"<?xml")
            assert ask(int(port), b"VERSION\r\n") == [b"0.24.virtual\n"]
            assert len(serial) == 34
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == "ended; nothing was transmitting\n"
        assert process.stderr.read() == ""


def test_it_keeps_a_loopback_port_makes_faults_and_says_who_was_still_transmitting(on_plutos: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    on_plutos.write_text(on_plutos.read_text().replace("pluto:ip:192.168.2.1", f"pluto:ip:127.0.0.1:{port}"))
    with emulating(on_plutos, "--seed", 3, "--paced", "--fault", "west/out-of-range@1") as (process, said):
        assert "in real time" in said
        assert f"pluto:ip:127.0.0.1:{port} " in said
        assert ask(port, b"WRITE iio:device0 ensm_mode 4\r\nfdd\0") == [b"-22\n"]
        assert ask(port, b"WRITE iio:device0 ensm_mode 4\r\nfdd\0") == [b"4\n"]
        with socket.create_connection(("127.0.0.1", port)) as raw, raw.makefile("rb") as lines:
            raw.sendall(b"OPEN iio:device2 16 0000000f CYCLIC\r\nWRITEBUF iio:device2 128\r\n" + b"\x10" * 128)
            assert [lines.readline() for _ in range(3)] == [b"0\n", b"0\n", b"128\n"]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        assert process.stdout.read() == "ended; STILL TRANSMITTING until now: west\n"


def test_a_scene_that_moves_is_for_one_run(on_plutos: Path) -> None:
    still = Scenario.load(on_plutos)
    moving = Scenario.parse(on_plutos.read_text() + "velocity_m_s = [1.0, 0.0]\n", on_plutos)
    for scenario, said in ((still, False), (moving, True)):
        with serve(scenario, 1) as bench:
            assert any("start this anew" in line for line in describe(scenario, bench, paced=False)) == said


def test_the_help_names_every_fault(call: Callable) -> None:
    status, text, _ = call("emulate", "--help")
    assert status == 0
    assert [kind for kind in PLUTO_KINDS if kind not in " ".join(text.split())] == []


def test_a_port_that_is_taken_is_named(on_plutos: Path, refused: Callable) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        on_plutos.write_text(on_plutos.read_text().replace("pluto:ip:192.168.2.1", f"pluto:ip:127.0.0.1:{port}"))
        refused(1, rf"west.*127\.0\.0\.1:{port}.*in use.*end the program", "emulate", on_plutos)


def test_what_cannot_be_emulated_is_named(on_plutos: Path, refused: Callable) -> None:
    good = on_plutos.read_text()
    refused(1, "simulated.*no address of a virtual device.*pluto:ip", "emulate", "two_cells")
    on_plutos.write_text(good.replace("n_rx = 2", "n_rx = 3"))
    refused(1, "west.*2 transmit and 2 receive.*not 2 and 3", "emulate", on_plutos)
    on_plutos.write_text(good)
    refused(1, "there is no radio zoe.*west, ann", "emulate", on_plutos, "--fault", "zoe/stall")
    refused(1, "explode", "emulate", on_plutos, "--fault", "explode")
    refused(2, "not allowed with", "emulate", on_plutos, "--fast", "--paced")
