"""The driver's end of a radio server: starts it, asks it with deadlines, and notices when it has gone."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from drivers.errors import (
    DeviceLostError,
    DriverError,
    RadioNotFoundError,
    RadioStateError,
    SettingsError,
    VendorLibraryError,
)
from drivers.usrp.wire import Channel, SharedSamples

__all__ = ["ServerProcess", "wait_for_endings"]

PATIENCE_S = 20.0  # for whatever takes no time of its own; UHD itself gives up on a board after some seconds
CLOSES_S = 3.0  # a server that was told to close
ENDS_S = 10.0  # until it has let the device go: UHD takes a second a board
_ERRORS: dict[str, type[DriverError]] = {
    "library": VendorLibraryError,
    "not found": RadioNotFoundError,
    "lost": DeviceLostError,
    "state": RadioStateError,
    "settings": SettingsError,
}


_ending: list[threading.Thread] = []  # of servers that were closed and still hold their devices


def wait_for_endings() -> None:
    """Wait until servers that were closed have let their devices go: only then these can be opened again."""
    while _ending:
        _ending.pop().join()


class ServerProcess:
    """A radio server of one radio. If it dies or does not answer, it is gone for good, and so is the radio."""

    def __init__(self, radio: str, python: str) -> None:
        """Start it.

        Args:
            radio: The radio's name, for messages.
            python: An interpreter that has UHD.
        """
        self._radio = radio
        self._number = 0
        self._closed = False
        ours, its = socket.socketpair()
        self._channel = Channel(ours)
        self._descriptor = os.memfd_create(f"usrp {radio}")
        self.memory = SharedSamples(self._descriptor)
        self._log = tempfile.TemporaryFile()
        quiet = {"UHD_LOG_CONSOLE_LEVEL": "error", "UHD_LOG_FASTPATH_DISABLE": "1"}
        folder = Path(__file__).parent / "server"
        command = [python, "-B", str(folder), str(its.fileno()), str(self._descriptor)]
        # A session of its own: Ctrl-C is for the controller, which then says what to do.
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=os.environ | quiet,
            pass_fds=(its.fileno(), self._descriptor), start_new_session=True,
        )  # fmt: skip
        its.close()

    @property
    def process_id(self) -> int:
        """Its number among the system's processes."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs, and was not told to end."""
        return not self._closed and self._process.poll() is None

    def ask(self, call: str, patience_s: float = PATIENCE_S, **arguments: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer.

        Raises:
            DriverError: What the server says went wrong, or that it has gone.
        """
        return self.answer(self.request(call, **arguments), patience_s)

    def request(self, call: str, **arguments: Any) -> int:
        """Ask for something, and return the number under which the answer will come.

        Raises:
            DeviceLostError: The server has gone.
        """
        self._number += 1
        try:
            self._channel.send({"number": self._number, "call": call, **arguments})
        except OSError as error:
            raise self._gone() from error
        return self._number

    def answer(self, number: int, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the answer to a request; answers to earlier ones are no longer of interest.

        Raises:
            DriverError: What the server says went wrong, or that it has gone.
        """
        until_s = time.monotonic() + patience_s
        while True:
            try:
                message = self._channel.receive(max(until_s - time.monotonic(), 0.001))
            except TimeoutError as error:
                self.kill()
                raise DeviceLostError(
                    f"radio {self._radio}: its radio server has not answered for {patience_s:.1f} s and was ended; "
                    "open the radio again"
                ) from error
            except OSError as error:
                raise self._gone() from error
            if message["number"] != number:
                continue
            if "failure" in message:
                raise _ERRORS[message["failure"]](f"radio {self._radio}: {message['text']}")
            result: dict[str, Any] = message["result"]
            return result

    def close(self) -> None:
        """Tell it to let the device go and to end, without waiting for that. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        ending = threading.Thread(target=self._end, name=f"end of {self._radio}'s radio server")
        _ending.append(ending)
        ending.start()

    def kill(self) -> None:
        """End it at once: the kernel closes its sockets, and finite bursts end by themselves."""
        self._process.kill()
        self._process.wait()

    def _end(self) -> None:
        """Wait until it has let the device go, which takes UHD a second; one that does not end is killed."""
        try:
            if self._process.poll() is None:
                self.ask("close", CLOSES_S)
            self._process.wait(ENDS_S)
        except (DriverError, subprocess.TimeoutExpired):
            self.kill()
        self._channel.close()
        self._log.close()
        os.close(self._descriptor)

    def _gone(self) -> DeviceLostError:
        status = self._process.wait() if self._ends_soon() else None
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        said = self._last_line()
        return DeviceLostError(
            f"radio {self._radio}: its radio server (process {self._process.pid}) ended {how}"
            f"{': ' + said if said else ''}; open the radio again"
        )

    def _ends_soon(self) -> bool:
        try:
            self._process.wait(CLOSES_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return True

    def _last_line(self) -> str:
        if self._log.closed:
            return ""
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else ""
