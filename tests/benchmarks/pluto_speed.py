"""Row "speed": samples through the driver, one channel, against a virtual Pluto in another process on loopback.

The unit is in its digital loopback, so that no physics is computed; what is left is libiio, the network and Python.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pluto_faults import REQUESTS, SETTINGS
from precoding_case import Check

from drivers.pluto.link import Patience
from drivers.pluto.receive import samples_of
from drivers.pluto.transmit import fidelity, words_of
from drivers.pluto.unit import Unit

__all__ = ["speed"]

ROOT = Path(__file__).parents[2]
N_SAMPLES = 1 << 16
NEEDED_MSPS = 10.0  # twice what a Pluto's USB carries
OVERHEAD = 0.20

SERVER = """
import sys
from pluto_faults import REQUESTS, scene
from drivers.virtual.serving import VirtualBench
with VirtualBench(REQUESTS, scene()) as served:
    print(served.radios[1].uri, flush=True)
    sys.stdin.read()
"""


@contextmanager
def unit() -> Iterator[Unit]:
    """A 1R1T unit, configured and in loopback, whose server is another process."""
    paths = f"{ROOT}:{ROOT / 'tests/benchmarks'}"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        one = Unit(REQUESTS[1].name, server.stdout.readline().strip(), Patience())
        one.configure(SETTINGS)
        one.link._context.sdr.loopback = 1
        yield one
        one.close()
    finally:
        server.communicate()


def noise(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * (rng.standard_normal((1, n)) + 1j * rng.standard_normal((1, n)))).astype(np.complex64)


def seconds_each(action: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return took


def transmitting(one: Unit, times: int) -> float:
    """From samples to a new cyclic buffer on the air, its fidelity included: what a frame costs, in Msps."""
    samples = noise(N_SAMPLES)

    def send() -> None:
        words = words_of(samples)
        fidelity(samples, words)
        one.load(words, N_SAMPLES)
        one.start()

    return N_SAMPLES / float(np.median(seconds_each(send, times))) / 1e6


def receiving(one: Unit, times: int) -> tuple[float, float, float]:
    """The driver's read against bare refill and frombuffer on the same buffer, in turns: Msps of both, and overhead."""
    one.open_receiver(N_SAMPLES)
    buffer = one._receiver

    def bare() -> np.ndarray:
        buffer.refill()
        return np.frombuffer(buffer.read(), dtype=np.int16)

    drivers, bares = [], []
    for _ in range(times):
        drivers += seconds_each(lambda: one.read(N_SAMPLES), 5)
        bares += seconds_each(bare, 5)
    one.close_receiver()
    driver_s, bare_s = float(np.median(drivers)), float(np.median(bares))
    return N_SAMPLES / driver_s / 1e6, N_SAMPLES / bare_s / 1e6, driver_s / bare_s - 1


def exchanging(one: Unit, times: int) -> float:
    """A whole capture as an exchange makes it: fresh buffer, flush, read, close; in Msps."""
    return N_SAMPLES / float(np.median(seconds_each(lambda: one.receive(N_SAMPLES), times))) / 1e6


def speed(scaled: Callable[[int], int]) -> list[Check]:
    """Receive and transmit paths through the driver, and what the driver adds to bare libiio."""
    with unit() as one:
        sent = transmitting(one, scaled(100))
        driver, bare, overhead = receiving(one, scaled(40))
        whole = exchanging(one, scaled(50))
        right = _likeness(one.receive(N_SAMPLES)[0][0], noise(N_SAMPLES)[0]) > 0.999
        own_s = _conversion_s(scaled(100))
        one.stop()
    return [
        Check("receive, driver", f">= {NEEDED_MSPS:g} Msps", f"{driver:.1f} Msps", met=driver >= NEEDED_MSPS and right),
        Check("receive, bare refill + frombuffer", "(to compare)", f"{bare:.1f} Msps", met=True),
        Check("receive, driver's overhead", f"< {OVERHEAD:.0%}", f"{overhead:.1%}", met=overhead < OVERHEAD),
        Check("receive, conversion alone", "(to compare)", f"{N_SAMPLES / own_s / 1e6:.0f} Msps", met=True),
        Check("transmit, samples to the air", f">= {NEEDED_MSPS:g} Msps", f"{sent:.1f} Msps", met=sent >= NEEDED_MSPS),
        Check("receive, whole capture with its flush", "(to compare)", f"{whole:.1f} Msps", met=True),
    ]


def _likeness(received: np.ndarray, sent: np.ndarray) -> float:
    """Return the part of what was received that is what was sent, at whatever delay."""
    correlation = np.fft.ifft(np.fft.fft(received) * np.fft.fft(sent).conj())
    energies = np.sum(np.abs(received) ** 2) * np.sum(np.abs(sent) ** 2)
    return float(np.max(np.abs(correlation)) ** 2 / energies)


def _conversion_s(times: int) -> float:
    content = bytearray(np.random.default_rng(0).integers(-2000, 2000, 2 * N_SAMPLES, dtype=np.int16).tobytes())
    return float(np.median(seconds_each(lambda: samples_of(content, 1, N_SAMPLES, ""), times)))
