"""What libiio's and pyadi's errors mean: each becomes one line that says who, what and what to do."""

from __future__ import annotations

import errno
import traceback

from drivers.errors import DeviceLostError, DriverError, RadioNotFoundError, RadioStateError, SettingsError

__all__ = ["at_opening", "in_operation"]

_ABSENT = {errno.ENXIO, errno.ENODEV, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOENT}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
# After these the two ends still agree on whose turn it is; after anything else the context is not to be trusted.
_REFUSALS = {errno.EINVAL, errno.ERANGE, errno.EBUSY, errno.ENOSYS, errno.EOPNOTSUPP}


def at_opening(error: Exception, radio: str, uri: str) -> DriverError:
    """Return what an error at opening a unit means; to be raised from the error."""
    traceback.clear_frames(error.__traceback__)  # they may hold the half-open context
    if isinstance(error, DriverError):
        return error
    code, where = getattr(error, "errno", None), f"radio {radio}: the Pluto at {uri}"
    if code == errno.ECONNREFUSED:
        return RadioNotFoundError(f"{where} refuses the connection; is it a Pluto, has it booted, is the port right?")
    if code in _FORBIDDEN:
        return RadioNotFoundError(
            f"{where} may not be opened by this user; install the maker's udev rule (53-adi-plutosdr-usb.rules) and "
            "join the group plugdev, then plug it in again"
        )
    if code == errno.EBUSY:
        return RadioStateError(f"{where} is in use by another program; end that one first")
    if code in (errno.EPIPE, errno.ETIMEDOUT, errno.EAGAIN, errno.ECONNRESET):
        return RadioNotFoundError(
            f"{where} accepts the connection but does not answer as a Pluto ({error}); restart it, or mend its address"
        )
    if code in _ABSENT:
        look = "iio_info -s lists those on USB" if uri.startswith("usb:") else f"does ping {_host(uri)} answer?"
        return RadioNotFoundError(f"{where} is not there ({error}); is it plugged in and powered? {look}")
    return RadioNotFoundError(f"{where} cannot be opened: {type(error).__name__}: {error}")


def in_operation(error: Exception, unit: str, doing: str) -> DriverError:
    """Return what an error during an operation means; to be raised from the error.

    Args:
        error: As libiio or pyadi raised it.
        unit: Radio and unit, for messages.
        doing: What was being done, as in "could not <doing>".

    Returns:
        A `DeviceLostError` if the context must be thrown away.
    """
    traceback.clear_frames(error.__traceback__)  # they may hold a buffer, and with it the context
    if isinstance(error, DriverError):
        return error
    code = getattr(error, "errno", None)
    if code in (errno.EINVAL, errno.ERANGE):
        return SettingsError(
            f"{unit}: refuses to {doing} (out of its range at this carrier and rate); change the scenario"
        )
    if code == errno.EBUSY:
        return RadioStateError(f"{unit}: could not {doing}: another program uses it; end that one first")
    if code in _REFUSALS:
        return SettingsError(f"{unit}: its firmware cannot {doing} ({error}); load the maker's plutosdr-fw")
    if code == errno.ETIMEDOUT:
        return DeviceLostError(f"{unit}: could not {doing}: the device timed out; is its sample clock running?")
    if isinstance(error, OSError):
        return DeviceLostError(f"{unit}: could not {doing}: it stopped answering ({error}); look at cable and power")
    if isinstance(error, AttributeError | KeyError):
        return RadioNotFoundError(
            f"{unit}: could not {doing}: its firmware knows no {error}; load the maker's plutosdr-fw"
        )
    return DeviceLostError(f"{unit}: could not {doing}: not understood: {type(error).__name__}: {error}")


def _host(uri: str) -> str:
    return uri.split(":")[1]
