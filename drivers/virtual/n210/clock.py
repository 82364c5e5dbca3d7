"""A board's clock: 100 MHz ticks from its own quartz or an external reference, set at once or at a PPS edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["TICKS_PER_S", "BoardClock", "Reference"]

TICKS_PER_S = 100_000_000


@dataclass
class Reference:
    """What is connected to a board's reference inputs; a fault may take it away at any time.

    Attributes:
        present: Whether there is a 10 MHz signal at the input.
        pps: Whether there is a pulse per second at the input.
    """

    present: bool = True
    pps: bool = True


class BoardClock:
    """Device time as a function of air time. Pulses come at whole seconds of air time.

    A reference that goes, or comes back, changes the rate from then on: what the quartz has lost meanwhile stays lost.

    Not modelled: the ambiguity of one tick between 10 MHz and PPS edges, settling of the loop after a change of source.
    """

    def __init__(self, reference: Reference, quartz_ppm: float) -> None:
        self.reference = reference
        self._quartz_ppm = quartz_ppm
        self._external = False
        self._is_disciplined = False  # by an external reference, as far as time has been counted
        # Air time and the device time then, in whole ticks, for a time may be large; one object, for threads to share.
        self._anchor = (0.0, 0)
        self._at_pps: tuple[float, int] | None = None  # set this at the first edge after that air time
        self._last_edge_s = -math.inf

    @property
    def locked(self) -> bool:
        """Whether the loop holds: on an external reference only if there is one."""
        return not self._external or self.reference.present

    @property
    def error_ppm(self) -> float:
        """By how much ticks, and all frequencies made from them, are fast."""
        return 0.0 if self._is_disciplined else self._quartz_ppm

    def use(self, *, external: bool, now_s: float) -> None:
        """Take the ticks from the external reference, or from the quartz."""
        self._settle(now_s)
        self._external = external
        self._settle(now_s)

    def set_now(self, ticks: int, now_s: float) -> None:
        """Set the time at once."""
        self._settle(now_s)
        self._at_pps = None
        self._anchor = (now_s, ticks)

    def set_at_pps(self, ticks: int, now_s: float) -> None:
        """Set the time at the next edge; without pulses that never comes."""
        self._settle(now_s)
        self._at_pps = (now_s, ticks)

    def ticks(self, now_s: float) -> int:
        """Return the device time."""
        self._settle(now_s)
        return self.whole_and_part(now_s)[0]

    def whole_and_part(self, air_s: float) -> tuple[int, float]:
        """Return the device time of an air time: whole ticks, and the part of one beyond."""
        at_s, ticks = self._anchor
        since = (air_s - at_s) * self._rate
        return ticks + math.floor(since), since - math.floor(since)

    def ticks_at_pps(self, now_s: float) -> int:
        """Return the device time of the last edge; it stands still without pulses."""
        self._settle(now_s)
        if self.reference.pps:
            self._last_edge_s = math.floor(now_s)
        return self._rounded(self._last_edge_s) if math.isfinite(self._last_edge_s) else 0

    def air_s(self, ticks: int) -> float:
        """Return the air time of a device time."""
        at_s, ticks_then = self._anchor
        return at_s + (ticks - ticks_then) / self._rate

    @property
    def _rate(self) -> float:
        return TICKS_PER_S * (1 + self.error_ppm * 1e-6)

    def _rounded(self, air_s: float) -> int:
        whole, part = self.whole_and_part(air_s)
        return whole + round(part)

    def _settle(self, now_s: float) -> None:
        """Carry out what was to be set at an edge that has passed, and go on at another rate if the reference did."""
        self._settle_at_pps(now_s)
        if self._is_disciplined != (self._external and self.reference.present):
            self._anchor = (now_s, self._rounded(now_s))
            self._is_disciplined = not self._is_disciplined

    def _settle_at_pps(self, now_s: float) -> None:
        if self._at_pps is None:
            return
        asked_s, ticks = self._at_pps
        if not self.reference.pps:
            self._at_pps = (now_s, ticks)  # it waits for the first edge after the pulses return
            return
        edge_s = math.floor(asked_s) + 1.0
        if now_s >= edge_s:
            self._at_pps = None
            self._anchor = (edge_s, ticks)
