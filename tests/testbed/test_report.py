"""The printed result: the right numbers, and a warning wherever one of them must not be trusted."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from testbed.outcome import ESTIMATORS
from testbed.report import JUDGED_BY, print_summary
from testbed.scenario import Scenario
from testbed.summary import StationSummary, Summary, UserSummary, ratio_interval

SCENARIO = Scenario.load("two_cells")
STATION = StationSummary(
    name="west",
    target="walker",
    true_rad=float(np.radians(45.12345)),
    estimated_rad=float(np.radians(45.11111)),
    rmse_rad=float(np.radians(0.14567)),
    rcrb_rad=float(np.radians(0.14321)),
    ratio=1.0172,
    ratio_low=0.9518,
    ratio_high=1.0923,
    design_rcrb_rad=0.0026,
    array_output_snr_db=23.46,
    expected_rmse_rad=float(np.radians(0.14321)),
    outlier_share=0.0,
    track_ratio=1.0,
    unexplained_share=0.0,
    estimators={"structured-ml": 99, "capon": 1},
)
USER = UserSummary(
    name="ann",
    station="west",
    promised_db=12.004,
    predicted_db=14.126,
    measured_db=14.087,
    low_db=13.951,
    high_db=14.218,
    kept_share=0.98765,
    intra_cell_db=-22.71,
    inter_cell_db=-16.64,
    noise_db=-21.52,
    symbol_error_rate=0.00123,
)
SUMMARY = Summary(
    frames=101,
    payload_frames=100,
    designs=3,
    clipped_frames=0,
    faulty={},
    design_gap=1e-5,
    stations=(STATION,),
    users=(USER,),
)


def printed(summary: Summary, scenario: Scenario = SCENARIO) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    print_summary(console, scenario, summary)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def row(text: str, name: str) -> str:
    """The line of the first table that holds a name, without its lines and blanks."""
    found = [line for line in text.splitlines() if name in line.split()]
    assert found
    return words(found[0].replace("│", " "))


def with_station(**changes: object) -> Summary:
    return replace(SUMMARY, stations=(replace(STATION, **changes),))  # type: ignore[arg-type]


def with_user(**changes: object) -> Summary:
    return replace(SUMMARY, users=(replace(USER, **changes),))  # type: ignore[arg-type]


def warnings(summary: Summary) -> list[str]:
    return [line for line in printed(summary).splitlines() if line.startswith("!")]


def test_a_station_is_one_row_of_correctly_rounded_numbers() -> None:
    assert row(printed(SUMMARY), "walker") == "west walker 45.123 45.111 0.1457 0.1432 1.017 [0.952, 1.092] 23.5"


def test_a_station_is_shown_all_that_judges_it() -> None:
    text = printed(SUMMARY).split("What the errors are judged by")[1]
    assert row(text, "Slepian-Bangs").endswith("Slepian-Bangs 0.1432 0.1490 0.1432 62.5 0.0 % 1.00")


def test_a_user_is_one_row_of_correctly_rounded_numbers() -> None:
    assert row(printed(SUMMARY), "ann") == "ann west 12.00 14.13 14.09 [13.95, 14.22] 98.8 %"


def test_the_powers_of_a_user_are_one_row_and_absent_where_there_are_no_streams() -> None:
    title = "Where the received power is"
    assert row(printed(SUMMARY).split(title)[1], "ann") == "ann west -22.7 -16.6 -21.5 1.2e-03"
    nothing = with_user(intra_cell_db=np.nan, inter_cell_db=np.nan, noise_db=np.nan)
    assert title not in printed(nothing)


def test_what_the_model_does_not_explain_is_warned_of() -> None:
    assert not warnings(SUMMARY)
    assert "25 % of the frames" in warnings(with_station(unexplained_share=0.25))[0]


def test_frames_without_sync_are_warned_of() -> None:
    assert "3 frames were left out: no sync" in warnings(replace(SUMMARY, faulty={"no sync": 3}))[0]


def test_below_threshold_the_method_of_interval_errors_is_quoted() -> None:
    weak = with_station(array_output_snr_db=9.0, expected_rmse_rad=float(np.radians(4.56)), outlier_share=0.1)
    line = words(printed(weak))
    assert "4.56 deg" in line
    assert "10.0 % of the estimates are outliers" in line
    assert "Knowing nothing would give 62.5 deg" in line  # (75^2 / 3 + 45.12^2)^(1/2)


def test_titles_say_scheme_frames_and_what_was_asked() -> None:
    text = words(printed(SUMMARY))
    assert "Sensing, blp-cbf, 100 frames" in text
    assert "asked 12 dB" in text
    assert "Precoders designed: 3 in 101 frames" in text
    assert "2 deg" in text
    assert "3 CSI radii" in text
    assert "RCRB at most 0.001 % above its proved bound" in text


def test_each_estimator_used_says_what_it_is_judged_by() -> None:
    text = words(printed(SUMMARY))
    assert "structured-ml: Slepian-Bangs" in text
    assert "capon: Prop. 1, estimated covariance" in text
    assert "joint-ml" not in text


@pytest.mark.parametrize("name", ESTIMATORS)
def test_whatever_estimator_was_used_has_its_bound(name: str) -> None:
    assert f"{name}: {JUDGED_BY[name]}" in words(printed(with_station(estimators={name: 100})))


def test_a_sound_result_has_no_warning() -> None:
    assert warnings(SUMMARY) == []


@pytest.mark.parametrize(("snr_db", "warned"), [(14.9, True), (15.0, False)])
def test_an_echo_below_15_db_is_warned_of(snr_db: float, warned: bool) -> None:
    found = warnings(with_station(array_output_snr_db=snr_db))
    assert [line.startswith("! west: array-output SNR") for line in found] == [True] * warned


def test_an_snr_just_below_the_limit_is_not_printed_as_the_limit() -> None:
    """15.0 dB is below 15 dB reads like a fault of the program."""
    text = words(printed(with_station(array_output_snr_db=14.98)))
    assert "15.0 dB is below 15 dB" not in text


# 100 frames: the 99.9 % interval of a ratio of 1 begins at 0.78, the printed 95 % interval at 0.86.
@pytest.mark.parametrize(("ratio", "warned"), [(1.0, False), (0.82, False), (0.75, True)])
def test_an_error_below_its_bound_is_warned_of_beyond_chance(ratio: float, warned: bool) -> None:
    low, high = ratio_interval(ratio, SUMMARY.payload_frames)
    found = warnings(with_station(ratio=ratio, ratio_low=low, ratio_high=high))
    assert [line.startswith("! west: the error is below its bound") for line in found] == [True] * warned


@pytest.mark.parametrize(("high_db", "warned"), [(11.9, True), (12.1, False)])
def test_a_broken_promise_is_warned_of(high_db: float, warned: bool) -> None:
    found = warnings(with_user(measured_db=11.5, low_db=11.0, high_db=high_db))
    assert [line.startswith("! ann: measured SINR is below the promise") for line in found] == [True] * warned


def test_clipped_frames_are_warned_of() -> None:
    assert [line[:20] for line in warnings(replace(SUMMARY, clipped_frames=7))] == ["! 7 frames were clip"]


def test_an_interval_that_is_not_known_is_printed_as_such() -> None:
    """One payload frame has no spread; square brackets with letters must not vanish as a style of the terminal."""
    after_the_mean = row(printed(with_user(low_db=np.nan, high_db=np.nan)), "ann").split("14.09 ")[1]
    assert after_the_mean != "98.8 %"


def test_a_ratio_without_bound_is_printed_as_such() -> None:
    endless = with_station(ratio=np.inf, ratio_low=np.inf, ratio_high=np.inf)
    assert "inf [inf, inf]" in row(printed(endless), "walker")


def test_a_broken_promise_in_a_single_frame_is_not_passed_over() -> None:
    """Without an interval of the mean, the share of frames within the promise still says that it was broken."""
    found = warnings(with_user(measured_db=5.0, low_db=np.nan, high_db=np.nan, kept_share=0.0))
    assert len(found) == 1


def test_without_payload_it_prints_what_there_is() -> None:
    text = words(printed(Summary(1, 0, 0, 0, {}, 0.0, (), ())))
    assert "no" in text.split() or "0" in text.split()
    assert "()" not in text


def test_the_tables_fit_140_columns() -> None:
    wide = replace(STATION, name="w" * 12, target="t" * 12)
    text = printed(replace(SUMMARY, stations=(wide,)))
    assert "…" not in text
    assert any("w" * 12 in line and "t" * 12 in line and "[0.952, 1.092]" in line for line in text.splitlines())
