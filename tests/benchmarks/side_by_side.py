"""One experiment on virtual radios and on simulated ones, one scenario and seed: what both must find alike.

Users must stand still. Designs differ, for each is made for what that run has sounded, and a station with slack may do
this or that: so every precoder of the virtual radios is judged on the channels that the simulated ones found.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from precoding_case import Check

from precoding import sinr
from testbed import experiment
from testbed.loop import FrameDone
from testbed.outcome import Sounding
from testbed.precoder import Precoder
from testbed.scenario import Scenario
from testbed.summary import StationSummary, Summary

__all__ = [
    "Run",
    "aligned",
    "communication",
    "emulated",
    "expected_sinr_db",
    "largest_rcrb_rad",
    "noise",
    "noise_excess_db",
    "promises",
    "replays",
    "run",
    "sensing",
]

ROOT = Path(__file__).parents[2]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@contextmanager
def emulated(scenario: str | Path, seed: int) -> Iterator[str]:
    """Serve a scenario's radios in a process of its own; yields what `testbed emulate` said.

    Raises:
        RuntimeError: The emulator ended otherwise than silent.
    """
    command = [sys.executable, "-m", "testbed", "emulate", str(scenario), "--seed", str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += (line := process.stdout.readline())
            if not line:
                raise RuntimeError(process.communicate()[1])
        try:
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            said, complained = process.communicate(timeout=30)
        if (said, complained) != ("ended; nothing was transmitting\n", ""):
            raise RuntimeError(said + complained)


@dataclass(frozen=True)
class Run:
    """A run: its summary, recording and frames."""

    summary: Summary
    path: Path
    frames: list[FrameDone]

    @property
    def precoders(self) -> list[Precoder]:
        """Those of the frames with a payload, in order."""
        return [done.decision.precoder for done in self.frames if done.decision.precoder is not None]

    @property
    def weights(self) -> list[Complex]:
        """Of these precoders; block level only."""
        found = [precoder.weights for precoder in self.precoders if precoder.weights is not None]
        assert len(found) == len(self.precoders)
        return found

    @property
    def soundings(self) -> list[Sounding]:
        """Of all frames."""
        return [done.outcome.sounding for done in self.frames]


def run(scenario: Scenario, frames: int, seed: int, path: Path) -> Run:
    """Run an experiment and keep everything."""
    done: list[FrameDone] = []
    return Run(experiment.run(scenario, frames=frames, seed=seed, output=path, listeners=[done.append]), path, done)


def aligned(channels: Complex, to: Complex) -> Complex:
    """Return channels (..., n_tx), each link turned by the one phase that brings it closest to another's."""
    inner = np.sum(channels.conj() * to, axis=-1, keepdims=True)
    return np.asarray(channels * inner / np.abs(inner))


def expected_sinr_db(served: Run, alone: Run) -> Vector:
    """Return every user's mean SINR over all precoders of one run, on the channels that the other found, (J K,).

    The channels are means over its soundings: the error of one alone is worth up to 0.15 dB.
    """
    first = alone.frames[0].outcome.sounding.channels
    channels = np.mean([aligned(sounding.channels, first) for sounding in alone.soundings], axis=0)
    user_noise = np.mean([sounding.user_noise for sounding in served.soundings], axis=0)
    each = [sinr(channels, weights, user_noise) for weights in served.weights]
    return np.asarray(10 * np.log10(np.mean(each, axis=0)).ravel())


def largest_rcrb_rad(of: Run) -> float:
    """Return the root mean square, over frames, of the largest root CRB designed for."""
    return float(np.sqrt(np.mean([np.max(precoder.rcrb_rad) ** 2 for precoder in of.precoders])))


def noise_excess_db(served: Run, alone: Run) -> tuple[Vector, Vector]:
    """Return the mean noise of one run over that of the other: at every user, (J K,), and every station, (J,)."""

    def excess_db(name: str) -> Vector:
        powers = [np.mean([getattr(sounding, name) for sounding in one.soundings], axis=0) for one in (served, alone)]
        return np.asarray(10 * np.log10(powers[0] / powers[1]).ravel())

    return excess_db("user_noise"), excess_db("radar_noise")


def sensing(served: Run, alone: Run, rcrb_within: float) -> list[Check]:
    """Angle errors over their bound, and the largest bound that was designed for, to a part of it."""
    checks = []
    for one, other in zip(served.summary.stations, alone.summary.stations, strict=True):
        meet = one.ratio_low < other.ratio_high and other.ratio_low < one.ratio_high
        got = f"{_with_interval(one)}, simulated {_with_interval(other)}"
        checks.append(Check(f"{one.name}: RMSE / root CRB", "meet, about 1", got, meet and _is_about_one(one, other)))
    largest = np.degrees([largest_rcrb_rad(served), largest_rcrb_rad(alone)])
    got = f"{largest[0]:.4f}, simulated {largest[1]:.4f} deg"
    met = bool(abs(largest[0] / largest[1] - 1) < rcrb_within)
    return [*checks, Check("largest root CRB designed for", f"within {100 * rcrb_within:.0f} %", got, met)]


def _with_interval(station: StationSummary) -> str:
    return f"{station.ratio:.3f} [{station.ratio_low:.3f}, {station.ratio_high:.3f}]"


def _is_about_one(*stations: StationSummary) -> bool:
    return all(station.ratio_low < 1.1 and station.ratio_high > 0.9 for station in stations)


def communication(served: Run, alone: Run) -> list[Check]:
    """What users measured of the precoders of one run, against what these give on the channels of the other."""
    checks = []
    for user, expected_db in zip(served.summary.users, expected_sinr_db(served, alone), strict=True):
        got = f"{user.measured_db:.2f}, on the simulated channels {expected_db:.2f} dB"
        met = bool(abs(user.measured_db - expected_db) <= 0.2)
        checks.append(Check(f"{user.name}: SINR of the same precoders", "within 0.2 dB", got, met))
    return checks


def noise(served: Run, alone: Run, low_db: float, high_db: float) -> list[Check]:
    """Noise of virtual radios over that of simulated ones."""
    checks = []
    for what, excess_db in zip(("users", "stations"), noise_excess_db(served, alone), strict=True):
        got = ", ".join(f"{value:+.2f}" for value in excess_db)
        met = bool(np.all((excess_db > low_db) & (excess_db < high_db)))
        checks.append(Check(f"noise of {what} over simulated, dB", f"{low_db:+g} to {high_db:+g}", got, met))
    return checks


def promises(served: Run, alone: Run) -> list[Check]:
    """Of all users and frames, the share whose SINR is within the promise; the ball of channels leaves out 5 %."""
    shares = [float(np.mean([user.kept_share for user in one.summary.users])) for one in (served, alone)]
    counts = [one.summary.payload_frames * len(one.summary.users) for one in (served, alone)]
    got = ", simulated ".join(f"{100 * share:.1f} % of {n}" for share, n in zip(shares, counts, strict=True))
    return [Check("promises kept", ">= 95 %", got, min(shares) >= 0.95)]


def replays(served: Run, alone: Run) -> list[Check]:
    """Both recordings, measured again."""
    differences = [experiment.replay(one.path).differences for one in (served, alone)]
    got = ", simulated ".join(found[0] if found else "to the bit" for found in differences)
    return [Check("replays", "to the bit", got, not any(differences))]
