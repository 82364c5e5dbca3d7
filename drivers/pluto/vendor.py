"""The only module that imports the vendor's packages: contexts are opened and identified here, and buffers made."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drivers.errors import RadioNotFoundError, VendorLibraryError

__all__ = ["Context", "libraries", "open_context"]

PHY, ADC, DAC = "ad9361-phy", "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"
TX_OSCILLATOR = "altvoltage1"
WORDS_A_CHANNEL = 2  # I and Q are a scan element each

_stderr = threading.Lock()


def libraries() -> tuple[Any, Any]:
    """Return the modules `iio` and `adi`.

    Raises:
        VendorLibraryError: One is missing, is a stranger of the same name, or does not speak to the C library.
    """
    install = "pip install 'isac-testbed[pluto]'"
    try:
        import iio

        version = iio.version
    except AttributeError as error:
        raise VendorLibraryError(f"the installed `iio` is not libiio's: pip uninstall iio, then {install}") from error
    except ImportError as error:
        raise VendorLibraryError(f"libiio's Python binding is missing ({error}): {install}") from error
    except OSError as error:  # pylibiio raises these for its C library, absent or of another major version
        if "1.x" in str(error):
            remedy = "pip install 'pylibiio>=0.25,<1', which fits the libiio 0.24 of Debian"
        else:
            remedy = "as root, apt-get install libiio0"
        raise VendorLibraryError(f"libiio cannot be used ({error.strerror or error}): {remedy}") from error
    if version[0] != 0:
        raise VendorLibraryError(
            f"libiio {version[0]}.{version[1]} is installed, this driver speaks libiio 0.24 and later 0.x; "
            "apt-get install libiio0 and pip install 'pylibiio>=0.25,<1'"
        )
    try:
        import adi
    except (ImportError, OSError, AttributeError) as error:
        raise VendorLibraryError(f"pyadi-iio is missing or does not fit ({error}): {install}") from error
    return iio, adi


@dataclass
class Context:
    """One open context of a unit: the only thing that talks to it. One that has timed out must never be asked again.

    Attributes:
        serial: The unit's serial number.
        model: The maker's name of it, with the transceiver's.
        n_channels: Transmit channels, and as many receive channels.
        sdr: pyadi's object, `adi.Pluto` or `adi.ad9361`, on this context.
        tx_oscillator: The channel that is the transmit oscillator.
        adc: The device that receives.
        dac: The device that transmits.
    """

    serial: str
    model: str
    n_channels: int
    sdr: Any
    tx_oscillator: Any
    adc: Any
    dac: Any
    _iio: Any

    def buffer(self, device: Any, n_samples: int, *, cyclic: bool = False) -> Any:
        """Make a buffer over all channels of a device; it must be dropped before the context is."""
        for channel in device.channels:
            if channel.scan_element:
                channel.enabled = True
        return self._iio.Buffer(device, n_samples, cyclic)

    def forget(self) -> None:
        """Let go of everything that keeps the library's context open; buffers must be gone by then."""
        self.sdr = self.tx_oscillator = self.adc = self.dac = None


def open_context(radio: str, uri: str, timeout_s: float) -> Context:
    """Open a context on a unit and find out who it is.

    Args:
        radio: The radio's name, for messages.
        uri: libiio's address of the unit.
        timeout_s: How long the unit may take to answer anything.

    Raises:
        VendorLibraryError: libiio or pyadi-iio cannot be used.
        RadioNotFoundError: It is no Pluto, or one whose firmware names its devices otherwise.
        OSError: Nobody answers there; as libiio raised it.
    """
    iio, adi = libraries()
    with _quiet():
        context = iio.Context(uri)
    context.set_timeout(round(1e3 * timeout_s))
    names = [device.name for device in context.devices]
    missing = [name for name in (PHY, ADC, DAC) if name not in names]
    if missing:
        found = ", ".join(str(name) for name in names if name) or "none"
        raise RadioNotFoundError(
            f"radio {radio}: the unit at {uri} has no device {missing[0]} (it has {found}): it is no Pluto, or its "
            "firmware names devices otherwise; load the maker's plutosdr-fw"
        )
    facts = context.attrs
    if not facts.get("hw_serial"):
        raise RadioNotFoundError(
            f"radio {radio}: the unit at {uri} tells no serial number (hw_serial), so it could not be known again; "
            "load the maker's plutosdr-fw"
        )
    adc, dac = context.find_device(ADC), context.find_device(DAC)
    tx_oscillator = context.find_device(PHY).find_channel(TX_OSCILLATOR, True)
    n_channels = sum(channel.scan_element for channel in adc.channels) // WORDS_A_CHANNEL
    model = f"{facts.get('hw_model', 'Pluto')}, {facts.get('ad9361-phy,model', 'AD936x')}, {n_channels}R{n_channels}T"
    sdr = adi.Pluto(context) if n_channels == 1 else adi.ad9361(context)
    return Context(facts["hw_serial"], model, n_channels, sdr, tx_oscillator, adc, dac, iio)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the C library writes to the screen by itself from doing so; the error it raises says the same."""
    with _stderr:
        sys.stderr.flush()
        kept = os.dup(2)
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
