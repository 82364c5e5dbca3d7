"""Everything that the measurement claims, measured: `make bench-measurement`, or `bench_measurement.py --help`.

One thread, seeded; times are of this machine. Each row prints its numbers, and at the end stands one verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time

import numpy as np
from measurement_angles import efficiency, robustness
from measurement_sinr import sinr
from measurement_threshold import baselines, threshold
from verdicts import Row, measure_rows

from testbed.measurement.angle_cbf import estimate_angle
from testbed.measurement.angle_comp import estimate_angles

ROWS: dict[str, Row] = {
    "efficiency": efficiency,
    "robustness": robustness,
    "threshold": threshold,
    "baselines": baselines,
    "sinr": sinr,
}


def warm_up() -> float:
    """Have every compiled search made or loaded before anything is timed; returns the seconds it took."""
    began = time.perf_counter()
    rng = np.random.default_rng(0)
    received, sent = rng.normal(size=(10, 32)) + 0j, rng.normal(size=(2, 6, 32)) + 0j
    estimate_angle(received, sent[0])
    estimate_angles(received, sent, 0)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(measure_rows("Measure what the measurement claims.", ROWS, warm_up))
