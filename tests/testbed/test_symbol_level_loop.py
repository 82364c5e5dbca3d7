"""Symbol-level precoding over the simulated air: a waveform for every frame, recorded, measured by its margins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recordings import Recording
from testbed.experiment import replay, run
from testbed.frame import CONSTELLATIONS
from testbed.loop import payload_rng
from testbed.outcome import Outcome
from testbed.precoder import Precoder
from testbed.scenario import Scenario

FRAMES, SEED = 6, 5
SHIPPED = Scenario.load("two_cells_slp")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slp") / "slp.h5"
    run(SHIPPED, frames=FRAMES, seed=SEED, output=path)
    return path


def outcomes(path: Path) -> list[Outcome]:
    with Recording.open(path) as recording:
        rows = {name: recording.results(name) for name in recording.result_names}
        return [Outcome.from_results({name: row[i] for name, row in rows.items()}) for i in range(recording.n_frames)]


def test_every_frame_has_a_waveform_of_its_own(recorded: Path) -> None:
    constellation = CONSTELLATIONS[SHIPPED.frame.modulation]
    with Recording.open(recorded) as recording:
        assert [stored.index_from for stored in recording.designs] == list(range(1, FRAMES))
        for stored in recording.designs:
            precoder = Precoder.stored(stored.arrays, stored.attributes)
            drawn = payload_rng(SEED, stored.index_from).integers(len(constellation), size=(2, 3, 128))
            assert precoder.waveform(constellation[drawn]).shape == (2, 6, 128)


def test_a_replay_plays_the_very_same_samples_and_finds_the_same_to_the_bit(recorded: Path) -> None:
    for frames in (slice(None), slice(3, 5)):
        assert replay(recorded, frames=frames).differences == ()


def test_users_get_what_the_certificate_promised(recorded: Path) -> None:
    for outcome in outcomes(recorded)[1:]:
        assert np.all(10 * np.log10(outcome.promised_sinr) >= SHIPPED.scheme.min_sinr_db - 1e-3)
        # The promise is for 95 % of the channels, the interval for 95 % of the noise: none of 30 misses by a decibel
        assert np.all(outcome.sinr_high > outcome.promised_sinr * 10**-0.1)
        assert np.all((outcome.sinr_low < outcome.sinr) & (outcome.sinr < outcome.sinr_high))
        assert np.all(outcome.symbol_errors == 0)
        assert np.all(outcome.channel_p_value > 1e-4)


def test_the_last_sounding_tells_what_comes(recorded: Path) -> None:
    ratios = [outcome.sinr / outcome.predicted_sinr for outcome in outcomes(recorded)[1:]]
    assert 10 * np.log10(np.mean(ratios)) == pytest.approx(0, abs=0.4)  # 30 values of 0.35 dB each, and channel errors


def test_margins_are_there_and_streams_are_not(recorded: Path) -> None:
    sounded, *rest = outcomes(recorded)
    assert np.isnan(sounded.margin_quantiles).all()
    for outcome in rest:
        assert np.all(np.diff(outcome.margin_quantiles, axis=-1) >= 0)
        # the least margin, before the bias of a minimum is taken away, is within it of the SINR's root
        assert outcome.margin_quantiles[..., 0] == pytest.approx(np.sqrt(outcome.sinr), rel=0.1)
        assert np.isnan(outcome.signal).all()


def test_the_other_symbol_level_scheme_runs_too(tmp_path: Path) -> None:
    text = SHIPPED.text.replace('"slp-comp"', '"slp-cbf"').replace("min_sinr_db = 12.0", "min_sinr_db = 6.0")
    scenario = Scenario.parse(text, "two_cells_slp_cbf.toml")
    run(scenario, frames=3, seed=SEED, output=tmp_path / "cbf.h5")
    assert replay(tmp_path / "cbf.h5").differences == ()
    for outcome in outcomes(tmp_path / "cbf.h5")[1:]:
        assert np.all(outcome.sinr_high > outcome.promised_sinr * 10**-0.1)


def test_eight_phases_are_indexed_alike_everywhere(tmp_path: Path) -> None:
    """A wrong order of the constellation would put every symbol outside its region."""
    text = SHIPPED.text.replace('"qpsk"', '"8psk"').replace("min_sinr_db = 12.0", "min_sinr_db = 8.0")
    run(Scenario.parse(text, "eight.toml"), frames=2, seed=SEED, output=tmp_path / "eight.h5")
    assert np.all(outcomes(tmp_path / "eight.h5")[1].sinr_low > 10**0.6)


def test_the_scenario_shipped_is_the_courtyards() -> None:
    other = Scenario.load("two_cells_comp")
    assert (SHIPPED.users, SHIPPED.targets, SHIPPED.frame) == (other.users, other.targets, other.frame)
    assert replace(SHIPPED.scheme, name="blp-comp") == other.scheme
