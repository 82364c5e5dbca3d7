"""Who decides the precoder: the solver, when what it designed for has moved; or a recording, on replay."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from precoding import (
    Design,
    InaccurateError,
    InfeasibleError,
    Network,
    design,
    signal_to_leakage,
    warm_up,
    worst_case_sinr,
)
from testbed.frame import CONSTELLATIONS
from testbed.knowledge import Knowledge
from testbed.measurement.csi_drift import channel_distance
from testbed.precoder import Precoder
from testbed.scenario import Scenario

__all__ = ["Decision", "Designer", "LiveDesigner", "RecordedDesigner"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

TOLERABLE_GAP = 0.1  # of the RCRB over its bound: up to 0.8 dB in the error's variance, printed with the result
HOPELESS = 0.5  # of a channel's norm: twice its radius, so 6 dB of SINR at best, with nobody else served
TOLERANCE = 1e-2  # of the RCRB: far below what one frame can show, and proved without another solver within a frame


@dataclass(frozen=True)
class Decision:
    """The precoder for a frame (None: only sound), and whether it was made for this very frame."""

    precoder: Precoder | None
    fresh: bool


class Designer(Protocol):
    """Decides the precoder of a frame from what is known before it."""

    def decide(self, index: int, knowledge: Knowledge | None, symbols: Complex) -> Decision:
        """Return the decision for a frame.

        Args:
            index: The frame's number.
            knowledge: What is known before it; None before the first frame.
            symbols: What it is to send, (J, K, payload_symbols).
        """
        ...


class LiveDesigner:
    """Designs once, and again when the tracked angles or the channels have left what the design was made for.

    A symbol-level waveform is for one block of symbols: then every frame has its own.
    """

    def __init__(self, scenario: Scenario, power: Vector) -> None:
        self.scenario = scenario
        self.power = power
        self._network: Network | None = None
        self._noise_radius: Vector = np.zeros(0)  # of the CSI ball without drift: what `_moved` compares with
        self._last: Design | None = None
        self._precoder: Precoder | None = None

    def warm_up(self) -> None:
        """Load or compile all that a design needs: seconds that no frame should have to wait for."""
        warm_up(self.scenario.scheme.name, self.scenario.scheme.robustness)

    def decide(self, index: int, knowledge: Knowledge | None, symbols: Complex) -> Decision:
        """See `Designer.decide`.

        Raises:
            PrecodingError: The request is infeasible, or the answer's certificate does not hold.
        """
        if knowledge is None:
            return Decision(None, fresh=False)
        scheme, length = self.scenario.scheme, self.scenario.frame.payload_symbols
        network = knowledge.network(self.power, self.scenario.n_rx, length, spread=scheme.angle_spread)
        still = self._network is not None and not self._moved(self._network, network)
        if still and not self._symbol_level:
            return Decision(self._precoder, fresh=False)
        self._network, self._noise_radius = network, knowledge.sounding.csi_radius
        covered = self._covering_drift(network, knowledge)
        self._precoder = self._loaded(network, covered, symbols)
        return Decision(self._precoder, fresh=True)

    def _loaded(self, network: Network, covered: Network, symbols: Complex) -> Precoder:
        """Return a precoder for the balls that cover the drift.

        Where none can keep its promise there, one for the balls of noise is loaded, and promises what is left in the
        worst case within the wide ones: next to nothing, until a user stands or his channel can be foreseen. Where the
        time does not suffice for any, the one before or a precoder in closed form is loaded, whichever keeps more.
        """
        try:
            return self._new(network, covered, symbols)
        except InaccurateError:
            if self._precoder is None or self._limit_s is None:
                raise
            cooperate = self._precoder.cooperative
            simple = replace(
                self._precoder, weights=signal_to_leakage(covered, cooperate=cooperate), status="signal to leakage"
            )
            kept = [_still_promising(precoder, covered) for precoder in (self._precoder, simple)]
            return max(kept, key=lambda precoder: float(precoder.promised_sinr.min()))

    def _new(self, network: Network, covered: Network, symbols: Complex) -> Precoder:
        if covered is network or not _is_hopeless(covered):
            try:
                self._last = self._design(covered, symbols)
                return Precoder.of(self._last, covered.csi_radius, symbols)
            except InfeasibleError:
                if covered is network:
                    raise
        self._last = self._design(network, symbols)
        return _still_promising(Precoder.of(self._last, covered.csi_radius, symbols), covered)

    @property
    def _limit_s(self) -> float | None:
        """Time for a design; the first may take what it needs, and so may a waveform for one frame only."""
        limit_s = self.scenario.scheme.design_time_s
        return None if self._precoder is None or self._symbol_level or math.isinf(limit_s) else limit_s

    @property
    def _symbol_level(self) -> bool:
        return self.scenario.scheme.name.startswith("slp")

    def _covering_drift(self, network: Network, knowledge: Knowledge) -> Network:
        """Return the network with balls that hold the channels until the payload is sent."""
        if knowledge.drift is None or not self.scenario.scheme.csi_drift:
            return network
        frame, n_tx = self.scenario.frame, self.scenario.n_tx
        freedom = frame.sounding_symbols - self.scenario.n_stations * n_tx
        confidence = self.scenario.scheme.csi_confidence
        symbols = (frame.sounding_symbols + frame.payload_symbols) / 2 + frame.gap_symbols
        later = symbols / frame.symbol_rate_hz / frame.period_s  # from sounding to payload, in frames
        noise, drift = knowledge.sounding.error_variance, knowledge.drift
        radius = drift.radius(noise, n_tx=n_tx, freedom=freedom, age=1 + later, confidence=confidence)
        if knowledge.foresight is not None and knowledge.foreseen.any():
            missed = knowledge.foresight.error
            missed = replace(missed, mean=np.maximum(missed.mean, 0.0) + later**2 * np.maximum(drift.mean, 0.0))
            ahead = missed.radius(np.zeros_like(noise), n_tx=n_tx, freedom=freedom, age=1.0, confidence=confidence)
            radius = np.where(knowledge.foreseen, ahead, radius)
        return replace(network, csi_radius=radius)

    def _design(self, network: Network, symbols: Complex) -> Design:
        """Return a design that keeps its promises.

        One that is feasible and nearly optimal, but not proved to a hundredth, is loaded all the same: the promise to
        the users holds, and how far the sensing may be from the best is in the precoder, the file and the report.
        """
        scheme, constellation = self.scenario.scheme, CONSTELLATIONS[self.scenario.frame.modulation]
        streams = symbols.reshape(-1, symbols.shape[-1])
        try:
            return design(
                network,
                scheme.name,
                min_sinr_db=scheme.min_sinr_db,
                robustness=scheme.robustness,
                start=self._last,
                tolerance=TOLERANCE,
                time_limit_s=self._limit_s,
                sensing_streams=0,  # a frame's payload has symbols for users only
                symbols=psk_indices(streams, len(constellation)) if self._symbol_level else None,
                psk_order=len(constellation),
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
        moved = channel_distance(old.channels, new.channels, cooperative=scheme.name.endswith("comp"))
        far = np.any(moved > scheme.redesign_csi_radii * self._noise_radius)
        return bool(turned > np.radians(scheme.redesign_angle_deg) or far)


def _still_promising(precoder: Precoder, network: Network) -> Precoder:
    """Return a precoder with what it can promise within a network's balls, however large."""
    left = np.zeros((network.J, network.K)) if precoder.weights is None else worst_case_sinr(network, precoder.weights)
    return replace(precoder, promised_sinr=left, csi_radius=np.asarray(network.csi_radius))


def _is_hopeless(network: Network) -> bool:
    """Whether some user's own channel is known so badly that no precoder can promise him a useful SINR."""
    own = np.arange(network.J)
    size = np.linalg.norm(network.channels[own, own], axis=-1)
    return bool(np.any(network.csi_radius[own, own] > HOPELESS * size))


def psk_indices(symbols: Complex, order: int) -> NDArray[np.int64]:
    """Return the indices of PSK symbols: i is exp(j (2 pi i + pi) / M)."""
    return np.rint((np.angle(symbols) * order / np.pi - 1) / 2).astype(np.int64) % order


class RecordedDesigner:
    """Hands out the precoders of a recording: a design is a decision, and a replay keeps decisions."""

    def __init__(self, precoder_at: Callable[[int], Decision]) -> None:
        self._precoder_at = precoder_at

    def decide(self, index: int, knowledge: Knowledge | None, symbols: Complex) -> Decision:
        """See `Designer.decide`."""
        return self._precoder_at(index)
