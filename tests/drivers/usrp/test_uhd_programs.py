"""Programs that nobody here wrote, UHD's own, against virtual N210s."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from drivers.virtual.n210.board import Board
from drivers.virtual.serving import VirtualBench

CARRIER_HZ = 2.45e9
USER, FIRST = "addr=127.0.3.5", "addr=127.0.3.1"
COMMON = ("--rate", "1e6")


def test_uhd_find_devices_finds_a_board(bench: VirtualBench, tool: Callable) -> None:
    found = tool("uhd_find_devices", "--args", USER)
    assert found.returncode == 0
    for words in ("type: usrp2", "addr: 127.0.3.5", "name: user 0", f"serial: {bench.radios[1].serial}"):
        assert words in found.stdout


def test_uhd_usrp_probe_reads_the_whole_board(bench: VirtualBench, tool: Callable) -> None:
    probed = tool("uhd_usrp_probe", "--args", FIRST)
    assert probed.returncode == 0
    for words in ("Mboard: N210r4", "FPGA Version: 11.0", "FW Version: 12.4", "SBXv3 TX", "SBXv3 RX",
                  "Sensors: mimo_locked, ref_locked", "Freq range: 400.000 to 4400.000 MHz"):  # fmt: skip
        assert words in probed.stdout


def test_timed_receive_starts_at_the_asked_time(bench: VirtualBench, tool: Callable) -> None:
    shown = tool("rx_timed_samples", "--args", USER, "--nsamps", "10000", "--secs", "0.5", *COMMON)
    packets = re.findall(r"Received packet: (\d+) samples, (\d+) full secs, ([\d.]+) frac secs", shown.stdout)
    assert shown.returncode == 0
    assert sum(int(n) for n, _, _ in packets) == 10000
    times_s = [float(full) + float(part) for _, full, part in packets]
    assert times_s[0] == 0.5
    counted = np.cumsum([0, *(int(n) for n, _, _ in packets[:-1])])
    assert np.allclose(times_s, 0.5 + counted / 1e6, atol=1e-9)


def test_what_is_sent_from_a_file_is_received_into_a_file(
    bench: VirtualBench, boards: dict[str, Board], tool: Callable, tmp_path: Path
) -> None:
    """One board sends a tone from a file while the user's writes what it hears into another, each on its own quartz."""
    sent, got, rate_hz, tone_hz, seconds = tmp_path / "sent.bin", tmp_path / "got.bin", 250e3, 25e3, 5
    tone = 0.5 * np.exp(2j * np.pi * tone_hz / rate_hz * np.arange(seconds * int(rate_hz)))
    (32767 * np.stack([tone.real, tone.imag], axis=1)).astype("<i2").tofile(sent)
    common = ("--rate", "250e3", "--freq", "2.45e9", "--gain", "31.5")
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(tool, "tx_samples_from_file", "--args", FIRST, "--file", str(sent), *common)
        while not boards["127.0.3.1"].is_transmitting and not sending.done():
            time.sleep(0.05)
        received = tool("rx_samples_to_file", "--args", USER, "--file", str(got), "--nsamps", "50000", *common)
    assert (sending.result().returncode, received.returncode) == (0, 0)
    words = np.fromfile(got, dtype="<i2").reshape(-1, 2).astype(float)
    samples = words[:, 0] + 1j * words[:, 1]
    assert len(samples) == 50_000
    spectrum = np.abs(np.fft.fft(samples * np.hanning(len(samples)))) ** 2
    heard_hz = np.fft.fftfreq(len(samples), 1 / rate_hz)[np.argmax(spectrum)]
    apart_ppm = boards["127.0.3.1"].hardware.clock.error_ppm - boards["127.0.3.5"].hardware.clock.error_ppm
    assert abs(apart_ppm) > 0.01
    assert abs(heard_hz - (tone_hz + apart_ppm * 1e-6 * CARRIER_HZ)) < 2 * rate_hz / len(samples)


def test_messages_come_as_they_should(bench: VirtualBench, tool: Callable) -> None:
    """UHD's own test of burst acknowledgements, underflows, time errors and late commands."""
    shown = tool("test_messages", "--args", FIRST, "--ntests", "30")
    assert shown.returncode == 0
    outcomes = re.findall(r"Test (.+?)\s+->\s+(\d+) successes,\s+(\d+) failures", shown.stdout)
    assert {name for name, _, _ in outcomes} == {"Burst ACK", "Underflow", "Time Error", "Late Command"}
    assert all(int(good) >= 1 and int(bad) <= 1 for _, good, bad in outcomes)  # a busy machine makes some late itself


def test_pulses_set_the_time(bench: VirtualBench, tool: Callable) -> None:
    assert "Success!" in tool("test_pps_input", "--args", FIRST).stdout


def test_timed_commands_are_carried_out_at_their_time(bench: VirtualBench, tool: Callable) -> None:
    shown = tool("test_timed_commands", "--args", FIRST)
    assert shown.returncode == 0
    assert re.search(r"Difference between stream time and first packet: -?0\.0+ us", shown.stdout)
