"""Everything that can go wrong with a radio.

DriverError
├── RadioNotFoundError (LookupError)     no such driver, device or file behind an address
├── SettingsError (ValueError)           a setting the radio cannot make, or coerced beyond the tolerance
├── RadioStateError (RuntimeError)       called out of order: not armed, closed, late
├── InvalidSamplesError (ValueError)     samples that must not be sent: NaN, beyond full scale, wrong shape
├── SampleLossError (OSError)            the radio lost samples: overrun, underrun, short read
├── DeviceLostError (ConnectionError)    a device stopped answering, or is another one than before
├── VendorLibraryError (ImportError)     a vendor's library is missing or of the wrong version
└── ReplayMismatchError (ValueError)     a replayed exchange differs from the recorded one
"""

__all__ = [
    "DeviceLostError",
    "DriverError",
    "InvalidSamplesError",
    "RadioNotFoundError",
    "RadioStateError",
    "ReplayMismatchError",
    "SampleLossError",
    "SettingsError",
    "VendorLibraryError",
]


class DriverError(Exception):
    """The root of all errors of this package."""


class RadioNotFoundError(DriverError, LookupError):
    """There is no such driver, device or file behind an address."""


class SettingsError(DriverError, ValueError):
    """A setting is outside what the radio can do, or was coerced by more than the stated tolerance."""


class RadioStateError(DriverError, RuntimeError):
    """A radio was called out of order: collected before it was armed, used after it was closed, armed too late."""


class InvalidSamplesError(DriverError, ValueError):
    """Samples that must not reach a converter: not finite, beyond full scale, or of the wrong shape."""


class SampleLossError(DriverError, OSError):
    """The radio lost samples (overrun, underrun, late burst, short read)."""


class DeviceLostError(DriverError, ConnectionError):
    """A device stopped answering, or answers as another one than before, and could not be brought back."""


class VendorLibraryError(DriverError, ImportError):
    """A vendor's library is missing or of the wrong version; the message names what to install."""


class ReplayMismatchError(DriverError, ValueError):
    """A replayed exchange is not the recorded one; the message names frame, radio and the first difference."""
