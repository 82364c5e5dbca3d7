"""One time for all boards of a bench: references chosen and locked, time set at a PPS edge and verified on every board.

A bench starts all radios at one device time. So every radio counts the same seconds: those since the first radio saw an
edge, told apart by the host's clock, which is good to a part of a second, while edges are a second apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from drivers.errors import RadioStateError, SettingsError
from drivers.usrp.server_process import ServerProcess

__all__ = ["References", "in_parallel", "set_time", "use_references"]

T = TypeVar("T")

LOCK_S = 5.0  # a disciplined oscillator that is warm locks within a second or two
VERIFY_S = 1.1  # from an edge until the next has certainly passed, at which the time was set
TIME_AFTER_EDGE_S = 0.8  # later than this after an edge, the next one might come before a command does
HOST_ERROR_S = 0.2  # of the host's clock against the pulses, at most
TRIES = 3


@dataclass(frozen=True)
class References:
    """Where a radio's 10 MHz and pulse per second come from."""

    clock: str
    pulses: str

    @property
    def is_common(self) -> bool:
        """Whether all boards count the same seconds: they share pulses."""
        return self.pulses not in ("internal", "none")

    def among(self, radio: str, clocks: Sequence[Sequence[str]], pulses: Sequence[Sequence[str]]) -> References:
        """Return them in the device's own words, which calls pulses of nobody "none" or "internal".

        Args:
            radio: The radio's name, for messages.
            clocks: What every board offers for the clock.
            pulses: What every board offers for the time.

        Raises:
            SettingsError: A board has no such source.
        """
        own = "none" if self.pulses == "internal" and all("none" in offered for offered in pulses) else self.pulses
        for key, word, offers in (("clock", self.clock, clocks), ("time", own, pulses)):
            for board, offered in enumerate(offers):
                if word not in offered:
                    raise SettingsError(
                        f"radio {radio}: board {board} has no {key}={word}; choose among {', '.join(offered)}"
                    )
        return References(self.clock, own)


def in_parallel(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Return what calls return that mostly wait, each for its own server; the first error is raised when all ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        waiting = {name: pool.submit(call) for name, call in calls.items()}
    return {name: one.result() for name, one in waiting.items()}


def use_references(radio: str, server: ServerProcess, references: References, boards: Sequence[str]) -> None:
    """Choose a radio's references, which it has, and wait until its boards are locked.

    Raises:
        RadioStateError: A board is not locked; the message names it.
    """
    arguments = {"clock": references.clock, "pulses": references.pulses, "patience_s": LOCK_S}
    unlocked = server.ask("device", method="use_clock", arguments=arguments)["unlocked"]
    if unlocked:
        named = ", ".join(f"{boards[i]} (board {i})" for i in unlocked)
        raise RadioStateError(
            f"radio {radio}: no lock to the {references.clock} 10 MHz after {LOCK_S:g} s on {named}; check its cable "
            "and level at REF IN, or say clock=internal"
        )


def set_time(servers: Mapping[str, ServerProcess], boards: Mapping[str, Sequence[str]]) -> None:
    """Let all boards of radios with common pulses count the same seconds, and verify it.

    Args:
        servers: The radios' servers, by radio.
        boards: Serial numbers of their boards, by radio.

    Raises:
        RadioStateError: A board has no pulses, or another time than the others.
    """
    for _ in range(TRIES):
        edges_s = in_parallel({radio: partial(_edge, radio, one, boards[radio]) for radio, one in servers.items()})
        origin_s = min(edges_s.values()) - 1
        for radio, server in servers.items():
            seconds = round(edges_s[radio] - origin_s) + 1
            server.ask("device", method="set_time", arguments={"seconds": seconds, "at_edge": True})
        if time.monotonic() - min(edges_s.values()) < TIME_AFTER_EDGE_S:
            break
    else:
        raise RadioStateError(f"radio {min(servers)}: this machine is too busy to set the time between two pulses")
    time.sleep(max(max(edges_s.values()) + VERIFY_S - time.monotonic(), 0.0))
    for radio, server in servers.items():
        _verify(radio, server, boards[radio], origin_s)


def _edge(radio: str, server: ServerProcess, boards: Sequence[str]) -> float:
    found = server.ask("device", method="wait_for_edge", arguments={})
    if found["without"]:
        named = ", ".join(f"{boards[i]} (board {i})" for i in found["without"])
        raise RadioStateError(
            f"radio {radio}: no pulse per second on {named}; check its cable at PPS IN, or time=internal"
        )
    edge_s: float = found["host_s"]
    return edge_s


def _verify(radio: str, server: ServerProcess, boards: Sequence[str], origin_s: float) -> None:
    """Compare the device times of the last edge on all boards with each other and with the host's count."""
    for attempt in range(TRIES):
        before_s = time.monotonic() - origin_s
        edges_s = server.ask("device", method="edges", arguments={})["edges_s"]
        after_s = time.monotonic() - origin_s
        right = set(range(int(before_s - HOST_ERROR_S), int(after_s + HOST_ERROR_S) + 1))
        wrong = [i for i, edge_s in enumerate(edges_s) if edge_s not in right]
        if not wrong and len(set(edges_s)) == 1:
            return
        if attempt == TRIES - 1:  # else an edge may have passed meanwhile
            named = ", ".join(f"{boards[i]}: {edge_s:.9f} s" for i, edge_s in enumerate(edges_s))
            raise RadioStateError(
                f"radio {radio}: at the last pulse its boards count {named}, and the bench {min(right)} s; "
                "their pulses are not the bench's, or a board was not set: check the PPS cables"
            )
