"""Samples a second through bare libiio and a virtual Pluto on loopback: what any driver could get at most."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from pluto_emulated import Emulated, emulated
from precoding_case import Check

__all__ = ["throughput"]

LPC, DDS, PHY = "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc", "ad9361-phy"
ASKED_MSPS = 10.0
SECONDS = 3


def throughput(scale: Callable[[int], int]) -> list[Check]:
    """Measure receive (refill and frombuffer) and transmit (write and push), one channel, blocks of 65536."""
    import iio  # the binding loads a C library that other rows can do without

    n, seconds = 1 << 16, max(1, scale(10 * SECONDS) / 10)
    checks = []
    with emulated() as unit:
        _tune(iio, unit)
        for what, on_air in (("receive, nothing on the air", False), ("receive, a station on the air", True)):
            sender = _sender(iio, unit) if on_air else None
            buffer = _buffer(iio, unit.uri("ann"), LPC, n)
            buffer.refill()
            msps = _rate(lambda buffer=buffer: _received(buffer), n, seconds)
            checks.append(Check(what, f">= {ASKED_MSPS:g} Msps" if not on_air else "measured", f"{msps:.1f} Msps",
                                met=on_air or msps >= ASKED_MSPS))  # fmt: skip
            del buffer, sender
        words = bytearray(np.random.default_rng(1).integers(-8000, 8000, 2 * n, dtype="<i2").tobytes())
        buffer = _buffer(iio, unit.uri("ann"), DDS, n)
        msps = _rate(lambda buffer=buffer: (buffer.write(words), buffer.push()), n, seconds)
        checks.append(Check("transmit", f">= {ASKED_MSPS:g} Msps", f"{msps:.1f} Msps", met=msps >= ASKED_MSPS))
        del buffer
    return checks


def _rate(once: Callable[[], object], n: int, seconds: float) -> float:
    blocks, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        once()
        blocks += 1
    return blocks * n / took / 1e6


def _received(buffer: object) -> np.ndarray:
    buffer.refill()
    return np.frombuffer(buffer.read(), dtype="<i2").reshape(-1, 2)


def _tune(iio: object, unit: Emulated) -> None:
    for radio in unit.ports:
        phy = iio.Context(unit.uri(radio)).find_device(PHY)
        phy.find_channel("voltage0").attrs["sampling_frequency"].value = "4000000"
        for lo in ("RX_LO", "TX_LO"):
            phy.find_channel(lo, True).attrs["frequency"].value = "2400000000"


def _sender(iio: object, unit: Emulated) -> object:
    buffer = _buffer(iio, unit.uri("west"), DDS, 4096, cyclic=True)
    words = np.random.default_rng(1).integers(-8000, 8000, 4 * 4096, dtype="<i2")
    buffer.write(bytearray(words.tobytes()))
    buffer.push()
    return buffer


def _buffer(iio: object, uri: str, name: str, n: int, *, cyclic: bool = False) -> object:
    device = iio.Context(uri).find_device(name)
    for channel in device.channels:
        channel.enabled = channel.scan_element
    return iio.Buffer(device, n, cyclic)
