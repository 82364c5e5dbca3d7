"""Whether four boards start when they are asked to, and keep their phases."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from precoding_case import Check
from usrp_case import N, burst, go, served, station

from drivers.usrp.interpreters import interpreter_with_uhd


def alignment(count: Callable[[int], int]) -> list[Check]:
    bursts, sent = count(1000), burst()
    with served():
        with station() as radio:
            phases, lags = [], []
            for _ in range(bursts):
                received = go(radio, sent)
                phases.append(np.angle(received @ sent.conj().T))
                spectra = np.fft.fft(received, 2 * N)[:, None] * np.fft.fft(sent, 2 * N).conj()
                places = np.argmax(np.abs(np.fft.ifft(spectra)), axis=-1)
                lags.append((places + N) % (2 * N) - N)
        drift_deg = np.degrees(np.abs(np.angle(np.exp(1j * (np.array(phases) - phases[0]))))).max()
        farthest = int(np.abs(lags).max())
        done = subprocess.run(
            [interpreter_with_uhd(), str(Path(__file__).with_name("usrp_bare.py")), "untimed", str(count(100))],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    untimed = np.exp(1j * np.array(json.loads(done.stdout.splitlines()[-1])))
    relative = untimed[:, 1:] * untimed[:, :1].conj()
    resultant = float(np.abs(relative.mean(axis=0)).max())
    limit = 3 / np.sqrt(len(untimed))
    return [
        Check("starts off the request, samples", "<= 1", f"{farthest} in {bursts}", farthest <= 1),
        Check("phases over timed bursts, degrees", "<= 1", f"{drift_deg:.3f} in {bursts}", bool(drift_deg <= 1)),
        Check("untimed tunes: mean direction of phases", f"<= {limit:.2f}", f"{resultant:.2f} in {len(untimed)}",
              resultant <= limit),
    ]  # fmt: skip
