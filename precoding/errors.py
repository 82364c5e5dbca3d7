"""Everything that can go wrong with a design.

PrecodingError
├── ArgumentError (ValueError)           an argument of the wrong shape, sign, size or name
├── InfeasibleError (ValueError)         no precoder meets the request; says who limits and what is possible
└── InaccurateError (ArithmeticError)    a design exists, but its certificate does not hold; carries the design
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from precoding.result import Design

__all__ = ["ArgumentError", "InaccurateError", "InfeasibleError", "PrecodingError"]


class PrecodingError(Exception):
    """The root of all errors of this package."""


class ArgumentError(PrecodingError, ValueError):
    """An argument has the wrong shape, sign, size or name; the message begins with its name."""


class InfeasibleError(PrecodingError, ValueError):
    """No precoder within the power limits meets the SINR targets.

    Attributes:
        user: The limiting user as (cell m, user k): the one with the largest share of the noise price.
        station: The base station whose power limit has the largest price.
        max_sinr_db: The largest SINR in dB that all users can have together.

    """

    def __init__(self, message: str, *, user: tuple[int, int], station: int, max_sinr_db: float) -> None:
        super().__init__(message)
        self.user = user
        self.station = station
        self.max_sinr_db = max_sinr_db


class InaccurateError(PrecodingError, ArithmeticError):
    """The solver ended without an answer that its certificate supports.

    Attributes:
        design: The best design found, with the certificate that does not hold; None if the solver returned none.

    """

    def __init__(self, message: str, *, design: Design | None) -> None:
        super().__init__(message)
        self.design = design
