"""Virtual N210s for the tests of this folder: four boards as one station, and a user's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers import RadioRequest, VendorLibraryError
from drivers.simulated.scene import Node, Scene, Target
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.virtual.n210.board import Board
from drivers.virtual.serving import VirtualBench

CARRIER_HZ, RATE_HZ = 2.45e9, 1e6
STATION = RadioRequest("station", "usrp:" + ",".join(f"addr{i}=127.0.3.{i + 1}" for i in range(4)), 4, 4)
USER = RadioRequest("user", "usrp:addr=127.0.3.5", 0, 1)
SPARE = RadioRequest("spare", "usrp:addr0=127.0.3.6,addr1=127.0.3.7", 2, 2)  # for tests that lose a radio, or open none
EXAMPLES = Path("/usr/libexec/uhd/examples")


def scene() -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, 4, 4), Node("spare", (60.0, 0.0), np.pi, 2, 2)),
        users=(Node("user", (30.0, 5.0), 0.0, 0, 1),),
        serving={"user": "station"},
        targets=(Target("target", "station", (20.0, -3.0), 1.0),),
        carrier_hz=CARRIER_HZ,
        symbol_rate_hz=250e3,
        leakage=1e-4,
        seed=3,
    )


@pytest.fixture(scope="module")
def bench() -> Iterator[VirtualBench]:
    with VirtualBench([STATION, USER, SPARE], scene()) as served:
        yield served


@pytest.fixture
def boards(bench: VirtualBench) -> dict[str, Board]:
    return {board.address: board for radio in bench.radios for board in radio.boards}


@pytest.fixture(scope="session")
def uhd() -> str:
    """An interpreter that has UHD; without one the test is skipped."""
    try:
        return interpreter_with_uhd()
    except VendorLibraryError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of UHD's own programs; without it the test is skipped."""

    def run(name: str, *arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        place = shutil.which(name) or (str(EXAMPLES / name) if (EXAMPLES / name).is_file() else "")
        if not place:
            pytest.skip(f"{name} is missing: apt-get install --no-install-recommends python3-uhd uhd-host")
        return subprocess.run(
            [place, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture(scope="session")
def asked() -> tuple[list[RadioRequest], Scene]:
    return [STATION, USER], scene()


@pytest.fixture(scope="session")
def spare() -> RadioRequest:
    return SPARE
