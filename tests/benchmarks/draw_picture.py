"""Draw the README's picture: `python tests/benchmarks/draw_picture.py runs/FILE.h5 .readme/two_cells.svg`."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from recordings import Recording
from testbed.scenario import Scenario, position_at, true_arrival_angles

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "isac-testbed"  # the same recording draws the same file
from matplotlib import pyplot as plt  # noqa: E402


def draw_site(axes: plt.Axes, scenario: Scenario, seconds: float) -> None:
    for station in scenario.stations:
        axes.plot(*station.position_m, "ks", markersize=8)
        axes.annotate(station.name, station.position_m, (0, -14), textcoords="offset points", ha="center")
    for user in scenario.users:
        axes.plot(*user.position_m, "o", color="tab:blue")
        axes.annotate(user.name, user.position_m, (0, 6), textcoords="offset points", ha="center", color="tab:blue")
    for target in scenario.targets:
        way = np.array([position_at(target, t) for t in (0.0, seconds)])
        axes.annotate("", way[1], way[0], arrowprops={"arrowstyle": "->", "color": "tab:red"})
        axes.plot(*way[0], "^", color="tab:red")
        axes.annotate(target.name, way[0], (0, 8), textcoords="offset points", ha="center", color="tab:red")
    axes.set(title="the site", xlabel="m", ylabel="m", aspect="equal")
    axes.margins(0.1, 0.25)


def draw_error(axes: plt.Axes, recording: Recording, scenario: Scenario, m: int) -> None:
    angle, bound = recording.results("angle_rad")[:, m], recording.results("rcrb_rad")[:, m]
    times = np.arange(recording.n_frames) * scenario.frame.period_s
    true = np.array([true_arrival_angles(scenario, t + scenario.frame_duration_s / 2)[m] for t in times])
    shown = np.isfinite(bound)
    band = np.degrees(bound[shown])
    axes.fill_between(times[shown], -2 * band, 2 * band, color="tab:red", alpha=0.2, label="two root CRB")
    axes.plot(times[shown], np.degrees(angle - true)[shown], ".", color="tab:red", markersize=3, label="angle error")
    axes.set(title=f"{scenario.stations[m].name} senses {scenario.ordered_targets[m].name}", xlabel="s", ylabel="deg")
    axes.margins(y=0.3)
    axes.legend(loc="upper right", fontsize=7)


def draw_sinr(axes: plt.Axes, recording: Recording, scenario: Scenario) -> None:
    sinr = 10 * np.log10(recording.results("sinr"))
    times = np.arange(recording.n_frames) * scenario.frame.period_s
    for number, user in enumerate(scenario.ordered_users):
        m, k = divmod(number, scenario.users_per_cell)
        axes.plot(times, sinr[:, m, k], linewidth=0.8, label=user.name)
    axes.axhline(scenario.scheme.min_sinr_db, color="k", linestyle="--", linewidth=0.8)
    axes.set(title="measured SINR, and what was promised (dashed)", xlabel="s", ylabel="dB")
    axes.margins(y=0.3)
    axes.legend(loc="upper right", ncols=3, fontsize=7)


def main(source: str, drawing: str) -> None:
    with Recording.open(Path(source)) as recording:
        scenario = Scenario.parse(recording.scenario_text, source)
        figure, axes = plt.subplots(2, 2, figsize=(10, 5.6), layout="constrained")
        draw_site(axes[0, 0], scenario, 4.0)
        draw_sinr(axes[0, 1], recording, scenario)
        for m in range(2):
            draw_error(axes[1, m], recording, scenario, m)
        Path(drawing).parent.mkdir(exist_ok=True)
        figure.savefig(drawing, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
