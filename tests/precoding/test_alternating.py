from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Design, InaccurateError, InfeasibleError, Network
from precoding.alternating import design_alternating
from precoding.certificate import foreign_reflections
from precoding.reference import joint_block_level

Make = Callable[..., Network]


def _information(answer: Design) -> float:
    return float(answer.certificate.rcrb_rad.max() ** -2)


def _foreign(network: Network, answer: Design) -> np.ndarray:
    """(J,) reflections of the other BSs at each BS over its noise, as this design makes them."""
    assert answer.weights is not None
    sent = answer.weights @ answer.weights.conj().swapaxes(1, 2)
    return foreign_reflections(network, sent) / network.radar_noise


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_at_given_sinr_the_answer_is_that_of_the_start_and_never_beats_the_joint_one(
    network: Make, scheme: str
) -> None:
    net = network(csi_radius=0.0) if scheme == "blp-cbf" else network(K=2, n_tx=4, csi_radius=0.0)
    starts = (0.1, 10.0)
    answers = [
        design_alternating(net, scheme, min_sinr_db=5.0, robustness="none", intra_level=I, inter_level=I)
        for I in starts
    ]
    for answer in answers:
        assert answer.certificate.is_feasible()
        # Standing still after two turns is all that its convergence is; in CBF C moves on by a little.
        assert answer.history[-1] == pytest.approx(answer.history[1], rel=5e-3)
        gamma = 10 ** (answer.min_sinr_db / 10)
        joint = joint_block_level(net, scheme, gamma, "none", _foreign(net, answer))
        assert joint is not None
        assert joint.information >= _information(answer) * (1 - 1e-4)  # the solver's tolerance
    rcrb = [answer.history[-1] for answer in answers]
    # CBF lives on its levels; CoMP has antennas to spare and needs no interference.
    assert max(rcrb) > (1.2 if scheme == "blp-cbf" else 1.01) * min(rcrb)


def test_a_start_that_is_infeasible_says_so_and_what_it_allows(network: Make) -> None:
    net = network(K=2, n_tx=4)
    once = {"intra_level": 30.0, "inter_level": 30.0, "robustness": "none", "max_iterations": 1}
    with pytest.raises(InfeasibleError, match=r"levels of 30 .* user \d of cell \d") as caught:
        design_alternating(net, "blp-cbf", min_sinr_db=25.0, **once)  # type: ignore[arg-type]
    largest = caught.value.max_sinr_db
    # 0.05 dB: the solver has no room left at the edge.
    assert len(design_alternating(net, "blp-cbf", min_sinr_db=largest - 0.05, **once).history) == 1  # type: ignore[arg-type]
    with pytest.raises(InfeasibleError):
        design_alternating(net, "blp-cbf", min_sinr_db=largest + 0.05, **once)  # type: ignore[arg-type]


def test_limiting_user_is_the_one_whose_noise_is_worst(network: Make) -> None:
    noise = np.full((2, 2), 1e-3)
    noise[1, 0] = 1.0
    net = replace(network(K=2, n_tx=4), user_noise=noise)
    for scheme in ("blp-cbf", "blp-comp"):
        with pytest.raises(InfeasibleError) as caught:
            design_alternating(net, scheme, min_sinr_db=20.0, robustness="none")
        assert caught.value.user == (1, 0)


def test_weight_trades_sinr_for_accuracy_and_targets_are_what_came_out(network: Make) -> None:
    net = network(K=2, n_tx=4)
    for scheme in ("blp-cbf", "blp-comp"):
        low, high = (design_alternating(net, scheme, weight=w, robustness="none", max_iterations=1) for w in (0.3, 0.8))
        assert high.certificate.rcrb_rad.max() < low.certificate.rcrb_rad.max()
        assert high.min_sinr_db.min() < low.min_sinr_db.min()
        for answer in (low, high):
            # As reached, within what a second eigenvalue may carry.
            assert np.all(answer.certificate.sinr_db >= answer.min_sinr_db - 0.05)


