"""The whole experiment on virtual Plutos, through unmodified pyadi-iio and libiio: `two_cells_pluto` as shipped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from pluto_experiment import SEED, on_virtual_plutos, simulated
from side_by_side import Run, aligned, expected_sinr_db, largest_rcrb_rad, noise_excess_db, run

from drivers import VendorLibraryError
from drivers.pluto.vendor import libraries
from testbed import experiment

FRAMES = 16

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def over_plutos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The run, on whatever ports are free; in the end no unit may transmit."""
    try:
        libraries()
    except VendorLibraryError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("plutos")
    with on_virtual_plutos(folder) as scenario:
        yield run(scenario, FRAMES, SEED, folder / "plutos.h5")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same experiment on simulated radios."""
    return run(simulated(), FRAMES, SEED, tmp_path_factory.mktemp("simulated") / "simulated.h5")


def test_every_capture_says_that_its_delay_was_estimated(over_plutos: Run) -> None:
    captures = [capture for done in over_plutos.frames for capture in done.captures.values()]
    assert {capture.flags for capture in captures} == {("time-unaligned",)}
    sent = [capture.measured["tx_evm_db"] for capture in captures if capture.radio in ("west", "east")]
    assert len(sent) == 2 * FRAMES
    assert all(-90 < evm_db < -40 for evm_db in sent)  # 12 bits, some decibels below full scale


def test_the_physics_is_that_of_the_simulated_radios(over_plutos: Run, alone: Run) -> None:
    """Channels apart from phases that no unit knows of another, noise apart from 12 bits, and the largest bound.

    Designs differ: a station with slack may do this or that. What users get is compared for the same precoders, on the
    channels that the simulated radios found.
    """
    one, its = over_plutos.soundings[0], alone.soundings[0]
    apart = np.linalg.norm(aligned(one.channels, its.channels) - its.channels, axis=-1)
    assert np.all(apart < 0.01 * np.linalg.norm(its.channels, axis=-1) + one.csi_radius + its.csi_radius)
    user_excess_db, radar_excess_db = noise_excess_db(over_plutos, alone)
    assert np.all((user_excess_db > -1.0) & (user_excess_db < 2.0))
    assert radar_excess_db == pytest.approx(0.0, abs=1.0)
    assert largest_rcrb_rad(over_plutos) == pytest.approx(largest_rcrb_rad(alone), rel=0.03)
    for here, there in zip(over_plutos.summary.stations, alone.summary.stations, strict=True):
        assert here.ratio_low < min(1.1, there.ratio_high)
        assert here.ratio_high > max(0.9, there.ratio_low)
    measured_db = [user.measured_db for user in over_plutos.summary.users]
    assert measured_db == pytest.approx(expected_sinr_db(over_plutos, alone), abs=0.2)


def test_sensing_and_communication_are_as_promised(over_plutos: Run) -> None:
    summary = over_plutos.summary
    assert (summary.payload_frames, summary.clipped_frames, summary.faulty) == (FRAMES - 1, 0, {})
    for user in summary.users:
        assert user.measured_db == pytest.approx(user.predicted_db, abs=0.2)
        assert user.measured_db > user.promised_db - 0.1
        assert user.symbol_error_rate == 0


def test_it_replays_to_the_bit(over_plutos: Run) -> None:
    assert experiment.replay(over_plutos.path).differences == ()
