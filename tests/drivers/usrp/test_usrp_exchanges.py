"""The driver against virtual N210s: alignment, phases, and what goes wrong said by name. One opening for all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from drivers import (
    DeviceLostError,
    RadioRequest,
    RadioSettings,
    RadioStateError,
    SampleLossError,
    SettingsError,
    exchange,
    open_radios,
)
from drivers.usrp.radio import UsrpRadio
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.faults import Fault
from drivers.virtual.n210.board import Board
from drivers.virtual.n210.hardware import Hardware
from drivers.virtual.serving import VirtualBench

SETTINGS = RadioSettings(center_hz=2.45e9, sample_rate_hz=1e6, tx_gain_db=20.0, rx_gain_db=20.0)
N = 2000
Radios = dict[str, UsrpRadio]


class Kept:
    """Radios that are opened again only when a test has lost one."""

    def __init__(self, requests: list, scene: object) -> None:
        self.requests, self.scene = requests, scene
        self.radios: Radios = {}

    def open(self) -> Radios:
        if not self.radios:
            self.radios = open_radios(self.requests, self.scene)
            for radio in self.radios.values():
                radio.configure(SETTINGS)
        return self.radios

    def close(self) -> None:
        for radio in self.radios.values():
            radio.close()
        self.radios = {}
        wait_for_endings()


@pytest.fixture(scope="module")
def kept(bench: VirtualBench, uhd: str, asked: tuple) -> Iterator[Kept]:
    one = Kept(*asked)
    yield one
    one.close()


@pytest.fixture
def radios(kept: Kept) -> Radios:
    return kept.open()


@pytest.fixture
def hardware(bench: VirtualBench) -> list[Hardware]:
    """Insides of the station's boards."""
    return [board.hardware for board in bench.radios[0].boards]


def one_at_a_time() -> np.ndarray:
    """A burst in which every channel sends in its own quarter, so that one capture shows all channels."""
    rng = np.random.default_rng(1)
    burst = np.zeros((4, N), dtype=np.complex64)
    for i in range(4):
        burst[i, 100 + 400 * i : 400 + 400 * i] = 0.3 * np.exp(2j * np.pi * rng.random(300))
    return burst


def go(radios: Radios, burst: np.ndarray | None = None, n: int = N, later_s: float = 0.15) -> dict:
    start_s = max(radio.time_s() for radio in radios.values()) + later_s
    return exchange(radios, {"station": one_at_a_time() if burst is None else burst}, n, start_s)


def gains(captures: dict) -> np.ndarray:
    """Complex gain from every transmit to every receive channel of the station, (4, 4)."""
    return captures["station"].samples @ one_at_a_time().conj().T


def test_all_boards_send_and_receive_at_the_asked_time(radios: Radios) -> None:
    start_s = max(radio.time_s() for radio in radios.values()) + 0.15
    captures = exchange(radios, {"station": one_at_a_time()}, N, start_s)
    assert all(abs(capture.start_s - start_s) < 1e-8 for capture in captures.values())
    sent = one_at_a_time()
    for received in captures["station"].samples:
        for i in range(4):  # leakage has no delay, so that every transmit channel is heard at its own samples
            lags = np.correlate(received, sent[i], "full")
            assert np.argmax(np.abs(lags)) == N - 1


def test_phases_stay_over_bursts_and_timed_tunes(radios: Radios) -> None:
    first = gains(go(radios))
    again = [gains(go(radios)) for _ in range(5)]
    for radio in radios.values():
        radio.configure(replace(SETTINGS, center_hz=2.42e9))
        radio.configure(SETTINGS)
    again.append(gains(go(radios)))
    for one in again:
        assert np.abs(np.angle(one / first)).max() < np.radians(1)
        assert np.allclose(np.abs(one), np.abs(first), rtol=0.01)
    assert radios["station"].tunes >= 3


def test_an_untimed_tune_draws_new_phases(radios: Radios, hardware: list[Hardware]) -> None:
    """The virtual front ends keep their phase for timed tunes only: else the test above would show nothing."""
    first, kept_tune = gains(go(radios)), hardware[1].tx.tune
    for word in (1, 2, 4, 0):
        hardware[1].tx.write_synthesizer(hardware[1].tx._synthesizer._words[word], timed=False)
    hardware[1].tx_tunes.record(1e9, hardware[1].tx.tune)
    assert hardware[1].tx.tune.phase_rad != kept_tune.phase_rad
    for radio in radios.values():
        radio.configure(SETTINGS)
    assert np.abs(np.angle(gains(go(radios)) / first)).max() < np.radians(1)


def test_captures_say_how_faithful_the_burst_was_and_how_often_it_was_tuned(radios: Radios) -> None:
    capture = go(radios)["station"]
    assert capture.measured["tunes"] == radios["station"].tunes
    assert -100 < capture.measured["tx_evm_db"] < -80
    assert "tx_evm_db" not in go(radios)["user"].measured


