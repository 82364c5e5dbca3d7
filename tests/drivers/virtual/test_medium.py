"""The medium: the same physics as the air of the simulated radios, but for any window, clock and carrier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from drivers import RadioNotFoundError
from drivers.simulated.air import Air, Terms
from drivers.simulated.scene import Clutter, Node, Scene, Target
from drivers.virtual.air_time import FastClock, PacedClock
from drivers.virtual.history import History
from drivers.virtual.medium import Medium, is_heard, moved_carrier

CARRIER_HZ, RATE_HZ, N = 2.4e9, 4e6, 2048


def scene(**changes: object) -> Scene:
    west = Node("west", (0.0, 0.0), 0.0, 2, 2)
    east = Node("east", (60.0, 5.0), np.pi, 2, 2)
    return replace(
        Scene(
            stations=(west, east),
            users=(
                Node("ann", (300.0, 200.0), 0.0, 0, 1, velocity_m_s=(3.0, -2.0)),
                Node("bob", (9.0, -7.0), 0.0, 0, 1),
            ),
            serving={"ann": "west", "bob": "east"},
            targets=(Target("t", "west", (20.0, 9.0), 1.0, (5.0, 1.0)), Target("u", "east", (30.0, -9.0), 2.0)),
            carrier_hz=CARRIER_HZ,
            symbol_rate_hz=RATE_HZ / 4,
            rician_k=3.0,
            other_targets=True,
            clutter=(Clutter((15.0, 15.0), 0.5),),
            leakage=1e-4,
            seed=5,
        ),
        **changes,
    )


@dataclass(frozen=True, eq=False)
class Played:
    """Samples on the receivers' grid, from an air time on: once, or over and over."""

    samples: np.ndarray
    start_s: float = 0.0
    center_hz: float = CARRIER_HZ
    cyclic: bool = False

    def ports(self, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> np.ndarray:
        size = self.samples.shape[1]
        first = round((start_s - self.start_s) * sample_rate_hz)
        index = np.arange(first, first + n)
        played = self.samples[:, index % size] * ((index >= 0) & (index < size) | self.cyclic)
        return moved_carrier(played, self.center_hz, center_hz, start_s, sample_rate_hz)


def band_limited(n: int, seed: int) -> np.ndarray:
    """A periodic signal of half the bandwidth, 2 channels."""
    rng = np.random.default_rng(seed)
    spectrum = np.zeros((2, n), dtype=complex)
    spectrum[:, np.r_[: n // 4, -n // 4 : 0]] = rng.standard_normal((2, n // 2, 2)) @ [1, 1j]
    return np.fft.ifft(spectrum) * np.sqrt(n)


def burst(seed: int, before: int = 300, after: int = 300) -> np.ndarray:
    """A burst that fades in and out, with silence around it, as frames have it."""
    sent = np.zeros((2, N), dtype=complex)
    length = N - before - after
    sent[:, before : N - after] = band_limited(length, seed) * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return sent


def in_the_air(the_scene: Scene, bursts: dict[str, np.ndarray], start_s: float) -> dict[str, np.ndarray]:
    air = Air(the_scene)
    terms = Terms(start_s, RATE_HZ, CARRIER_HZ, N)
    for node in the_scene.nodes:
        air.post(node.name, bursts.get(node.name, np.zeros((0, N), dtype=complex)), node.n_rx, terms)
    return {node.name: air.carry(node.name) for node in the_scene.nodes}


@pytest.mark.parametrize("cyclic", [False, True], ids=["once", "periodic"])
def test_a_window_is_what_the_simulated_air_carries(cyclic: bool) -> None:
    bursts = {"west": burst(1), "east": burst(2)}
    start_s = 0.25
    expected = in_the_air(scene(), bursts, start_s)
    medium = Medium(scene())
    for name, samples in bursts.items():
        medium.register(name, Played(samples, start_s, cyclic=cyclic))
    for name, samples in expected.items():
        received = medium.received(name, start_s, N, RATE_HZ, CARRIER_HZ)
        assert received.shape == samples.shape
        assert np.linalg.norm(received - samples) < 1e-5 * np.linalg.norm(samples), name


def test_a_periodic_transmission_is_heard_without_an_edge() -> None:
    """Windows that follow one another join: the end of one and the start of the next are one window's middle."""
    medium = Medium(scene(targets=(), users=(replace(scene().users[1]),), clutter=()))
    medium.register("west", Played(band_limited(512, 3), cyclic=True))
    long = medium.received("bob", 0.0, 2 * N, RATE_HZ, CARRIER_HZ)
    first, second = (medium.received("bob", i * N / RATE_HZ, N, RATE_HZ, CARRIER_HZ) for i in range(2))
    joined = np.concatenate([first, second], axis=1)
    assert np.max(np.abs(joined - long)) < 1e-3 * np.max(np.abs(long))
    period = 512
    assert np.allclose(long[:, :period], long[:, period : 2 * period], atol=1e-3 * np.max(np.abs(long)))


def test_an_empty_air_is_silent() -> None:
    received = Medium(scene()).received("west", 0.0, N, RATE_HZ, CARRIER_HZ)
    assert received.shape == (2, N)
    assert not np.any(received)


def test_a_receiver_hears_its_own_band() -> None:
    assert is_heard(CARRIER_HZ + RATE_HZ / 2, CARRIER_HZ, RATE_HZ)
    assert not is_heard(CARRIER_HZ + 0.51 * RATE_HZ, CARRIER_HZ, RATE_HZ)


def test_a_carrier_apart_is_an_offset_that_goes_on_from_window_to_window() -> None:
    apart_hz = 12_345.678
    quiet = scene(targets=(), clutter=(), leakage=0.0, users=(scene().users[1],))
    same, apart = Medium(quiet), Medium(quiet)
    constant = np.full((2, N), 0.1, dtype=complex)
    same.register("west", Played(constant, cyclic=True))
    apart.register("west", Played(constant, center_hz=CARRIER_HZ + apart_hz, cyclic=True))
    start_s = 1.75
    still = same.received("bob", start_s, N, RATE_HZ, CARRIER_HZ)[0]
    turned = apart.received("bob", start_s, N, RATE_HZ, CARRIER_HZ)[0]
    delay_s = np.hypot(9, 7) / 299_792_458  # the offset has turned for so much less when it arrives
    expected = still * np.exp(2j * np.pi * apart_hz * (start_s - delay_s + np.arange(N) / RATE_HZ))
    assert np.linalg.norm(turned - expected) < 1e-3 * np.linalg.norm(expected)


def test_the_scene_moves_with_air_time_from_the_first_window_on() -> None:
    moving = scene(targets=(), clutter=(), leakage=0.0, users=(scene().users[0],), rician_k=float("inf"))
    medium = Medium(moving)
    medium.register("west", Played(np.full((2, N), 0.1, dtype=complex), cyclic=True))
    early, late = (medium.received("ann", t, N, RATE_HZ, CARRIER_HZ)[0, N // 2] for t in (7.0, 7.01))
    moved_m = 0.01 * (np.array([3.0, -2.0]) @ np.array([300.0, 200.0])) / np.hypot(300, 200)
    expected = np.exp(-2j * np.pi * moved_m * CARRIER_HZ / 299_792_458)
    assert abs(late / early - expected) < 0.02


def test_a_node_that_is_withdrawn_falls_silent() -> None:
    medium = Medium(scene())
    medium.register("west", Played(band_limited(N, 1), cyclic=True))
    medium.withdraw("west")
    assert not np.any(medium.received("bob", 0.0, N, RATE_HZ, CARRIER_HZ))


def test_a_stranger_is_refused_by_name() -> None:
    medium = Medium(scene())
    with pytest.raises(RadioNotFoundError, match=r"zoe.*west, east, ann, bob"):
        medium.received("zoe", 0.0, N, RATE_HZ, CARRIER_HZ)
    with pytest.raises(RadioNotFoundError, match="zoe"):
        medium.register("zoe", Played(band_limited(N, 1)))


# ------------------------------------------------------------------------------------------------ clocks and histories


def test_virtual_time_moves_only_for_who_captures() -> None:
    clock = FastClock()
    clock.wait_until("west", 0.5)
    assert (clock.now("west"), clock.now("east")) == (0.5, 0.0)


def test_a_change_comes_after_all_captures_and_before_all_later_ones() -> None:
    clock = FastClock()
    clock.wait_until("west", 0.5)
    assert clock.change() == 0.5
    assert clock.now("east") == 0.5


def test_starts_lie_on_the_grid_of_frames() -> None:
    clock = FastClock(start_grid_s=0.01)
    starts = [clock.change(starts=True)]
    for _ in range(3):
        clock.wait_until("west", clock.now("west") + 0.0035)
        starts.append(clock.change(starts=True))
    assert starts == pytest.approx([0.0, 0.01, 0.02, 0.03])


def test_paced_time_is_the_wall_clock() -> None:
    ticks = [5.0]
    clock = PacedClock(lambda: ticks[0], lambda seconds: ticks.append(ticks.pop() + seconds))
    clock.wait_until("west", 0.25)
    assert clock.now("east") == pytest.approx(0.25)
    clock.wait_until("west", 0.1)  # past already
    assert clock.change() == pytest.approx(0.25)


def test_a_history_tells_what_was_and_what_is() -> None:
    history = History("first")
    history.record(1.0, "second")
    history.record(2.0, "third")
    assert [history.at(t) for t in (0.0, 1.0, 1.5, 9.0)] == ["first", "second", "second", "third"]
    assert history.between(0.5, 1.5) == [(float("-inf"), 1.0, "first"), (1.0, 2.0, "second")]


def test_a_history_does_not_run_backwards() -> None:
    history = History("first")
    history.record(2.0, "second")
    assert history.record(1.0, "third") == 2.0
    assert history.at(2.0) == history.now == "third"
    assert history.at(1.9) == "first"
