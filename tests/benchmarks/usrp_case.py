"""Virtual N210s for the benchmarks of USRPs, and radios on them: four boards as one station."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from drivers import RadioRequest, RadioSettings, exchange, open_radios
from drivers.simulated.scene import Node, Scene, Target
from drivers.usrp.radio import UsrpRadio
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.serving import VirtualBench

N_BOARDS, N = 4, 2000
ADDRESSES = [f"127.0.4.{i + 1}" for i in range(N_BOARDS)]
STATION = RadioRequest(
    "station", "usrp:" + ",".join(f"addr{i}={a}" for i, a in enumerate(ADDRESSES)), N_BOARDS, N_BOARDS
)
SETTINGS = RadioSettings(center_hz=2.45e9, sample_rate_hz=1e6, tx_gain_db=20.0, rx_gain_db=20.0)


def scene() -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, N_BOARDS, N_BOARDS),),
        users=(),
        serving={},
        targets=(Target("target", "station", (20.0, -3.0), 1.0),),
        carrier_hz=2.45e9,
        symbol_rate_hz=250e3,
        leakage=1e-4,
        seed=3,
    )


@contextmanager
def served() -> Iterator[VirtualBench]:
    with VirtualBench([STATION], scene()) as bench:
        yield bench
        wait_for_endings()


@contextmanager
def station() -> Iterator[UsrpRadio]:
    radio = open_radios([STATION], scene())["station"]
    try:
        radio.configure(SETTINGS)
        yield radio
    finally:
        radio.close()
        wait_for_endings()


def burst() -> np.ndarray:
    """Every channel sends in its own quarter, so that one capture shows all channels."""
    rng = np.random.default_rng(1)
    samples = np.zeros((N_BOARDS, N), dtype=np.complex64)
    for i in range(N_BOARDS):
        samples[i, 100 + 400 * i : 400 + 400 * i] = 0.3 * np.exp(2j * np.pi * rng.random(300))
    return samples


def go(radio: UsrpRadio, sent: np.ndarray, n: int = N, later_s: float = 0.15) -> np.ndarray:
    capture = exchange({"station": radio}, {"station": sent}, n, radio.time_s() + later_s)["station"]
    return capture.samples
