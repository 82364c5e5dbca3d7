"""All Plutos of a bench in one exchange: started as simultaneously as software can, and found again in their captures.

No unit has a timed start. Every transmitter sends its burst over and over, as long as a capture; then every unit
captures one period; then all fall silent. A capture is turned so that a transmitter's own burst is in its place, at a
receiver the mean of those it hears. Starts that lie too far apart, or units that were lost, cost another try.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.errors import DeviceLostError, RadioStateError, SampleLossError
from drivers.pluto.placing import hearings, placed, spread_s
from drivers.pluto.transmit import Words
from drivers.pluto.unit import Unit
from drivers.watchdog import Watchdog

__all__ = ["START_SPREAD_S", "Fleet", "Received", "Share"]

T = TypeVar("T")

# Threads released by one barrier start within some 10 us; the bus adds up to a micro-frame of USB 2, 125 us.
START_SPREAD_S = 150e-6
TRIES = 20  # for starts close enough together
RECOVERIES = 2  # from lost units or samples, in one exchange
BARRIER_S = 1.0


@dataclass(frozen=True)
class Share:
    """One unit's part in an exchange.

    Attributes:
        words: What it sends; None to only receive.
        burst: The samples that these words carry, (n_tx, n).
        n_samples: How many samples it sends, with silence, and receives.
        sample_rate_hz: Its rate.
        center_hz: Its carrier.
        start_s: When the exchange is to start.
    """

    words: Words | None
    burst: NDArray[np.complex64]
    n_samples: int
    sample_rate_hz: float
    center_hz: float
    start_s: float


@dataclass(frozen=True)
class Received:
    """What one unit received in an exchange, in its place.

    Attributes:
        samples: (n_channels, n_samples), full scale 1.
        clipped: Whether a converter was at its limit.
        measured: See `Capture.measured`.
    """

    samples: NDArray[np.complex64]
    clipped: bool
    measured: Mapping[str, float]


class Fleet:
    """The units of a bench, their common exchange, and the watchdog over them.

    Attributes:
        now_s: The units' time. They have no clock of their own: it is the end of the last exchange.
        start_spread_s: How far apart transmitters may start.
    """

    def __init__(self, units: Sequence[Unit], watchdog: Watchdog, start_spread_s: float = START_SPREAD_S) -> None:
        """Have a thread ready for each unit."""
        self.now_s = 0.0
        self.start_spread_s = start_spread_s
        self._watchdog = watchdog
        self._open = set(units)
        self._all_silent = True  # as far as they are closed
        self._threads = ThreadPoolExecutor(len(units), thread_name_prefix="pluto")
        self._shares: dict[Unit, Share] = {}
        self._received: dict[Unit, Received] = {}
        self._origin_s: float | None = None  # of the exchanges' time, on this computer's clock

    def stage(self, unit: Unit, share: Share) -> None:
        """Add a unit to the coming exchange.

        Raises:
            RadioStateError: It differs from the others' in length, rate, carrier or start.
        """
        for other in self._shares.values():
            for name in ("start_s", "sample_rate_hz", "center_hz", "n_samples"):
                mine, theirs = getattr(share, name), getattr(other, name)
                if mine != theirs:
                    raise RadioStateError(
                        f"{unit.name}: {name} is {mine:.12g}, the other radios' is {theirs:.12g}; "
                        "radios of one exchange share start, rate, carrier and length"
                    )
        self._shares[unit] = share

    def withdraw(self, unit: Unit) -> None:
        """Take a unit out of the exchange."""
        self._shares.pop(unit, None)
        self._received.pop(unit, None)

    def collect(self, unit: Unit) -> Received:
        """Return what a unit received; the first call for an exchange makes it happen.

        Raises:
            SampleLossError: Samples were lost, nothing was heard, or the starts stayed too far apart.
            DeviceLostError: A unit was lost and could not be brought back.
        """
        if unit in self._shares:
            shares, self._shares = self._shares, {}
            self._received = self._exchange(shares)
        return self._received.pop(unit)

    def release(self, unit: Unit) -> None:
        """Close a unit; with the last one the threads and the watchdog go, too."""
        self._open.discard(unit)
        try:
            unit.close()
        except BaseException:
            self._all_silent = False
            raise
        finally:
            if not self._open:
                self._threads.shutdown()
                self._watchdog.release(all_silent=self._all_silent)

    def _exchange(self, shares: Mapping[Unit, Share]) -> dict[Unit, Received]:
        if not self._watchdog.is_watching:
            raise RadioStateError("the watchdog over the Plutos is dead, nobody would silence them: open them again")
        first = next(iter(shares.values()))
        late_s = self._wait_until(first.start_s)
        tries = recoveries = 0
        while True:
            tries += 1
            try:
                received, apart_s = self._tried(shares)
            except (DeviceLostError, SampleLossError):
                recoveries += 1
                if recoveries > RECOVERIES:
                    raise
                self._all(Unit.reopen, [unit for unit in shares if unit.is_lost])
                continue
            if apart_s <= self.start_spread_s:
                break
            if tries >= TRIES:
                raise SampleLossError(
                    f"the transmitters started {1e6 * apart_s:.0f} us apart, {1e6 * self.start_spread_s:.0f} us are "
                    f"allowed, and {tries} tries were no better; leave this computer less to do"
                )
        self.now_s = first.start_s + first.n_samples / first.sample_rate_hz
        common = {"late_s": late_s, "tries": float(tries), "recoveries": float(recoveries)}
        return {unit: replace(one, measured={**one.measured, **common}) for unit, one in received.items()}

    def _tried(self, shares: Mapping[Unit, Share]) -> tuple[dict[Unit, Received], float]:
        """Capture once; return the captures in their places, and how far apart the transmitters started, in seconds."""
        captured = self._captured(shares)
        n_samples, rate_hz = next((share.n_samples, share.sample_rate_hz) for share in shares.values())
        sent = {unit.name: share.burst for unit, share in shares.items() if share.words is not None}
        heard = hearings({unit.name: samples for unit, (samples, _) in captured.items()}, sent, rate_hz)
        received = {}
        for unit, (samples, clipped) in captured.items():
            one = placed(unit.name, samples, heard[unit.name], rate_hz)
            received[unit] = Received(one.samples, clipped, one.measured)
        spreads_s = [spread_s(one, n_samples, rate_hz) for one in heard.values()]
        return received, max((one for one in spreads_s if not np.isnan(one)), default=0.0)

    def _captured(self, shares: Mapping[Unit, Share]) -> dict[Unit, tuple[NDArray[np.complex64], bool]]:
        """Let all transmitters start, all units receive, and all transmitters stop."""
        senders = [unit for unit, share in shares.items() if share.words is not None]
        together = threading.Barrier(max(1, len(senders)))

        def load(unit: Unit) -> None:
            words = shares[unit].words
            if words is not None:
                unit.load(words, shares[unit].n_samples)

        def start(unit: Unit) -> None:
            try:
                together.wait(BARRIER_S)
            except threading.BrokenBarrierError as error:
                raise SampleLossError(f"{unit.name}: was not ready to start with the others") from error
            unit.start()

        try:
            self._all(load, senders)
            self._all(start, senders)
            received = self._all(lambda unit: unit.receive(shares[unit].n_samples), shares)
            return dict(zip(shares, received, strict=True))
        finally:
            self._all(Unit.stop, [unit for unit in senders if not unit.is_lost])

    def _all(self, function: Callable[[Unit], T], units: Iterable[Unit]) -> list[T]:
        """Call a function for units at once; when all are through, raise the first error if there is one."""
        futures = [self._threads.submit(function, unit) for unit in units]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def _wait_until(self, start_s: float) -> float:
        """Wait for an exchange's time, counted from the first one's; return how late it is, in seconds."""
        if self._origin_s is None:
            self._origin_s = time.monotonic() - start_s
        late_s = time.monotonic() - (self._origin_s + start_s)
        time.sleep(max(0.0, -late_s))
        return max(0.0, late_s)
