"""Streamers with deadlines of their own: one exchange at a time, sending, receiving and listening in a thread each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.usrp.server.device import Device

__all__ = ["Order", "Streams"]

Samples = NDArray[np.complex64]
PATIENCE_S = 1.5  # after an exchange should have ended: for a machine that is busy, boards need a few milliseconds
SLICE_S = 0.05  # the longest wait inside UHD: so soon an abort is heard
PIECE = 200_000  # samples sent or received in one call, at most
# UHD sends what it still holds when a streamer goes. What boards answer to that must have come before the next streamer
# begins to count packets anew, or it waits for ever for packets to be acknowledged.
LAST_WORDS_S = 0.1
FLUSH_S = 0.02  # after an error, until nothing comes any more


class Order:
    """One exchange: what is to be sent and received from a device time on, and what became of it."""

    def __init__(self, sent: Samples, received: Samples, start_ticks: int, tick_rate_hz: float, rate_hz: float) -> None:
        self.sent, self.received = sent, received
        self.start_ticks, self.tick_rate_hz, self.rate_hz = start_ticks, tick_rate_hz, rate_hz
        self.n_sent = self.n_received = 0
        self.first_s: float | None = None
        self.problems: list[dict[str, Any]] = []
        self.acknowledged: set[int] = set()
        self.unlocked: list[int] = []  # boards whose clock has lost its reference
        self.aborted = threading.Event()
        self._is_done = False
        self.until_s = 0.0  # host's time at which patience ends
        self.clocks: dict[str, float] = {}  # what device and host said when it began

    @property
    def start_s(self) -> float:
        """Device time of the first sample."""
        return self.start_ticks / self.tick_rate_hz

    def trouble(self, kind: str, channel: int | None = None, device_s: float | None = None) -> None:
        """Note what went wrong, on which channel, at which device time."""
        self.problems.append({"kind": kind, "channel": channel, "device_s": device_s})

    def end(self) -> None:
        """Note that nothing more will become of it."""
        self._is_done = True

    @property
    def is_complete(self) -> bool:
        """Whether everything was sent and received, and nothing went wrong."""
        complete = self.n_sent == self.sent.shape[1] and self.n_received == self.received.shape[1]
        return complete and not self.problems and not self.unlocked

    @property
    def is_sound(self) -> bool:
        """Whether it has ended and is complete: then boards hold nothing of it."""
        return self._is_done and self.is_complete

    @property
    def is_over(self) -> bool:
        """Whether nobody should wait any longer."""
        return self.aborted.is_set() or time.monotonic() > self.until_s

    def result(self) -> dict[str, Any]:
        """Return what became of it."""
        return {
            "n_sent": self.n_sent,
            "n_received": self.n_received,
            "first_s": self.first_s,
            "problems": self.problems,
            "unlocked": self.unlocked,
            "aborted": self.aborted.is_set(),
            "clocks": self.clocks,
        }


class Streams:
    """The streamers of a device for the first n_tx and n_rx channels, made anew when rates change."""

    def __init__(self, device: Device, n_tx: int, n_rx: int) -> None:
        self._device, self.n_tx, self.n_rx = device, n_tx, n_rx
        self._uhd = device.uhd
        self._rx = device.usrp.get_rx_stream(self._arguments(n_rx)) if n_rx else None
        self._tx = device.usrp.get_tx_stream(self._arguments(n_tx)) if n_tx else None
        self._order: Order | None = None
        self._worker: threading.Thread | None = None
        self._closing = threading.Event()
        self._acknowledged = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self, order: Order, done: Callable[[Order], None]) -> None:
        """Start an exchange; `done` is called from another thread when it is over, well or not."""
        self._order = order
        order.clocks = self._device.time()
        now_s = order.clocks["device_s"]
        length_s = max(order.sent.shape[1], order.received.shape[1]) / order.rate_hz
        order.until_s = time.monotonic() + max(order.start_s - now_s, 0.0) + length_s + PATIENCE_S
        if self._rx is not None:
            command = self._uhd.types.StreamCMD(self._uhd.types.StreamMode.num_done)
            command.num_samps, command.stream_now = order.received.shape[1], False
            command.time_spec = self._time(order)
            self._rx.issue_stream_cmd(command)
        self._worker = threading.Thread(target=self._exchange, args=(order, done), daemon=True)
        self._worker.start()

    def abort(self) -> None:
        """End the running exchange, and clear what the boards have not yet sent; after a sound one there is nothing."""
        order, self._order = self._order, None
        if order is None or order.is_sound:
            return
        order.aborted.set()
        if self._worker is not None:
            self._worker.join()
        if self._rx is not None:
            self._rx.issue_stream_cmd(self._uhd.types.StreamCMD(self._uhd.types.StreamMode.stop_cont))
            self._flush()
        if self._tx is not None:  # making a streamer clears the boards' transmit buffers: the only way to take back
            self._close_listener()
            self._tx = None
            time.sleep(LAST_WORDS_S)
            self._tx = self._device.usrp.get_tx_stream(self._arguments(self.n_tx))
            self._closing.clear()
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()

    def close(self) -> None:
        """Abort, and let the streamers go: they must go before the device."""
        self.abort()
        self._close_listener()
        self._tx = self._rx = None

    def _exchange(self, order: Order, done: Callable[[Order], None]) -> None:
        sender = threading.Thread(target=self._send, args=(order,), daemon=True)
        sender.start()
        try:
            self._receive(order)
            sender.join()
            self._wait_for_acknowledgements(order)
            if order.is_complete:  # else it is dropped anyway, and to ask a board that has gone takes UHD ten seconds
                order.unlocked = self._device.unlocked_boards()
        except RuntimeError as error:
            order.trouble(f"UHD: {' '.join(str(error).split())}")
        order.end()
        done(order)

    def _send(self, order: Order) -> None:
        n = order.sent.shape[1]
        if self._tx is None or not n:
            return
        metadata = self._uhd.types.TXMetadata()
        metadata.has_time_spec = metadata.start_of_burst = True
        metadata.time_spec = self._time(order)
        while order.n_sent < n and not order.is_over:
            piece = np.ascontiguousarray(order.sent[:, order.n_sent : order.n_sent + PIECE])
            metadata.end_of_burst = order.n_sent + piece.shape[1] == n
            taken = self._tx.send(piece, metadata, SLICE_S)
            if taken:
                metadata.has_time_spec = metadata.start_of_burst = False
            order.n_sent += taken
        if order.n_sent < n:
            metadata.end_of_burst = True
            self._tx.send(np.zeros((self.n_tx, 0), np.complex64), metadata, SLICE_S)

    def _receive(self, order: Order) -> None:
        if self._rx is None:
            return
        n, metadata = order.received.shape[1], self._uhd.types.RXMetadata()
        flat = np.empty(self.n_rx * min(PIECE, n), np.complex64)
        while order.n_received < n and not order.is_over and not order.problems:
            at, m = order.n_received, min(PIECE, n - order.n_received)
            piece = order.received if m == n else flat[: self.n_rx * m].reshape(self.n_rx, m)  # UHD wants it contiguous
            got = self._rx.recv(piece, metadata, SLICE_S)
            if got:
                self._check_time(order, metadata, at)
                if piece is not order.received:
                    order.received[:, at : at + got] = piece[:, :got]
                order.n_received += got
            if metadata.error_code != self._uhd.types.RXMetadataErrorCode.none:
                self._note(order, metadata)
        if order.problems or order.n_received < n:
            self._flush()

    def _check_time(self, order: Order, metadata: Any, at: int) -> None:
        first_s = metadata.time_spec.get_real_secs()
        if order.first_s is None:
            order.first_s = first_s
        if abs(first_s - (order.start_s + at / order.rate_hz)) > 0.5 / order.rate_hz:
            order.trouble("samples at another time than asked for", device_s=first_s)

    def _note(self, order: Order, metadata: Any) -> None:
        code = self._uhd.types.RXMetadataErrorCode
        if metadata.error_code == code.timeout:
            return  # the deadline is our own
        names = {code.late: "late receive command", code.broken_chain: "broken chain", code.overflow: "overflow"}
        names |= {code.alignment: "channels out of step", code.bad_packet: "bad packet"}
        kind = names.get(metadata.error_code, metadata.strerror())
        if metadata.error_code == code.overflow and metadata.out_of_sequence:
            kind = "lost packet"
        order.trouble(kind, device_s=metadata.time_spec.get_real_secs() if metadata.has_time_spec else None)

    def _flush(self) -> None:
        """Throw away what still comes: every board of a device reports an error of its own."""
        if self._rx is None:
            return
        metadata, scratch = self._uhd.types.RXMetadata(), np.empty((self.n_rx, 4096), np.complex64)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            got = self._rx.recv(scratch, metadata, FLUSH_S)
            if not got and metadata.error_code == self._uhd.types.RXMetadataErrorCode.timeout:
                return

    def _wait_for_acknowledgements(self, order: Order) -> None:
        if self._tx is None or not order.n_sent:
            return
        with self._acknowledged:
            while len(order.acknowledged) < self.n_tx and not order.is_over:
                self._acknowledged.wait(SLICE_S / 2)
        if not order.aborted.is_set():
            for channel in sorted(set(range(self.n_tx)) - order.acknowledged):
                order.trouble("end of burst not acknowledged", channel)

    def _listen(self) -> None:
        """Read what boards say about what they send, until the streamer goes."""
        metadata = self._uhd.types.TXAsyncMetadata()
        while self._tx is not None and not self._closing.is_set():
            if self._tx.recv_async_msg(metadata, SLICE_S):
                self._hear(metadata)

    def _hear(self, metadata: Any) -> None:
        code, order = self._uhd.types.TXMetadataEventCode, self._order
        if order is None:
            return
        if metadata.event_code == code.burst_ack:
            with self._acknowledged:
                order.acknowledged.add(metadata.channel)
                self._acknowledged.notify_all()
            return
        names = {code.underflow: "underflow", code.underflow_in_packet: "underflow", code.time_error: "late burst"}
        names |= {code.seq_error: "lost transmit packet", code.seq_error_in_packet: "lost transmit packet"}
        if metadata.event_code in names:
            device_s = metadata.time_spec.get_real_secs() if metadata.has_time_spec else None
            order.trouble(names[metadata.event_code], metadata.channel, device_s)

    def _close_listener(self) -> None:
        self._closing.set()
        self._listener.join()

    def _time(self, order: Order) -> Any:
        return self._uhd.types.TimeSpec.from_ticks(order.start_ticks, order.tick_rate_hz)

    def _arguments(self, n: int) -> Any:
        arguments = self._uhd.usrp.StreamArgs("fc32", "sc16")
        arguments.channels = list(range(n))
        return arguments
