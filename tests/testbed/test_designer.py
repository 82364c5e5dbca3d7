"""Who decides the precoder: once for a still scene, again when what it was made for has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbed.designer
from precoding import Design, InfeasibleError, Network, design, sinr
from testbed.designer import Decision, LiveDesigner, RecordedDesigner, psk_indices
from testbed.drift import Drift
from testbed.frame import CONSTELLATIONS
from testbed.knowledge import Knowledge
from testbed.measurement.csi_drift import channel_distance
from testbed.outcome import Sounding
from testbed.scenario import Scenario
from testbed.tracking import Tracks

J, K, N_TX, NOISE = 2, 2, 4, 1e-3
POWER = np.ones(J)
SHIPPED = Scenario.load("two_cells")
EASY = replace(SHIPPED, scheme=replace(SHIPPED.scheme, robustness="none", min_sinr_db=3.0))
COOPERATIVE = replace(EASY, scheme=replace(EASY.scheme, name="blp-comp"))
RADIUS = 0.05
SYMBOLS = CONSTELLATIONS["qpsk"][np.random.default_rng(9).integers(4, size=(J, K, 128))]


def tracks(angle_rad: np.ndarray) -> Tracks:
    return Tracks.started(angle_rad, np.full(J, 1e-6))


def knowledge(seed: int = 0) -> Knowledge:
    rng = np.random.default_rng(seed)
    channels = (rng.standard_normal((J, J, K, N_TX)) + 1j * rng.standard_normal((J, J, K, N_TX))) / np.sqrt(2)
    channels[[0, 1], [1, 0]] /= np.sqrt(3)
    links = np.ones((J, J, K))
    sounding = Sounding(
        channels=channels,
        error_variance=1e-4 * links,
        csi_radius=RADIUS * links,
        user_noise=NOISE * links[0],
        departure_angles_rad=np.radians([[0.0, -25.0], [35.0, 0.0]]),
        reflections=np.array([[0.02, 0.01j], [-0.01, 0.02j]], dtype=complex),
        radar_noise=np.full(J, NOISE),
    )
    return Knowledge(sounding, tracks(np.radians([10.0, -20.0])))


def moved(by: Knowledge, change: np.ndarray) -> Knowledge:
    return replace(by, sounding=replace(by.sounding, channels=by.sounding.channels + change))


def one_link(amount: float) -> np.ndarray:
    """A change of one link that is orthogonal to its channel: no phase undoes a part of it."""
    change = np.zeros((J, J, K, N_TX), dtype=complex)
    own = knowledge().sounding.channels[0, 0, 1]
    across = np.array([-own[1].conj(), own[0].conj(), 0, 0])
    change[0, 0, 1] = amount * across / np.linalg.norm(across)
    return change


@pytest.fixture
def designs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Network, str, float, str]]:
    """Every call of the real solver."""
    calls: list[tuple[Network, str, float, str]] = []

    def counted(
        network: Network,
        scheme: str,
        *,
        min_sinr_db: float,
        robustness: str,
        start: Design | None,
        tolerance: float,
        time_limit_s: float | None,
        sensing_streams: int,
        symbols: np.ndarray | None,
        psk_order: int,
    ) -> Design:
        calls.append((network, scheme, min_sinr_db, robustness))
        return design(
            network,
            scheme,
            min_sinr_db=min_sinr_db,
            robustness=robustness,
            start=start,
            tolerance=tolerance,
            time_limit_s=time_limit_s,
            sensing_streams=sensing_streams,
            symbols=symbols,
            psk_order=psk_order,
        )

    monkeypatch.setattr(testbed.designer, "design", counted)
    return calls


Calls = list[tuple[Network, str, float, str]]


def test_before_the_first_frame_nothing_is_designed(designs: Calls) -> None:
    assert LiveDesigner(EASY, POWER).decide(0, None, SYMBOLS) == Decision(None, fresh=False)
    assert designs == []


def test_a_still_scene_is_designed_for_once(designs: Calls) -> None:
    designer = LiveDesigner(EASY, POWER)
    decisions = [designer.decide(index, knowledge(), SYMBOLS) for index in range(1, 6)]
    assert [decision.fresh for decision in decisions] == [True, False, False, False, False]
    assert all(decision.precoder is decisions[0].precoder for decision in decisions)
    assert len(designs) == 1


def test_the_design_is_the_scenarios(designs: Calls) -> None:
    decision = LiveDesigner(EASY, POWER).decide(1, knowledge(), SYMBOLS)
    network, scheme, min_sinr_db, robustness = designs[0]
    assert (scheme, min_sinr_db, robustness) == ("blp-cbf", 3.0, "none")
    assert (network.n_rx, network.block_length) == (10, 128)
    assert decision.precoder is not None
    achieved = sinr(knowledge().sounding.channels, decision.precoder.weights, np.full((J, K), NOISE))
    assert 10 * np.log10(achieved).min() >= 3.0 - 1e-3  # the certificate's tolerance


@pytest.mark.parametrize(("turn_deg", "fresh"), [(1.99, False), (-1.99, False), (2.01, True), (-2.01, True)])
@pytest.mark.parametrize("target", [0, 1])
def test_an_angle_past_its_threshold_is_designed_for_anew(turn_deg: float, fresh: bool, target: int) -> None:
    designer = LiveDesigner(EASY, POWER)
    designer.decide(1, knowledge(), SYMBOLS)
    turned = knowledge().angle_rad.copy()
    turned[target] += np.radians(turn_deg)
    assert designer.decide(2, replace(knowledge(), tracks=tracks(turned)), SYMBOLS).fresh is fresh


@pytest.mark.parametrize(("radii", "fresh"), [(2.99, False), (3.01, True)])
@pytest.mark.parametrize("scenario", [EASY, COOPERATIVE], ids=["cbf", "comp"])
def test_a_channel_past_its_radii_is_designed_for_anew(scenario: Scenario, radii: float, fresh: bool) -> None:
    designer = LiveDesigner(scenario, POWER)
    designer.decide(1, knowledge(), SYMBOLS)
    assert designer.decide(2, moved(knowledge(), one_link(radii * RADIUS)), SYMBOLS).fresh is fresh


@pytest.mark.parametrize("asked", [True, False])
def test_the_spread_of_the_angles_is_designed_for_where_the_scenario_says_so(designs: Calls, asked: bool) -> None:
    scenario = replace(EASY, scheme=replace(EASY.scheme, angle_spread=asked))
    known = knowledge()
    LiveDesigner(scenario, POWER).decide(1, known, SYMBOLS)
    assert designs[0][0].angle_spread == pytest.approx(asked * known.tracks.deviation_rad)


def test_small_steps_add_up_to_a_new_design(designs: Calls) -> None:
    """Compared is what the design was made for, not the frame before."""
    designer = LiveDesigner(EASY, POWER)
    fresh = []
    for index in range(6):
        angles = knowledge().angle_rad + np.radians([0.75 * index, 0.0])
        fresh.append(designer.decide(index + 1, replace(knowledge(), tracks=tracks(angles)), SYMBOLS).fresh)
    assert fresh == [True, False, False, True, False, False]  # 2.25 degrees since the first, then 1.5 since the second


def test_channels_that_only_turn_are_not_designed_for_anew(designs: Calls) -> None:
    """An oscillator's phase: of each link alone in CBF, of each user in CoMP."""
    rng = np.random.default_rng(3)
    of_links = np.exp(2j * np.pi * rng.random((J, J, K, 1)))
    for scenario, turn in ((EASY, of_links), (COOPERATIVE, of_links[:1])):
        designer = LiveDesigner(scenario, POWER)
        designer.decide(1, knowledge(), SYMBOLS)
        turned = moved(knowledge(), knowledge().sounding.channels * (turn - 1))
        assert not designer.decide(2, turned, SYMBOLS).fresh
    assert len(designs) == 2


