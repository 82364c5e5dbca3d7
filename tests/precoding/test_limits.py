"""Cases whose answer is known beforehand: one user, one cell, perfect estimates, no target, limits of antennas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Design, InaccurateError, InfeasibleError, Network, crb_cbf, design, frontier
from precoding.steering import steering
from precoding.symbollevel import minimum_power_waveform

Make = Callable[..., Network]

SAME = 1e-4  # relative, of RCRBs: the gap that a certificate leaves at block level is below it


def _rcrb(answer: Design) -> float:
    return float(answer.certificate.rcrb_rad.max())


def _symbols(net: Network, order: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, order, (net.J * net.K, net.block_length))


def _certain(net: Network) -> Network:
    return replace(net, csi_radius=np.zeros_like(net.csi_radius))


def _single_user_rcrb(net: Network, min_sinr: float) -> float:
    """Closed form of Liu et al. 2021, reference [11], for one user: a beam in span{h^*, v^*}.

    With n_tx <= n_rx one beam senses best by |v^T w|^2. All power goes towards the target if the user hears enough of
    it; else the user gets exactly its SINR and the rest goes towards what of v^* is orthogonal to h^*.
    """
    h, v = net.channels[0, 0, 0], steering(net.n_tx, net.arrival_angles[0])
    power, needed = float(net.power[0]), min_sinr * float(net.user_noise[0, 0])
    w = np.sqrt(power) * v.conj() / np.linalg.norm(v)
    if abs(h @ w) ** 2 < needed:
        u1 = h.conj() / np.linalg.norm(h)
        u2 = v.conj() - u1 * (u1.conj() @ v.conj())
        u2 /= np.linalg.norm(u2)
        x1 = np.sqrt(needed) / np.linalg.norm(h)
        w = x1 * np.exp(-1j * np.angle(v @ u1)) * u1 + np.sqrt(power - x1**2) * np.exp(-1j * np.angle(v @ u2)) * u2
    gram = net.block_length * np.outer(w, w.conj())
    C = float(net.radar_noise[0]) * np.eye(net.n_rx, dtype=np.complex128)
    return float(np.sqrt(crb_cbf(float(net.arrival_angles[0]), complex(net.reflections[0, 0]), gram, C)))


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
@pytest.mark.parametrize("spared_db", [3.0, 0.5, 40.0])
def test_one_user_gets_the_beam_of_the_closed_form(network: Make, scheme: str, spared_db: float) -> None:
    net = network(J=1, K=1, n_tx=6, n_rx=10, csi_radius=0.0, seed=3)
    most = float(np.sum(np.abs(net.channels) ** 2) * net.power[0] / net.user_noise[0, 0])
    asked_db = 10 * np.log10(most) - spared_db
    answer = design(net, scheme, min_sinr_db=asked_db)
    assert _rcrb(answer) == pytest.approx(_single_user_rcrb(net, 10 ** (asked_db / 10)), rel=SAME)
    served = answer.certificate.sinr_db.item() - asked_db
    assert (served > 1.0) == (spared_db == 40.0)  # the user is only a by-product where it asks for little


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_perfect_estimates_make_all_kinds_of_robustness_the_same(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5, csi_radius=0.0)
    none, paper, exact = (_rcrb(design(net, scheme, min_sinr_db=9.0, robustness=r)) for r in ("none", "paper", "exact"))
    assert paper == pytest.approx(none, rel=SAME)
    assert exact == pytest.approx(none, rel=SAME)


def test_perfect_estimates_make_symbol_level_robustness_the_same(network: Make) -> None:
    net = network(K=1, n_tx=4, block_length=6, csi_radius=0.0)
    none, exact = (
        design(net, "slp-comp", min_sinr_db=9.0, symbols=_symbols(net), robustness=r) for r in ("none", "exact")
    )
    assert np.array_equal(none.waveform(), exact.waveform())  # one problem, one solver, one start


@pytest.mark.parametrize("robustness", ["none", "exact"])
def test_one_cell_has_nobody_to_cooperate_with_at_block_level(network: Make, robustness: str) -> None:
    net = network(J=1, K=3, n_tx=6)
    cbf, comp = (design(net, f"blp-{kind}", min_sinr_db=10.0, robustness=robustness) for kind in ("cbf", "comp"))
    assert _rcrb(cbf) == pytest.approx(_rcrb(comp), rel=SAME)


def test_one_cell_has_nobody_to_cooperate_with_at_symbol_level(network: Make) -> None:
    net = network(J=1, K=2, n_tx=5, block_length=8)
    cbf, comp = (design(net, f"slp-{kind}", min_sinr_db=8.0, symbols=_symbols(net)) for kind in ("cbf", "comp"))
    assert _rcrb(cbf) == pytest.approx(_rcrb(comp), rel=1e-6)  # the same climb, up to rounding


def test_largest_symbol_level_sinr_takes_all_the_power_of_its_minimum_power_form(network: Make) -> None:
    net = network(J=1, K=2, n_tx=4, block_length=8)
    answer = design(net, "slp-comp", weight=0.0, symbols=_symbols(net))
    # Reference [35]: least power at the SINR that was reached. The search ends within 1e-3 dB of the largest.
    X = minimum_power_waveform(net, "slp-comp", answer.min_sinr_db, _symbols(net), 4, limited=False)
    spent_db = 10 * np.log10(np.mean(np.sum(np.abs(X) ** 2, axis=(0, 1))) / net.power.sum())
    assert spent_db == pytest.approx(0.0, abs=5e-3)


def test_limits_of_antennas_bind_and_are_kept(network: Make) -> None:
    net = network(K=2, n_tx=4)
    free = design(net, "blp-cbf", min_sinr_db=5.0)
    limit = 0.9 * float(free.certificate.antenna_power.max())
    held = design(replace(net, antenna_power=np.full((2, 4), limit)), "blp-cbf", min_sinr_db=5.0)
    assert np.all(held.certificate.antenna_power <= limit * (1 + 1e-9))  # rounding of a rescaling
    assert held.certificate.antenna_power.max() == pytest.approx(limit, rel=1e-3)  # what a barrier leaves unused
    assert held.certificate.is_feasible()


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_streams_that_only_sense_never_hurt(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5)
    alone, helped = (_rcrb(design(net, scheme, min_sinr_db=10.0, sensing_streams=n)) for n in (0, 1))
    assert helped <= alone * (1 + SAME)


def test_a_stream_that_only_senses_helps_one_that_must_do_both() -> None:
    # Line of sight: the user's beam misses the target, whose beam would interfere within the ball of the channel.
    channels, angle = steering(4, -0.9).reshape(1, 1, 1, 4), np.array([0.8])
    net = Network(channels, angle, angle[:, None], np.array([[0.3 + 0j]]), 3, 1.0, 1e-3, 1.0, 0.0, 32)
    alone, helped = (_found(net, streams) for streams in (0, 1))
    assert _rcrb(helped) < 0.99 * _rcrb(alone)


def test_streams_that_only_sense_come_where_one_is_too_few_and_stay() -> None:
    channels, angle = steering(4, -0.9).reshape(1, 1, 1, 4), np.array([0.8])
    net = Network(channels, angle, angle[:, None], np.array([[0.3 + 0j]]), 3, 1.0, 1e-3, 1.0, 0.0, 32)
    with pytest.raises(InaccurateError, match="sensing_streams=1"):
        design(net, "blp-cbf", min_sinr_db=25.0, sensing_streams=0)
    answer = design(net, "blp-cbf", min_sinr_db=25.0)
    again = design(replace(net, channels=1.001 * channels), "blp-cbf", min_sinr_db=25.0, start=answer)
    for each in (answer, again):
        assert each.certificate.holds()
        assert each.weights is not None
        assert each.weights.shape == (1, 4, 2)
    assert "only sense" in answer.status


def test_streams_that_only_sense_do_not_come_where_they_are_not_needed(network: Make) -> None:
    answer = design(network(), "blp-comp", min_sinr_db=8.0)
    assert answer.weights is not None
    assert answer.weights.shape[2] == 6


def _found(net: Network, streams: int) -> Design:
    """What is feasible, whether or not its optimality is proved."""
    try:
        return design(net, "blp-cbf", min_sinr_db=25.0, sensing_streams=streams)
    except InaccurateError as error:
        assert error.design is not None
        assert error.design.certificate.is_feasible()
        return error.design


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_a_user_that_is_promised_nothing_costs_nothing(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=5)
    asked = np.array([[8.0, -np.inf], [8.0, 8.0]])
    deaf = np.array(net.user_noise)
    deaf[0, 1] = 1e3  # nobody could serve this one
    with_it, without = (_rcrb(design(n, scheme, min_sinr_db=asked)) for n in (net, replace(net, user_noise=deaf)))
    assert with_it == pytest.approx(without, rel=SAME)
    assert with_it < _rcrb(design(net, scheme, min_sinr_db=8.0))


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_a_start_shortens_the_search_and_does_not_change_its_end(network: Make, scheme: str) -> None:
    net = network(n_tx=8)
    rng = np.random.default_rng(0)
    moved = replace(net, channels=net.channels + 0.01 * rng.normal(size=net.channels.shape))
    before = design(net, scheme, min_sinr_db=10.0)
    cold, warm = design(moved, scheme, min_sinr_db=10.0), design(moved, scheme, min_sinr_db=10.0, start=before)
    assert _rcrb(warm) == pytest.approx(_rcrb(cold), rel=SAME)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp", "slp-cbf", "slp-comp"])
def test_no_time_gives_an_error_or_a_design_that_holds(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=4, block_length=6)
    symbols = _symbols(net) if scheme.startswith("slp") else None
    try:
        certificate = design(net, scheme, min_sinr_db=8.0, symbols=symbols, time_limit_s=1e-6).certificate
    except InaccurateError:
        return
    assert certificate.holds()


def test_frontier_falls_and_ends_where_nothing_is_feasible(network: Make) -> None:
    net = network(K=2, n_tx=4)
    asked = [0.0, 8.0, 16.0, 60.0, 70.0]
    points = frontier(net, "blp-cbf", asked)
    assert 2 <= len(points) <= 3
    assert [float(p.min_sinr_db.max()) for p in points] == asked[: len(points)]
    assert np.all(np.diff([_rcrb(p) for p in points]) > 0.0)
    with pytest.raises(InfeasibleError):
        design(net, "blp-cbf", min_sinr_db=asked[3])
    with pytest.raises(ArgumentError, match="rise"):
        frontier(net, "blp-cbf", [3.0, 3.0])


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan])
def test_a_weight_out_of_range_is_refused(network: Make, weight: float) -> None:
    with pytest.raises(ArgumentError, match=r"^weight"):
        design(network(), "blp-cbf", weight=weight)


def test_exactly_one_of_target_and_weight_is_needed(network: Make) -> None:
    for given in ({}, {"min_sinr_db": 5.0, "weight": 0.5}):
        with pytest.raises(ArgumentError, match=r"^min_sinr_db"):
            design(network(), "blp-cbf", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "symbols",
    [None, np.zeros((6, 5), int), np.zeros((30, 6), int), np.zeros((6, 30)), np.full((6, 30), 4), np.full((6, 30), -1)],
    ids=["missing", "too short", "transposed", "not whole", "too large", "negative"],
)
def test_symbols_that_are_none_of_the_block_are_refused(network: Make, symbols: np.ndarray | None) -> None:
    with pytest.raises(ArgumentError, match=r"^symbols"):
        design(network(), "slp-comp", min_sinr_db=5.0, symbols=symbols)


@pytest.mark.parametrize(
    ("scheme", "keywords", "name"),
    [
        ("blp-cbf", {"symbols": np.zeros((6, 30), int)}, "symbols"),
        ("slp-cbf", {"sensing_streams": 1}, "sensing_streams"),
        ("slp-cbf", {"robustness": "paper"}, "robustness"),
        ("slp-cbf", {"psk_order": 1}, "psk_order"),
        ("slp-cbf", {"psk_order": 2, "symbols": np.full((6, 30), 2)}, "symbols"),
        ("blp-cbf", {"sensing_streams": -1}, "sensing_streams"),
        ("blp-cbf", {"sensing_streams": 1, "method": "alternating"}, "sensing_streams"),
        ("slp-cbf", {"method": "alternating"}, "method"),
        ("blp-cbf", {"method": "newton"}, "method"),
        ("blp-cbf", {"time_limit_s": -1.0}, "time_limit_s"),
    ],
)
def test_what_does_not_belong_to_a_scheme_is_refused_by_name(
    network: Make, scheme: str, keywords: dict[str, object], name: str
) -> None:
    request: dict[str, object] = {"min_sinr_db": 5.0, **keywords}
    if scheme.startswith("slp"):
        request.setdefault("symbols", np.zeros((6, 30), int))
    with pytest.raises(ArgumentError, match=rf"^{name}"):
        design(network(), scheme, **request)  # type: ignore[arg-type]


def test_a_start_of_another_scheme_or_size_is_refused(network: Make) -> None:
    net = network(K=1, n_tx=4)
    start = design(net, "blp-cbf", min_sinr_db=3.0)
    with pytest.raises(ArgumentError, match=r"^start"):
        design(net, "blp-comp", min_sinr_db=3.0, start=start)
    with pytest.raises(ArgumentError, match=r"^start"):
        design(network(K=1, n_tx=5), "blp-cbf", min_sinr_db=3.0, start=start)
