"""A radio server is killed about an exchange: how soon the controller says so, and what is on the air then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Thread

import numpy as np
from precoding_case import Check
from usrp_case import N, burst, served, station

from drivers import DeviceLostError, exchange


def isolation(count: Callable[[int], int]) -> list[Check]:
    rng, took_s, wrong = np.random.default_rng(3), [], []
    with served() as bench:
        for _ in range(count(20)):
            with station() as radio:
                killer_s = float(rng.uniform(0.0, 0.3))
                start_s = radio.time_s() + 0.2
                pid, killed = radio.server.process_id, []

                def kill(pid: int = pid, killed: list[float] = killed, after_s: float = killer_s) -> None:
                    time.sleep(after_s)
                    os.kill(pid, signal.SIGKILL)
                    killed.append(time.monotonic())

                thread = Thread(target=kill)
                thread.start()
                try:
                    exchange({"station": radio}, {"station": burst()}, N, start_s)
                    thread.join()
                    radio.arm(burst(), N, radio.time_s() + 0.1)  # it was killed after the exchange
                    radio.collect()
                    wrong.append("nobody noticed")
                except DeviceLostError as error:
                    took_s.append(time.monotonic() - killed[0])
                    if "radio station" not in str(error):
                        wrong.append(str(error))
                thread.join()
            time.sleep(0.3)
            if bench.transmitting:
                wrong.append("still transmitting")
    return [
        Check("from the kill to the error, s", "< 1", f"{max(took_s):.3f} in {len(took_s)}", max(took_s) < 1),
        Check("what was wrong", "nothing", wrong[0] if wrong else "nothing", not wrong),
    ]
