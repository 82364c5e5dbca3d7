"""Everything that the precoding core claims, measured: `make bench-precoding`, or `python bench_precoding.py --help`.

One thread, seeded; times are of this machine. Each row prints its numbers, and at the end stands one verdict a row.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import time
import traceback
from collections.abc import Callable

from precoding_alternating import joint_against_alternating
from precoding_case import Check, warm_up
from precoding_following import arrays, following, reliability, scaling, tracking
from precoding_limits import limits, single_cell
from precoding_right import right
from precoding_robust import robust
from precoding_speed import importing, speed
from precoding_symbols import slp_cbf, slp_comp

Row = Callable[[Callable[[int], int]], list[Check]]

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


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the precoding core claims.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--only", choices=ROWS, help="one row")
    options = parser.parse_args()
    print(f"first designs, with compilation if none is cached: {warm_up():.1f} s")
    verdicts: dict[str, list[Check]] = {}
    for name in [options.only] if options.only else list(ROWS):
        verdicts[name] = _measured(name, ROWS[name], quick=options.quick)
    print("\nverdict" + (" (quick: too few cases to count)" if options.quick else ""))
    for name, checks in verdicts.items():
        missed = [c.what for c in checks if not c.met]
        print(f"  {name:<13} {'met' if not missed else 'NOT MET: ' + '; '.join(missed)}")
    return 0 if all(c.met for checks in verdicts.values() for c in checks) else 1


def _measured(name: str, row: Row, *, quick: bool) -> list[Check]:
    print(f"\n{name}", flush=True)
    began = time.perf_counter()
    try:
        checks = row((lambda n: max(2, n // 10)) if quick else (lambda n: n))
    except Exception as error:  # the other rows are still worth their time
        traceback.print_exc()
        checks = [Check(f"broke with {type(error).__name__}", "no error", str(error), met=False)]
    wide = max(len(c.what) for c in checks)
    for c in checks:
        print(f"  {c.what:<{wide}}  asked {c.asked:<14} got {c.got}{'' if c.met else '   <- MISSED'}")
    print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)
    return checks


if __name__ == "__main__":
    sys.exit(main())
