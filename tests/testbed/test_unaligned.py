"""Stations that nobody aligned, frame by frame: each law of the measurement on data made by its own model, seeded."""

import numpy as np
import pytest
from scipy.stats import binom, chi2, f

from drivers.simulated.impairments import sample_clock_offset
from precoding import steering
from testbed.frame import Frame
from testbed.measurement.arrival import Arrivals, Lock, OnAir, RelativeArrival, relative_to
from testbed.measurement.csi_drift import channel_distance, in_phase
from testbed.measurement.link_search import phase_origin
from testbed.measurement.sounding import ChannelState
from testbed.measurement.stations import StationReport, observe_station
from testbed.measurement.synchronisation import least_quality
from testbed.measurement.unaligned_users import UnalignedObserver
from testbed.measurement.users import UserReport
from testbed.measurement.weighted_chi_square import error_quantile
from testbed.scenario import FrameOptions

OPTIONS = FrameOptions(140e3, gap_symbols=32, guard_symbols=96, tail_symbols=40, roll_off=0.5)
POWER = np.array([1.0, 0.5])
FRAME = Frame(OPTIONS, n_stations=2, n_tx=2)
RATE_HZ = FRAME.sample_rate_hz
SPREAD_S, CARRIER_HZ = 150e-6, 2.45e9
OBSERVER = UnalignedObserver(FRAME, 0.95)


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def within(hits: int, trials: int, probability: float) -> bool:
    """Whether a count is in the central 99.8 % of its binomial law."""
    return bool(binom.ppf(0.001, trials, probability) <= hits <= binom.ppf(0.999, trials, probability))


def late(samples: np.ndarray, delay_samples: float) -> np.ndarray:
    frequency = np.fft.fftfreq(samples.shape[-1])
    return np.asarray(np.fft.ifft(np.fft.fft(samples) * np.exp(-2j * np.pi * frequency * delay_samples)))


def turned(samples: np.ndarray, offset_hz: float) -> np.ndarray:
    return np.asarray(samples * np.exp(2j * np.pi * offset_hz / RATE_HZ * np.arange(samples.shape[-1])))


class Trial:
    """One frame of two stations to one user each: starts, crystals and channels are all drawn."""

    def __init__(self, rng: np.random.Generator, cross_db: float, variance: float) -> None:
        self.variance = variance
        self.channels = noise(rng, 2, 2, 2) * np.where(np.eye(2), 1.0, 10 ** (cross_db / 20))[..., None]
        self.weights = noise(rng, 2, 2, 1) / np.sqrt(2)
        self.symbols = FRAME.draw(rng, 1)
        self.radiated = FRAME.preamble(POWER)
        self.radiated[..., FRAME.payload] = self.weights @ self.symbols
        self.delay = rng.uniform(-0.5, 0.5, 2) * SPREAD_S * RATE_HZ + rng.uniform(0, 0.2, (2, 2))
        stations, users = rng.uniform(-0.5, 0.5, (2, 2)) * 1e-6 * CARRIER_HZ
        self.offset_hz = stations - users[:, None]
        sent = FRAME.pulse.shape(self.radiated)
        self.samples = np.sqrt(4 * variance) * noise(rng, 2, FRAME.n_samples)
        for u in range(2):
            for n in range(2):
                arriving = late(self.channels[u, n] @ sent[n], self.delay[u, n])
                self.samples[u] += turned(arriving, self.offset_hz[u, n])

    def report(self) -> UserReport:
        return OBSERVER.observe(self.samples, self.symbols.reshape(2, -1), self.radiated)

    def error(self, state: ChannelState, arrivals: Arrivals) -> np.ndarray:
        """Errors of the links, (U, J)."""
        instant = np.array([phase_origin(FRAME, n) for n in range(2)]) + arrivals.delay_samples
        true = self.channels * np.exp(2j * np.pi * self.offset_hz * instant / RATE_HZ)[..., None]
        return np.asarray(np.linalg.norm(state.channels - true, axis=-1))

    @property
    def powers(self) -> np.ndarray:
        """Of each stream at each user, (U, U)."""
        return np.abs(np.einsum("unt,ntk->un", self.channels, self.weights)) ** 2

    @property
    def sinr(self) -> np.ndarray:
        own = np.diagonal(self.powers)
        return np.asarray(own / (self.powers.sum(axis=1) - own + self.variance))


