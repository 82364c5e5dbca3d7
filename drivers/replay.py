"""The replay radio: answers from a recording, and only if it is asked what was asked on the day.

Address: `replay:FILE`, or `replay:FILE?first=10&tx=ignore` to begin at a later exchange or to accept other samples to
send.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from drivers.errors import RadioNotFoundError, RadioStateError, ReplayMismatchError
from drivers.radio import Capabilities, RadioSettings, Range, check_burst, check_settings
from recordings import Capture, Exchange, Recording, RecordingError

if TYPE_CHECKING:
    from drivers.opening import RadioRequest
    from drivers.simulated.scene import Scene

__all__ = ["ReplayRadio", "open_replay", "open_replay_address"]

# Samples count as equal within this part of full scale: less than any converter's step, more than the last-bit
# differences between the Fourier transforms of two processors.
SAME_SAMPLE = 2.0**-22
SAME_SETTING = 1e-9  # relative; settings are stored as they were applied


class _Tape:
    """A recording shared by its radios; closed with the last of them. Exchanges are read once, not once a radio."""

    def __init__(self, recording: Recording, first: int, *, check_sent: bool) -> None:
        self.recording = recording
        self.check_sent = check_sent
        self.first = first
        self.users = 0
        self._held: Exchange | None = None

    def exchange(self, index: int) -> Exchange:
        if self._held is None or self._held.index != index:
            self._held = self.recording.exchange(index)
        return self._held


def open_replay_address(place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, ReplayRadio]:
    """Open the radios of an address; see the module."""
    path, _, query = place.rpartition("?") if "?" in place else (place, "", "")  # a file's name may hold a ?
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = {"first", "tx"} >= options.keys() and options.get("tx", "check") in ("check", "ignore")
    if not path or not known or not options.get("first", "0").isdecimal():
        raise RadioNotFoundError(
            f"radio {requests[0].name}: {place!r} is no replay address; write replay:FILE?first=N&tx=check|ignore"
        )
    return open_replay(
        Path(path), requests, first=int(options.get("first", 0)), check_sent=options.get("tx") != "ignore"
    )


def open_replay(
    path: Path, requests: Sequence[RadioRequest], *, first: int = 0, check_sent: bool = True
) -> dict[str, ReplayRadio]:
    """Open radios that answer from a recording.

    Args:
        path: The recording.
        requests: The radios; each must be in it with as many channels.
        first: The exchange to begin with.
        check_sent: Whether to refuse samples other than those recorded.

    Raises:
        RadioNotFoundError: The file cannot be opened, or a radio is not in it.
    """
    try:
        recording = Recording.open(path)
    except RecordingError as error:
        raise RadioNotFoundError(f"radio {requests[0].name}: {error}") from error
    tape = _Tape(recording, first, check_sent=check_sent)
    try:
        return {request.name: _radio(tape, request) for request in requests}
    except BaseException:
        recording.close()
        raise


def _radio(tape: _Tape, request: RadioRequest) -> ReplayRadio:
    recording = tape.recording
    if request.name not in recording.radios:
        near = difflib.get_close_matches(request.name, recording.radios, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(recording.radios)}"
        raise RadioNotFoundError(f"radio {request.name} is not in {recording.path}; {hint}")
    if not recording.n_frames:
        raise RadioNotFoundError(f"radio {request.name}: {recording.path} holds no whole frame to replay")
    exchange = tape.exchange(0)
    n_rx = exchange.captures[request.name].samples.shape[0]
    n_tx = exchange.sent[request.name].shape[0] if request.name in exchange.sent else 0
    if (n_tx, n_rx) != (request.n_tx, request.n_rx):
        raise RadioNotFoundError(
            f"radio {request.name}: {recording.path} holds {n_tx} transmit and {n_rx} receive channels, "
            f"{request.n_tx} and {request.n_rx} are asked for"
        )
    tape.users += 1
    return ReplayRadio(request.name, tape, n_tx, n_rx)


class ReplayRadio:
    """One radio of a recording; see `drivers.Radio` for the methods."""

    def __init__(self, name: str, tape: _Tape, n_tx: int, n_rx: int) -> None:
        self._name = name
        self._tape = tape
        self._n_tx, self._n_rx = n_tx, n_rx
        self._next = tape.first
        self._configured: RadioSettings | None = None
        self._armed = False
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """See `drivers.Radio`; levels and identity are those of the recorded radio, ranges what can be asked of it."""
        facts = self._tape.recording.radios[self._name]
        return Capabilities(
            model=str(facts.get("model", "replay")),
            serial=str(facts.get("serial", self._name)),
            n_tx=self._n_tx,
            n_rx=self._n_rx,
            center_hz=Range(1e6, 100e9),
            sample_rate_hz=Range(1e3, 1e9),
            tx_gain_db=Range(-90.0, 30.0),
            rx_gain_db=Range(-30.0, 120.0),
            tx_full_scale_dbm=float(facts.get("tx_full_scale_dbm", 0.0)),
            rx_full_scale_dbm=float(facts.get("rx_full_scale_dbm", 0.0)),
            start_spread_s=float(facts.get("start_spread_s", 0.0)),
            tx_coherence=_labels(facts, "tx_coherence", self._n_tx),
            tx_kept_over_tunes=_labels(facts, "tx_kept_over_tunes", self._n_tx),
            rx_kept_over_tunes=_labels(facts, "rx_kept_over_tunes", self._n_rx),
        )

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """See `drivers.Radio`.

        Raises:
            ReplayMismatchError: A setting is not the recorded one.
        """
        self._require_open()
        check_settings(self._name, settings, self.capabilities)
        index = min(self._next, self._tape.recording.n_frames - 1)
        recorded = self._tape.exchange(index).captures[self._name].settings
        for name, value in settings.as_mapping().items():
            if abs(value - recorded[name]) > SAME_SETTING * abs(recorded[name]):
                raise ReplayMismatchError(
                    f"frame {index}, radio {self._name}: {name} is {value:g}, recorded was {recorded[name]:g}; "
                    "replay the scenario that is in the recording"
                )
        self._configured = RadioSettings(**{name: recorded[name] for name in settings.as_mapping()})
        return self._configured

    def time_s(self) -> float:
        """See `drivers.Radio`: the recorded start of the next exchange."""
        recording = self._tape.recording
        return self._tape.exchange(min(self._next, recording.n_frames - 1)).captures[self._name].start_s

    def arm(self, burst: NDArray[np.complex64], n_samples: int, start_s: float) -> None:
        """See `drivers.Radio`; the start is the recorded one, whatever is asked.

        Raises:
            ReplayMismatchError: The recording has ended, or the exchange is not the recorded one.
        """
        self._require_open()
        if self._configured is None:
            raise RadioStateError(f"radio {self._name}: not configured; call configure first")
        if self._armed:
            raise RadioStateError(f"radio {self._name}: already armed; collect or silence it first")
        check_burst(self._name, burst, n_samples, self.capabilities)
        recording = self._tape.recording
        if self._next >= recording.n_frames:
            raise ReplayMismatchError(
                f"radio {self._name}: frame {self._next} is asked for, {recording.path} holds {recording.n_frames}"
            )
        self._check_exchange(burst, n_samples)
        self._armed = True

    def collect(self) -> Capture:
        """See `drivers.Radio`."""
        self._require_open()
        if not self._armed:
            raise RadioStateError(f"radio {self._name}: nothing to collect; arm it first")
        self._armed = False
        capture = self._tape.exchange(self._next).captures[self._name]
        self._next += 1
        return capture

    def silence(self) -> None:
        """See `drivers.Radio`."""
        self._armed = False

    def close(self) -> None:
        """See `drivers.Radio`."""
        if not self._closed:
            self._closed = True
            self._tape.users -= 1
            if self._tape.users == 0:
                self._tape.recording.close()

    def _check_exchange(self, burst: NDArray[np.complex64], n_samples: int) -> None:
        exchange, where = self._tape.exchange(self._next), f"frame {self._next}, radio {self._name}"
        length = exchange.captures[self._name].samples.shape[1]
        if n_samples != length:
            raise ReplayMismatchError(
                f"{where}: {n_samples} samples are asked for, {length} were recorded; the frame layout differs"
            )
        if not self._tape.check_sent:
            return
        recorded = exchange.sent.get(self._name, np.zeros((0, 0), dtype=np.complex64))
        if burst.shape != recorded.shape:
            raise ReplayMismatchError(f"{where}: a burst of shape {burst.shape} is sent, {recorded.shape} was recorded")
        different = np.abs(burst - recorded) > SAME_SAMPLE
        if different.any():
            channel, sample = np.argwhere(different)[0]
            raise ReplayMismatchError(
                f"{where}: sample {sample} of transmit channel {channel} is {burst[channel, sample]:.6g}, "
                f"recorded was {recorded[channel, sample]:.6g} ({int(different.sum())} samples differ); "
                "another precoder, seed or frame made these samples; --tx ignore takes the captures all the same"
            )

    def _require_open(self) -> None:
        if self._closed:
            raise RadioStateError(f"radio {self._name}: it is closed; open it again")


def _labels(facts: Mapping[str, str | float], name: str, n: int) -> tuple[str, ...]:
    """Return a label per channel as recorded; a recording that does not say is of channels that are all alike."""
    labels = tuple(str(facts.get(name, "")).split())
    return labels if len(labels) == n else ("recorded",) * n
