"""A key or value that cannot be is refused with file, key, value, what is allowed and the nearest correct name."""

from __future__ import annotations

import re

import pytest

from testbed.errors import ScenarioError, TestbedError
from testbed.scenario import Scenario

BOB = 'name = "bob"\n'

# What is replaced in two_cells at its first place, by what, and the words of the refusal, in their order.
BROKEN = [
    ("[frame]", "[frame", ["not TOML", "line", "column"]),
    ("symbol_rate_hz", "symbol_rat_hz", ["frame.symbol_rat_hz is not a key", "did you mean symbol_rate_hz, in Hz?"]),
    ("[frame]", "[frames]", ["frames is not a key", "did you mean frame?"]),
    ("[rf]", "[zzz]", ["zzz is not a key", "allowed here: title, carrier_hz, stations"]),
    (BOB, BOB + "impairments.adc = 12\n", ['users "bob".impairments.adc', "did you mean adc_bits, in bits?"]),
    # A wrong unit, or none.
    ("carrier_hz = 5.6e9", "carrier_ghz = 5.6", ["carrier_ghz is not a key", "did you mean carrier_hz, in Hz?"]),
    ("carrier_hz = 5.6e9", "carrier = 5.6e9", ["carrier is not a key", "did you mean carrier_hz, in Hz?"]),
    ("power_dbm = -10.0", "power_w = 1e-4", ['stations "west".power_w', "did you mean power_dbm, in dBm?"]),
    (BOB, BOB + "velocity_kmh = 3\n", ['users "bob".velocity_kmh', "did you mean velocity_m_s, in m/s?"]),
    # A wrong type.
    (BOB, BOB + 'velocity_m_s = "fast"\n', ["users \"bob\".velocity_m_s = 'fast'", "a list of 2 numbers"]),
    (BOB, BOB + 'velocity_m_s = [1.0, "x"]\n', ["velocity_m_s[2 of 2] = 'x'", "a number", "(in m/s)"]),
    (BOB, BOB + "velocity_m_s = [1, 2, 3]\n", ["velocity_m_s = [1, 2, 3]", "a list of 2 numbers", "(in m/s)"]),
    ("carrier_hz = 5.6e9", "carrier_hz = true", ["carrier_hz = true", "a number above 0", "(in Hz)"]),
    ("carrier_hz = 5.6e9", "carrier_hz = {}", ["carrier_hz = {}", "a number above 0"]),
    ("carrier_hz = 5.6e9", "carrier_hz = 2024-01-01", ["carrier_hz = ", "a number above 0"]),
    ("[frame]", "frame = 1\n[frame.x]", ["not TOML"]),
    ("[air]", "[air]\nimpairments = 1", ["air.impairments = 1", "a table [impairments]"]),
    ("[air]", "[air]\nclutter = [1]", ["air.clutter[1 of 1] = 1", "a table"]),
    ("[air]", "[air]\nclutter = 1", ["air.clutter = 1", "one or more tables [[clutter]]"]),
    ("[air]", "[air]\nother_targets = 1", ["air.other_targets = 1", "true or false"]),
    ("payload_symbols = 128", "payload_symbols = 128.0", ["128.0", "a whole number at least 16"]),
    ("payload_symbols = 128", "payload_symbols = true", ["payload_symbols = true", "a whole number"]),
    # A value out of its limits.
    ("noise_figure_db = 6.0", "noise_figure_db = nan", ["noise_figure_db = nan", "at least 0 and at most 60 (in dB)"]),
    ("symbol_rate_hz = 200e3", "symbol_rate_hz = inf", ["frame.symbol_rate_hz = inf", "above 0"]),
    ("rician_k_db = 3.0", "rician_k_db = -inf", ["air.rician_k_db = -inf", "or inf"]),
    ("power_dbm = -10.0", "power_dbm = 90.0", ['stations "west".power_dbm = 90.0', "at most 60 (in dBm)"]),
    ("[scheme]", "[scheme]\ncsi_confidence = 1.0", ["csi_confidence = 1.0", "at least 0.5 and below 1"]),
    ("[frame]", "[frame]\nsync_symbols = 31", ["sync_symbols = 31", "a multiple of", "(in symbols)"]),
    # Something missing.
    ("min_sinr_db = 12.0", "", ["scheme.min_sinr_db is missing", "a number at least -30", "(in dB)"]),
    ('radio = "simulated"\n', "", ['stations "west".radio is missing', "like simulated, replay:run.h5, pluto:ip:192"]),
    (BOB, "", ["users[2 of 6].name is missing"]),
    # A word that is none of those known.
    (BOB, 'name = "b/ob"\n', ["name = 'b/ob'", "letters, digits, - and _ only"]),
    ('"qpsk"', '"qspk"', ["frame.modulation = 'qspk'", "one of qpsk, bpsk, 8psk", "did you mean qpsk?"]),
    ('"blp-cbf"', '"blp-cfb"', ["scheme.name = 'blp-cfb'", "one of blp-cbf, blp-comp", "did you mean blp-cbf?"]),
    ('"exact"', '"paper"', ["one of exact, none", "paper is known but not built yet"]),
    ('"exact"', '"exat"', ["scheme.robustness = 'exat'", "one of exact, none", "did you mean exact?"]),
    (
        '"simulated"\npow',
        '"plutto:1"\npow',
        ["stations \"west\".radio = 'plutto:1'", "did you mean a radio like pluto:ip:"],
    ),
    # A key of the other model of the air.
    ("[air]", "[air]\necho_snr_db = 0", ["air.echo_snr_db belongs to model normalised, but model is link-budget"]),
]