# ---------------------------------------------------------------- arrival


def test_what_arrives_late_and_turned_is_seen_as_it_is() -> None:
    rng = np.random.default_rng(1)
    symbols = FRAME.preamble(POWER)[0]
    symbols[:, FRAME.payload] = noise(rng, 2, 128)
    on_air, lock = OnAir(FRAME, symbols, 600.0), Lock(17.3, 1200.0, 500.0)
    seen = on_air.seen(lock, -41.6, -900.0)
    antenna = on_air.at_antenna(-41.6, -900.0)
    received = lock.symbols(FRAME, antenna)
    turn = np.exp(2j * np.pi * 1200.0 / RATE_HZ * (600 - 500 - 41.6 - 17.3))  # what the lock turned back until then
    assert np.allclose(received * turn, seen, atol=3e-4)  # tails of pulses cross the frame's end, where the turn jumps
    assert np.allclose(on_air.seen(lock, lock.delay_samples, lock.offset_hz), symbols, atol=1e-9)
    assert np.allclose(np.abs(antenna), np.abs(late(FRAME.pulse.shape(symbols), -41.6)), atol=1e-9)
    step, weights = 1e-4, noise(rng, 2)
    slope = (on_air.seen(lock, -41.6 - step, 1200.0) - on_air.seen(lock, -41.6 + step, 1200.0)) / (2 * step)
    assert np.allclose(weights @ slope, on_air.slope(lock, -41.6, 1200.0, weights), atol=1e-6)
    own = on_air.slope(lock, lock.delay_samples, lock.offset_hz, weights)
    assert np.allclose(own, on_air.slope(lock, lock.delay_samples + 1e-9, lock.offset_hz, weights), atol=1e-6)


@pytest.mark.parametrize("ppm", [0.5, 1.0])
def test_a_sample_clock_as_far_off_as_the_carrier_changes_nothing_within_a_frame(ppm: float) -> None:
    symbols = FRAME.preamble(POWER)
    symbols[..., FRAME.payload] = noise(np.random.default_rng(2), 2, 2, 128)
    sent = FRAME.pulse.shape(symbols)
    error = sample_clock_offset(sent, ppm) - sent
    power_db = 10 * np.log10(np.sum(np.abs(error) ** 2) / np.sum(np.abs(sent) ** 2))
    assert -80 < power_db < -60 + 20 * np.log10(ppm)  # not nothing, but below any noise and any crystal's


def test_users_tell_how_stations_start_whatever_their_own_start_and_crystal() -> None:
    own_start, own_hz = np.array([3.0, -7.0, 20.0])[:, None], np.array([100.0, -900.0, 50.0])[:, None]
    variance = np.array([[1.0, 1.0], [1e-2, np.inf], [4.0, 1.0]])
    apart, apart_hz = np.array([0.0, 11.5]), np.array([0.0, -2000.0])
    found = Arrivals(own_start + apart, own_hz + apart_hz, variance, variance)
    relative = relative_to(0, found)
    assert relative is not None
    assert relative.delay_samples == pytest.approx([0.0, 11.5])
    assert relative.offset_hz == pytest.approx([0.0, -2000.0])
    unheard = relative_to(1, Arrivals(own_start + apart, own_hz + apart_hz, variance * np.inf, variance))
    assert unheard is not None
    assert unheard.delay_samples == pytest.approx([0.0, 0.0])
    assert relative_to(0, None) is None


def test_a_phase_of_a_link_is_taken_back_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    old = noise(rng, 2, 2, 1, 4)
    moved = old + 0.01 * noise(rng, 2, 2, 1, 4)
    new = moved * np.exp(2j * np.pi * rng.uniform(size=(2, 2, 1, 1)))
    back = in_phase(new, old)
    assert np.linalg.norm(back - old, axis=-1) == pytest.approx(channel_distance(old, moved, cooperative=False))
    assert np.abs(back) == pytest.approx(np.abs(new))
    assert np.array_equal(in_phase(new, np.full_like(old, np.nan)), new)


