"""A small Kalman filter for every target: angle and rate, from estimates with their bounds.

Targets accelerate as they like (white acceleration); an estimate is as good as its Cramer-Rao bound says, and one that
lies many deviations from the prediction is not believed until several of them agree: estimators make outliers at low
SNR, and a target may be lost and found (Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, 2001, ch. 6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["GATE", "Tracks"]

Vector = NDArray[np.float64]

# A walker 5 m away who turns round within a second: 2 m/s^2 across the line of sight.
ACCELERATION_RAD_S2 = 0.4
GATE = 6.0  # deviations; a sound estimate is further off in less than one frame in 10,000
MISSES = 2  # estimates in a row outside the gate until the track starts anew where they are
FASTEST_RAD_S = 1.0  # deviation of the rate of a new track: 5 m/s at 5 m


@dataclass(frozen=True)
class Tracks:
    """Where the targets are, how fast they turn, and how sure that is; one for each station.

    Attributes:
        state: Angle in rad and rate in rad/s, (J, 2).
        covariance: Of the state, (J, 2, 2).
        missed: Estimates in a row that were not believed, (J,).
    """

    state: Vector
    covariance: Vector
    missed: NDArray[np.int64]

    @classmethod
    def started(cls, angle_rad: Vector, variance: Vector) -> Tracks:
        """Return tracks of targets seen once, with any rate.

        Args:
            angle_rad: (J,).
            variance: Of the angles, rad^2, (J,).
        """
        covariance = np.zeros((len(angle_rad), 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = variance, FASTEST_RAD_S**2
        return cls(np.stack([angle_rad, np.zeros_like(angle_rad)], axis=1), covariance, np.zeros(len(angle_rad), int))

    @property
    def angle_rad(self) -> Vector:
        """Angles, (J,)."""
        return self.state[:, 0]

    @property
    def deviation_rad(self) -> Vector:
        """Standard deviation of the angles, (J,)."""
        return np.asarray(np.sqrt(self.covariance[:, 0, 0]))

    def after(self, elapsed_s: float) -> Tracks:
        """Return where the targets will be: the same rate, with what a white acceleration may add."""
        turn = np.array([[1.0, elapsed_s], [0.0, 1.0]])
        gust = ACCELERATION_RAD_S2**2 * np.outer([elapsed_s**2 / 2, elapsed_s], [elapsed_s**2 / 2, elapsed_s])
        return replace(self, state=self.state @ turn.T, covariance=turn @ self.covariance @ turn.T + gust)

    def corrected(self, angle_rad: Vector, variance: Vector) -> Tracks:
        """Return the tracks after new estimates at the time they stand at; what is not finite teaches nothing.

        Args:
            angle_rad: Estimates, (J,).
            variance: Of each, rad^2, (J,).
        """
        seen = np.isfinite(angle_rad) & np.isfinite(variance)
        surprise = np.where(seen, angle_rad - self.angle_rad, 0.0)
        spread = self.covariance[:, 0, 0] + np.where(seen, variance, 1.0)
        outside = seen & (surprise**2 > GATE**2 * spread)
        missed = np.where(outside, self.missed + 1, np.where(seen, 0, self.missed))
        anew, used = missed >= MISSES, seen & ~outside
        gain = np.where(used[:, None], self.covariance[:, :, 0] / spread[:, None], 0.0)
        state = self.state + gain * surprise[:, None]
        covariance = self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :]
        fresh = Tracks.started(np.where(seen, angle_rad, 0.0), np.where(seen, variance, 1.0))
        return Tracks(
            np.where(anew[:, None], fresh.state, state),
            np.where(anew[:, None, None], fresh.covariance, covariance),
            np.where(anew, 0, missed),
        )
