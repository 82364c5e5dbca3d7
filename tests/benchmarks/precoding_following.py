"""Rows "following", "arrays", "reliability", "scaling", "tracking": block-level designs within the coherence time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from precoding_case import Check, random_network, spread

from precoding import Design, InaccurateError, InfeasibleError, Network, design
from precoding.reference import joint_block_level

TOLERANCE = 1e-3  # of the RCRB over its bound
MOVED, TURNED_RAD = 0.01, np.deg2rad(0.1)  # of a channel's size; of a target, from frame to frame
FRAMES = 3  # each network is followed for
ANTENNAS = (4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)


@dataclass(eq=False)
class Tally:
    """What came of many requests."""

    cold_s: list[float] = field(default_factory=list)
    warm_s: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    margins_db: list[float] = field(default_factory=list)
    failed: int = 0
    fallbacks: int = 0

    def add(self, answer: Design, seconds: float, *, warm: bool) -> None:
        (self.warm_s if warm else self.cold_s).append(seconds)
        c = answer.certificate
        self.gaps.append(c.gap)
        self.margins_db.append(float(np.min(c.worst_sinr_db - c.min_sinr_db)))
        self.fallbacks += "cones" in answer.status

    @property
    def sound(self) -> bool:
        return self.failed == 0 and max(self.gaps) <= TOLERANCE and min(self.margins_db) >= -1e-3

    def __str__(self) -> str:
        return (
            f"cold {_ms(self.cold_s)}; warm {_ms(self.warm_s)} ms; gap {spread(self.gaps)}; worst case at least "
            f"{min(self.margins_db):+.1e} dB; {self.fallbacks} of {len(self.gaps)} by others, {self.failed} failed"
        )


def following(scaled: Callable[[int], int]) -> list[Check]:
    """Both schemes at J = 2, K = 3, n_tx = 10, over targets and radii; and the plain statement on the same inputs."""
    checks = []
    for scheme, ratio in (("blp-comp", 300.0), ("blp-cbf", 0.0)):
        whole = Tally()
        for target_db in (5.0, 10.0, 15.0, 20.0):
            for radius in (0.01, 0.05):
                part = Tally()
                for index in range(scaled(50)):
                    _follow(part, scheme, _network([20, index], 2, 3, 10, radius), target_db, [21, index])
                print(f"  {scheme} {target_db:2.0f} dB, radius {radius}: {part}", flush=True)
                _merge(whole, part)
        limits = (20.0, 10.0) if scheme == "blp-comp" else (None, None)
        checks += _within(f"{scheme}, all together", whole, 5.0, *limits)
        if ratio:
            checks.append(_against_plain(scheme, float(np.median(whole.warm_s)), ratio, max(scaled(30) // 10, 1)))
    return checks


def arrays(scaled: Callable[[int], int]) -> list[Check]:
    """Large arrays: the directions that matter stay as many."""
    checks = []
    for n_tx in (32, 64, 256):
        tally = Tally()
        for index in range(scaled(50)):
            radius, target_db = (0.01, 0.05)[index % 2], (5.0, 10.0, 15.0, 20.0)[index // 2 % 4]
            _follow(tally, "blp-comp", _network([22, index], 2, 3, n_tx, radius), target_db, [23, index])
        print(f"  blp-comp n_tx = {n_tx}: {tally}", flush=True)
        checks += _within(f"blp-comp, n_tx = {n_tx}", tally, 15.0)
    return checks


def reliability(scaled: Callable[[int], int]) -> list[Check]:
    """Networks of all kinds, from cold, to the tolerance of tracking; K = 1 apart, where one stream can be too few."""
    several, single, infeasible = Tally(), Tally(), 0
    index = 0
    while len(several.gaps) + several.failed + len(single.gaps) + single.failed < scaled(1000):
        rng = np.random.default_rng([24, index])
        J, K, n_tx = int(rng.integers(1, 4)), int(rng.integers(1, 5)), int(rng.choice(ANTENNAS))
        network, target_db = random_network(rng, J, K, n_tx), float(rng.uniform(0.0, 25.0))
        tally, scheme = single if K == 1 else several, ("blp-cbf", "blp-comp")[index % 2]
        index += 1
        before = tally.failed
        answer = _timed(tally, scheme, network, target_db, None)
        infeasible += answer is None and tally.failed == before
        if tally.failed > before:
            print(
                f"    [24, {index - 1}] {scheme} J={J} K={K} n_tx={n_tx} {target_db:.1f} dB: no certificate", flush=True
            )
    checks = []
    for name, tally in (("K >= 2", several), ("K = 1", single)):
        print(f"  {name}: {tally}")
        count = len(tally.gaps) + tally.failed
        share = (tally.fallbacks + tally.failed) / count
        checks.append(Check(f"{name}: certified", "all", f"{len(tally.gaps)} of {count}", tally.failed == 0))
        checks.append(Check(f"{name}: needed another solver", "< 1 %", f"{share:.1%}", share < 0.01))
    print(f"  {infeasible} infeasible draws besides")
    return checks


def scaling(scaled: Callable[[int], int]) -> list[Check]:
    """Two cells against three; and the size of the array beyond the directions that matter."""
    medians = {}
    for J, n_tx in ((2, 10), (3, 10), (2, 12), (2, 16), (2, 24), (2, 48), (2, 96)):
        tally = Tally()
        for index in range(scaled(30)):
            _follow(tally, "blp-comp", _network([25, index], J, 3, n_tx, 0.01), 10.0, [26, index])
        medians[J, n_tx] = 1e3 * float(np.median(tally.warm_s))
        print(f"  blp-comp J = {J}, n_tx = {n_tx}: {tally}", flush=True)
    more = medians[3, 10] / medians[2, 10]
    flat = [medians[2, n] for n in (10, 12, 16, 24, 48, 96)]
    wide = max(flat) / min(flat)
    return [
        Check("J = 3 over J = 2, warm", "<= 4", f"{more:.1f}", more <= 4.0),
        Check("n_tx 10 to 96, slowest / fastest warm", "<= 1.5", f"{wide:.1f}", wide <= 1.5),
    ]


def tracking(scaled: Callable[[int], int]) -> list[Check]:
    """A user walks, a target moves; a frame every 10 ms, designed on an estimate that is wrong by up to its radius."""
    checks = []
    for scheme in ("blp-comp", "blp-cbf"):
        times, kept, answer = [], [], None
        for truth, estimate in _walk(np.random.default_rng(27), scaled(1000)):
            began = time.perf_counter()
            answer = design(estimate, scheme, min_sinr_db=10.0, start=answer, tolerance=TOLERANCE)
            times.append(time.perf_counter() - began)
            kept.append(float(np.min(_received_db(truth, answer) - 10.0)))
        last = 1e3 * float(np.quantile(times[1:], 0.99))
        print(f"  {scheme}: {_ms(times[1:])} ms, p99 {last:.1f}; true SINR less promise at least {min(kept):+.2f} dB")
        checks.append(Check(f"{scheme}: design within a frame, p99", "<= 10 ms", f"{last:.1f} ms", last <= 10.0))
        checks.append(
            Check(f"{scheme}: promise kept, {len(kept)} frames", "all", f"{min(kept):+.2f} dB", min(kept) >= 0.0)
        )
    return checks


def _network(seed: list[int], J: int, K: int, n_tx: int, radius: float) -> Network:
    return random_network(np.random.default_rng(seed), J, K, n_tx, csi_radius=radius, block_length=20)


def _follow(tally: Tally, scheme: str, network: Network, target_db: float, seed: list[int]) -> None:
    rng = np.random.default_rng(seed)
    answer = _timed(tally, scheme, network, target_db, None)
    for _ in range(FRAMES):
        if answer is None:
            return
        network = _next(network, rng)
        answer = _timed(tally, scheme, network, target_db, answer)


def _timed(tally: Tally, scheme: str, network: Network, target_db: float, start: Design | None) -> Design | None:
    began = time.perf_counter()
    try:
        answer = design(
            network,
            scheme,
            min_sinr_db=target_db,
            start=start,
            tolerance=TOLERANCE,
        )
    except InfeasibleError:
        return None
    except InaccurateError:
        tally.failed += 1
        return None
    tally.add(answer, time.perf_counter() - began, warm=start is not None)
    return answer


def _next(network: Network, rng: np.random.Generator) -> Network:
    """Channels a hundredth of their size away, angles 0.1 degrees."""
    size = np.sqrt(np.where(np.eye(network.J, dtype=bool), 1.0, 1.0 / 3.0) / 2.0)[:, :, None, None]
    shape = network.channels.shape
    moved = MOVED * size * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    angles = network.departure_angles + TURNED_RAD * rng.choice([-1.0, 1.0], (network.J, network.J))
    return replace(
        network,
        channels=network.channels + moved,
        departure_angles=angles,
        arrival_angles=angles.diagonal().copy(),
    )


def _walk(rng: np.random.Generator, frames: int) -> Iterator[tuple[Network, Network]]:
    """True network and estimate of every frame: 1.4 m/s at 5.6 GHz is a quarter of a wavelength a frame."""
    truth = random_network(rng, 2, 3, 10, csi_radius=0.01, block_length=20)
    rays, n = 8, np.arange(10)
    leaving = rng.uniform(-np.pi / 3, np.pi / 3, (2, rays))
    turns = 0.26 * np.cos(2 * np.pi * rng.random(rays))  # 1.4 m/s for 10 ms, in wavelengths along each ray
    phase = 2 * np.pi * rng.random((2, rays))
    size = np.sqrt(np.array([1.0, 1.0 / 3.0]) / rays)
    beams = np.exp(1j * np.pi * np.sin(leaving)[:, :, None] * n)
    for frame in range(frames):
        walked = np.exp(1j * (2 * np.pi * turns * frame + phase))
        channels = truth.channels.copy()
        channels[:, 0, 0] = size[:, None] * np.einsum("br,bri->bi", walked, beams)
        angles = truth.departure_angles + np.deg2rad(3.0) * np.sin(2 * np.pi * frame / 400.0)
        now = replace(truth, channels=channels, departure_angles=angles, arrival_angles=angles.diagonal().copy())
        wrong = rng.normal(size=channels.shape) + 1j * rng.normal(size=channels.shape)
        wrong *= (0.99 * 0.01 * rng.random(channels.shape[:3]) / np.linalg.norm(wrong, axis=3))[..., None]
        yield now, replace(now, channels=channels + wrong)


def _received_db(network: Network, answer: Design) -> np.ndarray:
    """(J, K) SINR on the true channels."""
    assert answer.weights is not None
    J, K = network.J, network.K
    got = np.abs(np.einsum("nmki,nis->nmks", network.channels, answer.weights)) ** 2
    if answer.scheme == "blp-comp":
        got = np.abs(np.einsum("nmki,nis->mks", network.channels, answer.weights)) ** 2
        own = np.array([[got[m, k, m * K + k] for k in range(K)] for m in range(J)])
        total = got.sum(axis=2)
    else:
        own = np.array([[got[m, m, k, k] for k in range(K)] for m in range(J)])
        total = got.sum(axis=(0, 3))
    sinr_db: np.ndarray = 10 * np.log10(own / (total - own + network.user_noise))
    return sinr_db


def _against_plain(scheme: str, warm_s: float, least: float, count: int) -> Check:
    seconds = []
    for index in range(count):
        network = _network([20, index], 2, 3, 10, 0.01)
        began = time.perf_counter()
        plain = joint_block_level(network, scheme, np.full((2, 3), 10.0), "exact", np.zeros(2))
        seconds.append(time.perf_counter() - began)
        print(f"    plain statement: {seconds[-1]:.1f} s, {'no answer' if plain is None else plain.status}", flush=True)
    ratio = float(np.median(seconds)) / warm_s
    return Check(f"{scheme}: plain statement / warm", f">= {least:g}", f"{ratio:.0f}", ratio >= least)


def _within(
    what: str, tally: Tally, median_ms: float, cold_ms: float | None = None, last_ms: float | None = None
) -> list[Check]:
    cold, warm = 1e3 * float(np.median(tally.cold_s)), 1e3 * np.asarray(tally.warm_s)
    middle, last = float(np.median(warm)), float(np.quantile(warm, 0.99))
    checks = [Check(f"{what}: warm, median", f"<= {median_ms:g} ms", f"{middle:.1f} ms", middle <= median_ms)]
    if last_ms is not None:
        checks.append(Check(f"{what}: warm, p99", f"<= {last_ms:g} ms", f"{last:.1f} ms", last <= last_ms))
    if cold_ms is not None:
        checks.append(Check(f"{what}: cold, median", f"<= {cold_ms:g} ms", f"{cold:.1f} ms", cold <= cold_ms))
    got = f"gap at most {max(tally.gaps):.1e}, {tally.failed} failed"
    return [*checks, Check(f"{what}: certified, promise kept", "all, 1e-3", got, tally.sound)]


def _merge(whole: Tally, part: Tally) -> None:
    for name in ("cold_s", "warm_s", "gaps", "margins_db"):
        getattr(whole, name).extend(getattr(part, name))
    whole.failed += part.failed
    whole.fallbacks += part.fallbacks


def _ms(seconds: list[float]) -> str:
    return spread([1e3 * s for s in seconds], ".1f")
