"""What every radio is: one device of coherent channels that sends and receives at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.errors import InvalidSamplesError, SettingsError
from recordings import Capture

__all__ = ["Capabilities", "Radio", "RadioSettings", "Range", "check_burst", "check_settings"]


@dataclass(frozen=True)
class Range:
    """A closed interval of values that a setting may take."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class RadioSettings:
    """What a radio is set to; `configure` takes the wish and returns what the device reads back."""

    center_hz: float
    sample_rate_hz: float
    tx_gain_db: float
    rx_gain_db: float

    def as_mapping(self) -> Mapping[str, float]:
        """Return the settings by name, for a capture or a file."""
        return asdict(self)


@dataclass(frozen=True)
class Capabilities:
    """What a radio can do; a bench asks of it nothing else.

    Attributes:
        model: The maker's name of the device.
        serial: Which one of them it is.
        n_tx: Number of coherent transmit channels.
        n_rx: Number of coherent receive channels.
        center_hz: Carrier frequencies it tunes to.
        sample_rate_hz: Sample rates it runs at.
        tx_gain_db: Transmit gains (0 or negative for an attenuator).
        rx_gain_db: Receive gains.
        tx_full_scale_dbm: Output power per channel of a sample of magnitude 1 at 0 dB transmit gain.
        rx_full_scale_dbm: Input power per channel that gives samples of magnitude 1 at 0 dB receive gain.
        start_spread_s: How far apart radios may start that were asked to start together; 0 for radios that start at the
            requested device time, to the sample.
        tx_coherence: A label per transmit channel, (n_tx,): channels with equal labels, anywhere on a bench, keep their
            relative phase from one tune to the next, because they share an oscillator or a phase-stable reference.
        tx_kept_over_tunes: A label per transmit channel, (n_tx,): channels with equal labels have the same relative
            phase again after another tune to the same frequency, so that a calibration of phases survives it.
        rx_kept_over_tunes: The same of the receive channels, (n_rx,).
        lead_s: How long before its start an exchange must be armed; 0 for radios in virtual time, and for those that
            wait themselves.
    """

    model: str
    serial: str
    n_tx: int
    n_rx: int
    center_hz: Range
    sample_rate_hz: Range
    tx_gain_db: Range
    rx_gain_db: Range
    tx_full_scale_dbm: float
    rx_full_scale_dbm: float
    start_spread_s: float
    tx_coherence: tuple[str, ...]
    tx_kept_over_tunes: tuple[str, ...]
    rx_kept_over_tunes: tuple[str, ...]
    lead_s: float = 0.0


class Radio(Protocol):
    """One device of coherent channels.

    The order of calls is configure, then arm and collect as often as wanted, then close. `tests/contract/test_radio.py`
    is the contract: every driver passes it.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do."""
        ...

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """Apply settings and return what the device reads back.

        Raises:
            SettingsError: A setting is outside the capabilities, or was coerced beyond the tolerance.
        """
        ...

    def time_s(self) -> float:
        """Return the device time in seconds: the clock in which exchanges are started."""
        ...

    def arm(self, burst: NDArray[np.complex64], n_samples: int, start_s: float) -> None:
        """Load a burst and schedule one exchange.

        Args:
            burst: Samples to send, shape (n_tx, n), magnitude up to 1 (full scale), n <= n_samples. (0, n) sends
                nothing.
            n_samples: Number of samples to receive on every receive channel.
            start_s: Device time of the first sample, sent and received.

        Raises:
            InvalidSamplesError: The burst is not finite, beyond full scale or of the wrong shape.
            RadioStateError: The radio is closed, not configured, already armed, or start_s is past.
        """
        ...

    def collect(self) -> Capture:
        """Wait for the armed exchange to end and return what was received.

        Raises:
            RadioStateError: The radio is not armed.
            SampleLossError: Samples were lost on the way.
        """
        ...

    def silence(self) -> None:
        """Stop transmitting at once, whatever was armed; never raises on a closed radio."""
        ...

    def close(self) -> None:
        """Silence the radio and let it go; calling it again does nothing."""
        ...


def check_settings(radio: str, settings: RadioSettings, capabilities: Capabilities) -> None:
    """Refuse settings outside a radio's capabilities.

    Raises:
        SettingsError: Naming the radio, the setting, its value and what is allowed.
    """
    for name, value in settings.as_mapping().items():
        allowed: Range = getattr(capabilities, name)
        if value not in allowed:
            raise SettingsError(
                f"radio {radio} ({capabilities.model}): {name} = {value:g} is outside {allowed}; change the scenario"
            )


def check_burst(radio: str, burst: NDArray[np.complex64], n_samples: int, capabilities: Capabilities) -> None:
    """Refuse samples that must not reach a converter.

    Raises:
        InvalidSamplesError: Naming the radio, the channel and the first offending sample.
    """
    if burst.ndim != 2 or burst.shape[0] not in (0, capabilities.n_tx) or burst.shape[1] > n_samples:
        raise InvalidSamplesError(
            f"radio {radio}: a burst of shape {burst.shape} does not fit "
            f"{capabilities.n_tx} transmit channels and {n_samples} samples"
        )
    magnitude = np.abs(burst)
    bad = ~(magnitude <= 1.0 + 1e-6)  # also true for NaN
    if bad.any():
        channel, sample = np.argwhere(bad)[0]
        raise InvalidSamplesError(
            f"radio {radio}: sample {sample} of transmit channel {channel} is {burst[channel, sample]}, "
            "beyond full scale or not finite; "
            "lower the power or raise tx_gain_db"
        )
