"""Sampling at twice the rate must not change what is measured: modulator, air, impairments and receivers together."""

from dataclasses import replace

import numpy as np

from drivers.simulated.air import propagate
from drivers.simulated.front_end import FrontEnd, oscillator, transmit
from drivers.simulated.paths import Propagation
from testbed.frame import Frame
from testbed.loop import station_power
from testbed.measurement.users import UserObserver
from testbed.scenario import Scenario
from testbed.world import scene

SCENARIO = Scenario.load("two_cells")


def received(samples_per_symbol: int) -> tuple[Frame, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Carry the same payload through the same air at one sample rate, without thermal noise."""
    options = replace(SCENARIO.frame, samples_per_symbol=samples_per_symbol)
    frame = Frame(options, 2, 6)
    power = station_power(SCENARIO)
    symbols = frame.draw(np.random.default_rng(3), 3)
    weights = np.random.default_rng(4).standard_normal((2, 6, 3)) * np.sqrt(power / 18)[:, None, None]
    ports = frame.modulate(weights @ symbols, power)
    moving = tuple(replace(user, velocity_m_s=(3.0, -2.0)) for user in SCENARIO.users)
    paths = Propagation(scene(replace(SCENARIO, users=moving), 5)).at(0.0)
    listeners = {path.rx: path.rx_response.size for path in paths}
    rate_hz = frame.sample_rate_hz
    lo = oscillator(
        FrontEnd(carrier_offset_ppm=0.2), 5.6e9, frame.n_samples, rate_hz, 0.0, 0.3, np.random.default_rng(0)
    )
    front_end = FrontEnd(carrier_offset_ppm=0.2, sample_clock_offset_ppm=1.0, start_offset_s=2e-6)
    sent = {
        station.name: transmit(ports[m], front_end, lo, rate_hz, 1.0).astype(complex)
        for m, station in enumerate(SCENARIO.stations)
    }
    radiated = frame.pulse.detect(frame.pulse.spectrum_of(ports))
    return frame, propagate(paths, sent, listeners, frame.n_samples, rate_hz), symbols, radiated


def test_twice_the_sample_rate_gives_the_same_symbols() -> None:
    (slow, one, *_), (fast, two, *_) = received(4), received(8)
    for name, samples in one.items():
        few = slow.pulse.detect(slow.pulse.spectrum_of(samples))
        many = fast.pulse.detect(fast.pulse.spectrum_of(two[name]))
        # single-precision front ends and the clock's interpolator: 100 dB
        assert np.abs(many - few).max() < 1e-4 * np.abs(few).max()


def test_twice_the_sample_rate_gives_the_same_measurement() -> None:
    reports = []
    for samples_per_symbol in (4, 8):
        frame, arrived, symbols, radiated = received(samples_per_symbol)
        samples = np.concatenate([arrived[user.name] for user in SCENARIO.ordered_users])
        observer = UserObserver(frame, station_power(SCENARIO), 0.95)
        reports.append(observer.observe(samples, symbols.reshape(6, -1), radiated))
    slow, fast = reports
    # One Gauss-Newton step, from a start on another grid: equal to well within the errors that noise makes at 35 dB
    # (0.008 samples, 2.5 Hz, 5e-3 of the channel).
    assert np.allclose(fast.timing.delay_samples / 2, slow.timing.delay_samples, atol=4e-3)
    assert np.allclose(fast.timing.offset_hz, slow.timing.offset_hz, atol=1.0)
    error = np.linalg.norm(fast.state.channels - slow.state.channels, axis=-1)
    assert np.all(error < 1e-3 * np.linalg.norm(slow.state.channels, axis=-1))
    assert slow.payload is not None
    assert fast.payload is not None
    few, many = slow.payload.sinr.value, fast.payload.sinr.value
    assert np.allclose(10 * np.log10(many), 10 * np.log10(few), atol=0.01)
