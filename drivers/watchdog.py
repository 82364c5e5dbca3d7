"""A separate process that silences radios when the controller vanishes without a word, as by kill -9.

The controller holds the one end of a pipe and says goodbye on it before a clean end. If the pipe closes without that,
the controller is gone: the watchdog opens every radio itself and silences it. It is started as a file of its own, so
that until then it needs nothing but the standard library.
"""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SILENCERS", "Watchdog"]

# Kind of a radio: module, and its function that silences the device at an address and returns when it is silent.
SILENCERS = {"pluto": ("drivers.pluto.opening", "silence_unit")}
GOODBYE = "goodbye"
TRIES = 3  # a device may still be busy with the connection that the controller has lost
ENDS_S = 10.0  # a watchdog that was told goodbye ends at once, another one when it has tried everything


class Watchdog:
    """The controller's end: alive while radios are open."""

    def __init__(self, devices: Sequence[tuple[str, str]]) -> None:
        """Start watching.

        Args:
            devices: Kind, one of `SILENCERS`, and address of every device.
        """
        # -P keeps the folder of this file, with its module names, off the path of the new process.
        command = [sys.executable, "-P", __file__, json.dumps(devices)]
        self._guard = subprocess.Popen(  # noqa: S603  (our own interpreter and file)
            command, stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    @property
    def is_watching(self) -> bool:
        """Whether the process lives."""
        return self._guard.poll() is None

    def release(self, *, all_silent: bool = True) -> None:
        """End it, and wait for its end. Calling it again does nothing.

        Args:
            all_silent: Whether all radios have been silenced; if not, it tries so itself before it ends.
        """
        if self._guard.stdin is None or self._guard.stdin.closed:
            return
        try:
            if all_silent:
                self._guard.stdin.write(GOODBYE)
            self._guard.stdin.close()
        except BrokenPipeError:  # it was killed before; nothing watches, and nothing needs to any more
            pass
        try:
            self._guard.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


def _watch(devices: Sequence[tuple[str, str]]) -> int:
    """Wait for the controller's end, and silence all devices unless it said goodbye; return how many were not."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)  # meant for the controller, which then says goodbye or not
    if sys.stdin.read() == GOODBYE:
        return 0
    sys.path.insert(0, str(Path(__file__).parents[1]))
    return sum(not _silenced(kind, address) for kind, address in devices)


def _silenced(kind: str, address: str) -> bool:
    module, function = SILENCERS[kind]
    for attempt in range(TRIES):
        try:
            getattr(importlib.import_module(module), function)(address)
        except Exception as error:  # another device may still be silenced
            if attempt == TRIES - 1:
                sys.stderr.write(f"watchdog: {kind} {address} could not be silenced, unplug it: {error}\n")
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(_watch(json.loads(sys.argv[1])))
