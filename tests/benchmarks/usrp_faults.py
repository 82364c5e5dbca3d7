"""Every fault again and again: the right error or full recovery, no wrong sample counted, nothing left transmitting.

Each strikes a random board at a random moment from the command to just after the exchange, or, if it concerns the
command, before. What has not struck by then is taken back and tried again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from precoding_case import Check
from pytest import MonkeyPatch
from usrp_case import N_BOARDS, burst, served, station
from usrp_losses import losses
from usrp_strikes import BEYOND_S, TRIES, Kind, Reference, Tally, Victim, scrambled

from drivers import DriverError
from drivers.usrp import board_time
from drivers.virtual.serving import VirtualBench

LATE = Kind(
    "late command",
    r"late receive command on receive channel {number} \(board {serial}\)",
    "faults",
    "late_commands",
    1,
    0,
)
STREAMED = (
    Kind(
        "lost packet",
        r"(lost packet|: \d+ of \d+ samples came) on receive channel {number} \(board {serial}\)",
        "faults",
        "lost_packets",
        1,
        0,
    ),
    Kind(
        "packet from a stranger",
        r"bad packet on receive channel {number} \(board {serial}\)",
        "faults",
        "strangers",
        1,
        0,
    ),
    Kind("PPS gone in an exchange", None, "reference", "pps", False, True),
)
# Boards take a quarter of a second of samples ahead: what concerns packets to send needs a longer burst.
BUFFERED = (
    Kind("underflow", r"underflow on transmit channel {number} \(board {serial}\)", "faults", "underflows", 1, 0),
    Kind("flow control withheld", "(flow control|underflow)", "faults", "withheld", True, False),
)


def faults(count: Callable[[int], int]) -> list[Check]:
    n, rng, checks = count(100), np.random.default_rng(7), []
    with served() as bench:
        with station() as radio:
            victim, after = Victim("station", radio, bench.radios[0].boards), Reference.of(radio, burst())
            packets, long = Reference.of(radio, scrambled(50_000)), Reference.of(radio, scrambled(400_000), 0.5)
            checks.append(_suffered(Tally(LATE, bench), victim, after, 0.0, after, n, rng))
            for kinds, reference in ((STREAMED, packets), (BUFFERED, long)):
                for kind in kinds:
                    latest_s = reference.length_s + BEYOND_S
                    checks.append(_suffered(Tally(kind, bench), victim, reference, latest_s, after, n, rng))
        checks += [_without(bench, after, rng, cable, n) for cable in ("present", "pps")]
    return [*checks, *losses(n, rng)]


def _suffered(
    tally: Tally, victim: Victim, reference: Reference, latest_s: float, after: Reference, n: int,
    rng: np.random.Generator,
) -> Check:  # fmt: skip
    """Let it strike n times, until so long after the command at the latest; a good exchange follows every one."""
    for _ in range(TRIES * n):
        number = int(rng.integers(N_BOARDS))
        is_thrown, error = tally.strike(victim, number, reference, float(rng.uniform(0.0, latest_s)))
        has_struck = tally.kind.take_back(victim.boards[number]) and is_thrown
        tally.count(victim.boards[number], number, error, struck=has_struck)
        tally.recover(victim.radio, after)
        if tally.n_struck == n:
            break
    return tally.check(n)


def _without(bench: VirtualBench, after: Reference, rng: np.random.Generator, cable: str, n: int) -> Check:
    """References are looked at when a bench is opened: the same calls, on servers that are open."""
    boards, said, again = bench.radios[0].boards, 0, 0
    names, external = [board.serial for board in boards], board_time.References("external", "external")
    with station() as radio, MonkeyPatch.context() as patched:
        patched.setattr(board_time, "LOCK_S", 0.2)
        for _ in range(n):
            which = int(rng.integers(N_BOARDS))
            setattr(boards[which].hardware.reference, cable, False)
            try:
                board_time.use_references("station", radio.server, external, names)
                board_time.set_time({"station": radio.server}, {"station": names})
            except DriverError as error:
                said += f"{names[which]} (board {which})" in str(error)
            setattr(boards[which].hardware.reference, cable, True)
            board_time.use_references("station", radio.server, external, names)
            again += 1
    with station() as radio:
        right = not after.wrong(after.go(radio))
    what = "no 10 MHz at opening" if cable == "present" else "no PPS at opening"
    return Check(what, "the board is named", f"{said} of {n}", said == again == n and right)