def test_a_capture_that_is_longer_than_a_piece_is_whole(radios: Radios) -> None:
    n = 450_000
    captures = go(radios, n=n)
    assert captures["station"].samples.shape == (4, n)
    assert np.abs(captures["station"].samples[:, -1000:]).max() < 0.01  # and silent at its end
    assert np.abs(captures["station"].samples[:, :N]).max() > 0.001


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("lost_packets", r"lost packet on receive channel 2 \(board V000002\) at \d"),
        ("late_commands", r"late receive command on receive channel 2 \(board V000002\)"),
        ("underflows", r"underflow on transmit channel 2 \(board V000002\)"),
    ],
)
def test_a_fault_is_said_by_name_and_then_all_goes_on(
    radios: Radios, hardware: list[Hardware], bench: VirtualBench, fault: str, words: str
) -> None:
    setattr(hardware[2].faults, fault, 1)
    with pytest.raises(SampleLossError, match=f"radio station: {words}"):
        go(radios)
    assert bench.transmitting == []
    assert np.abs(gains(go(radios))).min() > 0


def test_a_packet_from_a_stranger_harms_nobody(radios: Radios, hardware: list[Hardware]) -> None:
    reference = gains(go(radios))
    hardware[1].faults.strangers = 1
    try:
        captures = go(radios)
    except SampleLossError as error:
        assert "bad packet" in str(error)
        captures = go(radios)
    assert np.abs(np.angle(gains(captures) / reference)).max() < np.radians(1)


def test_flow_control_withheld_is_said_by_name(radios: Radios, hardware: list[Hardware], bench: VirtualBench) -> None:
    n = 400_000  # more than a board's buffer holds
    burst = np.full((4, n), 0.1, dtype=np.complex64)
    hardware[3].faults.withheld = True
    try:
        with pytest.raises(SampleLossError, match=r"radio station: .*(flow control|underflow)"):
            go(radios, burst, n, later_s=1.0)
    finally:
        hardware[3].faults.withheld = False
    assert bench.transmitting == []
    go(radios)


def test_a_burst_that_comes_too_late_is_refused(radios: Radios) -> None:
    with pytest.raises(RadioStateError, match=r"radio station: asked to start at .* arm at least"):
        go(radios, later_s=-0.5)


def test_a_rate_that_cannot_be_made_is_refused_with_the_nearest(radios: Radios) -> None:
    with pytest.raises(SettingsError, match=r"sample_rate_hz = 30720000 .* nearest it can make is 33333333"):
        radios["user"].configure(replace(SETTINGS, sample_rate_hz=30.72e6))
    radios["user"].configure(SETTINGS)


def test_a_frequency_outside_the_front_end_is_refused(radios: Radios) -> None:
    with pytest.raises(SettingsError, match=r"radio user \(N210r4 SBXv3\): center_hz = 5.6e\+09 is outside"):
        radios["user"].configure(replace(SETTINGS, center_hz=5.6e9))


@pytest.fixture
def lost(uhd: str, bench: VirtualBench, asked: tuple, spare: RadioRequest) -> Iterator[UsrpRadio]:
    """A radio of its own, of two boards, for a test that loses it."""
    radio = open_radios([spare], asked[1])["spare"]
    radio.configure(SETTINGS)
    yield radio
    radio.close()
    wait_for_endings()


def test_a_board_that_is_gone_is_said_and_so_is_a_radio_server_that_is_killed(
    lost: UsrpRadio, boards: dict[str, Board], bench: VirtualBench
) -> None:
    sent = one_at_a_time()[:2]
    bench.faults.add(Fault("lost-packet", "spare", nth=2))  # as `testbed emulate --fault spare/lost-packet@2` does
    exchange({"spare": lost}, {"spare": sent}, N, lost.time_s() + 0.15)
    with pytest.raises(SampleLossError, match="radio spare: lost packet"):
        exchange({"spare": lost}, {"spare": sent}, N, lost.time_s() + 0.15)
    assert bench.faults.struck == [("spare", "lost-packet")]
    gone = boards["127.0.3.7"].hardware.faults
    gone.gone = True
    began_s = time.monotonic()
    with pytest.raises(SampleLossError, match=r"radio spare: .* in the exchange at"):
        exchange({"spare": lost}, {"spare": sent}, N, lost.time_s() + 0.15)
    assert time.monotonic() - began_s < 15
    gone.gone = False
    assert bench.transmitting == []
    if not lost.server.is_alive:  # UHD itself may have given up
        return
    lost.arm(sent, N, lost.time_s() + 1.0)
    os.kill(lost.server.process_id, signal.SIGKILL)
    began_s = time.monotonic()
    with pytest.raises(DeviceLostError, match=r"radio spare: its radio server \(process \d+\) ended by signal 9"):
        lost.collect()
    assert time.monotonic() - began_s < 1
    lost.silence()
    time.sleep(1.2)  # what the boards still held has been sent by then
    assert bench.transmitting == []
