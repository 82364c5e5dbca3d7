"""What the radio server costs: throughput against the bare streamer, and the controller's time per exchange."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from precoding_case import Check
from usrp_case import ADDRESSES, N_BOARDS, SETTINGS, STATION, burst, go, scene, served, station

from drivers import DriverError, exchange, open_radios
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.server_process import wait_for_endings

RATES_HZ = (1e6, 1.25e6, 2e6, 2.5e6, 4e6, 5e6)
ONE = replace(STATION, address=f"usrp:addr={ADDRESSES[0]}", n_tx=0, n_rx=1)


def speed(count: Callable[[int], int]) -> list[Check]:
    n = count(10) * 400_000
    with served():
        bare = {rate: _bare(rate, n) for rate in RATES_HZ}
        ours = _ours(n)
        cost_ms, copy_ms = _cost(count(500))
    for name, found in (("bare", bare), ("driver", ours)):
        print("  " + name, ", ".join(f"{r / 1e6:g} MS/s: {v / 1e6:.2f}" for r, v in found.items()))
    share = min(ours[rate] / bare[rate] for rate in RATES_HZ if bare[rate])  # at the rates that the boards can make
    return [
        Check("receive, of the bare streamer, at the worst rate", ">= 80 %", f"{100 * share:.0f} %", share >= 0.8),
        Check(
            "controller's CPU per exchange less copying, ms",
            "< 1",
            f"{cost_ms:.3f} (copying {copy_ms:.3f})",
            cost_ms < 1,
        ),
    ]


def _bare(rate_hz: float, n: int) -> float:
    """Samples per second of the bare streamer; 0 if samples got lost."""
    script = str(Path(__file__).with_name("usrp_bare.py"))
    done = subprocess.run(
        [interpreter_with_uhd(), script, "stream", str(rate_hz), str(n)], capture_output=True, text=True, check=True
    )
    seconds, got = json.loads(done.stdout.splitlines()[-1])
    return n / seconds if got == n else 0.0


def _ours(n: int) -> dict[float, float]:
    radio = open_radios([ONE], scene())["station"]
    found = {}
    for rate_hz in RATES_HZ:
        radio.configure(replace(SETTINGS, sample_rate_hz=rate_hz))
        start_s = radio.time_s() + 0.1
        began = time.monotonic() + 0.1
        try:
            exchange({"station": radio}, {}, n, start_s)
            found[rate_hz] = n / (time.monotonic() - began)
        except DriverError:
            found[rate_hz] = 0.0
    radio.close()
    wait_for_endings()
    return found


def _cost(n: int) -> tuple[float, float]:
    """Thread time of the controller in an exchange, without and for what is copied and checked sample by sample."""
    sent, spent = burst(), []
    with station() as radio:
        go(radio, sent)
        for _ in range(n):
            began = time.thread_time()
            go(radio, sent)
            spent.append(time.thread_time() - began)
    began = time.thread_time()
    for _ in range(n):
        target = np.empty((N_BOARDS, sent.shape[1]), np.complex64)
        target[:] = sent
        target.copy()
    copy_s = (time.thread_time() - began) / n
    return 1e3 * (float(np.mean(spent)) - copy_s), 1e3 * copy_s
