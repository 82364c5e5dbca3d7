"""Clients that nobody here wrote: Debian's libiio tools and the libiio binding, against a virtual Pluto."""

from __future__ import annotations

import errno
import math
import shutil
import subprocess
import time
from collections.abc import Callable

import numpy as np
import pytest

from drivers.pluto.levels import TX_FULL_SCALE_DBM
from drivers.simulated.propagation import SPEED_OF_LIGHT
from drivers.virtual.pluto.unit import START_DELAY_S
from drivers.virtual.serving import VirtualBench

RATE_HZ, CARRIER_HZ, N = 4_000_000, 2_400_000_000, 4096
PHY, LPC, DDS = "ad9361-phy", "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"


# ------------------------------------------------------------------------------------------------ command line tools


def test_iio_info_lists_the_whole_unit(bench: VirtualBench, tool: Callable) -> None:
    west, ann = (radio.uri for radio in bench.radios)
    shown = tool("iio_info", "-u", west)
    assert (shown.returncode, shown.stderr) == (0, b"")
    text = shown.stdout.decode()
    for words in (f"hw_serial: {bench.radios[0].serial}", "IIO context has 4 devices", f"iio:device0: {PHY}",
                  "voltage3:  (input, index: 3, format: le:S12/16>>0)", "TX2_Q_F2"):  # fmt: skip
        assert words in text
    assert "ERROR" not in text  # every attribute can be read
    other = tool("iio_info", "-u", ann).stdout.decode()
    assert "ad9363a" in other
    assert "TX2" not in other


def test_iio_attr_reads_and_writes(bench: VirtualBench, tool: Callable) -> None:
    uri = bench.radios[1].uri
    channel = ("iio_attr", "-u", uri, "-c", PHY)
    assert tool(*channel, "voltage0", "sampling_frequency").stdout.split() == [b"30720000"] * 2  # in and out
    assert tool(*channel, "RX_LO", "frequency", "1200000000").returncode == 0
    assert abs(int(tool(*channel, "RX_LO", "frequency").stdout) - 1_200_000_000) <= 4
    refused = tool(*channel, "RX_LO", "frequency", "9000000000")
    assert refused.returncode != 0
    assert b"Invalid argument (22)" in refused.stdout + refused.stderr
    assert abs(int(tool(*channel, "RX_LO", "frequency").stdout) - 1_200_000_000) <= 4
    assert tool("iio_attr", "-u", uri, "-d", PHY, "ensm_mode").stdout.strip() == b"fdd"
    assert tool("iio_attr", "-u", uri, "-D", PHY, "loopback", "1").returncode == 0
    assert tool("iio_attr", "-u", uri, "-D", PHY, "loopback").stdout.strip() == b"1"


def test_iio_readdev_reads_noise(bench: VirtualBench, tool: Callable) -> None:
    read = tool("iio_readdev", "-u", bench.radios[0].uri, "-b", "1024", "-s", "3000", LPC)
    words = np.frombuffer(read.stdout, dtype="<i2").reshape(-1, 4)
    assert (read.returncode, len(words)) == (0, 3000)
    assert (words.std(axis=0) > 1).all()
    only = tool("iio_readdev", "-u", bench.radios[0].uri, "-b", "512", "-s", "512", LPC, "voltage2", "voltage3")
    assert len(only.stdout) == 512 * 4


def test_iio_writedev_plays_once(bench: VirtualBench, tool: Callable) -> None:
    ramp = (np.arange(2 * 1024, dtype="<i2") << 4).tobytes()
    sent = tool("iio_writedev", "-u", bench.radios[1].uri, "-b", "1024", "-s", "1024", DDS, send=ramp)
    assert (sent.returncode, sent.stderr) == (0, b"")
    assert bench.radios[1].unit.blocks_played == 1
    assert not bench.transmitting


