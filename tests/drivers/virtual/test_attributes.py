"""Attributes of a unit: ranges, steps, formats, and what is coupled to what."""

from __future__ import annotations

import errno
import xml.etree.ElementTree as ET

import pytest

from drivers.virtual.pluto.catalogue import CHIPS, DDS, LPC, PHY, attribute_values, devices
from drivers.virtual.pluto.description import context_xml
from drivers.virtual.pluto.rates import Filter, clocks
from drivers.virtual.pluto.rules import RefusedError
from drivers.virtual.pluto.transceiver import RX_LO, TX_LO, Transceiver

RX_GAIN, TX_GAIN = "in_voltage0_hardwaregain", "out_voltage0_hardwaregain"
RATE = "in_voltage_sampling_frequency"
FIR = "RX 3 GAIN -6 DEC 4\nTX 3 GAIN 0 INT 4\n" + "1,1\n" * 128 + "\n"


@pytest.fixture
def unit() -> Transceiver:
    return Transceiver(CHIPS["ad9363a"])


def written(unit: Transceiver, file: str, text: str, device: str = PHY) -> str:
    unit.write(device, file, text)
    return unit.read(device, file)


@pytest.mark.parametrize(
    ("file", "text", "reads"),
    [
        (TX_GAIN, "-10.25", "-10.250000 dB"),
        (TX_GAIN, "-10.3", "-10.250000 dB"),
        (TX_GAIN, "-89.750000 dB", "-89.750000 dB"),
        (TX_GAIN, "0", "0.000000 dB"),
        ("out_voltage_rf_bandwidth", "5000000", "5000000"),
        ("in_voltage_gain_control_mode", None, None),
        ("/ensm_mode", "alert", "alert"),
        (RATE, "4000000.0", "4000000"),
        ("debug/loopback", "1", "1"),
        ("out_altvoltage1_TX_LO_powerdown", "1\0", "1"),
    ],
)
def test_a_value_reads_back_as_the_real_part_gives_it(
    unit: Transceiver, file: str, text: str | None, reads: str | None
) -> None:
    if text is None:
        file, text, reads = "in_voltage0_gain_control_mode", "fast_attack", "fast_attack"
    assert written(unit, file, text) == reads


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (TX_GAIN, "0.25"),
        (TX_GAIN, "-90"),
        (TX_GAIN, "nan"),
        (TX_GAIN, "loud"),
        (RX_GAIN, "72"),
        (RX_GAIN, "-4"),
        (RX_LO, "324999999"),
        (RX_LO, "3800000001"),
        (RX_LO, "2.4e9"),
        (TX_LO, "-1"),
        (RATE, "2083332"),
        (RATE, "61440001"),
        (RATE, "4e6"),
        (RATE, "4000000.x"),
        ("in_voltage_rf_bandwidth", "199999"),
        ("out_voltage_rf_bandwidth", "40000001"),
        ("in_voltage0_gain_control_mode", "automatic"),
        ("debug/loopback", "3"),
        ("/ensm_mode", ""),
    ],
)
def test_what_is_out_of_range_is_refused_and_changes_nothing(unit: Transceiver, file: str, text: str) -> None:
    unit.write(PHY, "in_voltage0_gain_control_mode", "manual")
    before = unit.read(PHY, file)
    with pytest.raises(RefusedError) as refusal:
        unit.write(PHY, file, text)
    assert refusal.value.code == errno.EINVAL
    assert unit.read(PHY, file) == before


def test_what_can_only_be_read_is_not_written(unit: Transceiver) -> None:
    for device, file in ((PHY, "in_temp0_input"), (PHY, f"{RX_GAIN}_available"), (LPC, "in_voltage0_calibscale")):
        with pytest.raises(RefusedError) as refusal:
            unit.write(device, file, "1")
        assert refusal.value.code == errno.EACCES


@pytest.mark.parametrize("wish_hz", [2_400_000_000, 325_000_000, 3_799_999_999, 1_234_567_891])
def test_an_oscillator_is_a_few_hertz_off(unit: Transceiver, wish_hz: int) -> None:
    assert abs(int(written(unit, RX_LO, str(wish_hz))) - wish_hz) <= 4


def test_oscillators_have_steps(unit: Transceiver) -> None:
    """Two wishes a hertz apart may be one step, and some wish cannot be had exactly."""
    read = {int(written(unit, TX_LO, str(3_000_000_000 + k))) for k in range(16)}
    assert 1 < len(read) < 16


def test_the_receive_gain_is_only_taken_under_manual_control(unit: Transceiver) -> None:
    automatic = unit.read(PHY, RX_GAIN)
    assert written(unit, RX_GAIN, "20") == automatic  # the kernel takes it without a word
    unit.write(PHY, "in_voltage0_gain_control_mode", "manual")
    assert written(unit, RX_GAIN, "20.7") == "20.000000 dB"


