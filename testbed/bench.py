"""The bench: all radios of an experiment, opened together, started together, silenced together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from drivers import Capabilities, DriverError, Radio, RadioRequest, RadioSettings, exchange, open_radios
from recordings import Capture, Exchange
from testbed.abilities import require_abilities
from testbed.errors import RfPolicyError
from testbed.frame import Frame
from testbed.scenario import Scenario
from testbed.world import scene

__all__ = ["Bench"]

LEAD_S = 0.1  # from opening to the first exchange: what a real radio needs to arm all its streams


class Bench:
    """Stations and users with their radios; transmits only between `__enter__` and `__exit__`, within the RF policy."""

    def __init__(self, scenario: Scenario, frame: Frame, seed: int) -> None:
        self.scenario = scenario
        self.frame = frame
        self._scene = scene(scenario, seed)
        self._radios: dict[str, Radio] = {}
        self.applied: dict[str, RadioSettings] = {}
        self._epoch_s = 0.0
        self._late_s = 0.0  # by how much frames start later than their period says
        self._begun = False

    def __enter__(self) -> Bench:
        """Open and configure every radio; if one fails, none stays open."""
        try:
            self._radios = open_radios(self._requests(), self._scene)
            require_abilities(self.scenario, self.capabilities)
            for name, settings in self._settings().items():
                self.applied[name] = self._radios[name].configure(settings)
            self._epoch_s = max(radio.time_s() for radio in self._radios.values()) + LEAD_S
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Silence and close every radio, whatever happened."""
        try:
            self.close()
        except Exception as another:
            if error is None:
                raise
            error.add_note(f"and on the way out: {another}")

    def close(self) -> None:
        """Silence all radios first, then let them go; one that fails keeps no other on the air."""
        radios, self._radios = list(self._radios.values())[::-1], {}
        with ExitStack() as last_first:
            for radio in radios:
                last_first.callback(radio.close)
            for radio in radios:
                last_first.callback(radio.silence)

    @property
    def capabilities(self) -> Mapping[str, Capabilities]:
        """What each radio can do."""
        return {name: radio.capabilities for name, radio in self._radios.items()}

    def start_s(self, index: int) -> float:
        """Return when a frame starts, or if it has been sent, started, in seconds since the first one.

        That is its place in the experiment's time, unless a design came so late that radios in real time missed it:
        then this frame and all after it start later.
        """
        return index * self.scenario.frame.period_s + self._late_s

    def exchange(self, index: int, bursts: Mapping[str, NDArray[np.complex64]]) -> dict[str, Capture]:
        """Send one frame from all stations and receive it everywhere.

        Args:
            index: Number of the frame; it starts at its place in the experiment's time.
            bursts: Samples by station, (n_tx, n_samples), full scale 1.

        Raises:
            RfPolicyError: A burst would exceed the policy's output; nothing was sent.
            DriverError: A radio failed; all are silent.
            UnfitFrameError: A radio delivered samples that are no numbers.
        """
        for name, burst in bursts.items():
            self._check_output(index, name, burst)
        try:
            captures = exchange(self._radios, bursts, self.frame.n_samples, self._start_in_time(index))
        except DriverError as error:
            if f"frame {index}" in str(error):
                raise
            raise type(error)(f"frame {index}: {error}") from error
        Exchange(index, bursts, captures).require_finite()  # a NaN must not reach the estimators
        return captures

    def _start_in_time(self, index: int) -> float:
        """Return the device time at which a frame starts, late enough for radios in real time to be armed before."""
        in_real_time = [radio for radio in self._radios.values() if radio.capabilities.lead_s > 0]
        earliest_s = max((radio.time_s() + radio.capabilities.lead_s for radio in in_real_time), default=-np.inf)
        missed_s = max(earliest_s - (self._epoch_s + self.start_s(index)), 0.0)
        if self._begun:
            self._late_s += missed_s
        else:  # what came before the first frame, such as compiling, is nobody's delay
            self._epoch_s += missed_s
            self._begun = True
        return self._epoch_s + self.start_s(index)

    def _check_output(self, index: int, name: str, burst: NDArray[np.complex64]) -> None:
        peak = float(np.max(np.abs(burst), initial=0.0))
        level_dbm = self._radios[name].capabilities.tx_full_scale_dbm + self.applied[name].tx_gain_db
        output_dbm = level_dbm + 20 * np.log10(max(peak, 1e-30))
        limit_dbm = self.scenario.rf.max_output_dbm
        if not output_dbm <= limit_dbm:
            raise RfPolicyError(
                f"frame {index}: radio {name} would put out {output_dbm:.1f} dBm at a peak, "
                f"rf.max_output_dbm is {limit_dbm:g} dBm; "
                "lower the station's power_dbm, or raise the limit if the antenna and the licence allow it"
            )

    def _requests(self) -> list[RadioRequest]:
        stations = [RadioRequest(s.name, s.radio, s.n_tx, s.n_rx) for s in self.scenario.stations]
        return stations + [RadioRequest(u.name, u.radio, 0, 1) for u in self.scenario.ordered_users]

    def _settings(self) -> dict[str, RadioSettings]:
        carrier_hz, rate_hz = self.scenario.carrier_hz, self.frame.sample_rate_hz
        stations = {
            s.name: RadioSettings(carrier_hz, rate_hz, s.tx_gain_db, s.rx_gain_db) for s in self.scenario.stations
        }
        idle_db = min(0.0, self.scenario.rf.max_tx_gain_db)
        users = {u.name: RadioSettings(carrier_hz, rate_hz, idle_db, u.rx_gain_db) for u in self.scenario.ordered_users}
        return stations | users
