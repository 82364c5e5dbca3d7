"""What a value of a scenario may be: small rules beside the field they limit, as in `Annotated[float, Limit(0, 1)]`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["ANY_NUMBER", "Address", "BelongsTo", "Choice", "Limit", "Name", "Rule", "did_you_mean", "nearest"]


class Rule(Protocol):
    """A limit on one value; its `str` says what is allowed, to follow the words "it must be"."""

    def allows(self, value: object) -> bool:
        """Whether a value of the right type is allowed."""
        ...

    def hint(self, value: object) -> list[str]:
        """What may have been meant by a refused value: nothing, or one sentence."""
        ...


@dataclass(frozen=True)
class Limit:
    """A number in an interval.

    Attributes:
        low: Smallest value allowed.
        high: Largest value allowed.
        above: Whether low itself is refused.
        below: Whether high itself is refused.
        multiple_of: Whole numbers only in steps of this.
        infinite: Whether `inf` is allowed, too. NaN never is.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    multiple_of: int = 1
    infinite: bool = False

    def allows(self, value: object) -> bool:
        """Whether a number lies in the interval."""
        if not isinstance(value, int | float):
            return False
        if math.isinf(value):
            return self.infinite and value > 0
        over = value > self.low if self.above else value >= self.low
        under = value < self.high if self.below else value <= self.high
        return over and under and (self.multiple_of == 1 or value % self.multiple_of == 0)

    def hint(self, value: object) -> list[str]:
        """Nothing: a number out of range has no nearest meaning."""
        return []

    def __str__(self) -> str:
        low, high = (
            f"{'above' if self.above else 'at least'} {self.low:g}",
            f"{'below' if self.below else 'at most'} {self.high:g}",
        )
        bounds = [low] * math.isfinite(self.low) + [high] * math.isfinite(self.high)
        words = " and ".join(bounds) or "finite"
        steps = f", a multiple of {self.multiple_of}" if self.multiple_of > 1 else ""
        return words + steps + (", or inf" if self.infinite else "")


ANY_NUMBER = Limit()


@dataclass(frozen=True)
class Choice:
    """One of a few words.

    Attributes:
        names: The words.
        planned: Words that will be names one day: refused, but not as if mistyped.
    """

    names: tuple[str, ...]
    planned: tuple[str, ...] = ()

    def allows(self, value: object) -> bool:
        """Whether it is one of the words."""
        return value in self.names

    def hint(self, value: object) -> list[str]:
        """The nearest word."""
        if value in self.planned:
            return [f"{value} is known but not built yet"]
        return did_you_mean(str(value), self.names)

    def __str__(self) -> str:
        return "one of " + ", ".join(self.names)


@dataclass(frozen=True)
class Name:
    """A name that can also be the name of a group in a recording."""

    def allows(self, value: object) -> bool:
        """Whether it consists of letters, digits, - and _ only."""
        return re.fullmatch(r"[A-Za-z0-9_-]+", str(value)) is not None

    def hint(self, value: object) -> list[str]:
        """Nothing: any other name will do."""
        return []

    def __str__(self) -> str:
        return "of letters, digits, - and _ only"


@dataclass(frozen=True)
class Address:
    """A radio's address: a driver, and after a colon what that driver needs to find the device.

    Attributes:
        examples: An address per driver; one without a colon takes nothing after the driver's name.
    """

    examples: tuple[str, ...]

    def allows(self, value: object) -> bool:
        """Whether the driver is known and gets what it needs, no more and no less."""
        driver, colon, rest = str(value).partition(":")
        forms = {example.partition(":")[0]: ":" in example for example in self.examples}
        return driver in forms and forms[driver] == bool(colon) == bool(rest)

    def hint(self, value: object) -> list[str]:
        """The address form of the nearest driver."""
        examples = {example.partition(":")[0]: example for example in self.examples}
        driver = nearest(str(value).partition(":")[0].lower(), examples)
        return [f"did you mean a radio like {examples[driver]}?"] if driver else []

    def __str__(self) -> str:
        return "a radio's address like " + ", ".join(self.examples)


@dataclass(frozen=True)
class BelongsTo:
    """Marks a key that has a meaning only where another key of its table has one value."""

    key: str
    value: str


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like a mistyped one, or None if none is."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> list[str]:
    """Return the question that names the nearest known name, or nothing."""
    match = nearest(name, known)
    return [f"did you mean {match}?"] if match else []
