"""The physics of a unit: converters, clocks, oscillators, gains, and what is on the air when."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from drivers import RadioRequest, RadioSettings, exchange, open_radios
from drivers.pluto.levels import RX_FULL_SCALE_DBM, RX_FULL_SCALE_WORD, TX_FULL_SCALE_DBM
from drivers.simulated import radio as simulated_radio
from drivers.simulated.front_end import FrontEnd
from drivers.simulated.scene import Node, Scene
from drivers.virtual.air_time import AirClock, FastClock, PacedClock
from drivers.virtual.medium import Medium
from drivers.virtual.phase_noise import PhaseNoise
from drivers.virtual.pluto.catalogue import CHIPS, DDS, LPC, PHY
from drivers.virtual.pluto.protocol import Open, Read, Write
from drivers.virtual.pluto.rules import RefusedError
from drivers.virtual.pluto.unit import START_DELAY_S, VirtualPluto
from drivers.virtual.pluto.waveform import Buffer, codes

RATE_HZ, CARRIER_HZ, N = 4_000_000, 2_400_000_000, 2048
QUIET = FrontEnd(noise_figure_db=3.0)
Pair = tuple[VirtualPluto, VirtualPluto]


def scene(west: FrontEnd = QUIET, ann: FrontEnd = QUIET) -> Scene:
    return Scene(
        stations=(Node("west", (0.0, 0.0), 0.0, 2, 2, front_end=west),),
        users=(Node("ann", (12.0, 3.0), 0.0, 0, 1, front_end=ann),),
        serving={"ann": "west"},
        targets=(),
        carrier_hz=CARRIER_HZ,
        symbol_rate_hz=RATE_HZ / 4,
        seed=5,
    )


def booted(the_scene: Scene, clock: AirClock | None = None) -> Pair:
    medium, clock = Medium(the_scene), clock or FastClock()
    chips = (CHIPS["ad9361"], CHIPS["ad9363a"])
    west, ann = (
        VirtualPluto(node, i, chips[i], str(i), medium, clock, seed=the_scene.seed)
        for i, node in enumerate(the_scene.nodes)
    )
    for unit in (west, ann):
        put(unit, "INPUT", "voltage0", "sampling_frequency", RATE_HZ)
        for lo in (0, 1):
            put(unit, "OUTPUT", f"altvoltage{lo}", "frequency", CARRIER_HZ)
        for i in range(unit.chip.n):
            put(unit, "INPUT", f"voltage{i}", "gain_control_mode", "manual")
            put(unit, "INPUT", f"voltage{i}", "hardwaregain", 50)
            put(unit, "OUTPUT", f"voltage{i}", "hardwaregain", -10)
    return west, ann


@pytest.fixture
def pair() -> Pair:
    return booted(scene())


def put(unit: VirtualPluto, kind: str, channel: str, attribute: str, value: object, device: str = PHY) -> None:
    text = str(value).encode()
    unit.write(Write(device, kind, channel, attribute, len(text)), text)


def words_of(burst: np.ndarray) -> bytes:
    """(n_tx, n) of full scale 1 as interleaved 16-bit words."""
    flat = np.stack([burst.real, burst.imag], axis=-1).transpose(1, 0, 2)
    return np.rint(flat * 32767).astype("<i2").tobytes()


def send(unit: VirtualPluto, burst: np.ndarray, *, cyclic: bool = True):
    stream = unit.open(Open(DDS, burst.shape[1], 4 ** burst.shape[0] - 1, cyclic))
    stream.push(words_of(burst))
    return stream


def listen(unit: VirtualPluto, n: int = N) -> Callable[[], np.ndarray]:
    """Return what gives the next fresh block, (n_rx, n), full scale 1."""
    unit.set_kernel_buffers(LPC, 1)
    stream = unit.open(Open(LPC, n, 4**unit.chip.n - 1, cyclic=False))

    def block() -> np.ndarray:
        words = np.frombuffer(b"".join(stream.read(stream.block_bytes, 1.0)), dtype="<i2")
        return (words.reshape(n, -1, 2) @ [1, 1j]).T / RX_FULL_SCALE_WORD

    return block


def tones(n: int, seed: int = 1, scale: float = 0.2) -> np.ndarray:
    """(2, n): a periodic signal of a quarter of the bandwidth, and nothing on the second port."""
    rng = np.random.default_rng(seed)
    spectrum = np.zeros(n, dtype=complex)
    spectrum[np.r_[1 : n // 8, -n // 8 : 0]] = np.exp(2j * np.pi * rng.random(n // 8 - 1 + n // 8))
    one = np.fft.ifft(spectrum)
    return np.stack([scale * one / np.sqrt(np.mean(np.abs(one) ** 2)), np.zeros(n)])


# ----------------------------------------------------------------------------------------------- converters, waveforms


def test_the_lowest_four_bits_are_not_connected() -> None:
    assert codes(np.array([15, 16, -1, -16, -17, 32767, -32768], dtype=np.int16)).tolist() == [
        0,
        1,
        -1,
        -1,
        -2,
        2047,
        -2048,
    ]


def on_the_grid(period: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """A band-limited periodic signal at any position in samples."""
    n = len(period)
    bins = np.fft.fftfreq(n, 1 / n)
    return np.exp(2j * np.pi * np.outer(positions, bins) / n) @ np.fft.fft(period) / n


@pytest.mark.parametrize("ratio", [1.0, 1.00002, 0.99998, 2.0, 0.5], ids=["same", "fast", "slow", "double", "half"])
@pytest.mark.parametrize("late", [0.0, 0.37, 700.5])
def test_a_buffer_is_interpolated_between_its_samples(ratio: float, late: float) -> None:
    period = tones(512)[0]
    words = np.rint(np.stack([period.real, period.imag], axis=-1)[np.newaxis] * 32767).astype(np.int16)
    buffer = Buffer(words, 0.1, RATE_HZ * ratio, cyclic=True)
    start_s = 0.1 + late / (RATE_HZ * ratio) + 3 * 512 / (RATE_HZ * ratio)
    played = buffer.samples(start_s, 1000, RATE_HZ)[0]
    expected = on_the_grid(buffer.digital[0], (start_s - 0.1) * RATE_HZ * ratio + ratio * np.arange(1000))
    assert np.linalg.norm(played - expected) < 3e-4 * np.linalg.norm(expected)  # -70 dB; 12 bits have -74


def test_blocks_played_once_join_without_a_seam_and_then_fall_silent(pair: Pair) -> None:
    west, _ = pair
    long = tones(4 * N)
    stream = west.open(Open(DDS, N, 15, cyclic=False))
    for i in range(4):
        stream.push(words_of(long[:, i * N : (i + 1) * N]))
    start_s = west.started_late_s
    ports = west.radiation.ports(start_s - 100 / RATE_HZ, 4 * N + 300, RATE_HZ, CARRIER_HZ)[0]
    assert np.max(np.abs(ports[:80])) < 1e-3 * np.max(np.abs(ports))
    assert np.max(np.abs(ports[4 * N + 200 :])) < 1e-3 * np.max(np.abs(ports))
    middle = ports[200 : 4 * N]
    expected = long[0, 100 : 4 * N - 100]
    gain = np.vdot(expected, middle) / np.vdot(expected, expected)
    assert np.linalg.norm(middle - gain * expected) < 2e-3 * np.linalg.norm(middle)
    full_scale = np.sqrt(10 ** ((TX_FULL_SCALE_DBM - 10 - 30) / 10))
    assert abs(gain) == pytest.approx(full_scale, rel=1e-3)


# -------------------------------------------------------------------------------------------------- the same physics


def test_a_unit_hears_what_a_simulated_radio_hears(pair: Pair) -> None:
    """One burst through both: the same channel, to the phase, once the unknown start is taken out."""
    burst = np.stack([tones(N, 1)[0], tones(N, 2)[0]]).astype(np.complex64)
    settings = RadioSettings(CARRIER_HZ, RATE_HZ, tx_gain_db=0.0, rx_gain_db=50.0)
    asked = [RadioRequest("west", "simulated", 2, 2), RadioRequest("ann", "simulated", 0, 1)]
    radios = open_radios(asked, scene())
    for radio in radios.values():
        radio.configure(settings)
    simulated = exchange(radios, {"west": burst}, N, 0.1)["ann"].samples[0]
    level_db = (simulated_radio.TX_FULL_SCALE_DBM - simulated_radio.RX_FULL_SCALE_DBM) - (
        TX_FULL_SCALE_DBM - RX_FULL_SCALE_DBM
    )
    west, ann = pair
    for i in range(2):
        put(west, "OUTPUT", f"voltage{i}", "hardwaregain", 0)
    send(west, burst)
    block = listen(ann)
    block()
    virtual = block()[0] * 10 ** (level_db / 20)
    late = west.started_late_s * RATE_HZ
    aligned = np.fft.ifft(np.fft.fft(virtual) * np.exp(2j * np.pi * np.fft.fftfreq(N) * late))
    inside = slice(100, -100)  # the simulated burst begins and ends hard
    error = np.linalg.norm((aligned - simulated)[inside]) / np.linalg.norm(simulated[inside])
    assert error < 0.03  # noise of both, 12 bits of the one


# ------------------------------------------------------------------------------------------------- clocks, oscillators


@pytest.mark.parametrize("ppm", [40.0, -25.0])
def test_a_crystals_error_is_in_carrier_and_in_clock(ppm: float) -> None:
    fast = replace(QUIET, carrier_offset_ppm=ppm, sample_clock_offset_ppm=ppm)
    west, ann = booted(scene(ann=fast))
    n = 1 << 15
    send(west, tones(n))
    block = listen(ann, n)
    block()
    received, sent = block()[0], tones(n)[0]
    half = n // 2
    peaks = []
    for first in (0, half):  # phase and delay of the carrier and of the samples, in both halves of a block
        turned = received * np.exp(2j * np.pi * CARRIER_HZ * ppm * 1e-6 * np.arange(n) / RATE_HZ)
        part = np.zeros(n, dtype=complex)
        part[first : first + half] = turned[first : first + half]
        correlation = np.fft.ifft(_upsampled(np.fft.fft(part) * np.conj(np.fft.fft(sent)), 16))
        peaks.append(np.argmax(np.abs(correlation)) / 16)
    # The receiver's clock runs fast by ppm: over half a block, what is sent seems to come later by so much.
    drift = (peaks[1] - peaks[0] + n / 2) % n - n / 2
    assert drift == pytest.approx(half * ppm * 1e-6, abs=0.07)


def _upsampled(spectrum: np.ndarray, times: int) -> np.ndarray:
    n = len(spectrum)
    padded = np.zeros(n * times, dtype=complex)
    padded[: n // 2], padded[-n // 2 :] = spectrum[: n // 2], spectrum[-n // 2 :]
    return padded


def test_every_tune_draws_another_phase_if_the_front_end_says_so() -> None:
    west, ann = booted(scene(west=replace(QUIET, random_phase=True)))
    constant = np.stack([np.full(N, 0.3), np.zeros(N)])
    send(west, constant)
    block = listen(ann)
    block()
    phases = []
    for _ in range(4):
        phases.append(np.angle(block()[0].mean()))
        phases.append(np.angle(block()[0].mean()))
        put(west, "OUTPUT", "altvoltage1", "frequency", CARRIER_HZ)
        block()
    turned = np.abs(np.angle(np.exp(1j * np.diff(phases))))
    assert (turned[::2] < 0.01).all()
    assert (turned[1::2] > 0.05).all()


def test_phase_noise_is_one_path_for_whoever_asks_in_whatever_order() -> None:
    linewidth_hz, n = 100.0, 1 << 14
    one, other = (PhaseNoise(linewidth_hz, [7]) for _ in range(2))
    whole = one.phase_rad(0.5, 4 * n, RATE_HZ)
    for i in (3, 0, 2, 1):
        part = other.phase_rad(0.5 + i * n / RATE_HZ, n, RATE_HZ)
        assert np.allclose(part, whole[i * n : (i + 1) * n], atol=1e-6)
    apart = np.array([PhaseNoise(linewidth_hz, [seed]).phase_rad(1.0, 2, 100.0) for seed in range(400)])
    spread = np.var(np.diff(apart, axis=1)) / (2 * np.pi * linewidth_hz * 0.01)  # of the increment in 10 ms
    assert 0.7 < spread < 1.35  # chi-square of 400: four standard deviations are 0.28
    assert not PhaseNoise(0.0, [7]).phase_rad(0.0, 5, RATE_HZ).any()


def test_phase_noise_reaches_the_samples() -> None:
    west, ann = booted(scene(west=replace(QUIET, phase_noise_linewidth_hz=200.0)))
    send(west, np.stack([np.full(N, 0.3), np.zeros(N)]))
    block = listen(ann, 1 << 14)
    block()
    phase = np.unwrap(np.angle(block()[0].reshape(64, -1).mean(axis=1)))  # 64 us each
    expected = 2 * np.pi * 200.0 * 64e-6 * (2 / 3)  # of means of neighbouring stretches of a Wiener process
    assert 0.4 < np.var(np.diff(phase)) / expected < 2.0


def test_carriers_apart_beyond_the_band_are_not_heard(pair: Pair) -> None:
    west, ann = pair
    send(west, tones(N))
    block = listen(ann)
    block()
    near = np.std(block())
    put(west, "OUTPUT", "altvoltage1", "frequency", CARRIER_HZ + RATE_HZ)
    block()
    assert np.std(block()) < 0.1 * near


# ---------------------------------------------------------------------------------------------------- who is on the air


@pytest.mark.parametrize(
    ("where", "value"),
    [(("OUTPUT", "altvoltage1", "powerdown"), "1"), (("", "", "ensm_mode"), "alert")],
    ids=["oscillator off", "alert"],
)
def test_a_transmitter_can_be_switched_off(pair: Pair, where: tuple[str, str, str], value: str) -> None:
    west, ann = pair
    send(west, tones(N))
    block = listen(ann)
    block()
    loud = np.std(block())
    assert west.is_transmitting
    put(west, *where, value)
    assert not west.is_transmitting
    block()
    assert np.std(block()) < 0.1 * loud


def test_a_receiver_whose_oscillator_is_off_hears_its_noise_only(pair: Pair) -> None:
    west, ann = pair
    send(west, tones(N))
    put(ann, "OUTPUT", "altvoltage0", "powerdown", "1")
    block = listen(ann)
    block()
    assert np.std(block()) < 0.01


def test_at_the_lowest_gain_the_converters_noise_is_read(pair: Pair) -> None:
    _, ann = pair
    put(ann, "INPUT", "voltage0", "hardwaregain", -3)
    block = listen(ann)
    block()
    steps = block() * RX_FULL_SCALE_WORD
    assert 0.2 < np.sqrt(np.mean(np.abs(steps) ** 2) / 2) < 0.5  # 0.3 of its own, rounded


def test_automatic_gain_brings_the_level_where_converters_like_it(pair: Pair) -> None:
    west, ann = pair
    send(west, tones(N))
    put(ann, "INPUT", "voltage0", "gain_control_mode", "slow_attack")
    block = listen(ann)
    block()
    level_dbfs = 10 * np.log10(np.mean(np.abs(block()) ** 2))
    assert -11.1 < level_dbfs < -9.9  # the target is -10, gains are whole decibels
    gain = ann.read(Read(PHY, "INPUT", "voltage0", "hardwaregain"))
    assert -3 <= float(gain.split()[0]) <= 71


def test_the_level_indicator_shows_what_is_on_the_air_now(pair: Pair) -> None:
    west, ann = pair
    rssi = Read(PHY, "INPUT", "voltage0", "rssi")
    silent_db = float(ann.read(rssi).split()[0])
    stream = send(west, tones(N))
    listen(ann)()  # the start is late, and would be half of what is measured
    loud_db = float(ann.read(rssi).split()[0])
    path_db = 20 * np.log10(4 * np.pi * np.hypot(12, 3) * CARRIER_HZ / 299_792_458)
    assert loud_db == pytest.approx(path_db - (TX_FULL_SCALE_DBM - 10 + 20 * np.log10(0.2)), abs=1.0)
    west.close(stream)
    assert float(ann.read(rssi).split()[0]) == pytest.approx(silent_db, abs=1.0)
    assert silent_db > loud_db + 10


def test_starts_are_late_by_less_than_stated_and_by_the_seed() -> None:
    def delays() -> list[float]:
        west, _ = booted(scene())
        late = []
        for _ in range(20):
            west.close(send(west, tones(64)))
            late.append(west.started_late_s)
        return late

    assert delays() == delays()
    assert all(0 <= late <= START_DELAY_S for late in delays())
    assert np.ptp(delays()) > 0.3 * START_DELAY_S


def test_a_busy_device_is_waited_for_as_the_daemon_does(pair: Pair) -> None:
    """A reload closes one buffer and opens another on different sockets: which comes first is chance."""
    west, _ = pair
    request = Open(DDS, 64, 15, cyclic=True)
    first = west.open(request)
    threading.Timer(0.02, west.close, [first]).start()
    west.open(request)
    began = time.monotonic()
    with pytest.raises(RefusedError) as refusal:
        west.open(request)
    assert refusal.value.code == errno.EBUSY
    assert 0.04 < time.monotonic() - began < 1.0


def test_a_unit_that_is_switched_off_leaves_the_air(pair: Pair) -> None:
    west, ann = pair
    send(west, tones(N))
    west.close_all()
    assert not west.is_transmitting
    block = listen(ann)
    block()
    assert np.std(block()) < 0.01


def test_in_real_time_blocks_join_until_the_client_is_late() -> None:
    """The kernel keeps two blocks of a millisecond; what comes while both are full is lost, and nothing says so."""
    now = [0.0]
    clock = PacedClock(lambda: now[0], lambda seconds: now.append(now.pop() + seconds))
    _, ann = booted(scene(), clock)
    ann.set_kernel_buffers(LPC, 2)
    stream = ann.open(Open(LPC, RATE_HZ // 1000, 3, cyclic=False))
    starts: list[float] = []
    captured = ann.captured
    ann.captured = lambda start_s, n, number: starts.append(start_s) or captured(start_s, n, number)

    def read(blocks: int) -> None:
        for _ in range(blocks):
            b"".join(stream.read(stream.block_bytes, 1.0))

    read(3)
    assert now[0] == pytest.approx(0.003)
    now[0] += 0.010
    read(3)
    assert starts[:5] == pytest.approx([0.000, 0.001, 0.002, 0.003, 0.004])
    assert starts[5] == pytest.approx(0.013)


def flag_of_lost_samples(unit: VirtualPluto, device: str, *, clear: bool = False) -> int:
    if clear:
        put(unit, "DEBUG", "", "direct_reg_access", "0x80000088 0x7", device)
    put(unit, "DEBUG", "", "direct_reg_access", str(0x80000088), device)
    return int(unit.read(Read(device, "DEBUG", "", "direct_reg_access")), 0)


def test_a_register_tells_of_lost_samples() -> None:
    """As in pyadi-iio's tests of over- and underflow: none while the client keeps up, one when it sleeps."""
    now = [0.0]
    _, ann = booted(scene(), PacedClock(lambda: now[0], lambda seconds: now.append(now.pop() + seconds)))
    heard = ann.open(Open(LPC, RATE_HZ // 1000, 3, cyclic=False))
    played = ann.open(Open(DDS, RATE_HZ // 1000, 3, cyclic=False))
    for _ in range(6):
        played.push(bytes(played.block_bytes))
        b"".join(heard.read(heard.block_bytes, 1.0))
    assert (flag_of_lost_samples(ann, LPC), flag_of_lost_samples(ann, DDS)) == (0, 0)
    now[0] += 0.020
    assert (flag_of_lost_samples(ann, LPC), flag_of_lost_samples(ann, DDS)) == (4, 1)
    b"".join(heard.read(heard.block_bytes, 1.0))  # the gap stays told of
    played.push(bytes(played.block_bytes))
    assert (flag_of_lost_samples(ann, LPC), flag_of_lost_samples(ann, DDS)) == (4, 1)
    for _ in range(4):
        b"".join(heard.read(heard.block_bytes, 1.0))
        played.push(bytes(played.block_bytes))
    assert (flag_of_lost_samples(ann, LPC, clear=True), flag_of_lost_samples(ann, DDS, clear=True)) == (0, 0)
    put(ann, "DEBUG", "", "direct_reg_access", "0x80000000", LPC)
    assert ann.read(Read(LPC, "DEBUG", "", "direct_reg_access")) == "0x0"
    for text in ("", "x", "1 2 3", "-1"):
        with pytest.raises(RefusedError):
            put(ann, "DEBUG", "", "direct_reg_access", text, LPC)


# ---------------------------------------------------------------------------------------------------------- repeatable


def test_units_that_capture_at_the_same_time_do_not_disturb_one_another() -> None:
    """As fast as possible, the same requests give the same words in whatever order threads are scheduled."""

    def words(hurry: int) -> list[bytes]:
        units = booted(scene(QUIET, replace(QUIET, carrier_offset_ppm=1.0, sample_clock_offset_ppm=1.0)))
        heard: dict[str, bytes] = {}

        def capture(unit: VirtualPluto) -> None:
            if units.index(unit) == hurry:
                time.sleep(0.02)
            stream = unit.open(Open(LPC, N, 4**unit.chip.n - 1, cyclic=False))
            for _ in range(6):
                heard[unit.name] = heard.get(unit.name, b"") + b"".join(stream.read(stream.block_bytes, 1.0))
            unit.close(stream)

        for seed in range(2):  # two exchanges
            stream = send(units[0], tones(N, seed))
            threads = [threading.Thread(target=capture, args=(unit,)) for unit in units]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            units[0].close(stream)
        return [heard[unit.name] for unit in units]

    assert words(0) == words(1)
