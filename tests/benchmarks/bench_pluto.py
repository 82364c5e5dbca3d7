"""What is claimed of the Pluto's driver and of the virtual Pluto, measured: `make bench-pluto`, or with --help.

The virtual units are a process of their own, on loopback. Each row prints its numbers, and at the end stands one
verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

from pluto_abuse import abuse
from pluto_experiment import physics
from pluto_faults import faults
from pluto_speed import speed
from pluto_throughput import throughput
from verdicts import Row, measure_rows

ROWS: dict[str, Row] = {"speed": speed, "throughput": throughput, "faults": faults, "abuse": abuse, "physics": physics}


if __name__ == "__main__":
    sys.exit(measure_rows("Measure what is claimed of the Pluto.", ROWS, lambda: 0.0))