def test_the_range_of_receive_gains_depends_on_the_carrier() -> None:
    unit = Transceiver(CHIPS["ad9361"])
    unit.write(PHY, "in_voltage1_gain_control_mode", "manual")
    unit.write(PHY, "in_voltage1_hardwaregain", "71")
    unit.write(PHY, RX_LO, "5600000000")
    assert unit.read(PHY, "in_voltage1_hardwaregain_available") == "[-10 1 62]"
    assert unit.read(PHY, "in_voltage1_hardwaregain") == "62.000000 dB"
    unit.write(PHY, RX_LO, "900000000")
    assert unit.read(PHY, "in_voltage0_hardwaregain_available") == "[-1 1 73]"


def test_receive_and_transmit_rate_are_one(unit: Transceiver) -> None:
    unit.write(PHY, "out_voltage_sampling_frequency", "4000000")
    assert unit.read(PHY, RATE) == unit.read(DDS, "out_voltage_sampling_frequency") == "4000000"
    assert unit.read(LPC, "in_voltage_sampling_frequency") == "4000000"


def test_the_path_rates_read_as_the_firmware_writes_them(unit: Transceiver) -> None:
    unit.write(PHY, RATE, "30720000")
    words = unit.read(PHY, "/tx_path_rates").split()
    assert [word.split(":")[0] for word in words] == ["BBPLL", "DAC", "T2", "T1", "TF", "TXSAMP"]
    rates = [int(word.split(":")[1]) for word in words]
    assert rates[0] == pytest.approx(983_040_000, abs=20)
    assert rates[1:] == pytest.approx([122_880_000, 122_880_000, 61_440_000, 30_720_000, 30_720_000], abs=3)
    assert unit.read(PHY, "/rx_path_rates").split()[1].startswith("ADC:24576000")


def test_low_rates_need_the_filter(unit: Transceiver) -> None:
    unit.write(PHY, RATE, "3000000")
    with pytest.raises(RefusedError):
        unit.write(PHY, "in_out_voltage_filter_fir_en", "1")  # none is loaded
    unit.write(PHY, "/filter_fir_config", FIR)
    assert unit.read(PHY, "/filter_fir_config") == "FIR Rx: 128,4 Tx: 128,4"
    unit.write(PHY, "in_out_voltage_filter_fir_en", "1")
    assert written(unit, RATE, "521000") == "521000"
    assert unit.read(PHY, f"{RATE}_available") == "[520833 1 61440000]"
    with pytest.raises(RefusedError):  # the rate would be too low without it
        unit.write(PHY, "out_voltage_filter_fir_en", "0")
    assert unit.read(PHY, "in_voltage_filter_fir_en") == "1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RX 3 GAIN -6 DEC 4\n",
        FIR.replace("DEC 4", "DEC 3"),
        FIR + "1,1\n",
        FIR.replace("1,1", "1,x", 1),
        "1,1\n" * 16,
    ],
)
def test_a_filter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        Filter.parse(text)


def test_a_filter_needs_time_for_its_taps() -> None:
    long = Filter(128, 2, 128, 2)
    with pytest.raises(RefusedError):
        clocks(61_440_000, long)
    assert clocks(20_000_000, Filter(128, 4, 128, 4)).rate_hz == 20_000_000


def test_generators_have_the_firmwares_steps(unit: Transceiver) -> None:
    tone = "out_altvoltage0_TX1_I_F1"
    assert written(unit, f"{tone}_scale", "0.12", DDS) == "0.119995"
    assert written(unit, f"{tone}_frequency", "1000000", DDS) == "999859"  # as a real unit at 30.72 Msps reads
    with pytest.raises(RefusedError):
        unit.write(DDS, f"{tone}_scale", "1.5")
    with pytest.raises(RefusedError):
        unit.write(DDS, f"{tone}_frequency", "16000000")


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
def test_every_attribute_of_the_description_can_be_read(chip: object) -> None:
    unit = Transceiver(chip)
    for device in devices(chip.n):
        files = {file for channel in device.channels for file in channel.files.values()}
        for kind, names in (("", device.attributes), ("DEBUG", device.debug), ("BUFFER", device.buffer)):
            files |= {device.file(kind, "", name) for name in names}
        assert all(unit.read(device.id, file) != "" for file in files), device.name
    assert {key[0] for key in attribute_values(chip)} == {device.id for device in devices(chip.n)}


def test_the_xml_escapes_and_is_well_formed() -> None:
    text = context_xml('a "bench" & <more>', {"hw_serial": "<1>"}, devices(2))
    root = ET.fromstring(text.replace("<!DOCTYPE", "<!DOCTYPE"))  # noqa: S314 - our own text
    assert root.attrib["description"] == 'a "bench" & <more>'
    assert root.find("context-attribute").attrib == {"name": "hw_serial", "value": "<1>"}
    scans = root.findall("./device[@name='cf-ad9361-lpc']/channel/scan-element")
    assert [scan.attrib["format"] for scan in scans] == ["le:S12/16>>0"] * 4
