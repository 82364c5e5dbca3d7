"""Scenarios: what is shipped can be run, and what is written is what is read."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import AirOptions, FrameOptions, Impairments, Scenario, distance_m, shipped

SIMULATED = ("paper", "two_cells", "two_cells_comp", "two_cells_dirty", "two_cells_slp")
ON_DEVICES = ("two_cells_pluto", "two_cells_usrp")  # virtual or real ones, behind addresses


def test_shipped_scenarios_are_listed_with_their_titles() -> None:
    assert tuple(shipped()) == tuple(sorted(SIMULATED + ON_DEVICES))
    assert {name: Scenario.load(name).title for name in SIMULATED + ON_DEVICES} == dict(shipped())


@pytest.mark.parametrize("name", SIMULATED + ON_DEVICES)
def test_a_shipped_scenario_read_again_from_its_own_text_is_the_same(name: str) -> None:
    scenario = Scenario.load(name)
    assert Scenario.parse(scenario.text, f"/elsewhere/{name}.toml") == scenario
    assert scenario.name == name


@pytest.mark.parametrize("name", SIMULATED)
def test_shipped_scenarios_have_two_stations_of_6_and_10_antennas_and_three_users_each(name: str) -> None:
    scenario = Scenario.load(name)
    assert (scenario.n_stations, scenario.users_per_cell, scenario.n_tx, scenario.n_rx) == (2, 3, 6, 10)
    assert all(radio.radio == "simulated" for radio in scenario.radios)


def test_the_courtyard_of_usrps_has_a_board_an_antenna() -> None:
    scenario = Scenario.load("two_cells_usrp")
    assert (scenario.n_stations, scenario.users_per_cell, scenario.n_tx, scenario.n_rx) == (2, 2, 4, 4)
    boards = [radio.radio.count("127.0.0.") for radio in scenario.radios]
    assert boards == [4, 4, 1, 1, 1, 1]
    rate_hz = scenario.frame.symbol_rate_hz * scenario.frame.samples_per_symbol
    assert (100e6 / rate_hz).is_integer()  # or UHD makes another of it


def test_the_courtyard_differs_only_in_scheme_or_only_in_impairments() -> None:
    clean, comp, dirty = (Scenario.load(name) for name in SIMULATED[1:4])
    assert comp.scheme == replace(clean.scheme, name="blp-comp")
    assert replace(comp, title=clean.title, scheme=clean.scheme, text=clean.text, name=clean.name) == clean
    ideal = tuple(replace(user, impairments=Impairments()) for user in dirty.users)
    stations = tuple(replace(station, impairments=Impairments()) for station in dirty.stations)
    air = replace(dirty.air, impairments=Impairments())
    stripped = replace(
        dirty, users=ideal, stations=stations, air=air, title=clean.title, text=clean.text, name=clean.name
    )
    assert stripped == clean


def test_the_symbol_level_courtyard_differs_in_scheme_and_in_room_for_peaks_only() -> None:
    comp, slp = Scenario.load("two_cells_comp"), Scenario.load("two_cells_slp")
    assert replace(slp.scheme, name="blp-comp") == comp.scheme
    stations = tuple(replace(station, power_dbm=-10.0, tx_gain_db=-10.0) for station in slp.stations)
    alike = replace(slp, title=comp.title, scheme=comp.scheme, stations=stations, text=comp.text, name=comp.name)
    assert replace(alike, rf=comp.rf) == comp


def test_the_dirty_courtyard_has_every_impairment() -> None:
    scenario = Scenario.load("two_cells_dirty")
    user = scenario.impairments_of(scenario.users[0])
    assert all(getattr(user, field.name) for field in fields(user) if field.name != "start_spread_s")  # it is aligned


def test_the_plutos_start_within_the_gap_and_have_an_address_each() -> None:
    scenario = Scenario.load("two_cells_pluto")
    assert (scenario.n_stations, scenario.users_per_cell, scenario.n_tx, scenario.n_rx) == (2, 1, 2, 2)
    assert len({radio.radio for radio in scenario.radios}) == 4
    assert all(radio.radio.startswith("pluto:ip:127.0.0.1:5000") for radio in scenario.radios)
    spread_s = scenario.air.impairments.start_spread_s
    assert spread_s is not None
    assert 150e-6 <= spread_s < scenario.frame.gap_symbols / scenario.frame.symbol_rate_hz
    assert scenario.frame.tail_symbols > scenario.frame.gap_symbols  # what starts late is not cut off
    assert scenario.frame.symbol_rate_hz * scenario.frame.samples_per_symbol >= 521e3


@pytest.mark.parametrize("name", SIMULATED[1:])
def test_links_of_the_courtyard_carry_what_the_experiment_needs(name: str) -> None:
    scenario = Scenario.load(name)
    stations = {station.name: station for station in scenario.stations}
    wavelength_m = 299_792_458 / scenario.carrier_hz
    noise_w = 1.380649e-23 * 290 * scenario.frame.symbol_rate_hz * 10 ** (scenario.air.noise_figure_db / 10)
    for user in scenario.users:
        station = stations[user.station]
        gain = (wavelength_m / (4 * math.pi * distance_m(station.position_m, user.position_m))) ** 2  # Friis
        snr = 10 ** ((station.power_dbm - 30) / 10) * gain / noise_w
        assert 30 < 10 * math.log10(snr) < 38
    for target in scenario.targets:
        station = stations[target.station]
        spread = (4 * math.pi) ** 3 * distance_m(station.position_m, target.position_m) ** 4
        echo = 10 ** ((station.power_dbm - 30) / 10) * target.rcs_m2 * wavelength_m**2 / spread  # radar equation
        snr = scenario.n_rx * scenario.frame.payload_symbols * echo / noise_w
        assert 22 < 10 * math.log10(snr) < 28


def test_users_and_targets_are_ordered_by_station_however_they_are_written() -> None:
    scenario = Scenario.load("two_cells")
    mixed = replace(scenario, users=scenario.users[::-1], targets=scenario.targets[::-1])
    assert [user.station for user in mixed.ordered_users] == ["west"] * 3 + ["east"] * 3
    assert [user.name for user in mixed.ordered_users] == ["cem", "bob", "ann", "fay", "emil", "dora"]
    assert [target.station for target in mixed.ordered_targets] == ["west", "east"]


def test_a_radio_takes_from_the_air_what_it_does_not_say_itself() -> None:
    scenario = Scenario.load("two_cells")
    of_all = Impairments(dc_offset=0.01, adc_bits=12)
    air = replace(scenario.air, impairments=of_all, noise_figure_db=7.0)
    user = replace(scenario.users[0], impairments=Impairments(adc_bits=8, dc_offset=0.0))
    scenario = replace(scenario, air=air)
    assert scenario.impairments_of(user) == Impairments(adc_bits=8, dc_offset=0.0, noise_figure_db=7.0)
    assert scenario.impairments_of(scenario.stations[0]) == replace(of_all, noise_figure_db=7.0)


def test_defaults_are_those_of_the_description() -> None:
    frame, air = FrameOptions(symbol_rate_hz=200e3), AirOptions()
    assert (frame.samples_per_symbol, frame.roll_off, frame.modulation, frame.period_s) == (4, 0.25, "qpsk", 0.01)
    assert (air.model, air.noise_figure_db, air.rician_k_db, air.leakage_isolation_db) == (
        "link-budget",
        6,
        math.inf,
        math.inf,
    )
    # 48 guard + 2 x 32 sync + 8 gap + 64 sounding + 8 gap + 128 payload + 32 tail symbols of 5 us
    assert frame.n_symbols(2) == 352
    assert frame.duration_s(2) == pytest.approx(1.76e-3)


def test_a_scenario_is_loaded_from_a_file_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "my_copy.toml"
    path.write_text(Scenario.load("two_cells").text, encoding="utf-8")
    assert Scenario.load(path).name == "my_copy"
    assert Scenario.load(str(path)) == replace(Scenario.load("two_cells"), name="my_copy")


def test_an_unknown_scenario_is_answered_with_the_shipped_ones_and_the_nearest() -> None:
    with pytest.raises(ScenarioError, match=r"two_cell: neither .* paper, two_cells, .*; did you mean two_cells\?"):
        Scenario.load("two_cell")


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('title = "Größe"'.encode("latin-1"))
    for path in (tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(ScenarioError, match="cannot be read as a TOML file") as refusal:
            Scenario.load(path)
        assert "\n" not in str(refusal.value)


def test_reading_a_scenario_imports_nothing_heavy() -> None:
    code = "import sys; from testbed.scenario import Scenario; Scenario.load('paper'); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert answer.returncode == 0, answer.stderr
    assert "testbed.scenario" in answer.stdout.split()
    assert not {"scipy", "h5py", "cvxpy", "rich"} & set(answer.stdout.split())
