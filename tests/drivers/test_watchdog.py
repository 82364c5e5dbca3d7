"""The watchdog: radios fall silent when the controller is killed with -9, and nobody disturbs a clean end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pluto_faults import N_SAMPLES, PATIENCE, REQUESTS, SETTINGS, burst, fleet, scene

from drivers import RadioNotFoundError, RadioStateError, exchange
from drivers.pluto.opening import open_fleet
from drivers.virtual.serving import VirtualBench
from drivers.watchdog import Watchdog

pytestmark = pytest.mark.usefixtures("real_libiio")

ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0  # on a busy machine; alone it takes about one second

# What a killed controller leaves behind at worst: attenuators open, and a tone generator on, which needs no connection.
CONTROLLER = """
import sys, time
from dataclasses import replace
from pluto_faults import PATIENCE, REQUESTS, SETTINGS
from drivers.pluto.opening import open_fleet
asked = [replace(one, address=address) for one, address in zip(REQUESTS, sys.argv[1:], strict=True)]
radios = open_fleet(asked, PATIENCE)
for radio in radios.values():
    radio.configure(SETTINGS)
unit = radios["station"]._parts[0].unit
unit._wake()
unit.link._context.sdr.dds_single_tone(100_000, 0.5)
sys.stdout.write("on the air\\n")
sys.stdout.flush()
time.sleep(600)
"""


@pytest.fixture
def served() -> Iterator[VirtualBench]:
    with VirtualBench(REQUESTS, scene()) as bench:
        yield bench


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < LIMIT_S, f"not within {LIMIT_S:g} s: {what}"
        time.sleep(0.01)


def gains_db(served: VirtualBench) -> set[float]:
    return {gain for radio in served.radios for gain in radio.unit._transmit_state().gain_db}


def is_off(served: VirtualBench) -> bool:
    """Whether the transmit oscillators are off."""
    files = [radio.unit._attributes.read("iio:device0", "out_altvoltage1_TX_LO_powerdown") for radio in served.radios]
    return files == ["1", "1"]


def test_a_controller_killed_with_9_leaves_nobody_on_the_air(served: VirtualBench) -> None:
    addresses = [radio.address for radio in served.radios]
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, *addresses],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/benchmarks'}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert controller.stdout is not None
        assert controller.stdout.readline() == "on the air\n"
        assert served.transmitting == ["station"]
        assert SETTINGS.tx_gain_db in gains_db(served)
    finally:
        controller.kill()
        controller.communicate()
    wait_until("silence", lambda: served.transmitting == [] and gains_db(served) == {-89.75} and is_off(served))


def test_a_clean_end_needs_no_watchdog(served: VirtualBench) -> None:
    with fleet(served) as radios:
        guard = radios["station"]._fleet._watchdog._guard
        for radio in radios.values():
            radio.configure(SETTINGS)
        exchange(radios, {"station": burst(np.random.default_rng(0))}, N_SAMPLES, 0.0)
        assert guard.poll() is None
        radios["user"].close()
        assert guard.poll() is None  # the station is still open
    assert guard.returncode == 0
    assert gains_db(served) == {-89.75}


def test_without_its_watchdog_nothing_is_sent(served: VirtualBench) -> None:
    with fleet(served) as radios:
        for radio in radios.values():
            radio.configure(SETTINGS)
        guard = radios["station"]._fleet._watchdog._guard
        guard.kill()
        guard.wait()
        with pytest.raises(RadioStateError, match="watchdog"):
            exchange(radios, {"station": burst(np.random.default_rng(0))}, N_SAMPLES, 0.0)
    assert served.transmitting == []


def test_a_goodbye_is_said_once_and_ends_it() -> None:
    watchdog = Watchdog([("pluto", "ip:127.0.0.1:1")])
    assert watchdog.is_watching
    watchdog.release()
    watchdog.release()
    assert not watchdog.is_watching
    assert watchdog._guard.returncode == 0


def test_what_cannot_be_silenced_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody listens at port 1: the pipe breaks without a goodbye, and the watchdog says what to unplug."""
    watchdog = Watchdog([("pluto", "ip:127.0.0.1:1")])
    assert watchdog._guard.stdin is not None
    watchdog._guard.stdin.close()
    assert watchdog._guard.wait(LIMIT_S) == 1
    line = capfd.readouterr().err.splitlines()[-1]
    assert "pluto ip:127.0.0.1:1 could not be silenced, unplug it" in line


def test_an_opening_that_fails_leaves_silence_and_no_watchdog(served: VirtualBench) -> None:
    asked = [
        replace(REQUESTS[0], address=served.radios[0].address),
        replace(REQUESTS[1], address="pluto:ip:127.0.0.1:1"),
    ]
    with pytest.raises(RadioNotFoundError, match="refuses the connection"):
        open_fleet(asked, PATIENCE)
    assert gains_db(served) == {-89.75, -10.0}  # the first was opened and silenced, the second never