def test_a_phase_between_stations_matters_where_they_cooperate() -> None:
    designer = LiveDesigner(COOPERATIVE, POWER)
    designer.decide(1, knowledge(), SYMBOLS)
    turn = np.array([1.0, 1j])[:, None, None, None]
    assert designer.decide(2, moved(knowledge(), knowledge().sounding.channels * (turn - 1)), SYMBOLS).fresh


def test_drift_widens_the_balls_that_the_design_is_for_and_not_the_threshold(designs: Calls) -> None:
    """Drift that was measured counts in the radius; a redesign is still due when noise does not explain a move."""
    designer, mean = LiveDesigner(EASY, POWER), np.zeros((J, J, K))
    mean[0, 1, 0] = RADIUS**2
    drifting = replace(knowledge(), drift=Drift(mean, mean**2, 32))
    precoder = designer.decide(1, drifting, SYMBOLS).precoder
    used = designs[0][0].csi_radius
    assert precoder is not None
    assert np.array_equal(precoder.csi_radius, used)
    assert used[0, 1, 0] > RADIUS
    assert np.ptp(np.delete(used.ravel(), 2)) < 1e-12  # link [0, 1, 0] is number 2
    assert designer.decide(2, moved(drifting, one_link(3.01 * RADIUS)), SYMBOLS).fresh


def test_drift_does_not_count_where_the_scenario_says_so(designs: Calls) -> None:
    scheme = replace(EASY.scheme, csi_drift=False)
    ones = np.ones((J, J, K))
    drifting = replace(knowledge(), drift=Drift(ones, ones, 32))
    LiveDesigner(replace(EASY, scheme=scheme), POWER).decide(1, drifting, SYMBOLS)
    assert np.array_equal(designs[0][0].csi_radius, knowledge().sounding.csi_radius)


