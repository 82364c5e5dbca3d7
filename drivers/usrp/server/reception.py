"""Receive streamers, one a board: UHD does not say of which board of a streamer an error is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from drivers.usrp.server.device import Device
from drivers.usrp.server.order import SLICE_S, Order

__all__ = ["Reception"]

PIECE = 200_000  # samples received in one call, at most
FLUSH_S = 0.02  # after an error, until nothing comes any more
PATIENCE_S = 1.5  # for that


class Reception:
    """The streamer of one board. Boards are aligned by their time: all get a command for the same tick."""

    def __init__(self, device: Device, channels: Sequence[int]) -> None:
        """Make the streamer.

        Args:
            device: The boards.
            channels: Channels of one of them.
        """
        self._uhd, self._channels = device.uhd, list(channels)
        arguments = self._uhd.usrp.StreamArgs("fc32", "sc16")
        arguments.channels = self._channels
        self._streamer = device.usrp.get_rx_stream(arguments)

    def command(self, order: Order) -> None:
        """Ask the board for samples from the start of an exchange on."""
        command = self._uhd.types.StreamCMD(self._uhd.types.StreamMode.num_done)
        command.num_samps, command.stream_now = order.received.shape[1], False
        command.time_spec = self._uhd.types.TimeSpec.from_ticks(order.start_ticks, order.tick_rate_hz)
        self._streamer.issue_stream_cmd(command)

    def receive(self, order: Order) -> None:
        """Receive until everything has come, or anything has gone wrong, here or with another board."""
        first, last = self._channels[0], self._channels[-1] + 1
        into, metadata = order.received[first:last], self._uhd.types.RXMetadata()
        n, done = into.shape[1], 0
        try:
            while done < n and not order.is_over and not order.problems:
                # The first packet comes alone: UHD joins what is left of an earlier command with what follows it.
                piece = into[:, done : done + (PIECE if done else self._streamer.get_max_num_samps())]
                got = self._recv(piece, metadata)
                if got and not done and metadata.time_spec.get_real_secs() < order.start_s - 0.5 / order.rate_hz:
                    continue
                if got:
                    self._check_time(order, metadata, done)
                    done += got
                    order.n_received[first:last] = [done] * len(into)
                if metadata.error_code != self._uhd.types.RXMetadataErrorCode.none:
                    self._note(order, metadata, done)
        except RuntimeError as error:
            order.trouble(f"UHD: {' '.join(str(error).split())}", "rx", self._channels)
        if order.problems or done < n:
            self.flush()

    def stop(self) -> None:
        """Take back a command that still runs, and throw away what came of it."""
        self._streamer.issue_stream_cmd(self._uhd.types.StreamCMD(self._uhd.types.StreamMode.stop_cont))
        self.flush()

    def flush(self) -> None:
        """Throw away what still comes."""
        metadata, scratch = self._uhd.types.RXMetadata(), np.empty((len(self._channels), 4096), np.complex64)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            got = self._streamer.recv(scratch, metadata, FLUSH_S)
            if not got and metadata.error_code == self._uhd.types.RXMetadataErrorCode.timeout:
                return

    def _recv(self, piece: Any, metadata: Any) -> int:
        """Receive into an array of any layout; UHD itself wants one without gaps."""
        if piece.flags.c_contiguous:
            got: int = self._streamer.recv(piece, metadata, SLICE_S)
            return got
        scratch = np.empty(piece.shape, np.complex64)
        got = self._streamer.recv(scratch, metadata, SLICE_S)
        piece[:, :got] = scratch[:, :got]
        return got

    def _check_time(self, order: Order, metadata: Any, at: int) -> None:
        came_s = metadata.time_spec.get_real_secs()
        if not at and not self._channels[0]:
            order.first_s = came_s
        if abs(came_s - (order.start_s + at / order.rate_hz)) > 0.5 / order.rate_hz:
            order.trouble("samples at another time than asked for", "rx", self._channels, came_s)

    def _note(self, order: Order, metadata: Any, done: int) -> None:
        code = self._uhd.types.RXMetadataErrorCode
        if metadata.error_code == code.timeout:
            return  # the deadline is our own
        names = {code.late: "late receive command", code.broken_chain: "broken chain", code.overflow: "overflow"}
        names |= {code.alignment: "channels out of step", code.bad_packet: "bad packet"}
        kind = names.get(metadata.error_code, metadata.strerror())
        if metadata.error_code == code.overflow and metadata.out_of_sequence:
            kind = "lost packet"
        missing_s = (
            order.start_s + done / order.rate_hz
        )  # where UHD does not say when: the first sample that is missing
        at_s = metadata.time_spec.get_real_secs() if metadata.has_time_spec else missing_s
        order.trouble(kind, "rx", self._channels, at_s)
