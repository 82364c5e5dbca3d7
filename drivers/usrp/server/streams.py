"""Streamers with deadlines of their own: one exchange at a time, which sends, listens, and receives board by board."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from drivers.usrp.server.device import Device
from drivers.usrp.server.order import SLICE_S, Order
from drivers.usrp.server.reception import Reception

__all__ = ["Streams"]

PATIENCE_S = 1.5  # after an exchange should have ended: for a machine that is busy, boards need a few milliseconds
PIECE = 200_000  # samples sent in one call, at most
# UHD sends what it still holds when a streamer goes. What boards answer to that must have come before the next streamer
# begins to count packets anew, or it waits for ever for packets to be acknowledged.
LAST_WORDS_S = 0.1


class Streams:
    """The streamers of a device for the first n_tx and n_rx channels, made anew when rates change."""

    def __init__(self, device: Device, n_tx: int, n_rx: int) -> None:
        self._device, self.n_tx, self.n_rx = device, n_tx, n_rx
        self._uhd = device.uhd
        self._rx = [Reception(device, channels) for channels in device.channels_by_board("rx", n_rx)]
        self._tx = self._transmit_streamer() if n_tx else None
        self._order: Order | None = None
        self._is_troubled = False  # whether the last exchange was given up
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
        order.until_s = time.monotonic() + max(order.start_s - now_s, 0.0) + order.length_s + PATIENCE_S
        if self._is_troubled:
            _at_once([board.flush for board in self._rx])  # of what came after the last exchange was given up
        for board in self._rx:
            board.command(order)
        self._worker = threading.Thread(target=self._exchange, args=(order, done), daemon=True)
        self._worker.start()

    def abort(self) -> None:
        """End the running exchange, and clear what the boards have not yet sent; after a sound one there is nothing."""
        order, self._order = self._order, None
        if order is None:
            return
        self._is_troubled = not order.is_sound
        if order.is_sound:
            return
        order.aborted.set()
        if self._worker is not None:
            self._worker.join()
        _at_once([board.stop for board in self._rx])
        if self._tx is not None:  # making a streamer clears the boards' transmit buffers: the only way to take back
            self._close_listener()
            self._tx = None
            time.sleep(LAST_WORDS_S)
            self._tx = self._transmit_streamer()
            self._closing.clear()
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()

    def close(self) -> None:
        """Abort, and let the streamers go: they must go before the device."""
        self.abort()
        self._close_listener()
        self._tx, self._rx = None, []

    def _exchange(self, order: Order, done: Callable[[Order], None]) -> None:
        try:
            _at_once([partial(self._send, order), *(partial(board.receive, order) for board in self._rx)])
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
        metadata.time_spec = self._uhd.types.TimeSpec.from_ticks(order.start_ticks, order.tick_rate_hz)
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

    def _wait_for_acknowledgements(self, order: Order) -> None:
        if self._tx is None or not order.n_sent:
            return
        with self._acknowledged:
            while len(order.acknowledged) < self.n_tx and not order.is_over:
                self._acknowledged.wait(SLICE_S / 2)
        if not order.aborted.is_set():
            for channel in sorted(set(range(self.n_tx)) - order.acknowledged):
                order.trouble("end of burst not acknowledged", "tx", [channel])

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
            order.trouble(names[metadata.event_code], "tx", [metadata.channel], device_s)

    def _close_listener(self) -> None:
        self._closing.set()
        self._listener.join()

    def _transmit_streamer(self) -> Any:
        arguments = self._uhd.usrp.StreamArgs("fc32", "sc16")
        arguments.channels = list(range(self.n_tx))
        return self._device.usrp.get_tx_stream(arguments)


def _at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Make calls that mostly wait at the same time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max(len(calls), 1)) as pool:
        waiting = [pool.submit(call) for call in calls]
    for one in waiting:
        one.result()