def test_iio_writedev_plays_over_and_over_until_it_is_ended(bench: VirtualBench) -> None:
    if shutil.which("iio_writedev") is None:
        pytest.skip("iio_writedev is missing")
    uri = bench.radios[0].uri
    command = ["iio_writedev", "-u", uri, "-c", "-b", "64", DDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writer:
        writer.stdin.write(b"\x20" * 64 * 8)
        writer.stdin.flush()
        assert until(lambda: bench.transmitting == ["west"])
        writer.kill()
    assert until(lambda: not bench.transmitting)


def until(condition: Callable[[], bool]) -> bool:
    """Whether something comes true within seconds."""
    return any(condition() or time.sleep(0.01) for _ in range(500))


# --------------------------------------------------------------------------------------------------------- libiio


def tune(clients, uri: str, **gains: str) -> None:
    """Set rate and carriers, and gains of (direction, channel) by name."""
    phy = clients.context(uri).find_device(PHY)
    phy.find_channel("voltage0").attrs["sampling_frequency"].value = str(RATE_HZ)
    for lo in ("RX_LO", "TX_LO"):
        phy.find_channel(lo, True).attrs["frequency"].value = str(CARRIER_HZ)
    for name, gain in gains.items():
        way, _, channel = name.partition("_")
        one = phy.find_channel(channel, way == "tx")
        if way == "rx":
            one.attrs["gain_control_mode"].value = "manual"
        one.attrs["hardwaregain"].value = gain


def test_a_burst_arrives_with_the_level_and_the_delay_of_the_scene(bench: VirtualBench, clients) -> None:
    """End to end: words into one unit, through free space, words out of the other."""
    west, ann = (radio.uri for radio in bench.radios)
    tune(clients, west, tx_voltage0="-10", tx_voltage1="-89.75")
    tune(clients, ann, rx_voltage0="50")
    rng = np.random.default_rng(1)
    spectrum = np.zeros(N, dtype=complex)
    spectrum[np.r_[1:512, -512:0]] = np.exp(2j * np.pi * rng.random(1023))
    burst = np.fft.ifft(spectrum)
    burst *= 0.25 / np.sqrt(np.mean(np.abs(burst) ** 2))
    words = np.zeros((N, 4), dtype="<i2")
    words[:, 0], words[:, 1] = np.rint(burst.real * 32768), np.rint(burst.imag * 32768)
    sender = clients.buffer(west, DDS, N, cyclic=True)
    sender.write(bytearray(words.tobytes()))
    sender.push()
    assert bench.transmitting == ["west"]
    receiver = clients.buffer(ann, LPC, N)
    for _ in range(2):  # the first block may hold the onset
        receiver.refill()
    received = np.frombuffer(bytes(receiver.read()), dtype="<i2").reshape(-1, 2).astype(float) @ [1, 1j] / 2048

    distance_m = 10.0
    path_db = 20 * math.log10(4 * math.pi * distance_m * CARRIER_HZ / SPEED_OF_LIGHT)
    expected_db = TX_FULL_SCALE_DBM - 10 - path_db + 50 + 20 * math.log10(0.25)
    level_db = 10 * math.log10(np.mean(np.abs(received) ** 2))
    assert abs(level_db - expected_db) < 0.05  # 40 dB above noise and quantisation, 4096 samples
    # The delay: a whole number of samples and the rest of start and path, from the slope of the spectrum's phase.
    cross = np.fft.fft(received) * np.conj(spectrum)
    whole = int(np.argmax(np.abs(np.fft.ifft(cross))))
    bins = np.fft.fftfreq(N, 1 / N)
    used = np.abs(spectrum) > 0
    rest = np.angle(cross[used] * np.exp(2j * np.pi * bins[used] * whole / N))
    slope = np.polyfit(bins[used], np.unwrap(rest[np.argsort(bins[used])])[np.argsort(np.argsort(bins[used]))], 1)[0]
    delay_s = (whole - slope * N / (2 * np.pi)) / RATE_HZ % (N / RATE_HZ)
    path_s = distance_m / SPEED_OF_LIGHT
    assert path_s < delay_s < path_s + START_DELAY_S
    assert bench.radios[0].unit.started_late_s + path_s == pytest.approx(delay_s, abs=2e-9)

    clients.destroy(sender)
    assert bench.transmitting == []


def test_cyclic_buffers_are_for_one_client_and_end_with_it(bench: VirtualBench, clients) -> None:
    uri = bench.radios[0].uri
    first = clients.buffer(uri, DDS, 256, cyclic=True)
    first.write(bytearray(b"\x10" * 2048))
    first.push()
    with pytest.raises(OSError, match="busy") as refusal:
        clients.buffer(uri, DDS, 256, cyclic=True)
    assert refusal.value.errno == errno.EBUSY
    assert bench.transmitting == ["west"]
    clients.destroy(first)
    assert bench.transmitting == []
    clients.buffer(uri, DDS, 256, cyclic=True)


def test_receivers_may_be_several(bench: VirtualBench, clients) -> None:
    for buffer in [clients.buffer(bench.radios[0].uri, LPC, 256) for _ in range(3)]:
        buffer.refill()
        assert len(buffer.read()) == 256 * 8


def test_blocks_that_the_kernel_holds_are_stale(bench: VirtualBench, clients) -> None:
    """After a change, as many old blocks are read as the kernel keeps; then comes the new."""
    uri = bench.radios[1].uri
    tune(clients, uri, rx_voltage0="71")
    clients.device(uri, LPC).set_kernel_buffers_count(3)
    buffer = clients.buffer(uri, LPC, 1024)

    def level() -> float:
        buffer.refill()
        return float(np.frombuffer(bytes(buffer.read()), dtype="<i2").std())

    before = level()
    tune(clients, uri, rx_voltage0="31")
    assert [level() > before / 3 for _ in range(4)] == [True, True, True, False]


def test_words_saturate_at_12_bits(bench: VirtualBench, clients) -> None:
    west, ann = (radio.uri for radio in bench.radios)
    tune(clients, west, tx_voltage0="0")
    tune(clients, ann, rx_voltage0="71")
    sender = clients.buffer(west, DDS, N, cyclic=True)
    tone = 30_000 * np.exp(2j * np.pi * np.arange(N) / 16)
    words = np.zeros((N, 4), dtype="<i2")
    words[:, 0], words[:, 1] = tone.real, tone.imag
    sender.write(bytearray(words.tobytes()))
    sender.push()
    receiver = clients.buffer(ann, LPC, N)
    receiver.refill()
    receiver.refill()
    received = np.frombuffer(bytes(receiver.read()), dtype="<i2")
    assert (received.min(), received.max()) == (-2048, 2047)


def test_a_unit_whose_generators_are_on_transmits_when_no_buffer_is_open(bench: VirtualBench, clients) -> None:
    uri = bench.radios[0].uri
    tone = clients.context(uri).find_device(DDS).find_channel("TX1_I_F1", True)
    tone.attrs["scale"].value = "0.5"
    assert bench.transmitting == ["west"]
    buffer = clients.buffer(uri, DDS, 256, cyclic=True)
    buffer.write(bytearray(2048))
    buffer.push()
    assert bench.transmitting == []  # zeros from the buffer
    clients.destroy(buffer)
    assert bench.transmitting == ["west"]
    tone.attrs["raw"].value = "0"
    assert bench.transmitting == []


def test_in_real_time_a_block_takes_as_long_as_its_samples(serve: Callable, clients) -> None:
    uri = serve(paced=True).radios[1].uri
    tune(clients, uri)
    buffer = clients.buffer(uri, LPC, 40_000)
    began = time.monotonic()
    for _ in range(10):
        buffer.refill()
    # ten blocks of 10 ms, of which four at most had come into the kernel's buffers before the first was read
    assert 0.055 < time.monotonic() - began < 1.0


def test_the_seed_decides_every_word(serve: Callable, clients) -> None:
    def words() -> list[bytes]:
        uris = [
            radio.uri for radio in serve(random_phase=True, carrier_offset_ppm=0.5, sample_clock_offset_ppm=0.5).radios
        ]
        for uri in uris:
            tune(clients, uri, tx_voltage0="-10", rx_voltage0="50")
        sender = clients.buffer(uris[0], DDS, 512, cyclic=True)
        sender.write(bytearray(np.random.default_rng(2).integers(-8000, 8000, 2048, dtype="<i2").tobytes()))
        sender.push()
        read = []
        for uri in uris:
            receiver = clients.buffer(uri, LPC, 512)
            for _ in range(6):
                receiver.refill()
            read.append(bytes(receiver.read()))
        return read

    assert words() == words()
