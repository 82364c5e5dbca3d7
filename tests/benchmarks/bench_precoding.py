"""Everything that the precoding core claims, measured: `make bench-precoding`, or `python bench_precoding.py --help`.

One thread, seeded; times are of this machine. Each row prints its numbers, and at the end stands one verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

from precoding_alternating import joint_against_alternating
from precoding_case import warm_up
from precoding_following import arrays, following, reliability, scaling, tracking
from precoding_limits import limits, single_cell
from precoding_right import right
from precoding_robust import robust
from precoding_speed import importing, speed
from precoding_symbols import slp_cbf, slp_comp
from verdicts import Row, measure_rows

ROWS: dict[str, Row] = {
    "right": right,
    "single-cell": single_cell,
    "limits": limits,
    "robust": robust,
    "slp-comp": slp_comp,
    "slp-cbf": slp_cbf,
    "alternating": joint_against_alternating,
    "time": speed,
    "import": importing,
    "following": following,
    "arrays": arrays,
    "reliability": reliability,
    "scaling": scaling,
    "tracking": tracking,
}


if __name__ == "__main__":
    sys.exit(measure_rows("Measure what the precoding core claims.", ROWS, warm_up))
