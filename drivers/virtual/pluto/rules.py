"""What an attribute takes and what it reads back: ranges, steps and formats of the real part."""

from __future__ import annotations

import errno
from collections.abc import Callable

__all__ = [
    "RefusedError",
    "Rule",
    "choice",
    "decibel",
    "fixed_point",
    "flag",
    "integer",
    "lo_frequency",
    "real",
    "register",
    "whole",
    "whole_decibel",
]

# From what a client writes to what it will read back.
Rule = Callable[[str], str]

# The synthesiser of the AD9361 (UG-570): twice the crystal, a fractional divider of this modulus, an oscillator from
# 6 GHz on that is divided by 2, 4, ..., 128.
SYNTHESISER_REFERENCE_HZ, SYNTHESISER_MODULUS, LOWEST_VCO_HZ = 80e6, 8388593, 6e9


class RefusedError(Exception):
    """A device refuses an access.

    Attributes:
        code: The positive errno.
    """

    def __init__(self, code: int = errno.EINVAL) -> None:
        super().__init__(errno.errorcode.get(code, str(code)))
        self.code = code


def integer(text: str) -> int:
    """Return a whole number as the kernel reads it.

    Raises:
        RefusedError: It is none.
    """
    digits = text.strip()
    if not digits.removeprefix("-").isdecimal() or not digits.isascii() or len(digits) > 20:
        raise RefusedError
    return int(digits)


def register(text: str) -> tuple[int, int | None]:
    """Return address and value of a register access, `ADDRESS [VALUE]`; without a value the next read is of it.

    Raises:
        RefusedError: It is none.
    """
    try:
        numbers = [int(word, 0) for word in text.split()]
    except ValueError:
        raise RefusedError from None
    if not 1 <= len(numbers) <= 2 or not all(0 <= number < 1 << 32 for number in numbers):
        raise RefusedError
    return numbers[0], numbers[1] if len(numbers) > 1 else None


def fixed_point(text: str) -> int:
    """Return the whole part of a decimal number, as the kernel takes it for rates and generators' frequencies.

    Raises:
        RefusedError: It is none.
    """
    whole_part, point, fraction = text.strip().partition(".")
    if point and not (fraction.isdecimal() and fraction.isascii()):
        raise RefusedError
    return integer(whole_part)


def _number(text: str, unit: str = "") -> float:
    digits = text.strip().removesuffix(unit).strip()
    if not digits.isascii() or not digits.lstrip("+-").replace(".", "", 1).isdecimal() or len(digits) > 32:
        raise RefusedError
    try:
        return float(digits)
    except ValueError:
        raise RefusedError from None


def flag(text: str) -> str:
    """Take a switch: 0 or 1, y or n."""
    try:
        return {"0": "0", "1": "1", "n": "0", "y": "1", "N": "0", "Y": "1"}[text.strip()]
    except KeyError:
        raise RefusedError from None


def choice(*values: str) -> Rule:
    """Return the rule of an attribute that is one of some words."""

    def rule(text: str) -> str:
        if text.strip() not in values:
            raise RefusedError
        return text.strip()

    return rule


def whole(low: int, high: int) -> Rule:
    """Return the rule of a whole number in a range."""

    def rule(text: str) -> str:
        if not low <= integer(text) <= high:
            raise RefusedError
        return str(integer(text))

    return rule


def real(low: float, high: float, step: float) -> Rule:
    """Return the rule of a number in a range, rounded down to steps."""

    def rule(text: str) -> str:
        value = _number(text)
        if not low <= value <= high:
            raise RefusedError
        return f"{int(value / step + 1e-9) * step:.6f}"

    return rule


def decibel(low_db: float, high_db: float, step_db: float) -> Rule:
    """Return the rule of a gain in a range, rounded to steps; it reads back with its unit."""

    def rule(text: str) -> str:
        value = _number(text, "dB")
        if not low_db <= value <= high_db:
            raise RefusedError
        return f"{round(value / step_db) * step_db:.6f} dB"

    return rule


def whole_decibel(low_db: int, high_db: int) -> Rule:
    """Return the rule of a gain in whole decibels: the real part drops what follows the point."""

    def rule(text: str) -> str:
        value = int(_number(text, "dB"))
        if not low_db <= value <= high_db:
            raise RefusedError
        return f"{value:.6f} dB"

    return rule


def lo_frequency(low_hz: int, high_hz: int) -> Rule:
    """Return the rule of an oscillator's frequency: what the fractional synthesiser makes of it, a few hertz off."""

    def rule(text: str) -> str:
        wish = integer(text)
        if not low_hz <= wish <= high_hz:
            raise RefusedError
        divider = 2
        while wish * divider < LOWEST_VCO_HZ:
            divider *= 2
        step_hz = SYNTHESISER_REFERENCE_HZ / SYNTHESISER_MODULUS
        return str(int(round(wish * divider / step_hz) * step_hz / divider))

    return rule
