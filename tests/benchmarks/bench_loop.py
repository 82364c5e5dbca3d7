"""Frames a second through the loop with a fixed design: `make bench`, or `python bench_loop.py [frames]`.

The default scenario (8 radios): modulation, exchange through the simulated air, measurement and recording, on one
core. The design is made once, before the clock starts; so are the caches of the first frames.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calibration import LevelCalibration
from recordings import RecordingWriter
from testbed.bench import Bench
from testbed.designer import Decision, LiveDesigner
from testbed.experiment import record
from testbed.frame import Frame
from testbed.knowledge import Knowledge
from testbed.loop import Loop, station_power
from testbed.scenario import Scenario

GOAL = 100.0  # frames a second
WARM_UP = 10


class FixedDesigner:
    """Designs once and keeps to it."""

    def __init__(self, designer: LiveDesigner) -> None:
        self._designer = designer
        self._decision: Decision | None = None

    def decide(self, index: int, knowledge: Knowledge | None, symbols: np.ndarray) -> Decision:
        if knowledge is None or self._decision is None:
            decision = self._designer.decide(index, knowledge, symbols)
            self._decision = None if decision.precoder is None else Decision(decision.precoder, fresh=False)
            return decision
        return self._decision


class Stopwatch:
    """Adds up the time spent in a few calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, name: str, call: Callable) -> Callable:  # type: ignore[type-arg]
        def timed(*arguments, **options):  # type: ignore[no-untyped-def]
            with self.timing(name):
                return call(*arguments, **options)

        return timed

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def main(frames: int) -> int:
    scenario, watch = Scenario.load("two_cells"), Stopwatch()
    with tempfile.TemporaryDirectory() as folder, Bench(scenario, Frame(scenario.frame, 2, 6), 1) as bench:
        able = bench.capabilities
        calibrations = {name: LevelCalibration.nominal(able[name], bench.applied[name]) for name in able}
        designer = FixedDesigner(LiveDesigner(scenario, station_power(scenario)))
        loop = Loop(scenario, 1, bench, calibrations, designer)
        bench.exchange = watch.around("exchange", bench.exchange)  # type: ignore[method-assign]
        loop.measurement.measure = watch.around("measurement", loop.measurement.measure)  # type: ignore[method-assign]
        facts = {name: {"model": "simulated"} for name in able}
        path, times, last = Path(folder) / "bench.h5", [], 0.0
        with RecordingWriter.create(path, scenario_text=scenario.text, seed=1, versions={}, radios=facts) as writer:
            for done in loop.run(range(WARM_UP + frames)):
                if done.index == WARM_UP:
                    watch.seconds.clear()
                with watch.timing("recording"):
                    record(writer, done)
                now = time.perf_counter()
                times.append(now - last)
                last = now
        size = path.stat().st_size / (WARM_UP + frames)
    took = np.array(times[WARM_UP:])
    rate = len(took) / took.sum()
    length = loop.frame.n_samples
    print(f"{len(able)} radios, {length} samples a channel, {size / 1e3:.0f} kB a frame, {frames} frames, one core")
    for name, seconds in watch.seconds.items():
        print(f"  {name:<12} {1e3 * seconds / frames:6.2f} ms a frame")
    middle, worst = 1e3 * np.quantile(took, [0.5, 0.99])
    print(f"  all          {middle:6.2f} ms median, {worst:.2f} ms at the 99th percentile")
    print(f"{rate:.0f} frames a second; goal {GOAL:.0f}: {'met' if rate >= GOAL else 'MISSED'}")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