@pytest.mark.parametrize(("old", "new", "words"), BROKEN, ids=lambda value: repr(value)[:40])
def test_a_broken_value_is_refused_in_one_line(old: str, new: str, words: list[str]) -> None:
    text = Scenario.load("two_cells").text
    assert old in text  # else the shipped scenario has left this table behind
    with pytest.raises(ScenarioError) as refusal:
        Scenario.parse(text.replace(old, new, 1), "lab.toml")
    message = str(refusal.value)
    assert message.startswith("lab.toml: ")
    assert "\n" not in message
    assert re.search(".*".join(map(re.escape, words)), message), message


@pytest.mark.parametrize(
    "address", ["simulated:", "simulated:1", "pluto", "pluto:", "replay", ":", "", "PLUTO:ip:1.2.3.4"]
)
def test_an_address_that_no_driver_can_open_is_refused(address: str) -> None:
    text = Scenario.load("two_cells").text.replace('radio = "simulated"', f'radio = "{address}"', 1)
    with pytest.raises(ScenarioError, match=r"a radio's address like simulated, replay:run\.h5"):
        Scenario.parse(text, "lab.toml")


@pytest.mark.parametrize(
    "address", ["replay:runs/a.h5", "pluto:usb:1.2.5", "usrp:addr0=192.168.10.2,addr1=192.168.10.3"]
)
def test_one_line_changes_the_radio(address: str) -> None:
    text = Scenario.load("two_cells").text.replace('radio = "simulated"', f'radio = "{address}"', 1)
    assert Scenario.parse(text, "lab.toml").stations[0].radio == address


def test_whole_numbers_are_numbers_and_inf_is_one_where_it_has_a_meaning() -> None:
    text = Scenario.load("two_cells").text
    text = text.replace("noise_figure_db = 6.0", "noise_figure_db = 6").replace(
        "rician_k_db = 3.0", "rician_k_db = inf"
    )
    air = Scenario.parse(text, "lab.toml").air
    assert type(air.noise_figure_db) is float
    assert air.rician_k_db == float("inf")


def test_keys_of_the_link_budget_are_refused_in_the_normalised_model() -> None:
    text = Scenario.load("paper").text.replace("echo_snr_db = 0.0", "rician_k_db = 3.0")
    with pytest.raises(ScenarioError, match=r"air\.rician_k_db belongs to model link-budget, but model is normalised"):
        Scenario.parse(text, "lab.toml")


def test_a_refusal_is_caught_as_the_package_or_as_a_value_error() -> None:
    assert issubclass(ScenarioError, TestbedError)
    assert issubclass(ScenarioError, ValueError)
