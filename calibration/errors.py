"""Everything that can go wrong with a calibration.

CalibrationError
└── CoefficientError (ValueError)      coefficients that have no inverse
"""

__all__ = ["CalibrationError", "CoefficientError"]


class CalibrationError(Exception):
    """The root of all errors of this package."""


class CoefficientError(CalibrationError, ValueError):
    """Coefficients that are not finite, zero, or not one per channel, so that they have no inverse."""
