"""From captured samples to numbers that can be trusted: pure functions of one frame."""

from testbed.measurement.measure import Measurement
from testbed.measurement.warming import warm_up

__all__ = ["Measurement", "warm_up"]
