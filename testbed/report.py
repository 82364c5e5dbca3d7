"""The result of an experiment on a terminal."""

from __future__ import annotations

import math

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from precoding import SECTOR_RAD, no_information_rms
from testbed.scenario import Scenario
from testbed.summary import MEANINGFUL_SNR_DB, StationSummary, Summary, UserSummary, ratio_interval

__all__ = ["print_summary"]

PROVED = 1e-2  # the gap that the loop asks for; see `testbed.designer`
UNEXPLAINED = 1.5  # times the bound; above threshold the estimators come within a tenth of it

JUDGED_BY = {
    "structured-ml": "Slepian-Bangs",
    "capon": "Prop. 1, estimated covariance",
    "aml": "Prop. 1, estimated covariance",
    "joint-ml": "Prop. 2",
}


def print_summary(console: Console, scenario: Scenario, summary: Summary) -> None:
    """Print the tables of sensing and communication, then what a reader must know to trust them."""
    if not summary.payload_frames:
        console.print("no frame with a payload: the first frame of an experiment only sounds, so there is no result")
        return
    tables = [_sensing(scenario, summary), _bounds(summary), _communication(scenario, summary)]
    if all(math.isfinite(row.noise_db) for row in summary.users):
        tables.append(_decomposition(summary))
    console.print(*(part for table in tables for part in (table, "")), sep="\n")
    for line in _remarks(scenario, summary):
        console.print(Text(line, style="bold yellow" if line.startswith("!") else "dim"))


