"""USRPs as one radio: settings read back, every exchange timed, every error of UHD raised by name."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import RadioStateError, SampleLossError, SettingsError
from drivers.radio import Capabilities, RadioSettings, check_burst, check_settings
from drivers.usrp.server_process import ServerProcess
from drivers.usrp.words import evm_db, n_clipped
from recordings import Capture

__all__ = ["UsrpRadio"]

LEAD_S = 0.005  # an exchange armed later than this before its start cannot reach all boards in time
LONG_LEAD_S = 600.0  # the longest time that an exchange may be armed ahead
PATIENCE_S = 6.0  # for the end of an exchange, beyond its own: the server itself gives up sooner
RATE_TOLERANCE = 1e-9  # relative: a rate is a whole fraction of the clock, or it is not
CENTER_TOLERANCE_HZ = 1.0  # what synthesizer and digital mixer together can always do
GAIN_TOLERANCE_DB = 0.26  # steps of 0.5 dB
NCO_TOLERANCE_HZ = 1e-3  # between channels: more lets their phases drift apart


class UsrpRadio:
    """Some channels of a MultiUSRP; see `drivers.Radio` for the methods."""

    def __init__(
        self, name: str, capabilities: Capabilities, boards: Mapping[str, Sequence[str]], tick_rate_hz: float,
        server: ServerProcess,
    ) -> None:  # fmt: skip
        """Take over an open device.

        Args:
            name: The radio's name.
            capabilities: What its channels can do.
            boards: Serial number of the board of every channel, by side ("tx", "rx"), and of every board ("all").
            tick_rate_hz: Rate of the clock in which times are counted.
            server: Its server.
        """
        self._name = name
        self._capabilities = capabilities
        self._boards = boards
        self._tick_rate_hz = tick_rate_hz
        self._server = server
        self._settings: RadioSettings | None = None
        self._tunes = 0
        self._host_s = float("nan")  # device time less the host's
        self._told_s = 0.0  # the latest time that was told: it does not run backwards
        self._armed: tuple[int, int, int, float, float] | None = None  # answer's number, n_sent, n, start, evm
        self._astray = ""  # why its boards are no longer on one time and phase; empty while they are
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """See `drivers.Radio`."""
        return self._capabilities

    @property
    def server(self) -> ServerProcess:
        """The process that holds UHD."""
        return self._server

    @property
    def tunes(self) -> int:
        """How often it was tuned; a calibration of phases is void after another tune."""
        return self._tunes

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """See `drivers.Radio`; all channels are tuned in one timed command, and must agree on what came of it."""
        self._require_open()
        check_settings(self._name, settings, self._capabilities)
        if self._armed is not None:
            raise RadioStateError(f"radio {self._name}: armed; collect or silence it before it is configured")
        read = self._server.ask(
            "configure",
            center_hz=settings.center_hz,
            rate_hz=settings.sample_rate_hz,
            gains_db={"tx": settings.tx_gain_db, "rx": settings.rx_gain_db},
        )
        self._tunes = read["tune"]["tunes"]
        applied = self._agreed(settings, read)
        self._read_clock()
        self._settings = applied
        return applied

    def time_s(self) -> float:
        """See `drivers.Radio`; by the host's clock since the device's was last read, with every exchange."""
        self._require_open()
        if math.isnan(self._host_s):
            self._read_clock()
        self._told_s = max(self._told_s, time.monotonic() + self._host_s)
        return self._told_s

    def arm(self, burst: NDArray[np.complex64], n_samples: int, start_s: float) -> None:
        """See `drivers.Radio`."""
        settings = self._require_settings()
        if self._armed is not None:
            raise RadioStateError(f"radio {self._name}: already armed; collect or silence it first")
        check_burst(self._name, burst, n_samples, self._capabilities)
        now_s = time.monotonic() + self._host_s
        if not now_s + LEAD_S <= start_s < now_s + LONG_LEAD_S:
            raise RadioStateError(
                f"radio {self._name}: asked to start at {start_s:g} s, but it is {now_s:g} s; arm at least {LEAD_S:g} "
                f"and at most {LONG_LEAD_S:g} s before (a longer frame.period_s gives designs more time)"
            )
        n_tx, n_sent = burst.shape if burst.shape[0] else (0, 0)
        n_rx = self._capabilities.n_rx
        self._server.memory.reserve(n_tx * n_sent + n_rx * n_samples)
        sent, _ = self._server.memory.arrays(n_tx, n_sent, n_rx, n_samples)
        sent[:] = burst
        number = self._server.request(
            "exchange",
            n_sent=n_sent,
            n_received=n_samples,
            start_ticks=round(start_s * self._tick_rate_hz),
            tick_rate_hz=self._tick_rate_hz,
            rate_hz=settings.sample_rate_hz,
        )
        self._armed = (number, n_sent, n_samples, start_s, evm_db(burst))

    def collect(self) -> Capture:
        """See `drivers.Radio`.

        Raises:
            RadioStateError: It was not armed, or a board has lost its 10 MHz: from some moment on it counts other ticks
                than the others, and only another opening brings them together.
            SampleLossError: UHD reported an error, or delivered less than was asked for; the message names the board.
            DeviceLostError: The radio server, or the device, has gone.
        """
        settings = self._require_settings()
        if self._armed is None:
            raise RadioStateError(f"radio {self._name}: nothing to collect; arm it first")
        (number, n_sent, n_samples, start_s, evm), self._armed = self._armed, None
        ends_s = start_s + n_samples / settings.sample_rate_hz
        patience_s = max(ends_s - (time.monotonic() + self._host_s), 0.0) + PATIENCE_S
        result = self._server.answer(number, patience_s)
        self._compare_clocks(result["clocks"])
        self._require_sound(result, n_sent, n_samples, start_s)
        n_tx = self._capabilities.n_tx if n_sent else 0
        _, received = self._server.memory.arrays(n_tx, n_sent, self._capabilities.n_rx, n_samples)
        samples = received.copy()
        flags = ("clipped",) if n_clipped(samples) else ()
        measured = {"tunes": float(self._tunes)} | ({} if math.isnan(evm) else {"tx_evm_db": evm})
        return Capture(self._name, samples, result["first_s"], settings.as_mapping(), flags, measured)

    def silence(self) -> None:
        """See `drivers.Radio`; what boards hold and have not sent is cleared.

        If the server has gone, boards end by themselves: bursts are finite, and one that breaks off is an underflow.
        """
        self._armed = None
        if not self._closed and self._server.is_alive:
            self._server.ask("silence")

    def close(self) -> None:
        """See `drivers.Radio`; the server puts transmit gains to their least before it lets the device go."""
        try:
            self.silence()
        finally:
            self._closed = True
            self._server.close()

    def _read_clock(self) -> None:
        """Remember by how much the device's time is ahead of the host's."""
        self._compare_clocks(self._server.ask("device", method="time", arguments={}))

    def _compare_clocks(self, read: Mapping[str, float]) -> None:
        self._host_s = read["device_s"] - (read["before_s"] + read["after_s"]) / 2

    def _agreed(self, asked: RadioSettings, read: Mapping[str, Any]) -> RadioSettings:
        """Return the settings that all channels read back, each within its tolerance of the one asked for."""
        tune = read["tune"]
        for side, unlocked in tune["unlocked"].items():
            if unlocked:
                named = ", ".join(f"channel {i} of board {self._boards[side][i]}" for i in unlocked)
                raise RadioStateError(f"radio {self._name}: no {side} oscillator lock on {named}; restart the board")
            for what in ("lo_hz", "nco_hz"):
                values = tune[what][side]
                if max(values) - min(values) > NCO_TOLERANCE_HZ:
                    raise SettingsError(
                        f"radio {self._name}: {side} channels differ in {what} after one tune: {values}; "
                        "their phases would drift apart: use equal boards, or another center_hz"
                    )
        rate_hz = self._one("sample_rate_hz", asked.sample_rate_hz, read["rate_hz"], RATE_TOLERANCE * 1e6)
        center_hz = self._one("center_hz", asked.center_hz, tune["center_hz"], CENTER_TOLERANCE_HZ)
        gains = dict(read["gain_db"])
        tx_gain_db = self._one("tx_gain_db", asked.tx_gain_db, {"tx": gains.get("tx", [])}, GAIN_TOLERANCE_DB)
        rx_gain_db = self._one("rx_gain_db", asked.rx_gain_db, {"rx": gains.get("rx", [])}, GAIN_TOLERANCE_DB)
        return RadioSettings(center_hz, rate_hz, tx_gain_db, rx_gain_db)

    def _one(self, name: str, asked: float, read: Mapping[str, Sequence[float]], tolerance: float) -> float:
        """Return the value that all channels read back; a side without channels has what was asked for."""
        values = [value for side in read.values() for value in side]
        wrong = [value for value in values if abs(value - asked) > tolerance]
        if wrong:
            near = f"; the nearest it can make is {wrong[0]:.12g}" if name == "sample_rate_hz" else ""
            raise SettingsError(
                f"radio {self._name} ({self._capabilities.model}): {name} = {asked:.12g} was asked for and "
                f"{wrong[0]:.12g} came{near}; change the scenario"
            )
        return values[0] if values else asked

    def _require_sound(self, result: Mapping[str, Any], n_sent: int, n_samples: int, start_s: float) -> None:
        if result["unlocked"]:
            named = ", ".join(f"{self._boards['all'][i]} (board {i})" for i in result["unlocked"])
            self._astray = (
                f"radio {self._name}: {named} lost the 10 MHz in the exchange at {start_s:.6f} s and is off in time "
                "and phase since; check its cable and level at REF IN, then open the radio again"
            )
            raise RadioStateError(self._astray)
        problems = result["problems"]
        if problems:
            first = problems[0]
            where = self._place(first["side"], first["channels"])
            when = "" if first["device_s"] is None else f" at {first['device_s']:.6f} s"
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            raise SampleLossError(
                f"radio {self._name}: {first['kind']}{where}{when}{more}, in the exchange at {start_s:.6f} s; "
                "what was received is dropped"
            )
        if result["n_sent"] < n_sent:
            raise SampleLossError(
                f"radio {self._name}: {result['n_sent']} of {n_sent} samples were taken for sending in the exchange at "
                f"{start_s:.6f} s: its boards hold back flow control; what was received is dropped"
            )
        if result["n_received"] < n_samples:
            raise SampleLossError(
                f"radio {self._name}: {result['n_received']} of {n_samples} samples came"
                f"{self._place('rx', result['lacking'])} in the exchange at {start_s:.6f} s; has it power and cable?"
            )

    def _place(self, side: str, channels: Sequence[int]) -> str:
        """Return on which channels of which boards something happened; nothing if UHD did not say."""
        if not channels:
            return ""
        word = {"tx": "transmit", "rx": "receive"}[side]
        boards = ", ".join(dict.fromkeys(self._boards[side][i] for i in channels))
        return f" on {word} channel {', '.join(map(str, channels))} (board {boards})"

    def _require_open(self) -> None:
        if self._closed:
            raise RadioStateError(f"radio {self._name}: it is closed; open it again")
        if self._astray:
            raise RadioStateError(self._astray)

    def _require_settings(self) -> RadioSettings:
        self._require_open()
        if self._settings is None:
            raise RadioStateError(f"radio {self._name}: not configured; call configure first")
        return self._settings
