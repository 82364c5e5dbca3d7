"""What costs a radio its opening, at random moments of exchanges: a board without 10 MHz, or without power.

Opening takes UHD seconds in which it waits: so several radios are opened at once, suffer once each, and are opened
again. Each has a carrier of its own, and none hears the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from precoding_case import Check
from usrp_case import N_BOARDS, SETTINGS, STATIONS, scene, served
from usrp_strikes import BEYOND_S, TRIES, Kind, Reference, Tally, Victim, scrambled

from drivers import DeviceLostError, DriverError, RadioStateError, SampleLossError, open_radios
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.serving import VirtualBench

UNLOCKED = Kind(
    "10 MHz gone in an exchange", r"{serial} \(board {number}\) lost the 10 MHz", "reference", "present",
    False, True, (RadioStateError,),
)  # fmt: skip
GONE = Kind(
    "board gone", r"(\(board {serial}\)|its radio server)", "faults", "gone", True, False,
    (SampleLossError, DeviceLostError),
)  # fmt: skip
APART_HZ = 10e6
APART_S = 0.3  # between the exchanges of radios that suffer at the same time: most of it is waiting


def losses(n: int, rng: np.random.Generator) -> list[Check]:
    with served(STATIONS) as bench:
        return [_lost(Tally(kind, bench), n, rng) for kind in (UNLOCKED, GONE)]


def _lost(tally: Tally, n: int, rng: np.random.Generator) -> Check:
    references: dict[str, Reference] = {}
    while tally.n_struck < n:
        with _opened(tally.bench) as victims:
            _recovered(tally, victims, references)
            if not references:
                references = {one.name: Reference.of(one.radio, scrambled(50_000)) for one in victims}
            with ThreadPoolExecutor(len(victims)) as pool:
                streams = rng.spawn(len(victims))
                list(
                    pool.map(
                        _suffer, [tally] * len(victims), victims, references.values(), streams, range(len(victims))
                    )
                )
    with _opened(tally.bench) as victims:
        _recovered(tally, victims, references)
    return tally.check(n)


@contextmanager
def _opened(bench: VirtualBench) -> Iterator[list[Victim]]:
    radios = open_radios(STATIONS, scene(STATIONS))
    try:
        for k, radio in enumerate(radios.values()):
            radio.configure(replace(SETTINGS, center_hz=SETTINGS.center_hz - k * APART_HZ))
        yield [Victim(one.name, radios[one.name], one.boards) for one in bench.radios]
    finally:
        for radio in radios.values():
            radio.close()
        wait_for_endings()


def _recovered(tally: Tally, victims: list[Victim], references: dict[str, Reference]) -> None:
    for one in victims:
        if one.name in references:
            tally.recover(one.radio, references[one.name])


def _suffer(tally: Tally, victim: Victim, reference: Reference, rng: np.random.Generator, place: int) -> None:
    """Let it strike once. If the exchange was over but for nothing, the next one must be refused."""
    time.sleep(place * APART_S)
    for _ in range(TRIES):
        number = int(rng.integers(N_BOARDS))
        board = victim.boards[number]
        is_thrown, error = tally.strike(victim, number, reference, float(rng.uniform(0, reference.length_s + BEYOND_S)))
        tally.count(board, number, error, struck=is_thrown)
        if is_thrown and error is None:
            _require_refusal(tally, victim, reference, number)
        elif is_thrown and tally.kind is UNLOCKED:
            tally.kind.take_back(board)  # a lock that has come back is no remedy: boards may count other ticks
            _require_refusal(tally, victim, reference, number)
        tally.kind.take_back(board)
        if is_thrown:
            return


def _require_refusal(tally: Tally, victim: Victim, reference: Reference, number: int) -> None:
    try:
        reference.go(victim.radio)
    except DriverError as error:
        tally.require_words(victim.boards[number], number, error)
    else:
        tally.note("an exchange was counted after it")