def _table(title: str, names: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    """Return an empty table that fits 80 columns; where it does not, it folds, for a cut number is another number."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Add cells as they are: rich would take [nan, nan] for a style and drop it."""
    table.add_row(*map(Text, cells))


def _sensing(scenario: Scenario, summary: Summary) -> Table:
    table = _table(
        f"Sensing, {scenario.scheme.name}, {summary.payload_frames} frames",
        ("station", "target"),
        ("true\ndeg", "estimated\ndeg", "RMSE\ndeg", "root CRB\ndeg", "ratio [95 %]", "array\noutput\nSNR dB"),
    )
    for row in summary.stations:
        _add_row(
            table,
            row.name,
            row.target,
            f"{np.degrees(row.true_rad):.3f}",
            f"{np.degrees(row.estimated_rad):.3f}",
            f"{np.degrees(row.rmse_rad):.4f}",
            f"{np.degrees(row.rcrb_rad):.4f}",
            f"{row.ratio:.3f} [{row.ratio_low:.3f}, {row.ratio_high:.3f}]",
            f"{row.array_output_snr_db:.1f}",
        )
    return table


def _bounds(summary: Summary) -> Table:
    table = _table(
        "What the errors are judged by",
        ("station", "bound"),
        (
            "root CRB\ndeg",
            "design\nmetric deg",
            "expected\nRMSE deg",
            "knowing\nnothing deg",
            "outliers",
            "track\nratio",
        ),
    )
    for row in summary.stations:
        _add_row(
            table,
            row.name,
            ", ".join(sorted({JUDGED_BY[name] for name in row.estimators})),
            f"{np.degrees(row.rcrb_rad):.4f}",
            f"{np.degrees(row.design_rcrb_rad):.4f}",
            f"{np.degrees(row.expected_rmse_rad):.4f}",
            f"{np.degrees(no_information_rms(row.true_rad, SECTOR_RAD)):.1f}",
            f"{100 * row.outlier_share:.1f} %",
            f"{row.track_ratio:.2f}",
        )
    return table


def _communication(scenario: Scenario, summary: Summary) -> Table:
    table = _table(
        f"Communication, SINR in dB, asked {scenario.scheme.min_sinr_db:g} dB",
        ("user", "station"),
        ("promised", "predicted", "measured [95 %]", "frames within\npromise"),
    )
    for row in summary.users:
        _add_row(
            table,
            row.name,
            row.station,
            f"{row.promised_db:.2f}",
            f"{row.predicted_db:.2f}",
            f"{row.measured_db:.2f} [{row.low_db:.2f}, {row.high_db:.2f}]",
            f"{100 * row.kept_share:.1f} %",
        )
    return table


def _decomposition(summary: Summary) -> Table:
    table = _table(
        "Where the received power is, dB under the own signal",
        ("user", "station"),
        ("intra-cell", "inter-cell", "noise", "symbol\nerrors"),
    )
    for row in summary.users:
        levels = (row.intra_cell_db, row.inter_cell_db, row.noise_db)
        cells = [f"{level:.1f}" if level > -90 else "none" for level in levels]
        _add_row(table, row.name, row.station, *cells, f"{row.symbol_error_rate:.1e}" if row.symbol_error_rate else "0")
    return table


def _remarks(scenario: Scenario, summary: Summary) -> list[str]:
    used = sorted({name for row in summary.stations for name in row.estimators})
    lines = [
        "Angles and errors are means over frames against the scenario's geometry; root CRB for the symbols really "
        "sent, "
        f"amplitudes and noise as estimated ({', '.join(f'{name}: {JUDGED_BY[name]}' for name in used)}).",
        "Design metric: Prop. 1 (CBF; no bound where interference tells the angle, too) or Prop. 2 (CoMP). Expected: "
        "by the method of interval errors below 15 dB of array-output SNR, else the bound. Outlier: 5 root CRBs off. "
        "Track ratio: error of the predicted angle over its claimed deviation.",
        "Promised: the worst case within the measured CSI ball, by the certificate. Predicted: from the last sounding. "
        "Measured: on known symbols, bias removed; a frame is within the promise if its 95 % interval reaches it.",
        f"Precoders designed: {summary.designs} in {summary.frames} frames (again when an angle moves by "
        f"{scenario.scheme.redesign_angle_deg:g} deg or a channel by "
        f"{scenario.scheme.redesign_csi_radii:g} CSI radii); RCRB at most {100 * summary.design_gap:.2g} % above its "
        "proved bound.",
    ]
    lines += [_weak_echo(row) for row in summary.stations if row.array_output_snr_db < MEANINGFUL_SNR_DB]
    lines += [_below_bound(row) for row in summary.stations if _is_below(row, summary.payload_frames)]
    lines += [_far_above_bound(row) for row in summary.stations if row.ratio_low > UNEXPLAINED]
    lines += [_unexplained(row) for row in summary.stations if row.unexplained_share > 0.01]
    lines += [_broken_promise(row) for row in summary.users if _is_broken(row)]
    if summary.design_gap > PROVED:
        lines.append(
            f"! a design's RCRB is up to {100 * summary.design_gap:.2g} % above its proved bound: it keeps its "
            "promises to the users, but sensing might be that much better."
        )
    for fault, count in summary.faulty.items():
        lines.append(f"! {count} frames were left out: {fault}. Check cables, gains and the radio's own log.")
    if summary.clipped_frames:
        lost = f"! {summary.clipped_frames} frames were clipped by a converter and left out"
        lines.append(f"{lost}: lower rx_gain_db or power_dbm.")
    return lines


def _weak_echo(row: StationSummary) -> str:
    below_db = math.floor(10 * row.array_output_snr_db) / 10  # 14.98 must not be called 15.0
    return (
        f"! {row.name}: array-output SNR {below_db:.1f} dB is below {MEANINGFUL_SNR_DB:g} dB, where estimators leave "
        f"the Cramer-Rao bound: the ratio says nothing there. The method of interval errors expects an RMSE of "
        f"{np.degrees(row.expected_rmse_rad):.3g} deg; {100 * row.outlier_share:.1f} % of the estimates are outliers. "
        f"Knowing nothing would give {np.degrees(no_information_rms(row.true_rad, SECTOR_RAD)):.3g} deg."
    )


def _is_below(row: StationSummary, frames: int) -> bool:
    """Whether chance explains the error no more: the printed 95 % interval lies below 1 in one sound table of 40."""
    return ratio_interval(row.ratio, frames, confidence=0.999)[1] < 1


def _below_bound(row: StationSummary) -> str:
    return (
        f"! {row.name}: the error is below its bound, which is a fault of the bench. The usual suspects: a true angle "
        "taken from the estimate itself, noise measured too high (guard not silent, DC, a spur), amplitudes too low "
        "(a path that the bound does not count), frames that are not independent, outliers that were thrown away."
    )


def _far_above_bound(row: StationSummary) -> str:
    return (
        f"! {row.name}: errors are {row.ratio:.1f} times the bound: something is in the air or in the radio that the "
        "model does not know (clutter, leakage, a wrong position, no calibration)."
    )


def _unexplained(row: StationSummary) -> str:
    return (
        f"! {row.name}: {100 * row.unexplained_share:.0f} % of the frames leave more over than noise: clutter, "
        "leakage, phase noise or a path that the model does not know. Angles and bounds of such frames are doubtful."
    )


def _is_broken(row: UserSummary) -> bool:
    """Whether a promise was not kept beyond doubt; a single frame has no interval of the mean, but one of its own."""
    return row.kept_share == 0 if math.isnan(row.high_db) else row.high_db < row.promised_db


def _broken_promise(row: UserSummary) -> str:
    return (
        f"! {row.name}: measured SINR is below the promise; the channel moved further between sounding and payload "
        "than the CSI ball, "
        "or something not in the model disturbs this user."
    )
