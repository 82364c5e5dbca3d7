"""Channels as they will be in the next frame, where soundings so far tell that better than the last one alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.channel_prediction import MEMORY, predict_channels
from testbed.drift import Drift

__all__ = ["Foresight", "is_evident"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

PROVEN = 8  # predictions of which the errors were seen, before one is used
BETTER = 0.5  # part of the energy of the drift that predictions may miss by, to be used instead of the last sounding
EVIDENT = 2.0  # times the noise of a sounding: less drift is not worth a prediction


@dataclass(frozen=True)
class Foresight:
    """Soundings kept, what they foretell, and how well they did so far.

    Attributes:
        history: Channels of the last soundings, the newest last, complex (T, J, J, K, n_tx).
        channels: Predicted for the next sounding, complex (J, J, K, n_tx); NaN on links that do not drift.
        error: Energy by which predictions missed what came, beyond its noise; counts from the first prediction.
    """

    history: Complex
    channels: Complex
    error: Drift

    @classmethod
    def first(cls, channels: Complex) -> Foresight:
        """Return what one sounding foretells: nothing yet.

        Args:
            channels: Complex (J, J, K, n_tx).
        """
        return cls(channels[None], np.full_like(channels, np.nan), Drift.none(channels.shape[:-1]))

    def after(self, channels: Complex, missed: Vector, drifting: NDArray[np.bool_]) -> Foresight:
        """Return what is foretold after one more sounding.

        Args:
            channels: What it showed, complex (J, J, K, n_tx).
            missed: Energy by which the prediction missed it, (J, J, K), from `drift_energy`; NaN where there was none.
            drifting: Links worth a prediction, (J, J, K).
        """
        history = np.concatenate([self.history[1 - MEMORY :], channels[None]])
        ahead = np.full_like(channels, np.nan)
        if drifting.any():
            predicted = predict_channels(history[:, drifting])
            if predicted is not None:
                ahead[drifting] = predicted
        error = self.error.after(missed) if np.isfinite(missed).any() else self.error
        return Foresight(history, ahead, error)

    def trusted(self, drift: Drift) -> NDArray[np.bool_]:
        """Return on which links a prediction is better than the last sounding, (J, J, K)."""
        proven = self.error.count >= PROVEN
        return np.isfinite(self.channels[..., 0]) & proven & (self.error.mean < BETTER * drift.mean)


def is_evident(drift: Drift, error_variance: Vector, n_tx: int) -> NDArray[np.bool_]:
    """Return which links drift by more than the noise of their soundings, (J, J, K)."""
    return np.asarray(drift.mean > EVIDENT * n_tx * error_variance)
