"""The attributes of one unit: what may be written, what is coupled to what, and what it all reads."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

from drivers.virtual.pluto.catalogue import DDS, LPC, PHY, Chip, attribute_values
from drivers.virtual.pluto.rates import Filter, clocks, lowest_rate_hz
from drivers.virtual.pluto.rules import (
    RefusedError,
    Rule,
    choice,
    decibel,
    fixed_point,
    flag,
    lo_frequency,
    real,
    whole,
    whole_decibel,
)  # fmt: skip

__all__ = ["Transceiver"]

RX_LO, TX_LO = "out_altvoltage0_RX_LO_frequency", "out_altvoltage1_TX_LO_frequency"
FIR_SWITCHES = ("in_out_voltage_filter_fir_en", "in_voltage_filter_fir_en", "out_voltage_filter_fir_en")
RATES = ("in_voltage_sampling_frequency", "out_voltage_sampling_frequency")
FIRST_RATE_HZ = 30_720_000
# Receive gains by carrier: the part has one gain table below 1.3 GHz, one to 4 GHz and one above (UG-570).
GAIN_TABLES = ((1_300_000_000, (-1, 73)), (4_000_000_000, (-3, 71)), (1 << 62, (-10, 62)))


class Transceiver:
    """Attributes by (device, file); safe to use from several threads.

    `read` and `write` raise `RefusedError` with the errno that the kernel would answer.
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self._lock = threading.RLock()
        self._values = attribute_values(chip)
        self._fir = Filter()
        self._rules = _rules(chip)
        self._coupled: dict[tuple[str, str], Callable[[str], None]] = {
            (PHY, "/filter_fir_config"): self._load_filter,
            (PHY, RX_LO): self._tune_receiver,
            **{(PHY, file): self._switch_filter for file in FIR_SWITCHES},
            **{(PHY, file): self._set_rate for file in RATES},
            **{(PHY, f"in_voltage{i}_hardwaregain"): self._gain_setter(i) for i in range(chip.n)},
        }
        self._apply_rate(FIRST_RATE_HZ, None)

    @property
    def rate_hz(self) -> int:
        """The sample rate of the transceiver."""
        return int(self._values[PHY, RATES[0]])

    @property
    def rx_rate_hz(self) -> int:
        """The sample rate of receive buffers: the FPGA may decimate by 8."""
        return int(self._values[LPC, RATES[0]])

    @property
    def tx_rate_hz(self) -> int:
        """The sample rate of transmit buffers: the FPGA may interpolate by 8."""
        return int(self._values[DDS, RATES[1]])

    def read(self, device: str, file: str) -> str:
        """Return what a file reads."""
        with self._lock:
            try:
                return self._values[device, file]
            except KeyError:
                raise RefusedError(errno.ENOENT) from None

    def show(self, device: str, file: str, value: str) -> None:
        """Let a file read something that the unit measured."""
        with self._lock:
            self._values[device, file] = value

    def write(self, device: str, file: str, text: str) -> None:
        """Write a file."""
        with self._lock:
            if (device, file) not in self._values:
                raise RefusedError(errno.ENOENT)
            text = text.split("\0")[0]
            if (device, file) in self._coupled:
                self._coupled[device, file](text)
            elif (device, file) in self._rules:
                self._values[device, file] = self._rules[device, file](text)
            elif (device, file) in ((LPC, RATES[0]), (DDS, RATES[1])):
                if fixed_point(text) not in (self.rate_hz, self.rate_hz // 8):
                    raise RefusedError
                self._values[device, file] = str(fixed_point(text))
            elif device == DDS and file.endswith("_frequency"):
                step_hz = self.rate_hz / 65535  # the generator's phase has 16 bits
                self._values[device, file] = str(round(round(_tone_hz(text, self.rate_hz) / step_hz) * step_hz))
            else:
                raise RefusedError(errno.EACCES)

    # ------------------------------------------------------------- what is coupled

    def _load_filter(self, text: str) -> None:
        if self._switch:
            raise RefusedError(errno.EBUSY)
        self._fir = Filter.parse(text)
        self._values[PHY, "/filter_fir_config"] = str(self._fir)

    def _switch_filter(self, text: str) -> None:
        on = flag(text) == "1"
        if on and not self._fir.rx_taps:
            raise RefusedError
        self._apply_rate(self.rate_hz, self._fir if on else None)
        for file in FIR_SWITCHES:
            self._values[PHY, file] = "1" if on else "0"

    @property
    def _switch(self) -> bool:
        return self._values.get((PHY, FIR_SWITCHES[0])) == "1"

    def _set_rate(self, text: str) -> None:
        self._apply_rate(fixed_point(text), self._fir if self._switch else None)

    def _apply_rate(self, wish_hz: int, fir: Filter | None) -> None:
        """Set receive and transmit rate, which are one, and everything that shows them."""
        chain = clocks(wish_hz, fir)
        low = lowest_rate_hz(fir)
        for way in ("in", "out"):
            self._values[PHY, f"{way}_voltage_sampling_frequency"] = str(chain.rate_hz)
            self._values[PHY, f"{way}_voltage_sampling_frequency_available"] = f"[{low} 1 61440000]"
        for device, way in ((DDS, "out"), (LPC, "in")):
            self._values[device, f"{way}_voltage_sampling_frequency"] = str(chain.rate_hz)
            self._values[device, f"{way}_voltage_sampling_frequency_available"] = (
                f"{chain.rate_hz} {chain.rate_hz // 8} "
            )
        self._values[DDS, "out_altvoltage_sampling_frequency"] = str(chain.rate_hz)
        self._values[PHY, "/rx_path_rates"], self._values[PHY, "/tx_path_rates"] = chain.rx_path, chain.tx_path
        for file in FIR_SWITCHES:
            self._values.setdefault((PHY, file), "0")

    def _tune_receiver(self, text: str) -> None:
        self._values[PHY, RX_LO] = lo_frequency(*self.chip.rx_lo_hz)(text)
        low, high = self.gain_range_db
        for i in range(self.chip.n):
            self._values[PHY, f"in_voltage{i}_hardwaregain_available"] = f"[{low} 1 {high}]"
            gain = float(self._values[PHY, f"in_voltage{i}_hardwaregain"].split()[0])
            self._values[PHY, f"in_voltage{i}_hardwaregain"] = f"{min(max(gain, low), high):.6f} dB"

    @property
    def gain_range_db(self) -> tuple[int, int]:
        """Receive gains at the carrier that it is tuned to."""
        carrier_hz = int(self._values[PHY, RX_LO])
        return next(gains for below_hz, gains in GAIN_TABLES if carrier_hz <= below_hz)

    def _gain_setter(self, channel: int) -> Callable[[str], None]:
        def set_gain(text: str) -> None:
            gain = whole_decibel(*self.gain_range_db)(text)
            # Under automatic control the real driver takes the value without a word and leaves the gain alone.
            if self._values[PHY, f"in_voltage{channel}_gain_control_mode"] == "manual":
                self._values[PHY, f"in_voltage{channel}_hardwaregain"] = gain

        return set_gain


def _tone_hz(text: str, rate_hz: int) -> int:
    """Return a generator's frequency."""
    value = fixed_point(text)
    if not 0 <= value <= rate_hz / 2:
        raise RefusedError
    return value


def _rules(chip: Chip) -> dict[tuple[str, str], Rule]:
    """Return the rules of the files that stand alone; what has none is read-only."""
    phy: dict[str, Rule] = {
        TX_LO: lo_frequency(*chip.tx_lo_hz),
        "/calib_mode": choice("auto", "manual", "manual_tx_quad", "tx_quad", "rf_dc_offs", "rssi_gain_step"),
        "/ensm_mode": choice("sleep", "wait", "alert", "fdd", "pinctrl", "pinctrl_fdd_indep"),
        "/trx_rate_governor": choice("nominal", "highest_osr"),
        "/xo_correction": whole(39_992_000, 40_008_000),
        "debug/loopback": whole(0, 2),
        "in_voltage_rf_bandwidth": whole(200_000, 56_000_000),
        "out_voltage_rf_bandwidth": whole(200_000, 40_000_000),
        "in_voltage_bb_dc_offset_tracking_en": flag,
        "in_voltage_quadrature_tracking_en": flag,
        "in_voltage_rf_dc_offset_tracking_en": flag,
        "out_altvoltage0_RX_LO_powerdown": flag,
        "out_altvoltage1_TX_LO_powerdown": flag,
    }
    dds: dict[str, Rule] = {}
    for i in range(chip.n):
        phy[f"in_voltage{i}_gain_control_mode"] = choice("manual", "fast_attack", "slow_attack", "hybrid")
        phy[f"out_voltage{i}_hardwaregain"] = decibel(-89.75, 0.0, 0.25)
        phy[f"in_voltage{i}_rf_port_select"] = choice("A_BALANCED")
        phy[f"out_voltage{i}_rf_port_select"] = choice("A")
    lpc: dict[str, Rule] = {}
    for device, file in attribute_values(chip):
        if device == DDS and file.startswith("out_altvoltage"):
            kinds = {"phase": whole(0, 360_000), "raw": flag, "scale": real(0.0, 1.0, 2.0**-14)}
            kind = file.rpartition("_")[2]
            dds |= {file: kinds[kind]} if kind in kinds else {}
    tables = {PHY: phy, DDS: dds, LPC: lpc}
    return {(device, file): rule for device, table in tables.items() for file, rule in table.items()}
