"""Row "right": random networks, certified gaps, and the plain statement where it solves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from precoding_case import Check, Outcome, asked, at_most, psk_indices, random_network, rcrb, spread

from precoding import Design, Network
from precoding.certificate import foreign_reflections
from precoding.reference import joint_block_level, relaxed_symbol_level
from precoding.symbollevel import design_symbol_level

ANTENNAS = (4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)
KINDS = ("none", "paper", "exact")
MOST_GAP = {"none": 1e-4, "paper": 1e-4, "exact": 1e-3}
MOST_RANK_LOSS = 1e-4


@dataclass(frozen=True, eq=False)
class Case:
    label: str
    network: Network
    scheme: str
    kind: str
    min_sinr_db: float
    outcome: Outcome

    @property
    def fine(self) -> bool:
        """Feasible, and proven optimal as far as asked."""
        answer = self.outcome.design
        if not self.outcome.proven or answer is None:
            return False
        return answer.certificate.gap <= MOST_GAP[self.kind] and answer.certificate.rank_loss <= MOST_RANK_LOSS


def right(scaled: Callable[[int], int]) -> list[Check]:
    cases, infeasible = [], 0
    for index in range(scaled(200)):
        case, refused = _feasible(index)
        cases.append(case)
        infeasible += refused
    print(f"  {len(cases)} feasible networks, {infeasible} infeasible draws")
    for word, chosen in (
        ("K = 1", [c for c in cases if c.network.K == 1]),
        ("K >= 2", [c for c in cases if c.network.K > 1]),
    ):
        print(f"  {word}: {sum(c.fine for c in chosen)} of {len(chosen)} proven as asked")
    _report_misses(cases)
    return [*_certified(cases), *_against_statement(cases), *_symbol_level(scaled)]


def _feasible(index: int) -> tuple[Case, int]:
    scheme, kind = ("blp-cbf", "blp-comp")[index % 2], KINDS[index // 2 % 3]
    for attempt in range(100):
        rng = np.random.default_rng([3, index, attempt])
        J, K, n_tx = int(rng.integers(1, 4)), int(rng.integers(1, 5)), int(rng.choice(ANTENNAS))
        network, target_db = random_network(rng, J, K, n_tx), float(rng.uniform(0.0, 25.0))
        outcome = asked(network, scheme, target_db, kind)
        if not outcome.infeasible:
            label = f"[3, {index}, {attempt}] {scheme} {kind} J={J} K={K} n_tx={n_tx} {target_db:.1f} dB"
            return Case(label, network, scheme, kind, target_db, outcome), attempt
    raise RuntimeError(f"case {index}: no feasible network in 100 draws")


def _certified(cases: list[Case]) -> list[Check]:
    proven = sum(c.outcome.proven for c in cases)
    checks = [Check("solved with a certificate that holds", "all", f"{proven} of {len(cases)}", proven == len(cases))]
    for kind in KINDS:
        gaps = [c.outcome.design.certificate.gap for c in cases if c.kind == kind and c.outcome.design is not None]
        within = sum(g <= MOST_GAP[kind] for g in gaps)
        checks.append(at_most(f"gap in RCRB, {kind} ({within} of {len(gaps)} within)", MOST_GAP[kind], gaps))
    loss = [c.outcome.design.certificate.rank_loss for c in cases if c.outcome.design is not None]
    checks.append(at_most("rank loss", MOST_RANK_LOSS, loss))
    warned = sum(c.outcome.warned for c in cases)
    checks.append(Check("numerical warnings", "0", str(warned), warned == 0))
    for scheme in ("blp-cbf", "blp-comp"):
        of_scheme = [c for c in cases if c.scheme == scheme]
        slowest = max(of_scheme, key=lambda c: c.outcome.wall_s)
        print(f"  {scheme} time: {spread([c.outcome.wall_s for c in of_scheme])} s, the last by {slowest.label}")
    return checks


def _report_misses(cases: list[Case]) -> None:
    for c in cases:
        answer = c.outcome.design
        if answer is None:
            print(f"    {c.label}: no design at all")
        elif not c.fine:
            s = answer.certificate
            found = f"gap {s.gap:.1e}, rank loss {s.rank_loss:.1e}, shortfall {s.shortfall_db:+.1e} dB"
            print(f"    {c.label}: {found}, {answer.status}")


def _comparable(c: Case) -> bool:
    """Where the plain statement ends in seconds."""
    J, K, n_tx = c.network.J, c.network.K, c.network.n_tx
    small = J <= 2 and K <= 3 and n_tx <= 8 and c.outcome.proven
    return small and (c.scheme == "blp-cbf" or c.kind != "exact" or J == 1 or (K <= 2 and n_tx <= 4))


def _foreign(network: Network, answer: Design) -> np.ndarray:
    """(J,) reflections of other BSs over the noise, as this design makes them."""
    sent = answer.waveform() if answer.weights is None else answer.weights
    length = sent.shape[2] if answer.weights is None else 1
    return foreign_reflections(network, sent @ sent.conj().swapaxes(1, 2) / length) / network.radar_noise


def _against_statement(cases: list[Case]) -> list[Check]:
    apart: dict[str, list[float]] = {"optimal": [], "other": []}
    for c in filter(_comparable, cases):
        answer = c.outcome.design
        assert answer is not None
        gamma = 10 ** (answer.min_sinr_db / 10)
        plain = joint_block_level(c.network, c.scheme, gamma, c.kind, _foreign(c.network, answer))
        if plain is None or not plain.information > 0.0:
            print(f"    {c.label}: the plain statement has no answer")
            continue
        difference = abs(rcrb(answer) * np.sqrt(plain.information) - 1.0)
        apart["optimal" if plain.status == "optimal" else "other"].append(float(difference))
        if difference > 1e-4:
            print(f"    {c.label}: {difference:.1e} from the plain statement, which says {plain.status}")
    print(f"  plain statement optimal ({len(apart['optimal'])}): {spread(apart['optimal'])}")
    print(f"  plain statement only optimal_inaccurate ({len(apart['other'])}): {spread(apart['other'])}")
    judged = apart["optimal"] or apart["other"]
    return [at_most("RCRB against the plain statement", 1e-4, judged)]


def _symbol_level(scaled: Callable[[int], int]) -> list[Check]:
    """The bound of the relaxed problem, for the foreign reflections that the design makes."""
    apart = []
    for index in range(scaled(20)):
        rng, scheme = np.random.default_rng([4, index]), ("slp-cbf", "slp-comp")[index // 2 % 2]
        network = random_network(rng, 1 + index % 2, 2, 4, csi_radius=(0.01, 0.0)[index // 4 % 2], block_length=4)
        symbols = psk_indices(rng, network)
        answer = design_symbol_level(
            network, scheme, np.full((network.J, network.K), 5.0), symbols, 4, robust=True, thorough=True
        )
        gamma, foreign = 10 ** (answer.min_sinr_db / 10), _foreign(network, answer)
        plain = relaxed_symbol_level(network, scheme, gamma, symbols, 4, foreign)
        if plain is not None and plain.status == "optimal":
            apart.append(float(abs(answer.certificate.bound_rcrb_rad * np.sqrt(plain.information) - 1.0)))
    return [at_most("relaxed symbol-level RCRB, the same", 1e-4, apart)]
