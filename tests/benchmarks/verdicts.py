"""Rows of measurements with a verdict each: what all benchmark programs share."""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Callable, Mapping

from precoding_case import Check

__all__ = ["Row", "measure_rows"]

Row = Callable[[Callable[[int], int]], list[Check]]


def measure_rows(description: str, rows: Mapping[str, Row], warm_up: Callable[[], float]) -> int:
    """Run all rows, or those asked for on the command line; return 0 if everything asked was got."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--only", choices=rows, help="one row")
    options = parser.parse_args()
    print(f"warm-up, with compilation if nothing is cached: {warm_up():.1f} s")
    verdicts: dict[str, list[Check]] = {}
    for name in [options.only] if options.only else list(rows):
        verdicts[name] = _measured(name, rows[name], quick=options.quick)
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
    wide = max((len(c.what) for c in checks), default=0)
    for c in checks:
        print(f"  {c.what:<{wide}}  asked {c.asked:<14} got {c.got}{'' if c.met else '   <- MISSED'}")
    print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)
    return checks
