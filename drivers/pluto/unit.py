"""One Pluto behind one context at a time: it is told what to do, and brought back when its context is lost."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import DeviceLostError, RadioNotFoundError, RadioStateError, SettingsError
from drivers.pluto.failures import at_opening, in_operation
from drivers.pluto.receive import samples_of
from drivers.pluto.settings import apply_settings, silence_outputs, silence_tones, wake_outputs
from drivers.pluto.transmit import Words, interleaved
from drivers.pluto.vendor import Context, open_context
from drivers.radio import RadioSettings

__all__ = ["Patience", "Unit"]

# Refusals: after them both ends still agree on whose turn it is. After anything else a context is thrown away.
_IN_STEP = (SettingsError, RadioStateError, RadioNotFoundError)

# The first buffer after a change begins before the transmitters' start has gone through filters and air.
FLUSHED = 1
BUSY_S = 0.05  # a buffer that another connection has just let go of is free soon


@dataclass(frozen=True)
class Patience:
    """How long a unit is waited for.

    Attributes:
        timeout_s: For any single answer; opening a context or a buffer, libiio itself waits for 5 s.
        reopen_s: For a lost unit to come back.
    """

    timeout_s: float = 2.0
    reopen_s: float = 3.0


class Unit:
    """One device. All methods raise `DriverError`; after a `DeviceLostError` the unit has no context until `reopen`."""

    def __init__(self, radio: str, uri: str, patience: Patience) -> None:
        """Open the unit and silence it.

        Raises:
            VendorLibraryError: libiio or pyadi-iio cannot be used.
            RadioNotFoundError: There is no Pluto at the address.
        """
        self.radio, self.uri, self._patience = radio, uri, patience
        self._lock = threading.RLock()  # silence may come from another thread than the exchange
        self._transmitter: Any = None
        self._receiver: Any = None
        self._applied: RadioSettings | None = None
        self._asked: RadioSettings | None = None
        self._current = False  # whether the settings are applied in this context
        self._attenuated = True
        self._was_lost = False
        self._gone = False  # whether it was waited for in vain: it is not a second time
        self._context: Context | None = self._opened()
        self.serial, self.model = self._context.serial, self._context.model
        self.n_channels = self._context.n_channels
        self.name = f"radio {radio}: Pluto {self.serial} at {uri}"
        try:
            self.silence()
        except BaseException:
            self._drop()
            raise

    @property
    def lost(self) -> bool:
        """Whether its context was thrown away."""
        return self._context is None

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings, without any buffer, and return what is read back."""
        with self._talking("configure") as context:
            self._drop_buffers()
            self._asked, self._current = None, False
            silence_tones(context, self.name)
            self._applied = apply_settings(context, settings, self.name)
            self._asked, self._current, self._attenuated = settings, True, False
            return self._applied

    def load(self, words: Words, n_samples: int) -> None:
        """Put words into a new cyclic buffer of n_samples, not yet sent.

        The old one stops. In between the outputs fall back to the tones, which are at zero since the context was opened.
        """
        self._keep_settings()
        with self._talking("load a burst") as context:
            self._drop_buffers()
            buffer = self._patiently(lambda: context.buffer(context.dac, n_samples, cyclic=True))
            buffer.write(bytearray(interleaved(words, self.n_channels, n_samples).tobytes()))
            self._transmitter = buffer

    def start(self) -> None:
        """Send what is loaded, over and over."""
        with self._talking("start the transmission"):
            if self._transmitter is None:
                raise RadioStateError(f"{self.name}: nothing is loaded")
            self._transmitter.push()

    def receive(self, n_samples: int) -> tuple[NDArray[np.complex64], bool]:
        """Receive into a fresh buffer, past what is stale; returns what `read` does."""
        self.open_receiver(n_samples)
        for _ in range(FLUSHED):
            self.read(n_samples)
        received = self.read(n_samples)
        self.close_receiver()
        return received

    def open_receiver(self, n_samples: int) -> None:
        """Begin to receive without a gap, n_samples at a time."""
        self._keep_settings()
        with self._talking("open a receive buffer") as context:
            self._receiver = None
            self._receiver = self._patiently(lambda: context.buffer(context.adc, n_samples))

    def read(self, n_samples: int) -> tuple[NDArray[np.complex64], bool]:
        """Return the next samples of the open receiver, (n_channels, n_samples), and whether they clip."""
        with self._talking("receive"):
            self._receiver.refill()
            return samples_of(self._receiver.read(), self.n_channels, n_samples, self.name)

    def close_receiver(self) -> None:
        """End receiving."""
        with self._talking("close the receive buffer"):
            self._receiver = None

    def stop(self) -> None:
        """End the transmission; the tones, to which the outputs fall back, are at zero."""
        with self._talking("stop the transmission"):
            self._transmitter = None

    def silence(self) -> None:
        """Attenuators to maximum, tones to zero, oscillator off, then no buffers; by a new context if its own is lost.

        Raises:
            DeviceLostError: The unit does not answer: it may still transmit.
        """
        with self._lock:
            self._attenuated = True
            try:
                self._fall_silent()
            except DeviceLostError:  # in the midst of it, or before
                self._fall_silent()

    def reopen(self) -> None:
        """Open a new context in place of a lost one: the same unit, with all its settings applied again.

        Raises:
            DeviceLostError: It does not come back, comes back as another, or with other settings.
        """
        with self._lock:
            self._drop()
            self._context = self._awaited()
            self._keep_settings()

    def close(self) -> None:
        """Silence the unit, unless it is silent, and let go of the context, buffers first."""
        with self._lock:
            try:
                if not self._attenuated or self._transmitter is not None:
                    self.silence()
            finally:
                self._drop()

    # ------------------------------------------------------------------ contexts

    def _fall_silent(self) -> None:
        if self.lost:
            self._context = self._awaited()
        with self._talking("fall silent") as context:
            silence_outputs(context, self.name)
            self._drop_buffers()

    def _opened(self) -> Context:
        try:
            return open_context(self.radio, self.uri, self._patience.timeout_s)
        except Exception as error:  # pyadi raises bare Exception, too
            raise at_opening(error, self.radio, self.uri) from error

    def _awaited(self) -> Context:
        """Open a context on the same unit, again and again until it works or patience ends."""
        ends_s = time.monotonic() + (0.0 if self._gone else self._patience.reopen_s)
        while True:
            try:
                context = self._opened()
                break
            except (RadioNotFoundError, RadioStateError) as error:
                if time.monotonic() >= ends_s:
                    self._gone = True
                    raise DeviceLostError(
                        f"{self.name}: was lost and did not come back within {self._patience.reopen_s:g} s; "
                        f"if it may still transmit, unplug it ({error})"
                    ) from error
            time.sleep(BUSY_S)
        if context.serial != self.serial:
            raise DeviceLostError(
                f"{self.name}: a Pluto with serial number {context.serial} answers there now; mend the cabling"
            )
        self._gone, self._was_lost = False, True
        return context

    def _keep_settings(self) -> None:
        """Apply what was configured to a context that is new, or after silence, and require the same values."""
        with self._lock:
            asked, before = self._asked, self._applied
            if asked is None or before is None or (self._current and not self._attenuated):
                return
            if not self._current:
                after = self.configure(asked)
            else:
                with self._talking("wake its outputs") as context:
                    after = replace(before, tx_gain_db=wake_outputs(context, asked, self.name))
                    self._attenuated = False
            if after != before:
                self._drop()
                raise DeviceLostError(f"{self.name}: came back with {after}, had {before}; restart it")

    @contextmanager
    def _talking(self, doing: str) -> Iterator[Context]:
        """Give the context; translate what fails, and throw the context away unless it was a refusal in step."""
        with self._lock:
            if self._context is None:
                raise DeviceLostError(f"{self.name}: its context was lost before it could {doing}")
            try:
                yield self._context
            except Exception as error:  # pyadi raises bare Exception, too
                meant = in_operation(error, self.name, doing)
                if isinstance(meant, RadioStateError) and self._was_lost and getattr(error, "errno", 0) == errno.EBUSY:
                    meant = DeviceLostError(
                        f"{self.name}: could not {doing}: the connection that was lost still holds it; restart the unit"
                    )
                if not isinstance(meant, _IN_STEP):
                    self._drop()
                if meant is error:
                    raise
                raise meant from error
            except BaseException:  # Ctrl-C may have cut a dialogue in two
                self._drop()
                raise

    def _patiently(self, make: Callable[[], Any]) -> Any:
        """Make a buffer; one that is busy may be the one we have just let go of."""
        try:
            return make()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        time.sleep(BUSY_S)
        return make()

    def _drop_buffers(self) -> None:
        self._transmitter = self._receiver = None

    def _drop(self) -> None:
        """Throw the context away, buffers first: the library crashes the other way round."""
        self._drop_buffers()
        if self._context is not None:
            self._context.forget()
        self._context, self._current = None, False
