"""Virtual Plutos in a process of their own, as `testbed emulate` serves them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Emulated", "emulated"]

SCENARIO = """
title = "One small cell on Plutos"
carrier_hz = 2.4e9
frame = { symbol_rate_hz = 1e6, roll_off = 1.0, payload_symbols = 128, period_s = 10e-3 }
scheme = { name = "blp-cbf", min_sinr_db = 6.0, robustness = "none" }
rf = { frequency_range_hz = [2.4e9, 2.4835e9], max_tx_gain_db = 0.0, max_output_dbm = 10.0 }

[[stations]]
name = "west"
position_m = [0.0, 0.0]
orientation_deg = 0.0
n_tx = 2
n_rx = 2
radio = "pluto:ip:192.168.2.1"
power_dbm = -10.0
tx_gain_db = -10.0
rx_gain_db = 50.0

[[users]]
name = "ann"
station = "west"
position_m = [7.07, -8.43]
radio = "pluto:ip:192.168.3.1"
rx_gain_db = 45.0

[[targets]]
name = "walker"
station = "west"
position_m = [8.34, 8.63]
rcs_m2 = 0.15
"""


@dataclass(frozen=True)
class Emulated:
    """A running `testbed emulate`.

    Attributes:
        ports: TCP port of each radio by name.
        pid: The process.
    """

    ports: dict[str, int]
    pid: int

    def uri(self, radio: str) -> str:
        """The address by which libiio opens a radio."""
        return f"ip:127.0.0.1:{self.ports[radio]}"

    @property
    def resident_mib(self) -> float:
        """Memory that the process holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@contextmanager
def emulated(*options: str) -> Iterator[Emulated]:
    """Serve a station of two channels and a user."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "plutos.toml"
        scenario.write_text(SCENARIO)
        command = [sys.executable, "-m", "testbed", "emulate", str(scenario), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            said = ""
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"testbed emulate ended: {said}")
                said += line
            ports = {name: int(port) for name, port in re.findall(r"(\w+) +pluto:ip:127\.0\.0\.1:(\d+)", said)}
            try:
                yield Emulated(ports, process.pid)
            finally:
                process.terminate()
