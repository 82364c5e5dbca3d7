"""The loop: sound, design, load, transmit, capture, estimate, compare, track; one frame after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration import Calibration
from recordings import Capture
from testbed.bench import Bench
from testbed.designer import Decision, Designer
from testbed.frame import Frame
from testbed.knowledge import Knowledge, after
from testbed.measurement import Measurement
from testbed.outcome import Outcome
from testbed.scenario import Scenario

__all__ = ["FrameDone", "Loop", "payload_rng", "station_power"]

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class FrameDone:
    """One frame, complete: what was decided, sent, received and found."""

    index: int
    start_s: float
    decision: Decision
    sent: Mapping[str, NDArray[np.complex64]]
    captures: Mapping[str, Capture]
    outcome: Outcome


def station_power(scenario: Scenario) -> NDArray[np.float64]:
    """Return every station's power budget in watt, (J,)."""
    return 10 ** ((np.array([station.power_dbm for station in scenario.stations]) - 30) / 10)


def payload_rng(seed: int, index: int) -> np.random.Generator:
    """Return the generator of a frame's payload: any frame's symbols can be drawn again without those before it."""
    return np.random.default_rng([seed, 1, index])


class Loop:
    """Everything a frame passes through, in order; holds no state between frames but what `Knowledge` carries."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        bench: Bench,
        calibrations: Mapping[str, Calibration],
        designer: Designer,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.bench = bench
        self.frame: Frame = bench.frame
        self.calibrations = calibrations
        self.designer = designer
        self.power = station_power(scenario)
        self.measurement = Measurement(
            self.frame,
            self.power,
            cooperative=scenario.scheme.name.endswith("comp"),
            confidence=scenario.scheme.csi_confidence,
        )

    def run(self, indices: range, knowledge: Knowledge | None = None) -> Iterator[FrameDone]:
        """Run frames and yield each when it is done.

        Args:
            indices: Numbers of the frames.
            knowledge: What is known before the first of them; None before the experiment's first frame.
        """
        for index in indices:
            done = self._run_frame(index, knowledge)
            knowledge = after(knowledge, done.outcome, self.scenario.frame.period_s)
            yield done

    def _run_frame(self, index: int, knowledge: Knowledge | None) -> FrameDone:
        symbols = self.frame.draw(payload_rng(self.seed, index), self.scenario.users_per_cell)
        decision = self.designer.decide(index, knowledge, symbols)
        waveform = None if decision.precoder is None else decision.precoder.waveform(symbols)
        ports = self.frame.modulate(waveform, self.power)
        sent = {
            station.name: self.calibrations[station.name].apply_tx(ports[m])
            for m, station in enumerate(self.scenario.stations)
        }
        captures = self.bench.exchange(index, sent)
        received = {name: self.calibrations[name].apply(capture) for name, capture in captures.items()}
        outcome = self.measurement.measure(
            [received[station.name] for station in self.scenario.stations],
            np.concatenate([received[user.name] for user in self.scenario.ordered_users]),
            np.stack([self.calibrations[name].embed_tx(burst) for name, burst in sent.items()]),
            precoder=decision.precoder,
            symbols=symbols,
            knowledge=knowledge,
            fresh=decision.fresh,
            clipped=any("clipped" in capture.flags for capture in captures.values()),
            unaligned=any("time-unaligned" in capture.flags for capture in captures.values()),
        )
        return FrameDone(index, self.bench.start_s(index), decision, sent, captures, outcome)
