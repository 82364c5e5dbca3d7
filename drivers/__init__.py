"""Radios: one narrow interface, a table of drivers, and the simulated bench."""

from drivers.errors import (
    DeviceLostError,
    DriverError,
    InvalidSamplesError,
    RadioNotFoundError,
    RadioStateError,
    ReplayMismatchError,
    SampleLossError,
    SettingsError,
    VendorLibraryError,
)
from drivers.exchanging import exchange
from drivers.opening import DRIVERS, RadioRequest, open_radios
from drivers.radio import Capabilities, Radio, RadioSettings, Range, check_burst, check_settings

__all__ = [
    "DRIVERS",
    "Capabilities",
    "DeviceLostError",
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
    "VendorLibraryError",
    "check_burst",
    "check_settings",
    "exchange",
    "open_radios",
]
