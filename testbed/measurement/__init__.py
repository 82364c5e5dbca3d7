"""From captured samples to numbers that can be trusted: pure functions of one frame."""

from testbed.measurement.measure import Measurement

__all__ = ["Measurement"]
