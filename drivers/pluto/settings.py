"""Settings of one unit, in the order that the AD936x needs, each read back and held to a tolerance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from drivers.errors import DeviceLostError, DriverError, SettingsError
from drivers.pluto.failures import in_operation
from drivers.pluto.levels import TX_GAIN_DB
from drivers.pluto.vendor import Context
from drivers.radio import RadioSettings

__all__ = ["apply_settings", "require_settings", "silence_outputs", "wake_outputs"]

# How far a value read back may be from the one asked for: half of the device's own step, or far below what matters.
RATE_TOLERANCE = 2e-6  # relative: a tenth of the crystal's error
CARRIER_TOLERANCE_HZ = 10.0  # the synthesiser's steps are below 3 Hz
BANDWIDTH_TOLERANCE = 0.02  # relative, of the analogue filters
TX_GAIN_TOLERANCE_DB = 0.13  # steps of 0.25 dB
RX_GAIN_TOLERANCE_DB = 0.51  # steps of 1 dB
DDS_SCALE_TOLERANCE = 1e-6

NARROWEST_HZ, WIDEST_RX_HZ, WIDEST_TX_HZ = 200e3, 56e6, 40e6  # of the analogue filters
RX_KERNEL_BUFFERS = 1  # captures come from fresh buffers, one at a time: nothing is to be kept that will not be read


def apply_settings(context: Context, settings: RadioSettings, unit: str) -> RadioSettings:
    """Apply settings to a unit without buffers, and return what it reads back; its outputs stay asleep.

    The rate comes first, since it rewrites the filters; then filters, carrier, and gains, whose range depends on it.
    Asleep is: tones at zero, and the transmit oscillator off, which else leaks into the receivers beside it.

    Args:
        context: The unit's context.
        settings: Within the radio's capabilities.
        unit: Radio and unit, for messages.

    Raises:
        SettingsError: The device refused a value, or coerced it beyond the tolerance.
        DeviceLostError: The device stopped answering.
    """
    silence_tones(context, unit)
    rate_hz, center_hz = round(settings.sample_rate_hz), round(settings.center_hz)
    applied_rate_hz = _set(context, "sample_rate", rate_hz, RATE_TOLERANCE * rate_hz, unit)
    for name, widest_hz in (("rx_rf_bandwidth", WIDEST_RX_HZ), ("tx_rf_bandwidth", WIDEST_TX_HZ)):
        bandwidth_hz = round(min(max(rate_hz, NARROWEST_HZ), widest_hz))
        _set(context, name, bandwidth_hz, BANDWIDTH_TOLERANCE * bandwidth_hz, unit)
    applied_center_hz = _set(context, "rx_lo", center_hz, CARRIER_TOLERANCE_HZ, unit)
    _wake_oscillator(context, center_hz, unit)
    for channel in range(context.n_channels):
        _set_mode(context, f"gain_control_mode_chan{channel}", unit)
    rx_gain_db = _set_all(context, "rx_hardwaregain", settings.rx_gain_db, RX_GAIN_TOLERANCE_DB, unit)
    tx_gain_db = _set_all(context, "tx_hardwaregain", settings.tx_gain_db, TX_GAIN_TOLERANCE_DB, unit)
    _switch_oscillator(context, off=True, unit=unit)
    context.adc.set_kernel_buffers_count(RX_KERNEL_BUFFERS)
    return RadioSettings(applied_center_hz, applied_rate_hz, tx_gain_db, rx_gain_db)


def wake_outputs(context: Context, settings: RadioSettings, unit: str) -> float:
    """Switch the transmit oscillator on, tune it and open the attenuators; return the gain that is read back."""
    _wake_oscillator(context, round(settings.center_hz), unit)
    return _set_all(context, "tx_hardwaregain", settings.tx_gain_db, TX_GAIN_TOLERANCE_DB, unit)


def require_settings(context: Context, applied: RadioSettings, unit: str, *, awake: bool) -> None:
    """Require that a unit is still set as it was applied.

    What a lost connection has asked for may take effect long after another one has applied everything anew.

    Args:
        context: The unit's context.
        applied: As read back when it was set.
        unit: Radio and unit, for messages.
        awake: Whether its outputs are.

    Raises:
        DeviceLostError: Something else has set it.
    """
    wanted = {"sample_rate": applied.sample_rate_hz, "rx_lo": applied.center_hz}
    channels = range(context.n_channels)
    wanted |= {f"rx_hardwaregain_chan{channel}": applied.rx_gain_db for channel in channels}
    if awake:
        wanted |= {f"tx_hardwaregain_chan{channel}": applied.tx_gain_db for channel in channels}
        wanted |= {"tx_lo": applied.center_hz}
    for name, value in wanted.items():
        found = getattr(context.sdr, name)
        if found != value and not (name == "tx_lo" and abs(found - value) <= CARRIER_TOLERANCE_HZ):
            raise DeviceLostError(
                f"{unit}: {name} is {found} after a capture, {value:.12g} was applied: something else has set it; "
                "end other programs that use the unit"
            )


def silence_outputs(context: Context, unit: str) -> None:
    """Attenuators to their maximum, tone generators to zero, to which the outputs fall back, and the oscillator off.

    So nothing is radiated even where a buffer cannot be taken from a connection that has hung, or one step is refused:
    the others are taken all the same.

    Raises:
        SettingsError: The first step that was refused, after all others.
        DeviceLostError: The device stopped answering, at once.
    """
    gains = [f"tx_hardwaregain_chan{channel}" for channel in range(context.n_channels)]
    steps: list[Callable[[], object]] = [
        *(partial(_set, context, name, TX_GAIN_DB.low, TX_GAIN_TOLERANCE_DB, unit) for name in gains),
        partial(silence_tones, context, unit),
        partial(_switch_oscillator, context, off=True, unit=unit),
    ]
    refused: DriverError | None = None
    for step in steps:
        try:
            step()
        except DeviceLostError:
            raise
        except DriverError as error:
            refused = refused or error
    if refused is not None:
        raise refused


def silence_tones(context: Context, unit: str) -> None:
    """Put the tone generators to zero: without a buffer it is they that feed the outputs."""
    try:
        scales = context.sdr.dds_scales
        context.sdr.dds_scales = [0] * len(scales)
        context.sdr.disable_dds()
        loud = [scale for scale in context.sdr.dds_scales if not abs(float(scale)) <= DDS_SCALE_TOLERANCE]
    except Exception as error:  # pyadi raises bare Exception, too
        raise in_operation(error, unit, "put its tone generators to zero") from error
    if loud:
        raise SettingsError(f"{unit}: a tone generator stays at scale {loud[0]} when put to 0; unplug it: it radiates")


def _wake_oscillator(context: Context, center_hz: int, unit: str) -> None:
    _switch_oscillator(context, off=False, unit=unit)
    _set(context, "tx_lo", center_hz, CARRIER_TOLERANCE_HZ, unit)


def _switch_oscillator(context: Context, *, off: bool, unit: str) -> None:
    try:
        switch = context.tx_oscillator.attrs["powerdown"]
        switch.value = str(int(off))
        is_off = int(switch.value)
    except Exception as error:
        raise in_operation(error, unit, f"switch the transmit oscillator {'off' if off else 'on'}") from error
    if is_off != off:
        raise SettingsError(f"{unit}: the transmit oscillator's powerdown reads back as {is_off}; restart the unit")


def _set_all(context: Context, name: str, value: float, tolerance: float, unit: str) -> float:
    """Set a value on all channels, which must agree on it."""
    applied = {
        _set(context, f"{name}_chan{channel}", float(value), tolerance, unit) for channel in range(context.n_channels)
    }
    if len(applied) > 1:
        raise SettingsError(f"{unit}: {name} differs between channels after setting: {sorted(applied)}")
    return applied.pop()


def _set(context: Context, name: str, value: float, tolerance: float, unit: str) -> float:
    try:
        setattr(context.sdr, name, value)
        applied = getattr(context.sdr, name)
    except Exception as error:  # pyadi raises bare Exception, too
        raise in_operation(error, unit, f"set {name} to {value:.12g}") from error
    if not isinstance(applied, int | float) or not abs(applied - value) <= tolerance:
        raise SettingsError(
            f"{unit}: {name} reads back as {applied!r} after {value:.12g} was set, more than {tolerance:g} away; "
            "ask for a value that the device can make"
        )
    return float(applied)


def _set_mode(context: Context, name: str, unit: str) -> None:
    """Take the receive gain into our own hands: in any other mode the device ignores what it is set to."""
    try:
        setattr(context.sdr, name, "manual")
        mode: Any = getattr(context.sdr, name)
    except Exception as error:
        raise in_operation(error, unit, f"set {name} to manual") from error
    if mode != "manual":
        raise SettingsError(f"{unit}: {name} reads back as {mode!r} after 'manual' was set; restart the unit")
