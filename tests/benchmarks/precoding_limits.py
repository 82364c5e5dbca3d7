"""Rows "single-cell" and "limits": cases whose answer is known from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from precoding_case import Check, asked, at_most, psk_indices, random_network, rcrb

from precoding import Design, Network, PrecodingError, crb_cbf, design, frontier, steering
from precoding.blocklevel.cluster import clusters
from precoding.blocklevel.conic_margin import largest_common_sinr_conic
from precoding.blocklevel.task import Task
from precoding.network import normalised
from precoding.symbollevel import largest_symbol_level_sinr, minimum_power_waveform

BLOCK, SYMBOL = ("blp-cbf", "blp-comp"), ("slp-cbf", "slp-comp")


def single_cell(scaled: Callable[[int], int]) -> list[Check]:
    one_user: list[float] = []
    beaten = 0  # by two streams, one of which only senses: [11] has one
    for index in range(scaled(50)):
        network = random_network(np.random.default_rng([12, index]), 1, 1, 4 + index % 7, csi_radius=0.0)
        most_db = 10 * np.log10(np.sum(np.abs(network.channels) ** 2) * network.power[0] / network.user_noise[0, 0])
        target_db = float(most_db - (0.5, 1.0, 3.0, 10.0, 20.0)[index % 5])
        outcome = asked(network, BLOCK[index % 2], target_db, "exact")
        if outcome.design is None:
            print(f"    [12, {index}] {BLOCK[index % 2]}: no design")
            one_user.append(np.inf)
            continue
        beaten += not outcome.proven
        one_user.append(abs(rcrb(outcome.design) / _liu(network, 10 ** (target_db / 10)) - 1.0))
    print(f"  one user: {beaten} of {len(one_user)} have no proof, since a second stream would help")
    block = [_between_schemes(BLOCK, [13, index]) for index in range(scaled(20))]
    symbol = [_between_schemes(SYMBOL, [14, index]) for index in range(scaled(10))]
    return [
        at_most("one user: RCRB against [11] in closed form", 1e-4, one_user),
        at_most("three users: blp-cbf against blp-comp", 1e-4, block),
        at_most("two users: slp-cbf against slp-comp", 1e-4, symbol),
    ]


def _between_schemes(schemes: tuple[str, str], seed: list[int]) -> float:
    rng = np.random.default_rng(seed)
    real = schemes is SYMBOL
    network = random_network(rng, 1, 2 if real else 3, 6, block_length=10)
    symbols = psk_indices(rng, network) if real else None
    answers = [asked(network, scheme, 8.0, "exact", symbols).design for scheme in schemes]
    if answers[0] is None or answers[1] is None:
        return np.inf if answers[0] is not answers[1] else 0.0
    return abs(rcrb(answers[0]) / rcrb(answers[1]) - 1.0)


def _liu(network: Network, min_sinr: float) -> float:
    """RCRB of the best beam of Liu et al. 2021, reference [11], for one user.

    n_tx <= n_rx: the best beam is the one that sends most towards the target. It is v^* if the user hears enough of
    that, else in span{h^*, v^*} with exactly the power along h^* that the user needs.
    """
    h, v, power = network.channels[0, 0, 0], steering(network.n_tx, network.arrival_angles[0]), float(network.power[0])
    needed = min_sinr * float(network.user_noise[0, 0])
    w = np.sqrt(power) * v.conj() / np.linalg.norm(v)
    if abs(h @ w) ** 2 < needed:
        u1 = h.conj() / np.linalg.norm(h)
        u2 = v.conj() - u1 * (u1.conj() @ v.conj())
        u2 /= np.linalg.norm(u2)
        x1 = np.sqrt(needed) / np.linalg.norm(h)
        w = x1 * np.exp(-1j * np.angle(v @ u1)) * u1 + np.sqrt(power - x1**2) * np.exp(-1j * np.angle(v @ u2)) * u2
    C = float(network.radar_noise[0]) * np.eye(network.n_rx, dtype=np.complex128)
    gram = network.block_length * np.outer(w, w.conj())
    return float(np.sqrt(crb_cbf(float(network.arrival_angles[0]), complex(network.reflections[0, 0]), gram, C)))


def limits(scaled: Callable[[int], int]) -> list[Check]:
    count = scaled(20)
    return [
        _perfect_estimates(count),
        _largest_block_level(count),
        *_minimum_power(max(count, 4)),
        *_weighted(max(scaled(10) // 2, 1)),
    ]


def _perfect_estimates(count: int) -> Check:
    apart = []
    for index in range(count):
        rng = np.random.default_rng([15, index])
        scheme = (*BLOCK, *SYMBOL)[index % 4]
        network = random_network(rng, 2, 2, 6, csi_radius=0.0, block_length=8)
        symbols = psk_indices(rng, network) if scheme in SYMBOL else None
        exact, none = (asked(network, scheme, 8.0, kind, symbols) for kind in ("exact", "none"))
        if exact.design is not None and none.design is not None and exact.proven and none.proven:
            apart.append(abs(rcrb(exact.design) / rcrb(none.design) - 1.0))
        elif exact.infeasible != none.infeasible:
            apart.append(np.inf)
    return at_most("radius 0: exact against none, four schemes", 1e-4, apart)


def _largest_block_level(count: int) -> Check:
    """Weight 0 reaches what another solver finds to be the largest common SINR."""
    apart_db = []
    for index in range(count // 2):
        network = random_network(np.random.default_rng([16, index]), 2, 2, 6)
        scheme = BLOCK[index % 2]
        try:
            reached_db = float(design(network, scheme, weight=0.0).min_sinr_db[0, 0])
        except PrecodingError as error:
            print(f"    [16, {index}] {scheme} weight 0: {type(error).__name__}: {error}")
            reached_db = np.inf
        apart_db.append(abs(reached_db - _largest_db(network, scheme)))
    # Each is found within 0.01 dB.
    return at_most("weight 0: SINR against the largest", 0.02, apart_db, " dB")


def _largest_db(network: Network, scheme: str) -> float:
    """Largest common SINR in dB for all channels of the balls, by cones."""
    unit, _ = normalised(network)
    task = Task(unit, clusters(unit, cooperate=scheme == "blp-comp"), "exact", np.ones((unit.J, unit.K)))
    return largest_common_sinr_conic(task)


def _minimum_power(count: int) -> list[Check]:
    """[35]: the least power for the SINR of weight 0 is all there is; with two BSs, all of the busier one's."""
    apart_db: dict[int, list[float]] = {1: [], 2: []}
    broken = 0
    for index in range(count):
        rng = np.random.default_rng([17, index])
        scheme, J = SYMBOL[index % 2], 1 + index // 2 % 2
        network = random_network(rng, J, 2, 6, block_length=10)
        symbols = psk_indices(rng, network)
        largest_db = largest_symbol_level_sinr(network, scheme, symbols, 4)
        try:
            answer = design(network, scheme, weight=0.0, symbols=symbols)
        except PrecodingError:
            broken += 1
        else:
            apart_db[J].append(abs(float(answer.min_sinr_db[0, 0]) - largest_db))
        just_below = np.full((J, 2), largest_db - 1e-3)
        X = minimum_power_waveform(network, scheme, just_below, symbols, 4)
        spent = np.mean(np.sum(np.abs(X) ** 2, axis=1), axis=1) / network.power
        apart_db[J].append(abs(10 * np.log10(float(spent.max()))))
    checks = [Check("weight 0 at symbol level ends in an error", "0", f"{broken} of {count}", broken == 0)]
    for J, found in apart_db.items():
        # The largest SINR is found within 1e-3 dB, of which 1e-3 dB are given back.
        checks.append(at_most(f"J = {J}: least power at the largest SINR, to full", 0.01, found, " dB"))
    return checks


