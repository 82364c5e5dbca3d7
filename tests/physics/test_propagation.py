"""Each way through the simulated air against its closed form."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.simulated.air import propagate
from drivers.simulated.paths import Path, Propagation
from drivers.simulated.propagation import SPEED_OF_LIGHT, array_response, bearing, echo_gain, friis_gain
from drivers.simulated.scene import Clutter, Node, NormalisedGains, Scene, Target
from precoding import steering

CARRIER_HZ = 5.6e9
WAVELENGTH_M = SPEED_OF_LIGHT / CARRIER_HZ
RATE_HZ = 1e6
EAST = Node("east", (0.0, 0.0), 0.0, 6, 10)
WEST = Node("west", (40.0, 0.0), np.pi, 6, 10)
SCENE = Scene(
    stations=(EAST, WEST),
    users=(Node("ann", (10.0, 3.0), 0.0, 0, 1), Node("bob", (30.0, 2.0), 0.0, 0, 1)),
    serving={"ann": "east", "bob": "west"},
    targets=(Target("a", "east", (12.0, -4.0), 0.3, (1.0, 2.0), 0.7), Target("b", "west", (27.0, 5.0), 0.2)),
    carrier_hz=CARRIER_HZ,
    symbol_rate_hz=250e3,
    seed=5,
)


def only(paths: list[Path], **wanted: str) -> Path:
    found = [path for path in paths if all(getattr(path, key) == value for key, value in wanted.items())]
    assert len(found) == 1
    return found[0]


def tone(frequency_hz: float, n: int) -> np.ndarray:
    """A tone under a window that begins and ends in silence, so that its delay has no edges."""
    t = np.arange(n)
    window = np.where((t > n // 4) & (t < 3 * n // 4), np.sin(np.pi * (t - n / 4) / (n / 2)) ** 4, 0)
    return window * np.exp(2j * np.pi * frequency_hz / RATE_HZ * t)


def test_friis_gain_is_the_free_space_loss() -> None:
    # 32.45 dB + 20 log10(MHz) + 20 log10(km), the engineers' form
    loss_db = 32.45 + 20 * np.log10(5600) + 20 * np.log10(0.012)
    assert -20 * np.log10(friis_gain(12.0, CARRIER_HZ)) == pytest.approx(loss_db, abs=0.01)


def test_echo_gain_is_two_friis_ways_and_an_aperture() -> None:
    # out and back between isotropic antennas, times the reflector's area over the isotropic aperture lambda^2 / 4 pi
    product = friis_gain(12.0, CARRIER_HZ) ** 2 * friis_gain(20.0, CARRIER_HZ) ** 2
    aperture = WAVELENGTH_M**2 / (4 * np.pi)
    assert echo_gain(12.0, 20.0, 0.3, CARRIER_HZ) ** 2 == pytest.approx(product * 0.3 / aperture, rel=1e-12)


def test_angles_grow_counter_clockwise_towards_growing_elements() -> None:
    distance_m, sine = bearing(np.zeros(2), 0.0, np.array([10.0, 10.0]))
    assert (distance_m, sine) == (pytest.approx(np.sqrt(200)), pytest.approx(np.sin(np.pi / 4)))
    # the element nearest to the source, that of highest index, is ahead in phase
    assert np.angle(array_response(2, sine)[1] / array_response(2, sine)[0]) == pytest.approx(np.pi * sine - 0)


def test_the_air_and_the_precoder_share_one_steering_convention() -> None:
    assert np.allclose(array_response(7, np.sin(0.3)), steering(7, 0.3), atol=1e-14)


def test_far_field_response_is_the_exact_distance_to_each_element() -> None:
    far = np.array([3e6, 4e6])
    _, sine = bearing(np.zeros(2), 0.2, far)
    axis = np.array([-np.sin(0.2), np.cos(0.2)])
    elements = np.outer((np.arange(8) - 3.5) * WAVELENGTH_M / 2, axis)
    shorter = np.hypot(*far) - np.hypot(*(far - elements).T)
    assert np.allclose(array_response(8, sine), np.exp(2j * np.pi * shorter / WAVELENGTH_M), atol=1e-6)


def test_own_echo_has_the_radar_equations_gain_delay_and_phase() -> None:
    path = only(Propagation(SCENE).at(0.0), kind="echo", rx="east")
    distance_m = np.hypot(12, 4)
    assert abs(path.gain) == pytest.approx(echo_gain(distance_m, distance_m, 0.3, CARRIER_HZ))
    assert path.delay_s == pytest.approx(2 * distance_m / SPEED_OF_LIGHT)
    assert path.gain / abs(path.gain) == pytest.approx(np.exp(1j * (0.7 - 4 * np.pi * distance_m / WAVELENGTH_M)))


def test_doppler_is_the_rate_of_the_carrier_phase() -> None:
    air, step_s = Propagation(SCENE), 1e-5
    for kind, rx in (("echo", "east"), ("intercell", "east")):
        now, later = (only(air.at(t), kind=kind, rx=rx) for t in (0.0, step_s))
        # half a cycle is never passed in the step; the phase's curvature is below 1e-4 Hz in it
        assert now.doppler_hz == pytest.approx(np.angle(later.gain / now.gain) / (2 * np.pi * step_s), rel=1e-3)


def test_intercell_reflection_arrives_from_the_own_target_and_can_be_switched_off() -> None:
    path = only(Propagation(SCENE).at(0.0), kind="intercell", rx="east")
    own = only(Propagation(SCENE).at(0.0), kind="echo", rx="east")
    assert np.array_equal(path.rx_response, own.rx_response)
    assert path.delay_s == pytest.approx((np.hypot(28, 4) + np.hypot(12, 4)) / SPEED_OF_LIGHT)
    without = Propagation(replace(SCENE, intercell_reflections=False)).at(0.0)
    assert {path.kind for path in without} == {"user", "echo"}


def test_other_targets_clutter_and_leakage_appear_only_when_asked_for() -> None:
    rich = replace(SCENE, other_targets=True, clutter=(Clutter((5.0, 9.0), 2.0),), leakage=1e-6)
    kinds = [path.kind for path in Propagation(rich).at(0.0)]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "clutter": 4, "echo": 2, "intercell": 2, "leakage": 12, "other target": 4, "user": 4,
    }  # fmt: skip


def test_leakage_couples_every_pair_of_antennas_with_the_stated_power() -> None:
    paths = [
        path
        for path in Propagation(replace(SCENE, leakage=1e-6)).at(0.0)
        if path.kind == "leakage" and path.rx == "east"
    ]
    coupling = sum(path.gain * np.outer(path.rx_response, path.tx_response) for path in paths)
    assert np.allclose(np.abs(coupling) ** 2, 1e-6)


def test_line_of_sight_user_hears_friis() -> None:
    path = only(Propagation(SCENE).at(0.0), kind="user", rx="ann", tx="west")
    _, sine = bearing(np.array([40.0, 0.0]), np.pi, np.array([10.0, 3.0]))
    distance_m = np.hypot(30, 3)
    expected = (
        friis_gain(distance_m, CARRIER_HZ) * np.exp(-2j * np.pi * distance_m / WAVELENGTH_M) * array_response(6, sine)
    )
    assert np.allclose(path.gain * path.tx_response, expected)


def test_rician_power_and_correlation() -> None:
    """Mean power 1 + no gain from scattering; neighbouring antennas of the scattered part uncorrelated."""
    channels = []
    for seed in range(600):
        path = only(Propagation(replace(SCENE, rician_k=0.0, seed=seed)).at(0.0), kind="user", rx="ann", tx="east")
        channels.append(path.tx_response)
    entries = np.array(channels)
    # 3,600 entries, 600 independent draws: standard error of the mean power at most 1 / sqrt(600) = 0.041
    assert np.mean(np.abs(entries) ** 2) == pytest.approx(1.0, abs=0.12)
    assert abs(np.mean(entries[:, 0] * entries[:, 1].conj())) < 0.12


def test_a_moving_users_rays_turn_at_most_by_its_speed() -> None:
    walker = replace(SCENE.users[0], velocity_m_s=(1.0, 1.0))
    paths = Propagation(replace(SCENE, users=(walker, SCENE.users[1]), rician_k=1.0)).at(0.0)
    shifts = [path.doppler_hz for path in paths if path.rx == "ann"]
    assert len(shifts) == 2 * 17
    assert np.max(np.abs(shifts)) <= np.sqrt(2) / WAVELENGTH_M * (1 + 1e-12)


def test_normalised_gains_are_the_papers_ratios() -> None:
    gains = NormalisedGains(
        echo_snr=1.0, reflection_ratio=1 / 3, user_snr=1000.0, user_ratio=1 / 3, block_length=30, power_w=0.5
    )
    paths = Propagation(replace(SCENE, normalised=gains)).at(0.0)
    noise_w = 1.380649e-23 * 290 * 250e3  # an ideal receiver's
    own, other = (only(paths, kind=kind, rx="east") for kind in ("echo", "intercell"))
    assert abs(own.gain) ** 2 * 30 * 0.5 / noise_w == pytest.approx(1.0)
    assert abs(other.gain / own.gain) ** 2 == pytest.approx(1 / 3)
    near, far = (only(paths, kind="user", rx="ann", tx=tx) for tx in ("east", "west"))
    assert abs(near.gain) ** 2 * 0.5 / noise_w == pytest.approx(1000.0)
    assert abs(far.gain / near.gain) ** 2 == pytest.approx(1 / 3)


def test_a_stream_is_delayed_turned_and_spread() -> None:
    n, delay_s, doppler_hz = 512, 3.37e-6, 900.0
    response = array_response(6, 0.4)
    path = Path("echo", "a", "b", 0.5j, delay_s, doppler_hz, response, array_response(3, -0.2))
    x = np.outer(response.conj(), tone(50e3, n))
    got = propagate([path], {"a": x}, {"b": 3}, n, RATE_HZ)["b"]
    t = np.arange(n) / RATE_HZ
    window_late = np.interp(t - delay_s, t, np.abs(tone(0, n)))  # smooth: linear interpolation errs by 1e-5
    stream = 6 * window_late * np.exp(2j * np.pi * 50e3 * (t - delay_s))
    expected = 0.5j * np.outer(array_response(3, -0.2), stream * np.exp(2j * np.pi * doppler_hz * t))
    assert np.abs(got - expected).max() < 1e-3


def test_energy_is_conserved_on_the_way() -> None:
    n = 512
    path = Path("user", "a", "b", 0.3, 7.9e-6, 0.0, np.ones(1, dtype=complex), np.ones(1, dtype=complex))
    x = tone(120e3, n)[None]
    got = propagate([path], {"a": x}, {"b": 1}, n, RATE_HZ)["b"]
    assert np.sum(np.abs(got) ** 2) == pytest.approx(0.09 * np.sum(np.abs(x) ** 2), rel=1e-9)


def test_nothing_arrives_before_it_was_sent() -> None:
    n = 400
    x = np.zeros((1, n), dtype=complex)
    x[0, 200:] = tone(30e3, n)[:200]
    path = Path("user", "a", "b", 1.0, 20e-6, 0.0, np.ones(1, dtype=complex), np.ones(1, dtype=complex))
    got = propagate([path], {"a": x}, {"b": 1}, n, RATE_HZ)["b"][0]
    assert np.abs(got[:200]).max() < 1e-3 * np.abs(got).max()


def test_sampling_twice_as_fast_gives_the_same_signal() -> None:
    n = 512
    paths = Propagation(replace(SCENE, rician_k=1.0)).at(0.0)
    slow = np.stack([tone(20e3 * (i + 1), n) for i in range(6)])
    spectrum = np.fft.fft(slow)
    padded = np.concatenate([spectrum[:, : n // 2], np.zeros((6, n)), spectrum[:, n // 2 :]], axis=1)
    fast = 2 * np.fft.ifft(padded)
    listeners = {"east": 10, "west": 10, "ann": 1, "bob": 1}
    one = propagate(paths, {"east": slow, "west": slow}, listeners, n, RATE_HZ)
    two = propagate(paths, {"east": fast, "west": fast}, listeners, 2 * n, 2 * RATE_HZ)
    for name in listeners:
        scale = np.abs(one[name]).max()
        assert np.abs(two[name][:, ::2] - one[name]).max() < 1e-9 * scale  # both are exact for band-limited signals


def test_received_power_is_the_link_budget() -> None:
    n = 4096
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((6, n)) + 1j * rng.standard_normal((6, n))) / np.sqrt(2)
    paths = [path for path in Propagation(SCENE).at(0.0) if path.kind == "echo" and path.rx == "east"]
    got = propagate(paths, {"east": x}, {"east": 10}, n, RATE_HZ)["east"]
    expected = 6 * abs(paths[0].gain) ** 2  # unit power from each of six antennas, whatever the direction
    # 4,096 independent samples: 1.6 % standard error
    assert np.mean(np.abs(got) ** 2) == pytest.approx(expected, rel=0.07)