# ---------------------------------------------------------------- quantile


def test_the_quantile_is_the_f_law_where_parts_are_alike() -> None:
    got = error_quantile(np.full(6, 0.5), 40, 0.95)
    assert got == pytest.approx(3 * f.ppf(0.95, 6, 40), rel=1e-5)


@pytest.mark.parametrize("variances", [[1.0, 1.0, 2.0, 3.0], [0.1, 0.2, 1.0, 3.0], [1e-6, 1.0], [1.0, 1.001] * 6])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_quantile_covers_what_it_says(variances: list[float], confidence: float) -> None:
    rng, trials = np.random.default_rng(4), 200_000
    ratio = (rng.standard_normal((trials, len(variances))) ** 2 @ variances) / (rng.chisquare(30, trials) / 30)
    inside = int(np.sum(ratio < error_quantile(np.array(variances), 30, confidence)))
    if max(variances) < 1e3 * min(variances):
        assert within(inside, trials, confidence)
    else:  # the series is cut: never too small
        assert inside >= binom.ppf(0.001, trials, confidence)


# ---------------------------------------------------------------- users


def test_users_of_stations_that_start_apart_find_every_link_and_their_sinr() -> None:
    """Every law at once: 90 frames, starts 150 us apart, crystals of 0.5 ppm each way, 30 dB, other cell at -6 dB."""
    rng, frames = np.random.default_rng(5), 90
    inside, covered = np.zeros((2, 2), dtype=int), 0
    squared, ratio, timing, offset, inter, hits = [], [], [], [], [], 0
    for _ in range(frames):
        trial = Trial(rng, -6.0, 1e-3)
        report = trial.report()
        arrivals, payload = report.arrivals, report.payload
        assert arrivals is not None
        assert payload is not None
        assert payload.powers is not None
        error = trial.error(report.state, arrivals)
        inside += error < report.state.radius
        squared.append(error**2 / (2 * report.state.error_variance))
        timing.append((arrivals.delay_samples - trial.delay) / np.sqrt(arrivals.delay_variance))
        offset.append((arrivals.offset_hz - trial.offset_hz) / np.sqrt(arrivals.offset_variance))
        covered += int(np.sum((payload.sinr.low <= trial.sinr) & (trial.sinr <= payload.sinr.high)))
        ratio.append(payload.sinr.value / trial.sinr)
        foreign = np.array([trial.powers[0, 1], trial.powers[1, 0]])
        inter.append((payload.powers.inter_cell - foreign) / payload.powers.inter_cell_error)
        hits += int(np.sum(payload.p_value < 0.05))
        assert np.all(report.timing.quality > 0.9)
    assert within(int(inside.sum()), 4 * frames, 0.95)
    assert within(covered, 2 * frames, 0.95)
    assert abs(10 * np.log10(np.mean(ratio))) < 0.1
    assert np.mean(squared) == pytest.approx(1.0, abs=4 * np.std(squared) / np.sqrt(4 * frames))
    for normalised in (timing, offset):  # as sure as they say, link by link
        count = 4 * frames
        assert chi2.ppf(0.001, count) < np.sum(np.square(normalised)) < chi2.ppf(0.999, count)
    assert np.std(inter) == pytest.approx(1.0, abs=0.15)
    assert within(hits, 2 * frames, 0.05)


@pytest.mark.parametrize("cross_db", [-25.0, -60.0])
def test_a_link_that_is_hardly_heard_or_not_at_all_stays_within_its_ball(cross_db: float) -> None:
    rng, frames, inside = np.random.default_rng(6), 15, np.zeros((2, 2), dtype=int)
    for _ in range(frames):
        trial = Trial(rng, cross_db, 1e-3)
        report = trial.report()
        assert report.arrivals is not None
        inside += trial.error(report.state, report.arrivals) < report.state.radius
        heard = np.isfinite(report.arrivals.delay_variance)
        assert heard[0, 0]
        assert heard[1, 1]
        if cross_db < -50:
            assert not heard[0, 1]
            assert not heard[1, 0]
    own, foreign = inside[0, 0] + inside[1, 1], inside[0, 1] + inside[1, 0]
    assert within(int(own), 2 * frames, 0.95)
    assert foreign >= binom.ppf(0.001, 2 * frames, 0.95)  # what is not found is covered more widely


