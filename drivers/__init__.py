"""Radios: one narrow interface, a table of drivers, and the simulated bench."""

from drivers.errors import (
    DriverError,
    InvalidSamplesError,
    RadioNotFoundError,
    RadioStateError,
    ReplayMismatchError,
    SampleLossError,
    SettingsError,
)
from drivers.exchanging import exchange
from drivers.opening import DRIVERS, RadioRequest, open_radios
from drivers.radio import Capabilities, Radio, RadioSettings, Range, check_burst, check_settings

__all__ = [
    "DRIVERS",
    "Capabilities",
    "DriverError",
    "InvalidSamplesError",
    "Radio",
    "RadioNotFoundError",
    "RadioRequest",
    "RadioSettings",
    "RadioStateError",
    "Range",
    "ReplayMismatchError",
    "SampleLossError",
    "SettingsError",
    "check_burst",
    "check_settings",
    "exchange",
    "open_radios",
]
