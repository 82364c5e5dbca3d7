from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from precoding import Design, InfeasibleError, Network, design

Make = Callable[..., Network]

SAME = 1e-4  # relative, of RCRBs: the gap that a certificate leaves at block level is below it


def _rcrb(answer: Design) -> float:
    return float(answer.certificate.rcrb_rad.max())


def _symbols(net: Network) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, (net.J * net.K, net.block_length))


def test_all_weight_on_sensing_asks_nothing_for_the_users(network: Make) -> None:
    net = network(K=2, n_tx=4)
    answer = design(net, "blp-cbf", weight=1.0)
    assert np.all(np.isneginf(answer.min_sinr_db))
    assert answer.weight == 1.0
    assert answer.certificate.holds()
    assert _rcrb(answer) == pytest.approx(_rcrb(design(net, "blp-cbf", min_sinr_db=-np.inf)), rel=SAME)


@pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
def test_no_weight_on_sensing_gives_the_largest_common_sinr(network: Make, scheme: str) -> None:
    net = network(K=2, n_tx=4)
    answer = design(net, scheme, weight=0.0)
    reached = float(answer.min_sinr_db[0, 0])
    assert np.all(answer.min_sinr_db == reached)
    assert answer.certificate.is_feasible()
    with pytest.raises(InfeasibleError) as caught:
        design(net, scheme, min_sinr_db=reached + 0.03)
    assert caught.value.max_sinr_db == pytest.approx(reached, abs=0.02)  # both are found within 0.01 dB


@pytest.mark.parametrize("scheme", ["blp-cbf", "slp-comp"])
def test_a_weight_between_finds_the_best_point_of_the_frontier(network: Make, scheme: str) -> None:
    net = network(J=1 if scheme.startswith("slp") else 2, K=2, n_tx=4, block_length=6)
    symbols, root = (_symbols(net), 20.0) if scheme.startswith("slp") else (None, 10.0)
    answer = design(net, scheme, weight=0.6, symbols=symbols)
    assert answer.weight == 0.6
    top_db = float(design(net, scheme, weight=0.0, symbols=symbols).min_sinr_db[0, 0])
    most = _rcrb(design(net, scheme, weight=1.0, symbols=symbols)) ** -2

    def value(point: Design) -> float:
        return 0.6 * _rcrb(point) ** -2 / most + 0.4 * 10 ** ((float(point.min_sinr_db[0, 0]) - top_db) / root)

    asked_db = float(answer.min_sinr_db[0, 0])
    near = [design(net, scheme, min_sinr_db=asked_db + step, symbols=symbols) for step in (-1.0, -0.3, 0.0, 0.3)]
    # The same problem as at that SINR; a symbol-level climb ends within half a percent of itself.
    assert _rcrb(answer) == pytest.approx(_rcrb(near[2]), rel=SAME if symbols is None else 5e-3)
    # The information of a point is known within two gaps, or twice the above.
    assert all(value(answer) >= value(point) - (3e-4 if symbols is None else 1e-2) for point in near)
