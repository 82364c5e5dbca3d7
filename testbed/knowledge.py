"""What the loop knows before a frame: the last sounding and the tracked angles, as the network to design for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from precoding import Network
from testbed.outcome import Outcome, Sounding

__all__ = ["Knowledge", "after"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

# Weight of the newest sounding in the tracked cross angles: they are seen through the weak inter-cell echoes, and a
# target that
# walks turns by less than a tenth of a beam in the 4 / SMOOTHING frames that the average spans.
SMOOTHING = 0.2
GATE = 6.0  # root bounds; a sound estimate differs from the one before by more in less than one frame in 10,000


@dataclass(frozen=True)
class Knowledge:
    """The state of the loop between two frames.

    Attributes:
        sounding: The last sounding; its cross angles smoothed, its noise powers averaged over all frames so far.
        angle_rad: Tracked angles of the targets, (J,).
        frames: Frames that went in.
        doubted: Stations whose last angle was not believed, (J,); None for none.
    """

    sounding: Sounding
    angle_rad: Vector
    frames: int = 1
    doubted: NDArray[np.bool_] | None = None

    def after(self, outcome: Outcome) -> Knowledge:
        """Return what is known after one more frame.

        Noise does not change from frame to frame, so its average is used; channels and echoes do, so the last are. An
        angle that jumps by many times its root bound is an outlier, as estimators make them at low SNR, or a target
        lost and found: it is believed when the next frame jumps, too. Its reflections share its fate.
        """
        old, new, count = self.sounding, outcome.sounding, self.frames + 1
        jumped = np.abs(outcome.angle_rad - self.angle_rad) > GATE * outcome.rcrb_rad  # false without a bound
        doubted = jumped if self.doubted is None else jumped & ~self.doubted
        smoothed = old.departure_angles_rad + SMOOTHING * (new.departure_angles_rad - old.departure_angles_rad)
        return Knowledge(
            replace(
                new,
                user_noise=old.user_noise + (new.user_noise - old.user_noise) / count,
                radar_noise=old.radar_noise + (new.radar_noise - old.radar_noise) / count,
                departure_angles_rad=np.where(doubted[:, None], old.departure_angles_rad, smoothed),
                reflections=np.where(doubted[:, None], old.reflections, new.reflections),
            ),
            np.where(doubted, self.angle_rad, outcome.angle_rad),
            count,
            doubted,
        )

    def network(self, power: Vector, n_rx: int, block_length: int) -> Network:
        """Return the network to design the next precoder for."""
        sounding = self.sounding
        departure = sounding.departure_angles_rad.copy()
        np.fill_diagonal(departure, self.angle_rad)
        return Network(
            channels=sounding.channels,
            arrival_angles=self.angle_rad,
            departure_angles=departure,
            reflections=sounding.reflections,
            n_rx=n_rx,
            power=power,
            user_noise=sounding.user_noise,
            radar_noise=sounding.radar_noise,
            csi_radius=sounding.csi_radius,
            block_length=block_length,
        )


def after(knowledge: Knowledge | None, outcome: Outcome) -> Knowledge | None:
    """Return what is known after a frame; a clipped one teaches nothing, for clipping is in no model.

    Args:
        knowledge: What was known before; None if nothing.
        outcome: What the frame showed.
    """
    if outcome.clipped:
        return knowledge
    return Knowledge(outcome.sounding, outcome.angle_rad) if knowledge is None else knowledge.after(outcome)
