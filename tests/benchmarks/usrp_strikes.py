"""A fault at a random moment of an exchange, and what became of error, samples, transmitters, the exchange after."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from precoding_case import Check
from usrp_case import N_BOARDS, SETTINGS, go

from drivers import DriverError, SampleLossError
from drivers.usrp.radio import UsrpRadio
from drivers.virtual.n210.board import Board
from drivers.virtual.serving import VirtualBench

BEYOND_S = 0.01  # moments are drawn up to so long after the exchange
SIGMAS = 8.0  # no sample is farther from the reference than so many times the noise: by chance, one in 10^27 is
TRIES = 10  # exchanges for every strike, at most
TOO_LATE = "late burst"  # said of a machine that does not get its samples to the boards in time: no fault of ours


@dataclass(frozen=True)
class Kind:
    """A fault of a board.

    Attributes:
        what: Its line of the verdict.
        words: What must be said, a regular expression; {serial} and {number} are the board's. None: nothing may be.
        owner, attribute: What is set in the board.
        value, rest: To what, and to what again. A number counts down as it strikes, a switch strikes when it is thrown.
        errors: What kind of error is right.
    """

    what: str
    words: str | None
    owner: str
    attribute: str
    value: int | bool
    rest: int | bool
    errors: tuple[type[DriverError], ...] = (SampleLossError,)

    def throw(self, board: Board) -> None:
        setattr(getattr(board.hardware, self.owner), self.attribute, self.value)

    def take_back(self, board: Board) -> bool:
        """Let it happen no more, and return whether it has happened, if it was thrown at all."""
        owner = getattr(board.hardware, self.owner)
        left = getattr(owner, self.attribute)
        setattr(owner, self.attribute, self.rest)
        return isinstance(self.value, bool) or left == self.rest


class Strike:
    """A fault that waits for its moment in a thread of its own; after the `with` it cannot come any more."""

    def __init__(self, kind: Kind, board: Board, after_s: float) -> None:
        self._kind, self._board = kind, board
        self._timer = threading.Timer(after_s, self._throw)
        self.is_thrown = False

    def _throw(self) -> None:
        self.is_thrown = True
        self._kind.throw(self._board)

    def __enter__(self) -> Strike:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()


@dataclass(frozen=True)
class Reference:
    """An exchange, and what it brings without faults. It is armed early enough for a machine that is busy.

    Attributes:
        sent: What all boards send, (n_tx, n); so much is received, too.
        later_s: How long after now it starts.
        samples: What was received, (n_rx, n).
        noise: Standard deviation of a sample of it.
    """

    sent: np.ndarray
    later_s: float
    samples: np.ndarray
    noise: float

    @classmethod
    def of(cls, radio: UsrpRadio, sent: np.ndarray, later_s: float = 0.15) -> Reference:
        one, other = (in_time(lambda: go(radio, sent, sent.shape[1], later_s))[0] for _ in range(2))
        return cls(sent, later_s, one, float(np.sqrt(np.mean(np.abs(one - other) ** 2) / 2)))

    @property
    def length_s(self) -> float:
        return self.later_s + self.sent.shape[1] / SETTINGS.sample_rate_hz

    def go(self, radio: UsrpRadio) -> np.ndarray:
        return go(radio, self.sent, self.sent.shape[1], self.later_s)

    def wrong(self, samples: np.ndarray) -> str:
        """Samples that are counted must be those of an exchange without faults, each of them, but for the noise."""
        farthest = float(np.abs(samples - self.samples).max()) / (np.sqrt(2) * self.noise)
        return f"a sample is off by {farthest:.1f} sigma" if farthest > SIGMAS else ""


def in_time(attempt: Callable[[], np.ndarray]) -> tuple[np.ndarray, int]:
    """Try again what the machine was too busy for; return what came of it, and how often it was."""
    for n in range(TRIES):
        try:
            return attempt(), n
        except SampleLossError as error:
            if TOO_LATE not in str(error) or n == TRIES - 1:
                raise
    raise AssertionError


def scrambled(n: int) -> np.ndarray:
    """All boards send all the time, each something else: every sample received has something to say, (N_BOARDS, n)."""
    rng = np.random.default_rng(2)
    samples = 0.2 * np.exp(2j * np.pi * rng.random((N_BOARDS, n)))
    samples[:, :20] = samples[:, -20:] = 0.0
    return samples.astype(np.complex64)


@dataclass(frozen=True)
class Victim:
    """A radio and the boards that it is made of."""

    name: str
    radio: UsrpRadio
    boards: list[Board]


class Tally:
    """What became of one kind of fault."""

    def __init__(self, kind: Kind, bench: VirtualBench) -> None:
        self.kind, self.bench = kind, bench
        self.outcomes: Counter[str] = Counter()
        self._lock = threading.Lock()  # radios may suffer at the same time
        self.wrong: list[str] = []

    @property
    def n_struck(self) -> int:
        return self.outcomes["said"] + self.outcomes["unharmed"]

    def strike(
        self, victim: Victim, number: int, reference: Reference, after_s: float
    ) -> tuple[bool, DriverError | None]:
        """Let it happen to a board so long after now, in an exchange; return whether it was thrown, and the error."""
        error = None
        with Strike(self.kind, victim.boards[number], after_s) as strike:
            try:
                samples = reference.go(victim.radio)
            except DriverError as refused:
                error = refused
                if victim.name in self.bench.transmitting:
                    self.note("still transmitting")
            else:
                self.note(reference.wrong(samples))
        return strike.is_thrown, error

    def count(self, board: Board, number: int, error: DriverError | None, *, struck: bool) -> None:
        """Count what became of an exchange."""
        if error is not None and TOO_LATE in str(error):
            self._add("too late")
        elif not struck:
            self._add("not struck" if error is None else "refused, but not struck")
        elif error is None:
            self._add("unharmed")
        else:
            self._add("said")
            self.require_words(board, number, error)

    def require_words(self, board: Board, number: int, error: DriverError) -> None:
        words = self.kind.words and self.kind.words.format(serial=board.serial, number=number)
        if not (isinstance(error, self.kind.errors) and words and re.search(f"^radio .*{words}", str(error))):
            self.note(f"{type(error).__name__}: {error}")

    def note(self, wrong: str) -> None:
        if wrong:
            self.wrong.append(wrong)

    def recover(self, radio: UsrpRadio, reference: Reference) -> None:
        """The exchange after must be right."""
        try:
            samples, n = in_time(lambda: reference.go(radio))
        except DriverError as error:
            self.note(f"the exchange after: {error}")
        else:
            self.note(reference.wrong(samples))
            self._add("too late", n)

    def _add(self, outcome: str, n: int = 1) -> None:
        with self._lock:
            self.outcomes[outcome] += n

    def check(self, n: int) -> Check:
        counted = ("said", "unharmed")
        got = ", ".join(f"{self.outcomes[k]} {k}" for k in counted)
        others = ", ".join(f"{v} {k}" for k, v in self.outcomes.items() if v and k not in counted)
        wrong = f"; {len(self.wrong)} WRONG: {self.wrong[0]}" if self.wrong else ""
        met = self.n_struck >= n and not self.wrong
        return Check(self.kind.what, "said or unharmed", f"{got}{f' ({others})' if others else ''}{wrong}", met)
