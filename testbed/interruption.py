"""Ctrl-C, a kill and a lost terminal: one interruption, which ends in silence and a whole recording."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType

__all__ = ["Interruption"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupted(KeyboardInterrupt):
    """A class of its own: after a bare KeyboardInterrupt in an `exec`, `python -m` ends by signal, not by status."""


class Interruption:
    """Turns signals into KeyboardInterrupt inside a `with` statement.

    Python drops an exception that a signal raises while a finalizer happens to run; so whoever works for long calls
    `check` now and then. Signals after the first are ignored: impatience must not cut short the silencing of the
    radios and the closing of the file.
    """

    def __init__(self, *, ends_process: bool) -> None:
        """Remember who listens now.

        Args:
            ends_process: Whether an interruption is the end of the process, which then stays deaf to further signals.
        """
        self._ends_process = ends_process
        self._asked = False
        self._report_lost = sys.unraisablehook
        # A shell that starts us in the background, or nohup, has some of them ignored: then it stays so.
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self._before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}

    def __enter__(self) -> Interruption:
        """Begin to listen."""
        sys.unraisablehook = self._drop_interrupts
        for number in self._before:
            signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the signals to those who had them before.

        Raises:
            KeyboardInterrupt: It came in the guise of another error: a C library that was interrupted has its own.
        """
        deaf = self._asked and self._ends_process
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if deaf else handler)
        if not deaf:
            sys.unraisablehook = self._report_lost
        if self._asked and isinstance(error, Exception):
            raise _Interrupted from error

    def check(self, done: object = None) -> None:
        """Raise KeyboardInterrupt if somebody asked for it; fit to be called with every frame."""
        if self._asked:
            raise _Interrupted

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._asked:
            self._asked = True
            raise _Interrupted

    def _drop_interrupts(self, lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):  # that one is not lost: see `check`
            self._report_lost(lost)
