"""The way to one unit: a context at a time, thrown away when it may be out of step, and replaced by a new one.

A context whose answer came too late answers every later question with the answer to the one before: it must never be
asked again.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from drivers.errors import DeviceLostError, DriverError, RadioNotFoundError, RadioStateError, SettingsError
from drivers.pluto.failures import at_opening, in_operation
from drivers.pluto.vendor import Context, open_context

__all__ = ["BUSY_S", "Link", "Patience"]

# Refusals: after them both ends still agree on whose turn it is. After anything else a context is thrown away.
_IN_STEP = (SettingsError, RadioStateError, RadioNotFoundError)
BUSY_S = 0.05  # what another connection has just let go of is free soon


@dataclass(frozen=True)
class Patience:
    """How long a unit is waited for.

    Attributes:
        timeout_s: For any single answer; opening a context or a buffer, libiio itself waits for 5 s.
        reopen_s: For a lost unit to come back.
    """

    timeout_s: float = 2.0
    reopen_s: float = 3.0


class Link:
    """A context to a unit, and the next one if it is lost.

    Attributes:
        serial: The unit's serial number.
        model: Its model.
        n_channels: Its transmit channels, and as many receive channels.
        name: Radio, unit and address, for messages.
        contexts: How many contexts there have been: what was applied in an earlier one does not count.
    """

    def __init__(self, radio: str, uri: str, patience: Patience, let_go: Callable[[], None]) -> None:
        """Open the first context.

        Args:
            radio: The radio's name, for messages.
            uri: libiio's address of the unit.
            patience: How long it is waited for.
            let_go: Drops every buffer; called before a context goes, since the library crashes the other way round.

        Raises:
            VendorLibraryError: libiio or pyadi-iio cannot be used.
            RadioNotFoundError: There is no Pluto at the address.
        """
        self._radio, self._uri, self._patience, self._let_go = radio, uri, patience, let_go
        self._lock = threading.RLock()  # silence may come from another thread than the exchange
        self._waited_in_vain = False
        self._context: Context | None = self._opened()
        self.contexts = 1
        self.serial, self.model = self._context.serial, self._context.model
        self.n_channels = self._context.n_channels
        self.name = f"radio {radio}: Pluto {self.serial} at {uri}"

    @property
    def is_lost(self) -> bool:
        """Whether the context was thrown away."""
        return self._context is None

    @contextmanager
    def talking(self, doing: str) -> Iterator[Context]:
        """Give the context; translate what fails, and throw the context away unless it was a refusal in step.

        Args:
            doing: What is being done, as in "could not <doing>".
        """
        with self._lock:
            if self._context is None:
                raise DeviceLostError(f"{self.name}: its context was lost before it could {doing}")
            try:
                yield self._context
            except Exception as error:  # pyadi raises bare Exception, too
                meant = self._meant(error, doing)
                if not isinstance(meant, _IN_STEP):
                    self.drop()
                if meant is error:
                    raise
                raise meant from error
            except BaseException:  # Ctrl-C may have cut a dialogue in two
                self.drop()
                raise

    def restore(self) -> None:
        """Open a context in place of a lost one, again and again until it works or patience ends.

        Raises:
            DeviceLostError: The unit does not come back, or another one answers in its place.
        """
        with self._lock:
            ends_s = time.monotonic() + (0.0 if self._waited_in_vain else self._patience.reopen_s)
            while self._context is None:
                try:
                    self._context = self._opened()
                except (RadioNotFoundError, RadioStateError) as error:
                    if time.monotonic() >= ends_s:
                        self._waited_in_vain = True  # it is not waited for a second time
                        raise DeviceLostError(
                            f"{self.name}: was lost and did not come back within {self._patience.reopen_s:g} s; "
                            f"if it may still transmit, unplug it ({error})"
                        ) from error
                    time.sleep(BUSY_S)
            if self._context.serial != self.serial:
                other = self._context.serial
                self.drop()
                raise DeviceLostError(
                    f"{self.name}: a Pluto with serial number {other} answers there now; mend the cabling"
                )
            self._waited_in_vain = False
            self.contexts += 1

    def drop(self) -> None:
        """Throw the context away."""
        with self._lock:
            self._let_go()
            if self._context is not None:
                self._context.forget()
            self._context = None

    def _opened(self) -> Context:
        try:
            return open_context(self._radio, self._uri, self._patience.timeout_s)
        except Exception as error:  # pyadi raises bare Exception, too
            raise at_opening(error, self._radio, self._uri) from error

    def _meant(self, error: Exception, doing: str) -> DriverError:
        """Translate an error; after a loss it is our own earlier connection that keeps something busy."""
        if self.contexts > 1 and getattr(error, "errno", None) == errno.EBUSY:
            return DeviceLostError(
                f"{self.name}: could not {doing}: the connection that was lost still holds it; restart the unit"
            )
        return in_operation(error, self.name, doing)
