"""Designs for targets whose angles are known with a spread: the information expected over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from precoding import ArgumentError, Network, certify, design
from precoding.fisher import echo_jacobian, fisher_information, information_left

Make = Callable[..., Network]
SCHEMES = pytest.mark.parametrize("scheme", ["blp-cbf", "blp-comp"])
DB = 5.0


@SCHEMES
def test_a_spread_is_worth_its_beam(network: Make, scheme: str) -> None:
    """A design for a wide spread senses better, in the mean over it, than one for its middle; and is proven."""
    sharp = network(n_tx=8)
    wide = replace(sharp, angle_spread=np.deg2rad(6.0))
    for_middle = design(sharp, scheme, min_sinr_db=DB)
    for_all = design(wide, scheme, min_sinr_db=DB)
    assert for_all.certificate.holds(1e-3)
    assert for_all.weights is not None
    assert for_middle.weights is not None
    targets = np.full((2, 3), DB)
    judged = certify(
        wide, for_middle.weights, min_sinr_db=targets, bound_information=np.inf, rank_loss=0.0,
        cooperate=scheme == "blp-comp",
    )  # fmt: skip
    assert for_all.certificate.rcrb_rad.max() < 0.99 * judged.rcrb_rad.max()
    # no other design of ours beats what is proven for the spread
    assert judged.rcrb_rad.max() >= for_all.certificate.bound_rcrb_rad


@SCHEMES
def test_no_spread_is_the_limit_of_a_small_one(network: Make, scheme: str) -> None:
    sharp = network()
    nearly = replace(sharp, angle_spread=1e-5)
    exact, close = (design(each, scheme, min_sinr_db=DB) for each in (sharp, nearly))
    assert close.certificate.rcrb_rad.max() == pytest.approx(exact.certificate.rcrb_rad.max(), rel=3e-4)


def test_information_is_the_mean_over_a_gaussian_angle(network: Make) -> None:
    """Against a Monte Carlo of the Fisher matrix itself, within its own error."""
    sharp = network(n_tx=6)
    spread = np.deg2rad(1.5)
    answer = design(replace(sharp, angle_spread=spread), "blp-comp", min_sinr_db=DB)
    assert answer.weights is not None
    stacked = np.concatenate(list(answer.weights))
    gram = sharp.block_length * stacked @ stacked.conj().T
    rng = np.random.default_rng(3)
    for own in range(2):
        matrices = []
        for error in spread * rng.standard_normal(4000):
            angles = sharp.departure_angles[own].copy()
            angles[own] += error
            jacobian = echo_jacobian(angles, sharp.reflections[own], own, sharp.n_tx, sharp.n_rx)
            matrices.append(fisher_information(jacobian, gram, 1e-3 * np.eye(sharp.n_rx, dtype=complex)))
        mean = information_left(np.mean(matrices, axis=0)[None])[0]
        assert answer.certificate.rcrb_rad[own] == pytest.approx(1 / np.sqrt(mean), rel=5e-3)


def test_angles_with_their_spread_lie_before_the_array(network: Make) -> None:
    with pytest.raises(ArgumentError, match="behind the array"):
        replace(network(), angle_spread=np.deg2rad(89.0))
    with pytest.raises(ArgumentError, match="angle_spread"):
        replace(network(), angle_spread=-0.1)


def test_who_does_not_know_a_spread_says_so(network: Make) -> None:
    wide = replace(network(block_length=6), angle_spread=0.1)
    with pytest.raises(ArgumentError, match="angle_spread"):
        design(wide, "slp-comp", min_sinr_db=DB, symbols=np.zeros((6, 6), dtype=int))
    with pytest.raises(ArgumentError, match="angle_spread"):
        design(wide, "blp-cbf", min_sinr_db=DB, method="alternating")
