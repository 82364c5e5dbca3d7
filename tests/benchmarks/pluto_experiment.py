"""`two_cells_pluto` on virtual Plutos and on simulated radios: one scenario and seed, through libiio and without."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from precoding_case import Check
from side_by_side import communication, emulated, noise, run, sensing

from testbed.scenario import Scenario

__all__ = ["on_virtual_plutos", "physics", "simulated"]

NAME, SEED = "two_cells_pluto", 5
DEVICE = re.compile(r'(?<=^radio = )"pluto:[^"]*"', re.MULTILINE)


def simulated() -> Scenario:
    """The experiment on simulated radios, which start apart and drift as the units do."""
    return Scenario.parse(DEVICE.sub('"simulated"', Scenario.load(NAME).text), "simulated.toml")


@contextmanager
def on_virtual_plutos(folder: Path) -> Iterator[Scenario]:
    """Serve the experiment's units on free ports; yields it with their addresses.

    Raises:
        RuntimeError: The emulator ended otherwise than silent.
    """
    anywhere = iter(range(1, 100))
    text = DEVICE.sub(lambda _: f'"pluto:ip:192.168.2.{next(anywhere)}"', Scenario.load(NAME).text)
    file = folder / f"{NAME}.toml"
    file.write_text(text)
    with emulated(file, SEED) as said:
        addresses = iter(re.findall(r"pluto:ip:127\.0\.0\.1:\d+", said))
        yield Scenario.parse(DEVICE.sub(lambda _: f'"{next(addresses)}"', text), str(file))


def physics(scaled: Callable[[int], int]) -> list[Check]:
    """Angle errors over their bound, the largest bound, SINRs of the same precoders, and what 12 bits add to noise."""
    with tempfile.TemporaryDirectory() as folder:
        with on_virtual_plutos(Path(folder)) as scenario:
            served = run(scenario, scaled(300), SEED, Path(folder) / "virtual.h5")
        alone = run(simulated(), scaled(300), SEED, Path(folder) / "simulated.h5")
    return [*sensing(served, alone, 0.03), *communication(served, alone), *noise(served, alone, -1.0, 2.0)]