def test_without_a_signal_there_is_no_sync_and_no_number_passes_for_one() -> None:
    rng, radiated = np.random.default_rng(7), FRAME.preamble(POWER)
    for samples in (noise(rng, 2, FRAME.n_samples), np.zeros((2, FRAME.n_samples), dtype=complex)):
        report = OBSERVER.observe(samples, None, radiated)
        assert report.payload is None
        assert np.all(report.timing.quality < least_quality(FRAME))


# ---------------------------------------------------------------- stations

ANGLES = np.radians([25.0, -10.0])


def echo(rng: np.random.Generator, interference_db: float, apart: bool) -> tuple[StationReport, float]:
    """One frame at a station whose target also reflects another station's signal; the echo has 20 dB over the block.

    Returns:
        The report, and the true gain of the other station's way.
    """
    beams = noise(rng, 2, 2, 1) / 2 + steering(2, ANGLES).conj()[..., None] * np.array([0.7, 0.4])[:, None, None]
    radiated = FRAME.preamble(np.ones(2))
    beams /= np.linalg.norm(beams, axis=(1, 2), keepdims=True)
    radiated[..., FRAME.payload] = beams @ FRAME.draw(rng, 1)
    sent = FRAME.pulse.shape(radiated)
    delay = np.array([0.1, 0.1 + rng.uniform(-1, 1) * SPREAD_S * RATE_HZ * apart])
    offset_hz = np.array([0.0, rng.uniform(-2400, 2400) * apart])
    gains = np.sqrt(100 / 128 * np.array([1.0, 10 ** (interference_db / 10)]))
    samples = 2 * noise(rng, 2, FRAME.n_samples)  # unit noise per symbol
    for n in range(2):
        path = turned(late(steering(2, ANGLES[n]) @ sent[n], delay[n]), offset_hz[n])
        samples += gains[n] * np.outer(steering(2, ANGLES[0]), path) * np.exp(2j * np.pi * rng.uniform())
    relative = RelativeArrival(delay - delay[0], offset_hz) if apart else None
    how = {"cooperative": False, "payload": True}
    return observe_station(FRAME, 0, samples, radiated, relative=relative, **how), float(gains[1])


@pytest.mark.parametrize("interference_db", [-5.0, 10.0])
def test_angle_errors_are_at_the_bound_whenever_and_wherever_the_interference_starts(interference_db: float) -> None:
    rng, frames, normalised = np.random.default_rng(8), 200, []
    for _ in range(frames):
        angle = echo(rng, interference_db, apart=True)[0].angle
        assert angle is not None
        assert angle.estimator == "structured-ml"
        normalised.append((angle.angle_rad - ANGLES[0]) / angle.rcrb_rad)
    total = float(np.sum(np.square(normalised)))
    assert total / chi2.ppf(0.999, frames) < 1 < total / chi2.ppf(0.001, frames)


def test_reflections_between_cells_are_measured_as_well_as_between_aligned_stations() -> None:
    rng, seen = np.random.default_rng(9), {}
    for apart in (False, True):
        rows = [(report.sounding, gain) for report, gain in (echo(rng, 5.0, apart) for _ in range(40))]
        sines = [np.sin(sounding.angles_rad[1]) - np.sin(ANGLES[1]) for sounding, _ in rows]
        gains = [abs(sounding.amplitudes[1]) / gain for sounding, gain in rows]
        seen[apart] = np.sqrt(np.mean(np.square(sines))), np.mean(gains), np.std(gains)
    assert seen[True][0] < 2 * seen[False][0]
    assert seen[True][1] == pytest.approx(1.0, abs=0.05)
    assert seen[True][2] < 2 * seen[False][2]
