"""What driver and radio server say to each other: lines of JSON over a socket, samples in shared memory.

Both sides import this file, the server's with an interpreter that has UHD: only the standard library and NumPy here.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Channel", "SharedSamples"]

LONGEST_LINE = 1 << 20
_SAMPLE_BYTES = np.dtype(np.complex64).itemsize


class Channel:
    """One end of the conversation; the other end has gone when `ConnectionError` comes."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = b""

    def send(self, message: dict[str, Any]) -> None:
        """Say something.

        Raises:
            ConnectionError: The other end has gone.
        """
        self._socket.settimeout(None)
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait for the next message.

        Args:
            timeout_s: How long; None for as long as it takes.

        Raises:
            TimeoutError: There was none in time.
            ConnectionError: The other end has gone.
        """
        self._socket.settimeout(timeout_s)
        while b"\n" not in self._rest:
            more = self._socket.recv(1 << 16)
            if not more or len(self._rest) > LONGEST_LINE:
                raise ConnectionResetError("the other end has gone")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class SharedSamples:
    """Memory of both sides: first what is sent, then what is received. It has no name and goes with its last user."""

    def __init__(self, descriptor: int) -> None:
        """Look at shared memory.

        Args:
            descriptor: Of a memory file, which the driver made and the server inherited; kept open.
        """
        self._descriptor = descriptor
        self._memory: mmap.mmap | None = None

    def reserve(self, n_samples: int) -> None:
        """See that there is room for so many samples; the driver does it before the server looks."""
        if os.fstat(self._descriptor).st_size < n_samples * _SAMPLE_BYTES:
            os.ftruncate(self._descriptor, n_samples * _SAMPLE_BYTES)

    def arrays(
        self, n_tx: int, n_sent: int, n_rx: int, n_received: int
    ) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Return the samples to send, (n_tx, n_sent), and to receive, (n_rx, n_received); both are views."""
        total = n_tx * n_sent + n_rx * n_received
        if self._memory is None or len(self._memory) < total * _SAMPLE_BYTES:
            self._memory = mmap.mmap(self._descriptor, os.fstat(self._descriptor).st_size)
        flat = np.frombuffer(self._memory, dtype=np.complex64, count=total)
        sent = flat[: n_tx * n_sent].reshape(n_tx, n_sent)
        return sent, flat[n_tx * n_sent :].reshape(n_rx, n_received)