def _weighted(count: int) -> list[Check]:
    """The weighted optimum is a point of the frontier, and none of the frontier is worth more."""
    off, better = [], []
    for index in range(count):
        network = random_network(np.random.default_rng([18, index]), 2, 2, 6)
        scheme, weight = BLOCK[index % 2], (0.2, 0.5, 0.8)[index % 3]
        try:
            one_off, one_better = _weighted_against_frontier(network, scheme, weight)
        except PrecodingError as error:
            print(f"    [18, {index}] {scheme} weight {weight}: {type(error).__name__}: {error}")
            one_off = one_better = np.inf
        off.append(one_off)
        better.append(one_better)
    return [
        at_most("weighted optimum: RCRB off the frontier", 1e-4, off),
        at_most("frontier's best value over the weighted", 1e-3, better),
    ]


def _weighted_against_frontier(network: Network, scheme: str, weight: float) -> tuple[float, float]:
    chosen, top_db = design(network, scheme, weight=weight), _largest_db(network, scheme)
    most = rcrb(design(network, scheme, weight=1.0)) ** -2

    def value(point: Design) -> float:
        gamma = 10 ** ((float(point.min_sinr_db[0, 0]) - top_db) / 10)
        return weight * rcrb(point) ** -2 / most + (1.0 - weight) * gamma

    again = design(network, scheme, min_sinr_db=float(chosen.min_sinr_db[0, 0]))
    points = frontier(network, scheme, np.linspace(top_db - 20.0, top_db - 0.1, 12))
    return abs(rcrb(chosen) / rcrb(again) - 1.0), max(value(p) for p in points) / value(chosen) - 1.0
