"""`two_cells_usrp` on virtual N210s and on simulated radios: one scenario and seed, through libuhd and without."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from precoding_case import Check
from side_by_side import communication, emulated, noise, promises, replays, run, sensing

from drivers.usrp.server_process import wait_for_endings
from testbed.scenario import Scenario

__all__ = ["on_virtual_n210s", "physics", "simulated"]

NAME, SEED = "two_cells_usrp", 5
# A sounding knows a target's reflection to 4 to 10 %, so the bound that is designed for scatters by 8 % from design to
# design; the walking targets want a design every other frame.
RCRB_WITHIN = 0.05


def simulated() -> Scenario:
    """The experiment on simulated radios, whose full scale is another."""
    text = Scenario.load(NAME).text
    lines = ['radio = "simulated"' if line.startswith("radio = ") else line for line in text.splitlines()]
    return Scenario.parse("\n".join(lines).replace("tx_gain_db = 15.0", "tx_gain_db = -10.0"), "simulated.toml")


@contextmanager
def on_virtual_n210s(folder: Path) -> Iterator[Scenario]:
    """Serve the experiment's boards; on addresses of their own, for somebody may be serving the shipped ones."""
    file = folder / f"{NAME}.toml"
    file.write_text(Scenario.load(NAME).text.replace("127.0.0.", "127.0.6."))
    with emulated(file, SEED):
        yield Scenario.load(str(file))
        wait_for_endings()


def physics(scaled: Callable[[int], int]) -> list[Check]:
    """Angle errors over their bound, the bounds, SINRs of the same precoders, noise, promises and replays."""
    with tempfile.TemporaryDirectory() as folder:
        with on_virtual_n210s(Path(folder)) as scenario:
            served = run(scenario, scaled(60), SEED, Path(folder) / "virtual.h5")
        alone = run(simulated(), scaled(60), SEED, Path(folder) / "simulated.h5")
        checks = [*sensing(served, alone, RCRB_WITHIN), *communication(served, alone), *noise(served, alone, -0.5, 0.5)]
        return [*checks, *promises(served, alone), *replays(served, alone)]
