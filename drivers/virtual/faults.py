"""Faults on request: what goes wrong in a virtual Pluto or N210, when, how often. Seeded: it can be made again.

As text: `[RADIO/]KIND[@N|%PERCENT][,seconds=S]`: `stall@3` stalls at the third request, `west/short-read%2` cuts two in
a hundred reads of radio west. Without @ or % it strikes at the first occasion.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from drivers.errors import SettingsError

__all__ = ["N210_KINDS", "PLUTO_KINDS", "Fault", "FaultPlan", "parse_fault"]

# What can go wrong: the occasion on which it does, and what a client sees.
PLUTO_KINDS = {
    "refuse": ("connection", "the connection is refused, for so many seconds (for ever)"),
    "stall": ("request", "no answer any more on this connection, for so many seconds (for ever)"),
    "late-reply": ("attribute", "an attribute's answer comes so many seconds late (6)"),
    "short-read": ("refill", "a read ends after half of what was asked for"),
    "die": ("refill", "every connection is cut in the middle of a read; new ones are taken"),
    "out-of-range": ("setting", "a setting is refused as out of range (-22)"),
    "busy": ("open", "a buffer is busy (-16)"),
    "timeout": ("refill", "the device has timed out (-110)"),
    "phase-jump": ("refill", "both oscillators jump to another phase before a read"),
    "swapped-ports": ("push", "the first two transmit ports are exchanged from then on"),
}
# Those of a virtual N210. Their occasion is an exchange, which begins with a command to receive; they strike the first
# board of a radio.
N210_KINDS = {
    "lost-packet": ("exchange", "a packet of received samples does not arrive"),
    "late-command": ("exchange", "the command to receive is found late"),
    "underflow": ("exchange", "a packet of samples to send comes too late to the converter"),
    "stranger": ("exchange", "a packet that nobody asked for comes with the samples"),
    "withheld": ("exchange", "flow control is withheld, for so many seconds (for ever)"),
    "gone": ("exchange", "the board does not answer any more, for so many seconds (for ever)"),
    "no-pulses": ("exchange", "there is no pulse per second, for so many seconds (for ever)"),
    "unlocked": ("exchange", "there is no 10 MHz reference, for so many seconds (for ever)"),
}
_ALL = PLUTO_KINDS | N210_KINDS
SECONDS = {"refuse": float("inf"), "stall": float("inf"), "late-reply": 6.0}  # libiio waits 5 s by default
SECONDS |= dict.fromkeys(("withheld", "gone", "no-pulses", "unlocked"), float("inf"))


@dataclass(frozen=True)
class Fault:
    """One thing that shall go wrong.

    Attributes:
        kind: One of PLUTO_KINDS.
        radio: Whose; the empty name is every radio's.
        nth: On which occasion, counted from 1 for each radio; None for at random.
        probability: On each occasion, if at random.
        seconds: How long it lasts, for those that last.
    """

    kind: str
    radio: str = ""
    nth: int | None = 1
    probability: float = 0.0
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot happen.

        Raises:
            SettingsError: There is no such fault, or it would never strike.
        """
        if self.kind not in _ALL:
            raise SettingsError(f"fault {self.kind!r}: there are {', '.join(_ALL)}")
        if self.nth is None and not 0 < self.probability <= 1:
            raise SettingsError(
                f"fault {self.kind}: probability = {self.probability:g}; it must be above 0 and up to 1"
            )
        if self.nth is not None and self.nth < 1:
            raise SettingsError(f"fault {self.kind}: occasion {self.nth}; the first is 1")

    @property
    def lasts_s(self) -> float:
        """How long it lasts."""
        return SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds


def parse_fault(text: str) -> Fault:
    """Return the fault in a text such as `west/stall@3,seconds=8`.

    Raises:
        SettingsError: It is none.
    """
    found = re.fullmatch(
        r"(?:(?P<radio>[^/@%,]+)/)?(?P<kind>[a-z-]+)"
        r"(?:@(?P<nth>\d{1,9})|%(?P<percent>[\d.]+))?(?:,seconds=(?P<s>[\d.]+))?",
        text,
    )
    try:
        if found is None:
            raise ValueError
        percent = float(found["percent"]) if found["percent"] else None
        seconds = float(found["s"]) if found["s"] else None
        nth = None if percent is not None else int(found["nth"] or 1)
    except ValueError:
        form = "[RADIO/]KIND[@N|%PERCENT][,seconds=S]"
        raise SettingsError(f"fault {text!r} is not of the form {form}; kinds are {', '.join(_ALL)}") from None
    return Fault(found["kind"], found["radio"] or "", nth, (percent or 0.0) / 100, seconds)


class FaultPlan:
    """All faults of some radios; tells at each occasion what strikes. Safe to use from several threads.

    Attributes:
        struck: What has struck, as (radio, kind), in order.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._faults: list[Fault] = []
        self._counts: list[dict[str, int]] = []
        self._rngs: list[dict[str, np.random.Generator]] = []
        self.struck: list[tuple[str, str]] = []
        for fault in faults:
            self.add(fault)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, in the order in which they were added."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Let another thing go wrong; its occasions are counted from now on."""
        with self._lock:
            self._faults.append(fault)
            self._counts.append({})
            self._rngs.append({})

    def strike(self, radio: str, occasion: str) -> dict[str, Fault]:
        """Return the faults that strike a radio on an occasion, by kind."""
        with self._lock:
            hits = {}
            for number, fault in enumerate(self._faults):
                if _ALL[fault.kind][0] == occasion and fault.radio in ("", radio) and self._hits(number, radio):
                    hits[fault.kind] = fault
                    self.struck.append((radio, fault.kind))
            return hits

    def _hits(self, number: int, radio: str) -> bool:
        fault = self._faults[number]
        count = self._counts[number][radio] = self._counts[number].get(radio, 0) + 1
        if fault.nth is not None:
            return count == fault.nth
        if radio not in self._rngs[number]:
            self._rngs[number][radio] = np.random.default_rng([self._seed, number, *radio.encode()])
        return bool(self._rngs[number][radio].random() < fault.probability)
