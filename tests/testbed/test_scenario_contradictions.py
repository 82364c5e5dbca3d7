"""Values that are possible each by itself, but not together, are refused with the keys that contradict each other."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import Scenario

NO_TABLES = re.compile(r"\[\[.*", re.DOTALL)
BOB_AT = "[15.22, -4.94]"
STROLLER_AT = "[28.09, -7.64]"
EAST = 'name = "east"\nposition_m = [36.0, 0.0]\norientation_deg = 180.0\n'

# What is replaced in two_cells at its first place, by what, and the words of the refusal, in their order.
CONTRADICTIONS = [
    # Names and cells.
    ('name = "bob"', 'name = "ann"', ['users "ann".name stands 2 times']),
    ('name = "bob"', 'name = "west"', ['stations "west".name stands 2 times']),
    ('name = "walker"', 'name = "ann"', ['users "ann".name stands 2 times']),
    ('"bob"\nstation = "west"', '"bob"\nstation = "wets"', ['users "bob".station', "west, east", "did you mean west?"]),
    ('"walker"\nstation = "west"', '"walker"\nstation = "north"', ['targets "walker".station = ', "are west, east"]),
    ('"bob"\nstation = "west"', '"bob"\nstation = "east"', ['users are 2 of "west", 4 of "east"', "same number"]),
    ('"stroller"\nstation = "east"', '"stroller"\nstation = "west"', ['targets are 2 of "west"', "exactly one"]),
    (EAST + "n_tx = 6", EAST + "n_tx = 4", ['stations "east".n_tx = 4', '"west" has 6', "the same"]),
    (EAST + "n_tx = 6\nn_rx = 10", EAST + "n_tx = 6\nn_rx = 8", ['stations "east".n_rx = 8', '"west" has 10']),
    # Geometry.
    (STROLLER_AT, "[40, -7.64]", ['targets "stroller".position_m = [40.0, -7.64]', "118 degrees", "within 90"]),
    (BOB_AT, "[-15, 0]", ['users "bob".position_m', "180 degrees", "turn orientation_deg of west"]),
    (BOB_AT, "[8.34, 8.13]", ['targets "walker".position_m', '0.50 m from users "bob"', "at least 1 m"]),
    ("[[stations]]", "[[air.clutter]]\nposition_m = [36, 0.5]\nrcs_m2 = 1\n[[stations]]",
     ["air.clutter[1 of 1].position_m = [36.0, 0.5]", '0.50 m from stations "east"']),
    (STROLLER_AT, "[-9000, -1]", ['targets "stroller".position_m', "18000 m", "gap_symbols = 8 allows 4e-05 s"]),
    (BOB_AT, "[15000, 0]", ['users "bob".position_m', "15000 m", "5e-05 s late", "allows 4e-05 s"]),
    (BOB_AT, BOB_AT + "\nimpairments.start_offset_s = 50e-6", ['users "bob"', "start offsets included", "4e-05 s"]),
    (BOB_AT, BOB_AT + "\nimpairments.start_spread_s = 100e-6", ['users "bob"', "start offsets included", "4e-05 s"]),
    # RF policy.
    ("carrier_hz = 5.6e9", "carrier_hz = 2.4e9", ["carrier_hz = 2.4e+09", "5.47e+09 to 5.725e+09 Hz"]),
    ("[5.47e9, 5.725e9]", "[5.725e9, 5.47e9]", ["rf.frequency_range_hz", "the lower frequency must come first"]),
    ("max_tx_gain_db = 0.0", "max_tx_gain_db = -20", ['stations "west".tx_gain_db = -10', "at most -20 dB"]),
    ("power_dbm = -10.0", "power_dbm = 11.0", ["power_dbm = 11 is 3.2 dBm at each of 6", "= 3 allows 10.8 dBm"]),
    # Frame.
    ("[frame]", "[frame]\nsounding_symbols = 12", ["sounding_symbols = 12", "above 12, the transmit antennas"]),
    ("[frame]", "[frame]\nguard_symbols = 16", ["guard_symbols = 16", "above 16, twice frame.gap_symbols"]),
    ("period_s = 10e-3", "period_s = 1.7e-3", ["period_s = 0.0017", "352 symbols takes 0.00176 s"]),
]  # fmt: skip


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text, "lab.toml")
    return str(caught.value)


@pytest.mark.parametrize(("old", "new", "words"), CONTRADICTIONS, ids=lambda value: repr(value)[:40])
def test_a_contradiction_is_refused_in_one_line(old: str, new: str, words: list[str]) -> None:
    text = Scenario.load("two_cells").text
    assert old in text  # else the shipped scenario has left this table behind
    message = refusal(text.replace(old, new, 1))
    assert message.startswith("lab.toml: ")
    assert "\n" not in message
    assert re.search(".*".join(map(re.escape, words)), message), message


def test_an_experiment_without_stations_or_users_is_refused() -> None:
    text = Scenario.load("two_cells").text
    nobody = NO_TABLES.sub("", text).replace("[frame]", "stations = []\nusers = []\ntargets = []\n[frame]", 1)
    assert "stations is empty" in refusal(nobody)
    no_users = re.sub(r"\[\[users\]\].*?(?=\[\[users|\[\[targets)", "", text, flags=re.DOTALL)
    assert "users is missing; it must be one or more tables [[users]]" in refusal(no_users)
    no_users = no_users.replace("[frame]", "users = []\n[frame]", 1)
    assert 'users are 0 of "west", 0 of "east"; every station needs the same number, 1 or more' in refusal(no_users)


def test_a_device_can_be_one_radio_only() -> None:
    text = Scenario.load("two_cells").text
    message = refusal(text.replace('radio = "simulated"', 'radio = "pluto:ip:192.168.2.1"', 2))
    assert """stations "east".radio = 'pluto:ip:192.168.2.1' is already that of stations "west";""" in message


def test_a_unit_of_several_can_belong_to_one_radio_only() -> None:
    text = Scenario.load("two_cells").text
    text = text.replace('radio = "simulated"', 'radio = "pluto:ip:192.168.2.1+usb:1.2.5"', 1)
    assert Scenario.parse(text, "lab.toml").stations[0].radio == "pluto:ip:192.168.2.1+usb:1.2.5"
    message = refusal(text.replace('radio = "simulated"', 'radio = "pluto:usb:1.2.5"', 1))
    assert """stations "east".radio = 'pluto:usb:1.2.5' is already that of stations "west";""" in message


@pytest.mark.parametrize("place", ["ip:127.0.0.1:50001", "usb:1.2.5", "ip:192.168.2.1+ip:192.168.3.1"])
def test_a_plutos_address_names_its_units(place: str) -> None:
    text = Scenario.load("two_cells").text.replace('radio = "simulated"', f'radio = "pluto:{place}"', 1)
    assert Scenario.parse(text, "lab.toml").stations[0].radio == f"pluto:{place}"


def test_a_recording_may_answer_for_several_radios() -> None:
    text = Scenario.load("two_cells").text.replace('radio = "simulated"', 'radio = "replay:run.h5"')
    assert {radio.radio for radio in Scenario.parse(text, "lab.toml").radios} == {"replay:run.h5"}


def test_the_first_values_within_the_limits_of_a_frame_are_accepted() -> None:
    text = Scenario.load("two_cells").text
    scenario = Scenario.parse(
        text.replace("[frame]", "[frame]\nsounding_symbols = 13\nguard_symbols = 17", 1), "lab.toml"
    )
    assert (scenario.frame.sounding_symbols, scenario.frame.guard_symbols) == (13, 17)


def test_power_that_all_ports_together_can_keep_is_accepted() -> None:
    scenario = Scenario.load("two_cells")
    largest_dbm = scenario.rf.max_output_dbm + 10 * math.log10(scenario.n_tx)  # 10.78 dBm: six ports at the limit
    text = scenario.text.replace("power_dbm = -10.0", f"power_dbm = {largest_dbm - 0.01}")
    stations = tuple(replace(station, power_dbm=largest_dbm - 0.01) for station in scenario.stations)
    assert Scenario.parse(text, "lab.toml").stations == stations


def test_a_carrier_offset_that_synchronisation_would_mistake_is_refused() -> None:
    text = Scenario.load("two_cells_dirty").text
    message = refusal(text.replace("carrier_offset_ppm = 0.5", "carrier_offset_ppm = 1.2", 1))
    assert 'users "cem".impairments.carrier_offset_ppm = 1.2 is 1.2 ppm from west' in message
    assert "less than 1.12 ppm" in message  # 200 kHz / 32 symbols / 5.6 GHz


def test_the_normalised_model_has_one_power() -> None:
    text = Scenario.load("paper").text
    message = refusal(text.replace("power_dbm = -10.0", "power_dbm = -13.0", 1))
    assert 'stations "east".power_dbm = -10, but "west" has -13' in message
