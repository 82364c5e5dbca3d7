"""What the radios of a bench cannot do is refused by name, before anything is sent."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from drivers import Capabilities, Range
from testbed.abilities import require_abilities
from testbed.bench import Bench
from testbed.errors import AbilityError, ScenarioError
from testbed.experiment import _frame
from testbed.scenario import Scenario
from testbed.scenario.radios import Impairments

CBF, COMP = Scenario.load("two_cells"), Scenario.load("two_cells_comp")
ANY = Range(-1e12, 1e12)


def able(labels: tuple[str, ...], spread_s: float = 0.0) -> Capabilities:
    return Capabilities(
        "Pluto", "7", len(labels), 2, ANY, ANY, ANY, ANY, 0.0, 0.0, spread_s, labels, labels, ("7", "7")
    )


def bench(west: tuple[str, ...], east: tuple[str, ...], spread_s: float = 0.0) -> dict[str, Capabilities]:
    return {"west": able(west), "east": able(east), "ann": able((), spread_s)}


def with_reference(scenario: Scenario, external: str, calibration: str) -> Scenario:
    said = f'[reference]\nexternal = {external}\nphase_calibration = "{calibration}"\n'
    return Scenario.parse(scenario.text.replace("[rf]", said + "\n[rf]"), "edited.toml")


def test_a_station_of_one_oscillator_may_precode_for_its_own_users() -> None:
    require_abilities(CBF, bench(("a", "a"), ("b", "b")))


def test_a_station_of_two_oscillators_may_not() -> None:
    with pytest.raises(AbilityError, match=r"blp-cbf combines .* east \(b\) and east \(c\)"):
        require_abilities(CBF, bench(("a", "a"), ("b", "c")))


def test_stations_that_share_no_oscillator_may_not_cooperate() -> None:
    with pytest.raises(AbilityError, match=r"blp-comp combines .* west \(a\) and east \(b\).*phase_calibration"):
        require_abilities(COMP, bench(("a", "a"), ("b", "b")))
    require_abilities(COMP, bench(("air", "air"), ("air", "air")))


@pytest.mark.parametrize("scenario", [CBF, COMP], ids=["cbf", "comp"])
def test_a_reference_with_calibration_in_every_frame_makes_up_for_it(scenario: Scenario) -> None:
    apart = bench(("a", "b"), ("c", "d"))
    require_abilities(with_reference(scenario, "true", "per-frame"), apart)
    with pytest.raises(AbilityError):
        require_abilities(with_reference(scenario, "true", "none"), apart)


def test_symbols_that_count_on_each_other_need_a_timed_start() -> None:
    symbol_level = replace(CBF, scheme=replace(CBF.scheme, name="slp-cbf"))
    together, apart = bench(("a", "a"), ("b", "b")), bench(("a", "a"), ("b", "b"), 30e-6)
    require_abilities(symbol_level, together)
    require_abilities(CBF, apart)
    with pytest.raises(AbilityError, match=r"slp-cbf .* ann .* no timed start"):
        require_abilities(symbol_level, apart)


def test_simulated_radios_are_as_coherent_as_their_oscillators() -> None:
    """A common offset does no harm; offsets or starts of their own do."""
    west, east = COMP.stations
    for mine, theirs, coherent in (
        ({}, {}, True),
        ({"carrier_offset_ppm": 0.3}, {"carrier_offset_ppm": 0.3}, True),
        ({"carrier_offset_ppm": 0.3}, {}, False),
        ({"start_spread_s": 1e-6}, {"start_spread_s": 1e-6}, False),
    ):
        stations = (replace(west, impairments=Impairments(**mine)), replace(east, impairments=Impairments(**theirs)))
        scenario = replace(COMP, stations=stations)
        with contextlib.nullcontext() if coherent else pytest.raises(AbilityError, match="share no oscillator"):
            with Bench(scenario, _frame(scenario), 1):
                pass


def test_a_calibration_without_a_reference_is_refused_before_any_radio_is_opened() -> None:
    with pytest.raises(ScenarioError, match=r"reference\.phase_calibration.*reference\.external = true"):
        with_reference(COMP, "false", "per-frame")


@pytest.mark.parametrize(("spread_s", "fits"), [(0.0, True), (40e-6, True), (40.1e-6, False), (150e-6, False)])
def test_the_gaps_must_cover_what_starts_may_lie_apart(spread_s: float, fits: bool) -> None:
    """8 symbols of 5 us are 40 us; 150 us need 30 symbols."""
    radios = bench(("a",), ("b",), spread_s)
    if fits:
        require_abilities(CBF, radios)
        return
    with pytest.raises(AbilityError, match=r"like ann \(Pluto\).*gap_symbols = 8 allows 40 us; it must be at least"):
        require_abilities(CBF, radios)


def test_the_gap_that_is_asked_for_is_enough() -> None:
    radios = bench(("a",), ("b",), 150e-6)
    with pytest.raises(AbilityError, match="at least 30 at"):
        require_abilities(CBF, radios)
    require_abilities(replace(CBF, frame=replace(CBF.frame, gap_symbols=30)), radios)


def test_a_bench_asks_when_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(scenario: Scenario, capabilities: dict[str, Capabilities]) -> None:
        raise AbilityError(", ".join(capabilities))

    monkeypatch.setattr("testbed.bench.require_abilities", refuse)
    opened = Bench(CBF, _frame(CBF), seed=1)
    with pytest.raises(AbilityError, match="west, east, ann"):
        opened.__enter__()
    assert not opened.capabilities  # and none stays open
