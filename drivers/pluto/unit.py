"""One Pluto: told what to do, and brought back with all its settings when its context is lost."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import DeviceLostError, DriverError, RadioStateError
from drivers.pluto.link import BUSY_S, Link, Patience
from drivers.pluto.receive import samples_of
from drivers.pluto.settings import apply_settings, require_settings, silence_outputs, wake_outputs
from drivers.pluto.transmit import Words, interleaved
from drivers.radio import RadioSettings

__all__ = ["Unit"]

# The first buffer after a change begins before the transmitters' start has gone through filters and air.
FLUSHED = 1


class Unit:
    """One device; its methods raise `DriverError`.

    After a `DeviceLostError` it has no context until `reopen`; only `silence` gets itself another one.

    Attributes:
        link: The way to it, and who it is.
    """

    def __init__(self, radio: str, uri: str, patience: Patience) -> None:
        """Open the unit and silence it.

        Raises:
            VendorLibraryError: libiio or pyadi-iio cannot be used.
            RadioNotFoundError: There is no Pluto at the address.
        """
        self.radio, self.uri = radio, uri
        self._transmitter: Any = None
        self._receiver: Any = None
        self._asked: RadioSettings | None = None
        self._applied: RadioSettings | None = None
        self._applied_in = 0  # which of the link's contexts; 0 for none
        self._is_silenced = self._is_awake = False
        self.link = Link(radio, uri, patience, self._drop_buffers)
        try:
            self.silence()
        except BaseException:
            self.link.drop()
            raise

    @property
    def name(self) -> str:
        """Radio, unit and address, for messages."""
        return self.link.name

    @property
    def is_lost(self) -> bool:
        """Whether its context was thrown away."""
        return self.link.is_lost

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings, without any buffer, and return what is read back."""
        self._asked = self._applied = None
        self._applied = self._apply(settings)
        self._asked = settings
        return self._applied

    def load(self, words: Words, n_samples: int) -> None:
        """Put words into a new cyclic buffer of n_samples, not yet sent.

        The old one stops. In between the outputs fall back to the tones, at zero since the context was opened.
        """
        self._keep_settings()
        self._wake()
        with self.link.talking("load a burst") as context:
            self._drop_buffers()
            buffer = _patiently(lambda: context.buffer(context.dac, n_samples, cyclic=True))
            buffer.write(bytearray(interleaved(words, self.link.n_channels, n_samples).tobytes()))
            self._transmitter = buffer

    def start(self) -> None:
        """Send what is loaded, over and over."""
        with self.link.talking("start the transmission"):
            if self._transmitter is None:
                raise RadioStateError(f"{self.name}: nothing is loaded")
            self._transmitter.push()

    def stop(self) -> None:
        """End the transmission; the tones, to which the outputs fall back, are at zero."""
        with self.link.talking("stop the transmission"):
            self._transmitter = None

    def receive(self, n_samples: int) -> tuple[NDArray[np.complex64], bool]:
        """Receive into a fresh buffer, past what is stale; returns what `read` does.

        Raises:
            DeviceLostError: It stopped answering, or is no longer set as it was.
        """
        self.open_receiver(n_samples)
        for _ in range(FLUSHED):
            self.read(n_samples)
        received = self.read(n_samples)
        self.close_receiver()
        _, applied = self._configured()
        with self.link.talking("be asked for its settings") as context:
            require_settings(context, applied, self.name, awake=self._is_awake)
        return received

    def open_receiver(self, n_samples: int) -> None:
        """Begin to receive, n_samples at a time."""
        self._keep_settings()
        with self.link.talking("open a receive buffer") as context:
            self._receiver = None
            self._receiver = _patiently(lambda: context.buffer(context.adc, n_samples))

    def read(self, n_samples: int) -> tuple[NDArray[np.complex64], bool]:
        """Return the next samples of the open receiver, (n_channels, n_samples), and whether they clip."""
        with self.link.talking("receive"):
            self._receiver.refill()
            return samples_of(self._receiver.read(), self.link.n_channels, n_samples, self.name)

    def close_receiver(self) -> None:
        """End receiving."""
        with self.link.talking("close the receive buffer"):
            self._receiver = None

    def silence(self) -> None:
        """Attenuators to maximum, tones to zero, oscillator off, then no buffers; by a new context if its own is lost.

        Raises:
            DeviceLostError: The unit does not answer: it may still transmit.
            SettingsError: It refused a part of it, twice; the rest is done.
        """
        try:
            self._fall_silent()
        except DriverError:  # lost before or in the midst of it, or a step was refused
            self._fall_silent()

    def reopen(self) -> None:
        """Open a new context in place of the one it has or had, and apply all its settings again.

        Raises:
            DeviceLostError: It does not come back, comes back as another, or with other settings.
        """
        self.link.drop()
        self.link.restore()
        self._keep_settings()

    def close(self) -> None:
        """Silence the unit, unless it is silent, and let go of the context, buffers first."""
        try:
            if not self._is_silenced:
                self.silence()
        finally:
            self.link.drop()

    def _fall_silent(self) -> None:
        if self.link.is_lost:
            self.link.restore()
        self._is_awake = False
        with self.link.talking("fall silent") as context:
            try:
                silence_outputs(context, self.name)
                self._is_silenced = True
            finally:
                self._drop_buffers()

    def _apply(self, settings: RadioSettings) -> RadioSettings:
        with self.link.talking("configure") as context:
            self._drop_buffers()
            self._applied_in, self._is_silenced, self._is_awake = 0, False, False
            applied = apply_settings(context, settings, self.name)
            self._applied_in = self.link.contexts
            return applied

    def _keep_settings(self) -> None:
        """Apply what was configured to a context that is new, and require the same values."""
        asked, before = self._configured()
        if self._applied_in != self.link.contexts:
            self._require_same(self._apply(asked), before)

    def _wake(self) -> None:
        """Switch on what sends, after configuration or silence, and require the same gain."""
        asked, before = self._configured()
        if not self._is_awake:
            with self.link.talking("wake its outputs") as context:
                self._is_silenced = False
                gain_db = wake_outputs(context, asked, self.name)
                self._is_awake = True
            self._require_same(replace(before, tx_gain_db=gain_db), before)

    def _configured(self) -> tuple[RadioSettings, RadioSettings]:
        if self._asked is None or self._applied is None:
            raise RadioStateError(f"{self.name}: not configured; call configure first")
        return self._asked, self._applied

    def _require_same(self, after: RadioSettings, before: RadioSettings) -> None:
        if after != before:
            self.link.drop()
            raise DeviceLostError(f"{self.name}: came back with {after}, had {before}; restart it")

    def _drop_buffers(self) -> None:
        self._transmitter = self._receiver = None


def _patiently(make: Callable[[], Any]) -> Any:
    """Make a buffer; one that is busy may be the one we have just let go of."""
    try:
        return make()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    time.sleep(BUSY_S)
    return make()
