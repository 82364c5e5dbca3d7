"""Addresses, interpreters and openings that cannot be: one line each, which says what to do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers import (
    DriverError,
    RadioNotFoundError,
    RadioRequest,
    RadioSettings,
    RadioStateError,
    SettingsError,
    VendorLibraryError,
    open_radios,
)
from drivers.simulated.scene import Scene
from drivers.usrp import board_time
from drivers.usrp.addresses import parse_address
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.n210.board import Board
from drivers.virtual.serving import VirtualBench

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def ended() -> object:
    yield
    wait_for_endings()


def test_an_address_is_uhds_keys_and_ours() -> None:
    said = parse_address("west", "addr0=192.168.10.2,addr1=192.168.10.3,clock=external,time=gpsdo,rx_subdev=A:0")
    assert said.arguments == "addr0=192.168.10.2,addr1=192.168.10.3"
    assert (said.clock, said.pulses, said.subdevices, said.is_several) == ("external", "gpsdo", {"rx": "A:0"}, True)
    assert not parse_address("west", "type=b200").is_several


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "is no address of a USRP"),
        ("192.168.10.2", "is no address of a USRP at '192.168.10.2'; write usrp:KEY=VALUE"),
        ("addr=1,addr=2", "at 'addr=2'"),
        ("addr=1,clock=sun", "clock=sun is no source; there are internal, external, gpsdo, mimo"),
        ("clock=external", "names no device"),
    ],
)
def test_what_is_no_address_is_refused(place: str, words: str) -> None:
    with pytest.raises(RadioNotFoundError, match=f"radio west: .*{words}") as refused:
        parse_address("west", place)
    assert "\n" not in str(refused.value)


def stand_in(folder: Path, script: str) -> str:
    """An interpreter that says what another would."""
    place = folder / "python3"
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return str(place)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "no Python here has UHD .*it is no Python.*apt-get install --no-install-recommends python3-uhd"),
        (
            """echo '{"numpy": "2.4.6", "trouble": "AttributeError: _ARRAY_API", "missing": false}'""",
            r"UHD cannot be used: .*built for NumPy 1, it has NumPy 2\.4\.6; pip install 'numpy<2' there",
        ),
        (
            """echo '{"numpy": "1.24.2", "trouble": "ModuleNotFoundError: No module named uhd", "missing": true}'""",
            "No module named uhd.*apt-get install .* or name one: usrp:...,python=PATH",
        ),
    ],
)
def test_an_interpreter_without_uhd_is_said_with_the_remedy(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(VendorLibraryError, match=words):
        interpreter_with_uhd(stand_in(tmp_path, script))


def test_a_named_interpreter_that_is_not_there_is_said() -> None:
    with pytest.raises(VendorLibraryError, match="/nowhere/python: there is no such file"):
        interpreter_with_uhd("/nowhere/python")


def refused(request: RadioRequest, scene: Scene, kind: type[DriverError], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        open_radios([request], scene)
    assert "\n" not in str(error.value)


def test_a_device_that_is_not_there_is_said(uhd: str, asked: tuple) -> None:
    nobody = RadioRequest("user", "usrp:type=usrp2,addr=127.0.9.9", 0, 1)
    refused(
        nobody, asked[1], RadioNotFoundError, "radio user: no USRP answers at type=usrp2,addr=127.0.9.9; check power"
    )


def test_what_a_device_lacks_is_said(uhd: str, bench: VirtualBench, asked: tuple) -> None:
    _, user = asked[0]
    greedy = replace(user, n_rx=3)
    words = "radio user: 3 receive channels are asked for, N210r4 at addr=127.0.3.5 has 1; add boards"
    refused(greedy, asked[1], RadioNotFoundError, words)
    wait_for_endings()
    wrong = replace(user, address=user.address + ",rx_subdev=B:7")
    refused(wrong, asked[1], RadioStateError, "radio user: open: .*B:7.*; uhd_usrp_probe lists")
    wait_for_endings()
    without = replace(user, address=user.address + ",clock=gpsdo")
    refused(
        without,
        asked[1],
        SettingsError,
        "radio user: board 0 has no clock=gpsdo; choose among internal, external, mimo",
    )


def test_radios_that_count_other_seconds_are_not_opened(uhd: str, asked: tuple) -> None:
    (station, user), scene = asked
    with pytest.raises(SettingsError, match="radio user: time=internal on a bench of several boards"):
        open_radios([station, replace(user, address=user.address + ",time=internal")], scene)


@pytest.mark.parametrize(
    ("cable", "words"),
    [
        ("present", r"no lock to the external 10 MHz after 0.3 s on V001001 \(board 1\); check its cable"),
        ("pps", r"no pulse per second on V001001 \(board 1\); check its cable"),
    ],
)
def test_a_board_without_a_reference_is_named(
    uhd: str, boards: dict[str, Board], asked: tuple, spare: RadioRequest, monkeypatch: pytest.MonkeyPatch, cable: str,
    words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(board_time, "LOCK_S", 0.3)
    reference = boards["127.0.3.7"].hardware.reference
    setattr(reference, cable, False)
    try:
        refused(spare, asked[1], RadioStateError, f"radio spare: {words}")
    finally:
        setattr(reference, cable, True)


def test_a_board_that_loses_its_reference_ends_the_radio(
    uhd: str, boards: dict[str, Board], asked: tuple, spare: RadioRequest
) -> None:
    """On its own quartz it would be off in frequency and time: nothing of that exchange, or a later one, is counted."""
    radio = open_radios([spare], asked[1])["spare"]
    reference = boards["127.0.3.7"].hardware.reference
    try:
        radio.configure(RadioSettings(2.45e9, 1e6, 0.0, 0.0))
        radio.arm(np.zeros((0, 0), np.complex64), 1000, radio.time_s() + 0.1)
        assert radio.collect().samples.shape == (2, 1000)
        radio.arm(np.zeros((0, 0), np.complex64), 1000, radio.time_s() + 0.1)
        reference.present = False
        words = r"radio spare: V001001 \(board 1\) lost the 10 MHz in the exchange at .* open the radio again"
        with pytest.raises(RadioStateError, match=words):
            radio.collect()
        reference.present = True  # too late: it counts other ticks by now
        with pytest.raises(RadioStateError, match=words):
            radio.arm(np.zeros((0, 0), np.complex64), 1000, 1e3)
        radio.silence()
    finally:
        reference.present = True
        radio.close()


def test_a_controller_that_is_killed_leaves_nothing_transmitting(uhd: str, bench: VirtualBench) -> None:
    """Its radio server notices that nobody is at the other end, and takes back what the board has not yet sent."""
    script = """
        import os, signal, sys, time
        import numpy as np
        from drivers import RadioRequest, RadioSettings, open_radios
        radio = open_radios([RadioRequest("spare", "usrp:addr=127.0.3.6", 1, 1)], None)["spare"]
        radio.configure(RadioSettings(2.45e9, 195312.5, 0.0, 0.0))
        radio.arm(np.full((1, 2_000_000), 0.1, np.complex64), 2_000_000, radio.time_s() + 0.6)
        time.sleep(1.5)
        print("sending", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout.readline() == "sending\n"
        assert bench.transmitting == ["spare"]
        controller.wait(10)
    until_s = time.monotonic() + 2.0
    while bench.transmitting and time.monotonic() < until_s:
        time.sleep(0.02)
    assert bench.transmitting == []
