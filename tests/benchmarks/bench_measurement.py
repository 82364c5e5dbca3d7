"""Everything that the measurement claims, measured: `make bench-measurement`, or `bench_measurement.py --help`.

One thread, seeded; times are of this machine. Each row prints its numbers, and at the end stands one verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time

from measurement_angles import efficiency, robustness
from measurement_loop import closed_loop, measurement_time
from measurement_sinr import csi, sinr
from measurement_threshold import baselines, threshold
from verdicts import Row, measure_rows

from testbed import measurement

ROWS: dict[str, Row] = {
    "efficiency": efficiency,
    "robustness": robustness,
    "threshold": threshold,
    "baselines": baselines,
    "sinr": sinr,
    "csi": csi,
    "time": measurement_time,
    "closed-loop": closed_loop,
}


def warm_up() -> float:
    """Have every compiled kernel made or loaded before anything is timed; returns the seconds it took."""
    began = time.perf_counter()
    measurement.warm_up()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(measure_rows("Measure what the measurement claims.", ROWS, warm_up))
