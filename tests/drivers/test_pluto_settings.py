"""Settings of a Pluto: in the device's order, read back, and refused where the device coerces them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from pluto_faults import REQUESTS, SETTINGS, fleet, scene

from drivers import SettingsError
from drivers.pluto.radio import PlutoRadio
from drivers.virtual.pluto.protocol import Read, Write
from drivers.virtual.serving import VirtualBench

pytestmark = pytest.mark.usefixtures("real_libiio")


@pytest.fixture
def served() -> Iterator[VirtualBench]:
    with VirtualBench(REQUESTS, scene()) as bench:
        yield bench


@pytest.fixture
def radios(served: VirtualBench) -> Iterator[dict[str, PlutoRadio]]:
    with fleet(served) as opened:
        yield opened


def test_what_is_applied_is_what_reads_back(served: VirtualBench, radios: dict[str, PlutoRadio]) -> None:
    asked = replace(SETTINGS, tx_gain_db=-12.1, rx_gain_db=40.4, center_hz=2.45e9 + 1)
    applied = radios["station"].configure(asked)
    assert (applied.tx_gain_db, applied.rx_gain_db) == (-12.0, 40.0)
    assert abs(applied.center_hz - asked.center_hz) <= 10
    assert set(served.radios[0].unit._transmit_state().gain_db) == {-12.0}
    assert served.radios[0].unit._receive_state().gain_db == (40.0, 40.0)  # manual: automatic control has none


@pytest.mark.parametrize("rate_hz", [521e3, 560e3, 1e6, 2.0833e6, 2.5e6, 30.72e6, 61.44e6])
def test_rates_from_the_filters_lowest_to_the_chips_highest(
    served: VirtualBench, radios: dict[str, PlutoRadio], rate_hz: float
) -> None:
    applied = radios["user"].configure(replace(SETTINGS, sample_rate_hz=rate_hz))
    assert applied.sample_rate_hz == pytest.approx(rate_hz, rel=2e-6)
    assert served.radios[1].unit.true_rx_rate_hz == applied.sample_rate_hz


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate_hz", 520e3),
        ("sample_rate_hz", 62e6),
        ("tx_gain_db", 0.25),
        ("tx_gain_db", -90.0),
        ("rx_gain_db", 72.0),
        ("center_hz", 6.1e9),
    ],
)
def test_what_no_pluto_can_do_is_refused_by_name(radios: dict[str, PlutoRadio], name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=name):
        radios["station"].configure(replace(SETTINGS, **{name: value}))


def test_what_this_unit_cannot_do_is_refused_by_name(radios: dict[str, PlutoRadio]) -> None:
    """The user's chip is as delivered: up to 3.8 GHz. The receive gain ends at 62 dB above 4 GHz."""
    with pytest.raises(SettingsError, match=r"radio user: Pluto .*set rx_lo to 5000000000 .*out of its range"):
        radios["user"].configure(replace(SETTINGS, center_hz=5e9))
    with pytest.raises(SettingsError, match=r"set rx_hardwaregain_chan0 to 70"):
        radios["station"].configure(replace(SETTINGS, center_hz=5e9, rx_gain_db=70.0))


def test_settings_come_in_the_order_that_the_device_needs(served: VirtualBench, radios: dict[str, PlutoRadio]) -> None:
    unit, written = served.radios[0].unit, list[str]()
    write = unit.write

    def note(where: Write, value: bytes) -> None:
        written.append(where.attribute)
        write(where, value)

    unit.write = note
    radios["station"].configure(SETTINGS)
    last = {name: len(written) - 1 - written[::-1].index(name) for name in set(written)}
    first = {name: written.index(name) for name in set(written)}
    order = ["sampling_frequency", "rf_bandwidth", "frequency", "gain_control_mode"]
    for before, after in pairwise(order):
        assert last[before] < first[after], (before, after)
    tail = written[last["gain_control_mode"] :]
    assert tail.count("hardwaregain") == 4
    assert written[first["raw"]] == "raw" and first["raw"] < first["sampling_frequency"]  # tones off before all


@pytest.mark.parametrize(
    ("attribute", "direction", "reads", "words"),
    [
        ("hardwaregain", "OUTPUT", "-11.750000 dB", "tx_hardwaregain_chan0 reads back as -11.75 after -89.75"),
        ("hardwaregain", "INPUT", "44.000000 dB", "rx_hardwaregain_chan0 reads back as 44 after 45"),
        ("sampling_frequency", "INPUT", "1000003", "sample_rate reads back as 1000003"),
        ("frequency", "OUTPUT", "2400000011", "rx_lo reads back as 2400000011"),
        ("rf_bandwidth", "OUTPUT", "900000", "tx_rf_bandwidth reads back as 900000"),
        ("gain_control_mode", "INPUT", "slow_attack", "gain_control_mode_chan0 reads back as 'slow_attack'"),
        ("hardwaregain", "OUTPUT", "ERROR", r"tx_hardwaregain_chan0 reads back as \[\]"),
    ],
)
def test_a_value_that_the_device_coerced_too_far_is_an_error(
    served: VirtualBench, radios: dict[str, PlutoRadio], attribute: str, direction: str, reads: str, words: str
) -> None:
    unit = served.radios[0].unit
    read: Callable[[Read], str] = unit.read
    unit.read = lambda where: reads if (where.attribute, where.kind) == (attribute, direction) else read(where)
    try:
        with pytest.raises(SettingsError, match=words):
            radios["station"].configure(SETTINGS)
    finally:
        unit.read = read


def test_a_tone_that_stays_on_is_an_error(served: VirtualBench, radios: dict[str, PlutoRadio]) -> None:
    unit = served.radios[0].unit
    read: Callable[[Read], str] = unit.read
    unit.read = lambda where: "0.5" if where.attribute == "scale" and "altvoltage" in where.channel else read(where)
    try:
        with pytest.raises(SettingsError, match=r"tone generator stays at scale 0\.5"):
            radios["station"].configure(SETTINGS)
    finally:
        unit.read = read


def test_after_a_refusal_the_unit_goes_on(radios: dict[str, PlutoRadio]) -> None:
    with pytest.raises(SettingsError):
        radios["user"].configure(replace(SETTINGS, center_hz=5e9))
    assert radios["user"].configure(SETTINGS) == SETTINGS
    assert not radios["user"]._parts[0].unit.is_lost
