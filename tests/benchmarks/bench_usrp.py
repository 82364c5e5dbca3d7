"""What is claimed of the USRPs' driver and of the virtual N210s, measured: `make bench-usrp`, or with --help.

UHD is Debian's; the virtual boards are threads of this process, so that faults can be put into them, and radio servers
are processes of their own. Each row prints its numbers, and at the end stands one verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

from usrp_alignment import alignment
from usrp_faults import faults
from usrp_isolation import isolation
from usrp_physics import physics
from usrp_speed import speed
from verdicts import Row, measure_rows

ROWS: dict[str, Row] = {
    "alignment": alignment, "faults": faults, "speed": speed, "isolation": isolation, "physics": physics,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(measure_rows("Measure what is claimed of the USRPs.", ROWS, lambda: 0.0))
