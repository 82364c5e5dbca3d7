"""Every fault again and again: the right error or full recovery, no wrong sample counted, nothing left transmitting."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from precoding_case import Check
from usrp_case import N_BOARDS, burst, go, served, station

from drivers import DeviceLostError, DriverError, RadioStateError, SampleLossError
from drivers.usrp import board_time
from drivers.usrp.radio import UsrpRadio
from drivers.virtual.n210.hardware import Hardware
from drivers.virtual.serving import VirtualBench

COUNTED = {
    "lost_packets": "lost packet",
    "late_commands": "late receive command",
    "underflows": "underflow on transmit channel",
    "strangers": "bad packet",
}


class Tally:
    """What became of one kind of fault."""

    def __init__(self, bench: VirtualBench, reference: np.ndarray) -> None:
        self.bench, self.reference = bench, reference
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []

    def strike(self, attempt: Callable[[], np.ndarray], words: str, recovered: Callable[[], np.ndarray]) -> None:
        try:
            samples = attempt()
        except (SampleLossError, DeviceLostError, RadioStateError) as error:
            self.outcomes["said"] += 1
            if not re.search(words, str(error)):
                self.wrong.append(str(error))
        else:
            self.outcomes["unharmed"] += 1
            self._compare(samples)
        if self.bench.transmitting:
            self.wrong.append("still transmitting")
        self._compare(recovered())

    def _compare(self, samples: np.ndarray) -> None:
        """Samples that are counted must be those of an exchange without faults, but for the noise."""
        error = np.linalg.norm(samples - self.reference) / np.linalg.norm(self.reference)
        if error > 0.05:
            self.wrong.append(f"samples are off by {error:.2f}")

    def check(self, what: str) -> Check:
        n, got = sum(self.outcomes.values()), ", ".join(f"{v} {k}" for k, v in self.outcomes.items())
        wrong = f"; {len(self.wrong)} WRONG: {self.wrong[0]}" if self.wrong else ""
        return Check(what, "said or unharmed", f"{got} of {n}{wrong}", not self.wrong and n > 0)


def faults(count: Callable[[int], int]) -> list[Check]:
    rng, checks = np.random.default_rng(7), []
    with served() as bench:
        hardware = [board.hardware for board in bench.radios[0].boards]
        with station() as radio:
            reference = go(radio, burst())
            for kind, words in COUNTED.items():
                tally = Tally(bench, reference)
                for _ in range(count(100)):
                    _counted(tally, radio, hardware[rng.integers(N_BOARDS)], kind, words)
                checks.append(tally.check(kind))
            checks.append(_withheld(Tally(bench, reference), radio, hardware, rng, count(100)))
            checks += [_without(hardware, radio, rng, cable, count(100)) for cable in ("present", "pps")]
        checks.append(_gone(Tally(bench, reference), hardware, rng, count(100)))
    return checks


def _counted(tally: Tally, radio: UsrpRadio, board: Hardware, kind: str, words: str) -> None:
    setattr(board.faults, kind, 1)
    tally.strike(lambda: go(radio, burst()), words, lambda: go(radio, burst()))
    setattr(board.faults, kind, 0)


def _withheld(tally: Tally, radio: UsrpRadio, hardware: list[Hardware], rng: np.random.Generator, n: int) -> Check:
    long = np.full((N_BOARDS, 400_000), 0.1, dtype=np.complex64)
    for _ in range(n):
        board = hardware[rng.integers(N_BOARDS)]
        board.faults.withheld = True

        def recovered(board: Hardware = board) -> np.ndarray:
            board.faults.withheld = False
            return go(radio, burst())

        tally.strike(lambda: go(radio, long, 400_000, 1.0), "flow control|underflow", recovered)
    return tally.check("flow control withheld")


def _without(hardware: list[Hardware], radio: UsrpRadio, rng: np.random.Generator, cable: str, n: int) -> Check:
    """References are looked at when a bench is opened: the same calls, on servers that are open."""
    board_time.LOCK_S = 0.2
    boards, said, again = [f"V000{i:03d}" for i in range(N_BOARDS)], 0, 0
    servers, external = {"station": radio.server}, board_time.References("external", "external")
    for _ in range(n):
        which = int(rng.integers(N_BOARDS))
        setattr(hardware[which].reference, cable, False)
        try:
            board_time.use_references("station", radio.server, external, boards)
            board_time.set_time(servers, {"station": boards})
        except DriverError as error:
            said += f"V000{which:03d} (board {which})" in str(error)
        setattr(hardware[which].reference, cable, True)
        board_time.use_references("station", radio.server, external, boards)
        again += 1
    board_time.set_time(servers, {"station": boards})
    what = "reference unlocked" if cable == "present" else "PPS absent"
    return Check(what, "the board is named", f"{said} of {n}", said == again == n)


def _gone(tally: Tally, hardware: list[Hardware], rng: np.random.Generator, n: int) -> Check:
    """A board without power: the radio is lost, and opened again."""
    for _ in range(n):
        with station() as radio:
            board = hardware[rng.integers(N_BOARDS)]

            def attempt(board: Hardware = board, radio: UsrpRadio = radio) -> np.ndarray:
                board.faults.gone = True
                return go(radio, burst())

            try:
                attempt()
                tally.outcomes["unharmed"] += 1
            except (SampleLossError, DeviceLostError) as error:
                tally.outcomes["said"] += "radio station" in str(error)
            board.faults.gone = False
            time.sleep(0.1)
            if tally.bench.transmitting:
                tally.wrong.append("still transmitting")
    return tally.check("board gone")
