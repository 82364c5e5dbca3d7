"""The result of an experiment on a terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from testbed.scenario import Scenario
from testbed.summary import MEANINGFUL_SNR_DB, StationSummary, Summary, UserSummary

__all__ = ["print_summary"]

JUDGED_BY = {
    "structured-ml": "Slepian-Bangs",
    "capon": "Prop. 1, estimated covariance",
    "joint-ml": "Prop. 2",
}


def print_summary(console: Console, scenario: Scenario, summary: Summary) -> None:
    """Print the tables of sensing and communication, then what a reader must know to trust them."""
    console.print(_sensing(scenario, summary))
    console.print(_communication(scenario, summary))
    for line in _remarks(scenario, summary):
        console.print(line, style="dim" if not line.startswith("!") else "bold yellow", highlight=False)


def _sensing(scenario: Scenario, summary: Summary) -> Table:
    table = Table(title=f"Sensing, {scenario.scheme.name}, {summary.payload_frames} frames", title_justify="left")
    for column in ("station", "target"):
        table.add_column(column)
    for column in ("true deg", "estimated deg", "RMSE deg", "root CRB deg", "ratio [95 %]", "array-output SNR dB"):
        table.add_column(column, justify="right")
    for row in summary.stations:
        table.add_row(
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


def _communication(scenario: Scenario, summary: Summary) -> Table:
    table = Table(title=f"Communication, SINR in dB, asked {scenario.scheme.min_sinr_db:g} dB", title_justify="left")
    for column in ("user", "station"):
        table.add_column(column)
    for column in ("promised", "predicted", "measured [95 %]", "frames within promise"):
        table.add_column(column, justify="right")
    for row in summary.users:
        table.add_row(
            row.name,
            row.station,
            f"{row.promised_db:.2f}",
            f"{row.predicted_db:.2f}",
            f"{row.measured_db:.2f} [{row.low_db:.2f}, {row.high_db:.2f}]",
            f"{100 * row.kept_share:.1f} %",
        )
    return table


def _remarks(scenario: Scenario, summary: Summary) -> list[str]:
    used = sorted({name for row in summary.stations for name in row.estimators})
    lines = [
        "Angles and errors are means over frames against the scenario's geometry; root CRB for the symbols really "
        "sent, "
        f"amplitudes and noise as estimated ({', '.join(f'{name}: {JUDGED_BY[name]}' for name in used)}).",
        "Promised: the worst case within the measured CSI ball, by the certificate. Predicted: from the last sounding. "
        "Measured: on known symbols, bias removed; a frame is within the promise if its 95 % interval reaches it.",
        f"Precoders designed: {summary.designs} in {summary.frames} frames (again when an angle moves by "
        f"{scenario.scheme.redesign_angle_deg:g} deg or a channel by "
        f"{scenario.scheme.redesign_csi_radii:g} CSI radii).",
    ]
    lines += [_weak_echo(row) for row in summary.stations if row.array_output_snr_db < MEANINGFUL_SNR_DB]
    lines += [_below_bound(row) for row in summary.stations if row.ratio_high < 1]
    lines += [_broken_promise(row) for row in summary.users if row.high_db < row.promised_db]
    if summary.clipped_frames:
        lines.append(f"! {summary.clipped_frames} frames were clipped by a converter: lower rx_gain_db or power_dbm.")
    return lines


def _weak_echo(row: StationSummary) -> str:
    return (
        f"! {row.name}: array-output SNR {row.array_output_snr_db:.1f} dB is below {MEANINGFUL_SNR_DB:g} dB, "
        "where estimators leave "
        "the Cramer-Rao bound: the ratio says nothing there."
    )


def _below_bound(row: StationSummary) -> str:
    return (
        f"! {row.name}: the error is below its bound, which is a fault of the bench: "
        "check amplitudes, noise and the true angle."
    )


def _broken_promise(row: UserSummary) -> str:
    return (
        f"! {row.name}: measured SINR is below the promise; the channel moved further between sounding and payload "
        "than the CSI ball, "
        "or something not in the model disturbs this user."
    )
