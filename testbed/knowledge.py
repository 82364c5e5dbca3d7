"""What the loop knows before a frame: the last sounding and the tracked angles, as the network to design for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from precoding import Network
from testbed.drift import Drift
from testbed.foresight import Foresight, is_evident
from testbed.outcome import Outcome, Sounding
from testbed.tracking import Tracks

__all__ = ["Knowledge", "after"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

# Weight of the newest sounding in the tracked cross angles: they are seen through the weak inter-cell echoes, and a
# target that
# walks turns by less than a tenth of a beam in the 4 / SMOOTHING frames that the average spans.
SMOOTHING = 0.2


@dataclass(frozen=True)
class Knowledge:
    """The state of the loop between two frames.

    Attributes:
        sounding: The last sounding; its cross angles smoothed, its noise powers averaged over all frames so far.
        tracks: Of the targets, as expected in the next frame.
        frames: Frames that went in.
        drift: Of the channels, from one sounding to the next; None before the second.
        foresight: Channels as they will be in the next frame, as far as soundings tell; None before the second.
    """

    sounding: Sounding
    tracks: Tracks
    frames: int = 1
    drift: Drift | None = None
    foresight: Foresight | None = None

    @classmethod
    def first(cls, outcome: Outcome, period_s: float) -> Knowledge:
        """Return what one frame shows.

        Args:
            outcome: Of the frame.
            period_s: From a frame to the next.
        """
        tracks = Tracks.started(outcome.angle_rad, outcome.angle_deviation_rad**2)
        return cls(outcome.sounding, tracks.after(period_s))

    @property
    def angle_rad(self) -> Vector:
        """Where the targets are expected in the next frame, (J,)."""
        return self.tracks.angle_rad

    def after(self, outcome: Outcome, period_s: float) -> Knowledge:
        """Return what is known after one more frame.

        Noise does not change from frame to frame, so its average is used; channels and echoes do, so the last are. An
        angle far from where its track expects it is an outlier, as estimators make them at low SNR, or a target lost
        and found: its reflections share its fate (see `testbed.tracking`). What was not received stays as it was.
        """
        old, new, count = self.sounding, outcome.sounding, self.frames + 1
        tracks = self.tracks.corrected(outcome.angle_rad, outcome.angle_deviation_rad**2)
        doubted = (tracks.missed > 0)[:, None]
        smoothed = old.departure_angles_rad + SMOOTHING * (new.departure_angles_rad - old.departure_angles_rad)
        believed = replace(
            new,
            user_noise=old.user_noise + (new.user_noise - old.user_noise) / count,
            radar_noise=old.radar_noise + (new.radar_noise - old.radar_noise) / count,
            departure_angles_rad=np.where(doubted, old.departure_angles_rad, smoothed),
            reflections=np.where(doubted, old.reflections, new.reflections),
        )
        received = {
            field.name: np.where(np.isfinite(value := getattr(believed, field.name)), value, getattr(old, field.name))
            for field in fields(Sounding)
        }
        drift = (self.drift or Drift.none(outcome.channel_drift.shape)).after(outcome.channel_drift)
        sounding = Sounding(**received)
        drifting = is_evident(drift, sounding.error_variance, sounding.channels.shape[-1])
        foresight = self.foresight or Foresight.first(old.channels)
        foresight = foresight.after(sounding.channels, outcome.prediction_error, drifting)
        return Knowledge(sounding, tracks.after(period_s), count, drift, foresight)

    @property
    def foreseen(self) -> NDArray[np.bool_]:
        """Links whose channels are predicted rather than held, (J, J, K)."""
        if self.drift is None or self.foresight is None:
            return np.zeros(self.sounding.error_variance.shape, dtype=bool)
        return self.foresight.trusted(self.drift)

    @property
    def channels(self) -> Complex:
        """Channels to expect in the next frame, complex (J, J, K, n_tx)."""
        if self.foresight is None:
            return self.sounding.channels
        return np.where(self.foreseen[..., None], self.foresight.channels, self.sounding.channels)

    @property
    def channel_variance(self) -> Vector:
        """Variance of one entry's error in them, (J, J, K); without drift that no prediction follows."""
        if self.foresight is None:
            return self.sounding.error_variance
        missed = np.maximum(self.foresight.error.mean, 0.0) / self.sounding.channels.shape[-1]
        return np.where(self.foreseen, missed, self.sounding.error_variance)

    def idle(self, period_s: float) -> Knowledge:
        """Return what is known after a frame that taught nothing: targets have moved on."""
        return replace(self, tracks=self.tracks.after(period_s))

    def network(self, power: Vector, n_rx: int, block_length: int, *, spread: bool = False) -> Network:
        """Return the network to design the next precoder for.

        Args:
            power: Each station's, (J,), watt.
            n_rx: Receive antennas.
            block_length: Symbols of a payload.
            spread: Whether it says how sure the tracks are of the angles.
        """
        sounding = self.sounding
        departure = sounding.departure_angles_rad.copy()
        np.fill_diagonal(departure, self.angle_rad)
        return Network(
            channels=self.channels,
            arrival_angles=self.angle_rad,
            departure_angles=departure,
            reflections=sounding.reflections,
            n_rx=n_rx,
            power=power,
            user_noise=sounding.user_noise,
            radar_noise=sounding.radar_noise,
            csi_radius=sounding.csi_radius,
            block_length=block_length,
            angle_spread=self.tracks.deviation_rad if spread else 0.0,
        )


def after(knowledge: Knowledge | None, outcome: Outcome, period_s: float) -> Knowledge | None:
    """Return what is known after a frame; a clipped one teaches nothing, for clipping is in no model.

    Args:
        knowledge: What was known before; None if nothing.
        outcome: What the frame showed.
        period_s: From a frame to the next.
    """
    if knowledge is None:
        return None if outcome.clipped or not _is_whole(outcome) else Knowledge.first(outcome, period_s)
    return knowledge.idle(period_s) if outcome.clipped else knowledge.after(outcome, period_s)


def _is_whole(outcome: Outcome) -> bool:
    """Whether every radio received what a first design needs."""
    return all(np.isfinite(getattr(outcome.sounding, field.name)).all() for field in fields(Sounding))
