"""A scenario's radios as virtual devices: what `testbed emulate` serves and says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivers import RadioRequest
from drivers.virtual.faults import parse_fault
from drivers.virtual.serving import VirtualBench
from testbed.scenario import Scenario
from testbed.world import scene

__all__ = ["describe", "last_words", "serve"]


def serve(scenario: Scenario, seed: int, *, paced: bool = False, faults: Sequence[str] = ()) -> VirtualBench:
    """Let virtual devices listen for every radio of a scenario.

    Args:
        scenario: The experiment.
        seed: Of the physics: with that of a run on simulated radios it is the same physics.
        paced: Whether captures take as long as their samples.
        faults: What shall go wrong; see `drivers.virtual.faults`.

    Raises:
        DriverError: A radio cannot be served, its port cannot be had, or a fault is none.
    """
    requests = [RadioRequest(one.name, one.radio, one.n_tx, one.n_rx) for one in scenario.stations]
    requests += [RadioRequest(one.name, one.radio, 0, 1) for one in scenario.ordered_users]
    return VirtualBench(
        requests,
        scene(scenario, seed),
        paced=paced,
        faults=[parse_fault(text) for text in faults],
        frame_period_s=scenario.frame.period_s,
    )


def describe(scenario: Scenario, bench: VirtualBench, *, paced: bool) -> Iterator[str]:
    """Yield lines that say which radios are served, and where."""
    yield scenario.title
    yield f"{len(bench.radios)} virtual radios on loopback, {'in real time' if paced else 'as fast as possible'}"
    rows = [("radio", "address to use", "serial", "model")]
    rows += [(radio.name, radio.address, radio.serial, radio.model) for radio in bench.radios]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, model in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(["", *padded, model])
    if any(any(one.velocity_m_s) for one in scenario.members):
        yield "the scene begins to move with the first transmission; for another run, start this anew"
    yield "Ctrl-C ends it"


def last_words(transmitting: Sequence[str]) -> str:
    """Return what to say at the end about who was still on the air."""
    if not transmitting:
        return "ended; nothing was transmitting"
    return f"ended; STILL TRANSMITTING until now: {', '.join(transmitting)}"
