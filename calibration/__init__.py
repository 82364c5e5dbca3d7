"""What the bench does to samples, and how to undo it.

A calibration is a frozen value with four pure methods, two by two inverses of each other: `apply_tx`/`embed_tx`
between what shall leave the antenna ports and what the converters are given, `embed`/`apply` between what reaches the
ports and what the converters deliver.
"""

from calibration.errors import CalibrationError, CoefficientError
from calibration.level import LevelCalibration
from calibration.protocol import Calibration

__all__ = ["Calibration", "CalibrationError", "CoefficientError", "LevelCalibration"]
