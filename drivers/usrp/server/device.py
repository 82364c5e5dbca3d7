"""One MultiUSRP: opened, described, clocked, timed and tuned. All boards of it are one radio."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from drivers.usrp.server.oscillators import share_oscillators
from drivers.usrp.server.vendor import Failure, library, translated

__all__ = ["Device"]

POLL_S = 0.01
EDGE_S = 1.5  # without an edge of the PPS for so long there is none
EDGES_APART_S = 0.3  # all boards see the same edge; so long it may take to ask them
TUNE_LEAD_S = 0.1  # from the command to a timed tune: enough to reach all boards
SETTLE_S = 0.5  # after a tune, for synthesizers to lock


class Device:
    """The boards behind one address; times are device times in seconds, unless they are the host's."""

    def __init__(self, arguments: str, subdevices: dict[str, str]) -> None:
        """Open them.

        Args:
            arguments: UHD's device arguments.
            subdevices: UHD's subdevice specification by side, "tx" and "rx", where it is not the default.

        Raises:
            Failure: There is no such device, or no such subdevice.
        """
        self.uhd = library()
        self.tunes = 0
        self._clock = "internal"
        try:
            self.usrp = self.uhd.usrp.MultiUSRP(arguments)
            for side, spec in subdevices.items():
                getattr(self.usrp, f"set_{side}_subdev_spec")(self.uhd.usrp.SubdevSpec(spec))
        except RuntimeError as error:
            raise translated(error, "open") from error
        self.n_boards: int = self.usrp.get_num_mboards()

    def describe(self) -> dict[str, Any]:
        """Return what the device is and can do."""
        usrp = self.usrp
        n = {"tx": usrp.get_tx_num_channels(), "rx": usrp.get_rx_num_channels()}
        tx = [usrp.get_usrp_tx_info(i) for i in range(n["tx"])]
        rx = [usrp.get_usrp_rx_info(i) for i in range(n["rx"])]
        return {
            "tx_boards": [one["mboard_serial"] for one in tx],
            "rx_boards": [one["mboard_serial"] for one in rx],
            "model": (rx or tx)[0]["mboard_id"],
            "tx_front_ends": [one["tx_subdev_name"] for one in tx],
            "rx_front_ends": [one["rx_subdev_name"] for one in rx],
            "center_hz": _common([*self._ranges("tx_freq", n["tx"]), *self._ranges("rx_freq", n["rx"])]),
            "sample_rate_hz": _common([*self._ranges("tx_rates", n["tx"]), *self._ranges("rx_rates", n["rx"])]),
            "tx_gain_db": _common(self._ranges("tx_gain", n["tx"])),
            "rx_gain_db": _common(self._ranges("rx_gain", n["rx"])),
            "tick_rate_hz": usrp.get_master_clock_rate(0),
            "clock_sources": [list(usrp.get_clock_sources(i)) for i in range(self.n_boards)],
            "time_sources": [list(usrp.get_time_sources(i)) for i in range(self.n_boards)],
        }

    def use_clock(self, clock: str, pulses: str, patience_s: float) -> dict[str, Any]:
        """Choose references for clock and time, and return the numbers of the boards whose clock is not locked."""
        self.usrp.set_clock_source(clock)
        self.usrp.set_time_source(pulses)
        self._clock = clock
        self._wait(lambda: not self.unlocked_boards(), patience_s)
        return {"unlocked": self.unlocked_boards()}

    def unlocked_boards(self) -> list[int]:
        """Return the numbers of the boards that have lost the reference of their clock, or have not found it."""
        if self._clock == "internal":
            return []
        having = [i for i in range(self.n_boards) if "ref_locked" in self.usrp.get_mboard_sensor_names(i)]
        return [i for i in having if not self.usrp.get_mboard_sensor("ref_locked", i).to_bool()]

    def share_oscillators(self, side: str, sources: list[str], exporting: list[int]) -> dict[str, Any]:
        """See `share_oscillators` of the module `oscillators`; phases are others afterwards, so it counts as a tune."""
        self.tunes += 1
        try:
            share_oscillators(self.usrp, side, sources, exporting)
        except RuntimeError as error:
            raise translated(error, f"{side}_lo") from error
        return {}

    def wait_for_edge(self) -> dict[str, Any]:
        """Return the host's time of the next edge of the PPS, and the numbers of the boards that did not see one."""
        before, again = self._last_edges_s(), self._last_edges_s()
        while before != again:  # an edge passed between two boards: some would seem to miss the next one
            before, again = again, self._last_edges_s()
        changed = self._wait(lambda: self._last_edge_s(0) != before[0], EDGE_S)
        edge_s = time.monotonic()
        self._wait(lambda: all(self._last_edge_s(i) != before[i] for i in range(1, self.n_boards)), EDGES_APART_S)
        without = [i for i in range(self.n_boards) if self._last_edge_s(i) == before[i]]
        return {"host_s": edge_s if changed else None, "without": without}

    def set_time(self, seconds: int, at_edge: bool) -> dict[str, Any]:
        """Set the time of all boards, at once or at the next edge."""
        spec = self.uhd.types.TimeSpec(float(seconds))
        if at_edge:
            self.usrp.set_time_next_pps(spec)
        else:
            self.usrp.set_time_now(spec)
        return {}

    def edges(self) -> dict[str, Any]:
        """Return the device time of the last edge, by board."""
        return {"edges_s": self._last_edges_s()}

    def time(self) -> dict[str, Any]:
        """Return the device time, and the host's before and after it was asked for."""
        before_s = time.monotonic()
        device_s = self.usrp.get_time_now().get_real_secs()
        return {"device_s": device_s, "before_s": before_s, "after_s": time.monotonic()}

    def tune(self, center_hz: float, n: dict[str, int]) -> dict[str, Any]:
        """Tune channels in one timed command; returns by side what each makes of it, and which did not lock."""
        self.tunes += 1
        request = self.uhd.types.TuneRequest(center_hz)
        results: dict[str, list[Any]] = {"tx": [], "rx": []}
        self.usrp.set_command_time(self.usrp.get_time_now() + self.uhd.types.TimeSpec(TUNE_LEAD_S))
        try:
            for side, count in n.items():
                results[side] = [getattr(self.usrp, f"set_{side}_freq")(request, i) for i in range(count)]
        except RuntimeError as error:
            raise translated(error, f"tune to {center_hz:.12g} Hz") from error
        finally:
            self.usrp.clear_command_time()
        time.sleep(TUNE_LEAD_S)
        self._wait(lambda: not any(self._unlocked_los(n).values()), SETTLE_S)
        return {
            "center_hz": {side: [self._get(side, "freq", i) for i in range(count)] for side, count in n.items()},
            "lo_hz": {side: [one.actual_rf_freq for one in results[side]] for side in n},
            "nco_hz": {side: [one.actual_dsp_freq for one in results[side]] for side in n},
            "unlocked": self._unlocked_los(n),
            "tunes": self.tunes,
        }

    def set(self, what: str, values: dict[str, float], n: dict[str, int]) -> dict[str, Any]:
        """Set "rate" or "gain" of the first channels of both sides, and return by side what is read back."""
        read: dict[str, Any] = {}
        for side, value in values.items():
            for i in range(n[side]):
                getattr(self.usrp, f"set_{side}_{what}")(value, i)
            read[side] = [self._get(side, what, i) for i in range(n[side])]
        return read

    def lowest_gain(self, n_tx: int) -> None:
        """Send as little as possible of what might still come."""
        for i in range(n_tx):
            self.usrp.set_tx_gain(self.usrp.get_tx_gain_range(i).start(), i)

    def prefer_separate_antennas(self, n_rx: int) -> None:
        """Receive at a port that does not send, where there is one: a bench sends and receives at the same time."""
        for i in range(n_rx):
            if "RX2" in self.usrp.get_rx_antennas(i):
                self.usrp.set_rx_antenna("RX2", i)

    def channels_by_board(self, side: str, n: int) -> list[list[int]]:
        """Return the first channels of a side, board by board."""
        boards: dict[str, list[int]] = {}
        for i in range(n):
            about = getattr(self.usrp, f"get_usrp_{side}_info")(i)
            boards.setdefault(about["mboard_serial"], []).append(i)
        return list(boards.values())

    def _get(self, side: str, what: str, channel: int) -> float:
        return float(getattr(self.usrp, f"get_{side}_{what}")(channel))

    def _ranges(self, what: str, count: int) -> list[tuple[float, float]]:
        suffix = "" if what.endswith("rates") else "_range"
        found = [getattr(self.usrp, f"get_{what}{suffix}")(i) for i in range(count)]
        return [(one.start(), one.stop()) for one in found]

    def _last_edges_s(self) -> list[float]:
        return [self._last_edge_s(i) for i in range(self.n_boards)]

    def _last_edge_s(self, board: int) -> float:
        return float(self.usrp.get_time_last_pps(board).get_real_secs())

    def _unlocked_los(self, n: dict[str, int]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for side, count in n.items():
            names = getattr(self.usrp, f"get_{side}_sensor_names")
            sensor = getattr(self.usrp, f"get_{side}_sensor")
            having = [i for i in range(count) if "lo_locked" in names(i)]
            found[side] = [i for i in having if not sensor("lo_locked", i).to_bool()]
        return found

    @staticmethod
    def _wait(condition: Callable[[], bool], patience_s: float) -> bool:
        """Wait until something is so, and return whether it is."""
        until_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > until_s:
                return False
            time.sleep(POLL_S)
        return True


def _common(ranges: list[tuple[float, float]]) -> tuple[float, float]:
    """Return what all ranges have in common; nothing is in common with nothing."""
    if not ranges:
        return (0.0, 0.0)
    low, high = max(one[0] for one in ranges), min(one[1] for one in ranges)
    if low > high:
        raise Failure("state", f"the channels have no range in common: {ranges}")
    return low, high
