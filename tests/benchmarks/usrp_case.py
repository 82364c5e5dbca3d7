"""Virtual N210s for the benchmarks of USRPs, and radios on them: four boards as one station."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from drivers import RadioRequest, RadioSettings, exchange, open_radios
from drivers.simulated.scene import Node, Scene, Target
from drivers.usrp.radio import UsrpRadio
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.serving import VirtualBench

N_BOARDS, N = 4, 2000


def _addresses(number: int) -> list[str]:
    return [f"127.0.4.{1 + N_BOARDS * number + i}" for i in range(N_BOARDS)]


def _request(name: str, number: int) -> RadioRequest:
    places = ",".join(f"addr{i}={a}" for i, a in enumerate(_addresses(number)))
    return RadioRequest(name, f"usrp:{places}", N_BOARDS, N_BOARDS)


ADDRESSES = _addresses(0)
STATION = _request("station", 0)
STATIONS = (STATION, *(_request(f"station{k}", k) for k in range(1, 5)))  # for what costs a radio its opening
SETTINGS = RadioSettings(center_hz=2.45e9, sample_rate_hz=1e6, tx_gain_db=20.0, rx_gain_db=20.0)


def scene(requests: Sequence[RadioRequest] = (STATION,)) -> Scene:
    return Scene(
        stations=tuple(Node(one.name, (60.0 * k, 0.0), 0.0, N_BOARDS, N_BOARDS) for k, one in enumerate(requests)),
        users=(),
        serving={},
        targets=(Target("target", "station", (20.0, -3.0), 1.0),),
        carrier_hz=2.45e9,
        symbol_rate_hz=250e3,
        leakage=1e-4,
        seed=3,
    )


@contextmanager
def served(requests: Sequence[RadioRequest] = (STATION,)) -> Iterator[VirtualBench]:
    with VirtualBench(requests, scene(requests)) as bench:
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