@pytest.mark.parametrize("name", ["slp-cbf", "slp-comp"])
def test_a_symbol_level_waveform_is_designed_for_every_frame(designs: Calls, name: str) -> None:
    frame = replace(EASY.frame, payload_symbols=16)
    designer = LiveDesigner(replace(EASY, frame=frame, scheme=replace(EASY.scheme, name=name)), POWER)
    for index in range(3):
        symbols = np.roll(SYMBOLS, index, axis=-1)[..., :16]
        decision = designer.decide(index + 1, knowledge(), symbols)
        assert decision.fresh
        assert decision.precoder is not None
        assert np.array_equal(decision.precoder.waveform(symbols), decision.precoder.samples)
        assert np.all(10 * np.log10(decision.precoder.promised_sinr) >= 3.0 - 1e-3)  # the certificate's tolerance
    assert len(designs) == 3


@pytest.mark.parametrize("name", ["bpsk", "qpsk", "8psk"])
def test_indices_are_those_of_the_constellation(name: str) -> None:
    constellation = CONSTELLATIONS[name]
    assert psk_indices(constellation, len(constellation)).tolist() == list(range(len(constellation)))


def test_an_infeasible_request_is_an_error_and_not_an_old_precoder() -> None:
    greedy = replace(EASY, scheme=replace(EASY.scheme, min_sinr_db=60.0))
    with pytest.raises(InfeasibleError):
        LiveDesigner(greedy, POWER).decide(1, knowledge(), SYMBOLS)


def test_a_recorded_designer_hands_out_what_was_recorded() -> None:
    recorded = {index: Decision(None, fresh=index == 2) for index in range(4)}
    designer = RecordedDesigner(recorded.__getitem__)
    assert all(designer.decide(index, None, SYMBOLS) is decision for index, decision in recorded.items())


seeds = st.integers(0, 2**32 - 1)


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal((J, J, K, N_TX)) + 1j * rng.standard_normal((J, J, K, N_TX)) for _ in range(2))
    return first, first + rng.choice([1e-3, 0.1, 2.0]) * second


ROUNDING = 1e-12  # channels of order 1 in double precision


@given(seed=seeds)
def test_drift_ignores_the_phase_of_each_link_without_cooperation(seed: int) -> None:
    old, new = pair(seed)
    turn = np.exp(2j * np.pi * np.random.default_rng(seed).random((J, J, K, 1)))
    drift = channel_distance(old, new, cooperative=False)
    assert channel_distance(old, new * turn, cooperative=False) == pytest.approx(drift, abs=ROUNDING)
    assert channel_distance(old, old * turn, cooperative=False) == pytest.approx(0.0, abs=ROUNDING)


@given(seed=seeds)
def test_drift_ignores_the_phase_of_each_user_with_cooperation(seed: int) -> None:
    old, new = pair(seed)
    turn = np.exp(2j * np.pi * np.random.default_rng(seed).random((1, J, K, 1)))
    drift = channel_distance(old, new, cooperative=True)
    assert channel_distance(old, new * turn, cooperative=True) == pytest.approx(drift, abs=ROUNDING)
    assert channel_distance(old, old * turn, cooperative=True) == pytest.approx(0.0, abs=ROUNDING)


@given(seed=seeds)
def test_drift_is_the_least_distance_over_all_such_phases(seed: int) -> None:
    """min over phi of |new e^(-j phi) - old|^2 = |new|^2 + |old|^2 - 2 |old^H new|, a link or a user at a time."""
    old, new = pair(seed)
    total = np.sum(np.abs(new) ** 2 + np.abs(old) ** 2, axis=-1)
    inner = np.sum(old.conj() * new, axis=-1)
    of_links = channel_distance(old, new, cooperative=False) ** 2
    of_users = np.sum(channel_distance(old, new, cooperative=True) ** 2, axis=0)
    assert of_links == pytest.approx(total - 2 * np.abs(inner), abs=1e-9)  # differences of numbers up to 100
    assert of_users == pytest.approx(np.sum(total, axis=0) - 2 * np.abs(np.sum(inner, axis=0)), abs=1e-9)


@given(seed=seeds, cooperative=st.booleans())
def test_drift_of_a_change_that_is_no_phase_is_its_norm(seed: int, cooperative: bool) -> None:
    """A change orthogonal to the channel, and one along it, cannot be taken for a phase."""
    old, other = pair(seed)
    along = np.sum(old.conj() * other, axis=-1, keepdims=True) / np.sum(np.abs(old) ** 2, axis=-1, keepdims=True)
    across = other - along * old
    changes: list[np.ndarray] = [across, 0.3 * old]
    for change in changes:
        norm = np.linalg.norm(change, axis=-1)
        assert channel_distance(old, old + change, cooperative=cooperative) == pytest.approx(norm, abs=ROUNDING * 100)


@given(seed=seeds, cooperative=st.booleans())
def test_drift_is_never_more_than_the_distance(seed: int, cooperative: bool) -> None:
    old, new = pair(seed)
    distance = np.sum(np.linalg.norm(new - old, axis=-1) ** 2, axis=0)
    drift = np.sum(channel_distance(old, new, cooperative=cooperative) ** 2, axis=0)
    assert np.all(drift <= distance * (1 + ROUNDING))
