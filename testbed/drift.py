"""How channels drift, as learnt from sounding to sounding, and the radius that covers it until the payload is sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

__all__ = ["Drift"]

Vector = NDArray[np.float64]

FORGETTING = 1 / 32  # weight of the newest drift: noise that drift is seen through adds 3 % to a still channel's radius
DOUBT = 4.0  # soundings' worth of belief that drift scatters like one complex Gaussian, the widest of all laws


@dataclass(frozen=True)
class Drift:
    """Mean and variance of the energy by which each link's channel moves from one sounding to the next.

    Attributes:
        mean: Energy, what noise explains taken away, (J, J, K).
        variance: Of that energy from time to time, measurement noise included, (J, J, K).
        count: Values that went in.
    """

    mean: Vector
    variance: Vector
    count: int

    @classmethod
    def none(cls, links: tuple[int, ...]) -> Drift:
        """Return what is known before the second sounding: nothing.

        Args:
            links: Their shape, (J, J, K).
        """
        return cls(np.zeros(links), np.zeros(links), 0)

    def after(self, energy: Vector) -> Drift:
        """Return what is known after one more value, from `drift_energy`; NaN teaches nothing.

        Args:
            energy: (J, J, K).
        """
        count = self.count + 1
        weight = max(1 / count, FORGETTING)
        surprise = np.where(np.isfinite(energy), energy - self.mean, 0.0)
        variance = (1 - weight) * (self.variance + weight * surprise**2)
        return Drift(self.mean + weight * surprise, variance, count)

    def radius(self, error_variance: Vector, *, n_tx: int, freedom: int, age: float, confidence: float) -> Vector:
        """Return the radius of the ball that holds each link's channel when the payload is sent, (J, J, K).

        The noise's part is that of `estimate_channels`. Drift grows with the square of time while it is short (Jakes:
        1 - J_0(x) = x^2 / 4). The energy of both is matched by a gamma law of its mean and variance (Satterthwaite),
        which without drift is the exact one. A user who walks steadily drifts by the same amount in every frame, and
        then little is added to the mean; what the variance was before enough was seen is that of a complex Gaussian.

        Args:
            error_variance: Of one entry of the estimate, (J, J, K).
            n_tx: Transmit antennas of a station.
            freedom: Complex samples that the noise was estimated from.
            age: Time from the sounding to the payload, in intervals between soundings.
            confidence: Probability that a link's channel lies in its ball.
        """
        both = 2 * error_variance  # of the two soundings that a drift is the difference of
        moved = np.maximum(self.mean, 0.0)
        seen = np.clip(self.variance - n_tx * both**2 - 2 * both * moved, 0.0, moved**2)
        count = min(self.count, 1 / FORGETTING)
        scatter = (count * seen + DOUBT * moved**2) / (count + DOUBT)
        noise = n_tx * error_variance
        mean = noise + age**2 * moved
        dimensions = mean**2 / np.maximum(noise**2 / n_tx + age**4 * scatter, np.finfo(float).tiny)
        return np.asarray(np.sqrt(mean * fdtri(2 * dimensions, 2 * freedom, confidence)))