def test_shortfall_of_proposition_3_is_shown_and_the_exact_form_has_none(network: Make) -> None:
    net = network(K=2, n_tx=4)
    paper = design_alternating(net, "blp-cbf", min_sinr_db=5.0, max_iterations=1)
    exact = design_alternating(net, "blp-cbf", min_sinr_db=5.0, robustness="exact", max_iterations=1)
    assert paper.certificate.worst_sinr_db.min() < 5.0 - 0.05
    assert not paper.certificate.withstands_ball
    assert exact.certificate.withstands_ball
    assert exact.certificate.is_feasible()
    assert not exact.certificate.holds()  # no bound is proven by this method
    assert exact.certificate.bound_rcrb_rad == 0.0


def test_comp_works_with_the_paper_s_robustness(network: Make) -> None:
    net = network(K=2, n_tx=4)
    answer = design_alternating(net, "blp-comp", min_sinr_db=[[5.0, 7.0], [6.0, 8.0]], max_iterations=1)
    assert answer.weights is not None
    assert answer.weights.shape == (2, 4, 4)
    assert answer.solve_time_s > 0.0
    assert np.all(answer.certificate.sinr_db >= answer.min_sinr_db)
    assert np.all(answer.certificate.power <= net.power * (1 + 1e-9))  # rounding of a rescaling


def test_single_cell_schemes_agree(network: Make) -> None:
    net = network(J=1, K=2, n_tx=4)
    cbf = design_alternating(net, "blp-cbf", min_sinr_db=5.0, intra_level=1.0, inter_level=7.0)
    comp = design_alternating(net, "blp-comp", min_sinr_db=5.0, intra_level=7.0, inter_level=1.0)
    # The same problems in turn, to what the solver resolves.
    assert cbf.certificate.rcrb_rad == pytest.approx(comp.certificate.rcrb_rad, rel=1e-3)


def test_a_user_may_be_promised_nothing(network: Make) -> None:
    noise = np.full((2, 2), 1e-3)
    noise[0, 1] = 30.0
    net = replace(network(K=2, n_tx=4), user_noise=noise)
    asked = np.array([[5.0, -np.inf], [5.0, 5.0]])
    answer = design_alternating(net, "blp-cbf", min_sinr_db=asked, robustness="none", max_iterations=1)
    assert np.array_equal(answer.min_sinr_db, asked)
    assert answer.certificate.is_feasible()
    with pytest.raises(InfeasibleError, match="user 1 of cell 0"):
        design_alternating(net, "blp-cbf", min_sinr_db=5.0, robustness="none")


def test_antenna_limits_are_kept(network: Make) -> None:
    net = replace(network(K=2, n_tx=4), antenna_power=np.full((2, 4), 0.3))
    answer = design_alternating(net, "blp-cbf", min_sinr_db=3.0, max_iterations=1)
    assert np.all(answer.certificate.antenna_power <= 0.3 * (1 + 1e-9))  # rounding of a rescaling


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({"scheme": "slp-comp"}, "method"),
        ({"scheme": "blp"}, "scheme"),
        ({"robustness": "prop3"}, "robustness"),
        ({"weight": 0.5}, "min_sinr_db, weight"),
        ({"min_sinr_db": None}, "min_sinr_db, weight"),
        ({"min_sinr_db": None, "weight": 1.5}, "weight"),
        ({"min_sinr_db": [1.0, 2.0]}, "min_sinr_db"),
        ({"intra_level": 0.0}, "intra_level"),
        ({"inter_level": -1.0}, "inter_level"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"time_limit_s": 0.0}, "time_limit_s"),
    ],
)
def test_a_bad_request_is_refused_by_name(network: Make, keywords: dict[str, object], name: str) -> None:
    request: dict[str, object] = {"scheme": "blp-cbf", "min_sinr_db": 5.0, **keywords}
    with pytest.raises(ArgumentError, match=rf"^{name}"):
        design_alternating(network(), **request)  # type: ignore[arg-type]


def test_block_shorter_than_its_streams_is_refused(network: Make) -> None:
    with pytest.raises(ArgumentError, match="block_length"):
        design_alternating(network(block_length=5), "blp-comp", min_sinr_db=5.0)


def test_no_time_is_an_error_and_not_a_design(network: Make) -> None:
    with pytest.raises(InaccurateError):
        design_alternating(network(), "blp-cbf", min_sinr_db=5.0, time_limit_s=1e-6)
