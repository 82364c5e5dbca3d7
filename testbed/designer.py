"""Who decides the precoder: the solver, when what it designed for has moved; or a recording, on replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from precoding import Design, InaccurateError, Network, design, warm_up
from testbed.knowledge import Knowledge
from testbed.precoder import Precoder
from testbed.scenario import Scenario

__all__ = ["Decision", "Designer", "LiveDesigner", "RecordedDesigner", "channel_drift"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

TOLERABLE_GAP = 0.1  # of the RCRB over its bound: up to 0.8 dB in the error's variance, printed with the result
TOLERANCE = 1e-3  # of the RCRB: far below what one frame can show


@dataclass(frozen=True)
class Decision:
    """The precoder for a frame (None: only sound), and whether it was made for this very frame."""

    precoder: Precoder | None
    fresh: bool


class Designer(Protocol):
    """Decides the precoder of a frame from what is known before it."""

    def decide(self, index: int, knowledge: Knowledge | None) -> Decision:
        """Return the decision for frame index; knowledge is None before the first frame."""
        ...


class LiveDesigner:
    """Designs once, and again when the tracked angles or the channels have left what the design was made for."""

    def __init__(self, scenario: Scenario, power: Vector) -> None:
        self.scenario = scenario
        self.power = power
        self._network: Network | None = None
        self._last: Design | None = None
        self._precoder: Precoder | None = None

    def warm_up(self) -> None:
        """Load or compile all that a design needs: seconds that no frame should have to wait for."""
        warm_up(self.scenario.scheme.name, self.scenario.scheme.robustness)

    def decide(self, index: int, knowledge: Knowledge | None) -> Decision:
        """See `Designer.decide`.

        Raises:
            PrecodingError: The request is infeasible, or the answer's certificate does not hold.
        """
        if knowledge is None:
            return Decision(None, fresh=False)
        network = knowledge.network(self.power, self.scenario.stations[0].n_rx, self.scenario.frame.payload_symbols)
        if self._network is not None and not self._moved(self._network, network):
            return Decision(self._precoder, fresh=False)
        self._last = self._design(network)
        self._network, self._precoder = network, Precoder.of(self._last)
        return Decision(self._precoder, fresh=True)

    def _design(self, network: Network) -> Design:
        """Return a design that keeps its promises.

        One that is feasible and nearly optimal, but not proved to a thousandth, is loaded all the same: the promise to
        the users holds, and how far the sensing may be from the best is in the precoder, the file and the report.
        """
        scheme = self.scenario.scheme
        try:
            return design(
                network,
                scheme.name,
                min_sinr_db=scheme.min_sinr_db,
                robustness=scheme.robustness,
                start=self._last,
                tolerance=TOLERANCE,
            )
        except InaccurateError as error:
            found = error.design
            if found is None or not found.certificate.is_feasible() or found.certificate.gap > TOLERABLE_GAP:
                raise
            return found

    def _moved(self, old: Network, new: Network) -> bool:
        """Whether an angle or a channel moved beyond the scenario's thresholds."""
        scheme = self.scenario.scheme
        turned = np.max(np.abs(new.arrival_angles - old.arrival_angles))
        drift = channel_drift(old.channels, new.channels, cooperative=scheme.name.endswith("comp"))
        return bool(
            turned > np.radians(scheme.redesign_angle_deg) or np.any(drift > scheme.redesign_csi_radii * old.csi_radius)
        )


def channel_drift(old: Complex, new: Complex, *, cooperative: bool) -> Vector:
    """Return how far each link's channel moved, (J, J, K), apart from phases that no precoder cares about.

    A user's oscillator turns all its channels together. Where stations send independent streams (CBF), even a phase
    of one link alone changes nothing; where they send the same (CoMP), the phases between the links do.

    Args:
        old: Channels, complex (J, J, K, n_tx), [n, m, k].
        new: Channels later.
        cooperative: Whether stations send the same streams.
    """
    turn = np.sum(old.conj() * new, axis=-1, keepdims=True)
    if cooperative:
        turn = np.sum(turn, axis=0, keepdims=True)
    return np.asarray(np.linalg.norm(new * np.exp(-1j * np.angle(turn)) - old, axis=-1))


class RecordedDesigner:
    """Hands out the precoders of a recording: a design is a decision, and a replay keeps decisions."""

    def __init__(self, precoder_at: Callable[[int], Decision]) -> None:
        self._precoder_at = precoder_at

    def decide(self, index: int, knowledge: Knowledge | None) -> Decision:
        """See `Designer.decide`."""
        return self._precoder_at(index)
