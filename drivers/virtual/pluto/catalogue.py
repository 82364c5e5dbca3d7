"""The devices of a Pluto and their attributes: names, files, first values. A table, in the order of the firmware's."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.virtual.pluto.description import Channel, Device

__all__ = ["CHIPS", "DDS", "LPC", "PHY", "REGISTER", "XADC", "Chip", "attribute_values", "devices"]

PHY, XADC, DDS, LPC = "iio:device0", "iio:device1", "iio:device2", "iio:device3"


@dataclass(frozen=True)
class Chip:
    """A transceiver as its firmware is told to treat it.

    Attributes:
        name: As in the context's attribute `ad9361-phy,model`.
        hw_model: As in the context's attribute `hw_model`.
        n: Transmit and receive channels.
        rx_lo_hz: Lowest and highest receive carrier.
        tx_lo_hz: Lowest and highest transmit carrier.
    """

    name: str
    hw_model: str
    n: int
    rx_lo_hz: tuple[int, int]
    tx_lo_hz: tuple[int, int]


# As delivered; told to be an AD9364, which tunes the whole range; told to be an AD9361, which has two channels as well.
CHIPS = {
    chip.name: chip
    for chip in (
        Chip("ad9363a", "Analog Devices PlutoSDR Rev.C (Z7010-AD9363A)", 1, (325_000_000, 3_800_000_000),
             (325_000_000, 3_800_000_000)),
        Chip("ad9364", "Analog Devices PlutoSDR Rev.C (Z7010-AD9364)", 1, (70_000_000, 6_000_000_000),
             (46_875_001, 6_000_000_000)),
        Chip("ad9361", "Analog Devices PlutoSDR Rev.C (Z7010-AD9361)", 2, (70_000_000, 6_000_000_000),
             (46_875_001, 6_000_000_000)),
    )
}  # fmt: skip

PORTS_IN = "A_BALANCED B_BALANCED C_BALANCED A_N A_P B_N B_P C_N C_P TX_MONITOR1 TX_MONITOR2 TX_MONITOR1_2"
MODES = "manual fast_attack slow_attack hybrid"
RX_SHARED = ("bb_dc_offset_tracking_en", "filter_fir_en", "gain_control_mode_available", "quadrature_tracking_en",
             "rf_bandwidth", "rf_bandwidth_available", "rf_dc_offset_tracking_en", "rf_port_select_available",
             "sampling_frequency", "sampling_frequency_available")  # fmt: skip
RX_OWN = ("gain_control_mode", "hardwaregain", "hardwaregain_available", "rf_port_select", "rssi")
TX_SHARED = ("filter_fir_en", "rf_bandwidth", "rf_bandwidth_available", "rf_port_select_available",
             "sampling_frequency", "sampling_frequency_available")  # fmt: skip
TX_OWN = ("hardwaregain", "hardwaregain_available", "rf_port_select", "rssi")
LO = ("external", "frequency", "frequency_available", "powerdown")
PHY_OWN = ("calib_mode", "calib_mode_available", "ensm_mode", "ensm_mode_available", "filter_fir_config",
           "rx_path_rates", "trx_rate_governor", "trx_rate_governor_available", "tx_path_rates", "xo_correction",
           "xo_correction_available")  # fmt: skip
PHY_DEBUG = ("loopback", "adi,2rx-2tx-mode-enable", "adi,frequency-division-duplex-mode-enable")
REGISTER = "direct_reg_access"
BUFFER = ("data_available", "length_align_bytes", "watermark")
RAILS = {"vccint": 1387, "vccaux": 2455, "vccbram": 1383, "vccpint": 1387, "vccpaux": 2453, "vccoddr": 1856}
TONES = tuple(f"{part}_F{number}" for part in "IQ" for number in (1, 2))


def devices(n: int) -> tuple[Device, ...]:
    """Return the devices of a Pluto with n transmit and n receive channels."""
    return (
        Device(PHY, "ad9361-phy", _phy_channels(n), PHY_OWN, debug=PHY_DEBUG),
        Device(XADC, "xadc", _xadc_channels(), ("sampling_frequency",)),
        Device(DDS, "cf-ad9361-dds-core-lpc", _dds_channels(n), debug=(REGISTER,), buffer=BUFFER),
        Device(LPC, "cf-ad9361-lpc", _lpc_channels(n), debug=(REGISTER,), buffer=BUFFER),
    )


def _files(prefix: str, names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"{prefix}_{name}" for name in names}


def _phy_channels(n: int) -> list[Channel]:
    channels = [Channel("altvoltage1", True, _files("out_altvoltage1_TX_LO", LO), "TX_LO")]
    channels.append(Channel("altvoltage0", True, _files("out_altvoltage0_RX_LO", LO), "RX_LO"))
    for i in range(n):
        received = _files("in_voltage", RX_SHARED) | _files(f"in_voltage{i}", RX_OWN)
        sent = _files("out_voltage", TX_SHARED) | _files(f"out_voltage{i}", TX_OWN)
        channels += [Channel(f"voltage{i}", False, received), Channel(f"voltage{i}", True, sent)]
    # The auxiliary converters, which share the filter's and the rate's files with the signal paths.
    channels.append(Channel("voltage2", False, _files("in_voltage2", ("offset", "raw", "scale"))))
    channels.append(Channel("temp0", False, _files("in_temp0", ("input",))))
    channels.append(Channel("out", False, {"voltage_filter_fir_en": "in_out_voltage_filter_fir_en"}))
    return channels


def _xadc_channels() -> list[Channel]:
    rails = [
        Channel(f"voltage{i}", False, _files(f"in_voltage{i}_{name}", ("raw", "scale")), name)
        for i, name in enumerate(RAILS)
    ]
    return [*rails, Channel("temp0", False, _files("in_temp0", ("offset", "raw", "scale")))]


def _dds_channels(n: int) -> list[Channel]:
    shared = _files("out_voltage", ("sampling_frequency", "sampling_frequency_available"))
    words = [
        Channel(f"voltage{i}", True, shared | _files(f"out_voltage{i}", ("calibphase", "calibscale")),
                scan=(i, "le:S16/16>>0"))
        for i in range(2 * n)
    ]  # fmt: skip
    tones = []
    for i in range(4 * n):
        label = f"TX{i // 4 + 1}_{TONES[i % 4]}"
        own = _files(f"out_altvoltage{i}_{label}", ("frequency", "phase", "raw", "scale"))
        tones.append(Channel(f"altvoltage{i}", True, own | _files("out_altvoltage", ("sampling_frequency",)), label))
    return [*words, *tones]


def _lpc_channels(n: int) -> list[Channel]:
    shared = _files("in_voltage", ("sampling_frequency", "sampling_frequency_available"))
    own = ("calibbias", "calibphase", "calibscale")
    return [
        Channel(f"voltage{i}", False, shared | _files(f"in_voltage{i}", own), scan=(i, "le:S12/16>>0"))
        for i in range(2 * n)
    ]


def attribute_values(chip: Chip) -> dict[tuple[str, str], str]:
    """Return what every file reads when a unit has booted, by (device, file)."""
    phy = _phy_values(chip)
    for name in PHY_DEBUG:
        phy[f"debug/{name}"] = "0"
    phy["debug/adi,2rx-2tx-mode-enable"] = str(chip.n - 1)
    phy["debug/adi,frequency-division-duplex-mode-enable"] = "1"
    xadc = {"/sampling_frequency": "961538", "in_temp0_offset": "-2219", "in_temp0_raw": "2700",
            "in_temp0_scale": "123.040771484"}  # fmt: skip
    for i, (name, raw) in enumerate(RAILS.items()):
        xadc |= {f"in_voltage{i}_{name}_raw": str(raw), f"in_voltage{i}_{name}_scale": "0.732421875"}
    streams = {"buffer/data_available": "0", "buffer/length_align_bytes": "8", "buffer/watermark": "2048",
               f"debug/{REGISTER}": "0x0"}  # fmt: skip
    dds = dict(streams)
    for channel in _dds_channels(chip.n):
        for name, file in channel.files.items():
            phase = "90000" if "_I_" in channel.label else "0"
            first = {"frequency": "9279985", "phase": phase, "raw": "1", "scale": "0.000000",
                     "calibphase": "0.000000", "calibscale": "1.000000"}  # fmt: skip
            dds[file] = first.get(name, "")
    lpc = dict(streams)
    for i in range(2 * chip.n):
        lpc |= {f"in_voltage{i}_calibbias": "0", f"in_voltage{i}_calibphase": "0.000000",
                f"in_voltage{i}_calibscale": "1.000000"}  # fmt: skip
    tables = {PHY: phy, XADC: xadc, DDS: dds, LPC: lpc}
    return {(device, file): value for device, table in tables.items() for file, value in table.items()}


def _phy_values(chip: Chip) -> dict[str, str]:
    values = {
        "/calib_mode": "auto", "/calib_mode_available": "auto manual manual_tx_quad tx_quad rf_dc_offs rssi_gain_step",
        "/ensm_mode": "fdd", "/ensm_mode_available": "sleep wait alert fdd pinctrl pinctrl_fdd_indep",
        "/filter_fir_config": "FIR Rx: 0,0 Tx: 0,0", "/trx_rate_governor": "nominal",
        "/trx_rate_governor_available": "nominal highest_osr", "/xo_correction": "40000000",
        "/xo_correction_available": "[39992000 1 40008000]",
        "in_temp0_input": "36842", "in_voltage2_offset": "57", "in_voltage2_raw": "975",
        "in_voltage2_scale": "0.305250",
        "in_voltage_rf_bandwidth": "18000000", "in_voltage_rf_bandwidth_available": "[200000 1 56000000]",
        "out_voltage_rf_bandwidth": "18000000", "out_voltage_rf_bandwidth_available": "[200000 1 40000000]",
        "in_voltage_gain_control_mode_available": MODES, "in_voltage_rf_port_select_available": PORTS_IN,
        "out_voltage_rf_port_select_available": "A B", "in_voltage_bb_dc_offset_tracking_en": "1",
        "in_voltage_quadrature_tracking_en": "1", "in_voltage_rf_dc_offset_tracking_en": "1",
    }  # fmt: skip
    for lo, first, (low, high) in (("0_RX", 2_400_000_000, chip.rx_lo_hz), ("1_TX", 2_450_000_000, chip.tx_lo_hz)):
        values |= {f"out_altvoltage{lo}_LO_external": "0", f"out_altvoltage{lo}_LO_powerdown": "0",
                   f"out_altvoltage{lo}_LO_frequency": str(first),
                   f"out_altvoltage{lo}_LO_frequency_available": f"[{low} 1 {high}]"}  # fmt: skip
    for i in range(chip.n):
        values |= {f"in_voltage{i}_gain_control_mode": "slow_attack", f"in_voltage{i}_hardwaregain": "71.000000 dB",
                   f"in_voltage{i}_hardwaregain_available": "[-3 1 71]", f"in_voltage{i}_rf_port_select": "A_BALANCED",
                   f"in_voltage{i}_rssi": "115.00 dB", f"out_voltage{i}_hardwaregain": "-10.000000 dB",
                   f"out_voltage{i}_hardwaregain_available": "[-89.750000 0.250000 0.000000]",
                   f"out_voltage{i}_rf_port_select": "A", f"out_voltage{i}_rssi": "0.00 dB"}  # fmt: skip
    return values
