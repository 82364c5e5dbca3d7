"""The inside of a virtual N210: its clock, its receive and transmit chains, what it plays as others see it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from drivers.errors import SettingsError
from drivers.virtual.faults import N210_KINDS, Fault
from drivers.virtual.n210 import vita
from drivers.virtual.n210.clock import BoardClock, Reference
from drivers.virtual.n210.faults import Faults, strike
from drivers.virtual.n210.hardware import Hardware
from drivers.virtual.n210.receiver import LATE, OVERFLOW, Receiver, Stretch
from drivers.virtual.n210.registers import Port, Readback, Setting
from drivers.virtual.n210.transmitter import Event, Played, Transmitter
from drivers.virtual.n210.waveform import waveform
from drivers.virtual.serving import VirtualBench

NOW, CHAIN, RELOAD, STOP = 1 << 31, 1 << 30, 1 << 29, 1 << 28


# ------------------------------------------------------------------------------------------------------------- clock


def test_time_is_set_at_the_next_pulse() -> None:
    clock = BoardClock(Reference(), quartz_ppm=0.0)
    clock.set_at_pps(500_000_000, 3.2)
    assert clock.ticks(3.9) == 390_000_000
    assert clock.ticks(4.25) == 525_000_000
    assert clock.ticks_at_pps(4.25) == 500_000_000
    assert clock.air_s(525_000_000) == pytest.approx(4.25)


def test_without_pulses_the_time_is_never_set_and_the_last_edge_stands_still() -> None:
    reference = Reference()
    clock = BoardClock(reference, quartz_ppm=0.0)
    last = clock.ticks_at_pps(5.5)
    reference.pps = False
    clock.set_at_pps(0, 5.6)
    assert clock.ticks_at_pps(9.5) == last == 500_000_000
    assert clock.ticks(9.5) == 950_000_000
    reference.pps = True
    assert clock.ticks(10.5) == 50_000_000


def test_a_quartz_runs_fast_until_the_reference_takes_over() -> None:
    clock = BoardClock(Reference(), quartz_ppm=2.0)
    assert clock.ticks(100.0) == 10_000_020_000
    clock.use(external=True, now_s=100.0)
    assert (clock.locked, clock.error_ppm) == (True, 0.0)
    assert clock.ticks(200.0) == 20_000_020_000
    clock.reference.present = False
    assert not clock.locked


def test_a_reference_that_goes_and_comes_back_leaves_the_time_off_by_what_the_quartz_was() -> None:
    clock = BoardClock(Reference(), quartz_ppm=2.0)
    clock.use(external=True, now_s=0.0)
    assert clock.ticks(100.0) == 10_000_000_000
    clock.reference.present = False
    assert clock.ticks(100.0) == 10_000_000_000  # it has not jumped
    assert clock.ticks(101.0) == 10_100_000_200
    clock.reference.present = True
    assert clock.ticks(101.0) == 10_100_000_200  # nor does it jump back
    assert clock.ticks(111.0) == 11_100_000_200
    assert clock.air_s(11_100_000_200) == pytest.approx(111.0, abs=1e-9)


def test_a_large_time_loses_no_tick() -> None:
    clock = BoardClock(Reference(), quartz_ppm=0.0)
    large = 1_700_000_000 * 100_000_000 + 3
    clock.set_now(large, 1.0)
    assert clock.ticks(1.0) == large
    assert clock.whole_and_part(1.000000015) == (large + 1, pytest.approx(0.5, abs=1e-6))


# ---------------------------------------------------------------------------------------------------------- receiver


def receiver(decimation: int = 100, per_packet: int = 363) -> tuple[Receiver, list[Stretch]]:
    asked: list[Stretch] = []

    def receive(stretch: Stretch) -> np.ndarray:
        asked.append(stretch)
        return np.full(stretch.n_samples, 0.5, dtype=np.complex64)

    one = Receiver(3, receive)
    one.write_dsp(2, 1 << 9 | 1 << 8 | decimation // 4)
    list(one.write_control(7, per_packet, 0))
    return one, asked


def command(one: Receiver, word: int, ticks: int, now: int) -> list[vita.Packet]:
    list(one.write_control(0, word, now))
    list(one.write_control(1, ticks >> 32, now))
    return [vita.unpack(packet) for packet in one.write_control(2, ticks & 0xFFFFFFFF, now)]


def test_a_timed_receive_comes_at_its_time_in_packets() -> None:
    one, asked = receiver()
    assert command(one, 1000, 5_000_000_000, now=4_999_000_000) == []
    assert [*one.advance(5_000_000_000)] == []
    packets = [vita.unpack(packet) for packet in one.advance(5_001_000_000)]
    assert [len(packet.payload) // 4 for packet in packets] == [363, 363, 274]
    assert [packet.ticks for packet in packets] == [5_000_000_000, 5_000_036_300, 5_000_072_600]
    assert [packet.count for packet in packets] == [0, 1, 2]
    assert [packet.end for packet in packets] == [False, False, True]
    assert asked == [Stretch(5_000_000_000, 100, 1000, 5_000_000_000)]
    assert one.due() is None


def test_a_late_command_is_answered_with_the_code_for_it() -> None:
    one, _ = receiver()
    (message,) = command(one, 1000, 10, now=20)
    assert message.context
    assert int.from_bytes(message.payload, "big") == LATE


def test_a_continuous_stream_goes_on_until_it_is_stopped_and_says_what_it_lost() -> None:
    one, _ = receiver()
    command(one, NOW | CHAIN | RELOAD | 1, 0, now=1000)
    first = [vita.unpack(packet) for packet in one.advance(2_000_000)]
    assert first[0].ticks == 1000
    (lost,) = [vita.unpack(packet) for packet in one.advance(1_000_000_000)]
    assert int.from_bytes(lost.payload, "big") == OVERFLOW
    after = [vita.unpack(packet) for packet in one.advance(1_010_000_000)]
    assert after[0].ticks is not None
    assert (after[0].ticks - 1000) % 100 == 0
    assert after[0].count == (first[-1].count + 1) % 16
    command(one, STOP, 0, now=1_020_000_000)
    assert one.due() is None


# ------------------------------------------------------------------------------------------------------- transmitter


def transmitter() -> Transmitter:
    one = Transmitter()
    one.write_dsp(2, 1 << 9 | 1 << 8 | 25)  # a sample every 100 ticks
    return one


def packet(n: int, ticks: int | None = None, *, start: bool = False, end: bool = False) -> vita.Packet:
    return vita.Packet(vita.to_payload(np.full(n, 0.5, np.complex64)), None, ticks, start=start, end=end)


def events(messages: object) -> list[Event]:
    return [Event(int.from_bytes(vita.unpack(one).payload[:4], "big")) for one in messages]


def test_a_timed_burst_is_played_at_its_time_and_acknowledged() -> None:
    one = transmitter()
    assert [*one.take(0, packet(363, 10_000, start=True), now=0)] == []
    assert [*one.take(1, packet(10, 46_300, end=True), now=1)] == []
    assert [(piece.ticks, piece.end) for piece in one.played] == [(10_000, 46_300), (46_300, 47_300)]
    assert events(one.advance(47_299)) == []
    assert events(one.advance(47_300)) == [Event.BURST_ACK, Event.CONSUMED]


def test_a_late_burst_is_not_played() -> None:
    one = transmitter()
    assert events(one.take(0, packet(363, 10_000, start=True), now=10_001)) == [Event.TIME_ERROR]
    late = events(one.take(1, packet(10, 46_300, end=True), now=90_000))
    assert late == [Event.TIME_ERROR, Event.BURST_ACK, Event.CONSUMED]
    assert one.played == []


def test_a_burst_that_breaks_off_is_an_underflow() -> None:
    one = transmitter()
    list(one.take(0, packet(100, start=True), now=500))
    assert one.played[0].ticks == 500
    assert events(one.advance(10_500)) == [Event.CONSUMED, Event.UNDERFLOW]
    assert one.due() is None


def test_a_missing_packet_is_a_sequence_error() -> None:
    one = transmitter()
    list(one.take(7, packet(100, start=True), now=0))
    assert events(one.take(9, packet(100), now=1)) == [Event.SEQUENCE_ERROR]


def test_flow_control_comes_as_often_as_asked_and_can_be_withheld() -> None:
    one = transmitter()
    one.write_control(5, 1 << 31 | 2, now=0)
    for sequence in range(5):
        list(one.take(sequence, packet(10, start=sequence == 0), now=0))
    assert events(one.advance(2_000)) == [Event.CONSUMED]
    one.withhold = True
    assert events(one.advance(4_000)) == []
    one.withhold = False
    assert events(one.advance(4_001)) == []
    assert Event.CONSUMED in events(one.advance(5_000))


def test_clearing_takes_back_what_was_not_yet_sent() -> None:
    one = transmitter()
    list(one.take(0, packet(363, 10_000, start=True), now=0))
    one.write_control(1, 0, now=20_000)
    assert [(piece.ticks, piece.samples.size) for piece in one.played] == [(10_000, 100)]
    assert one.due() is None


# ---------------------------------------------------------------------------------------------------------- waveform


@pytest.mark.parametrize(
    ("offset", "step"), [(50_000, 100.0), (50_037.25, 100.0), (50_000.5, 100.0003), (50_099.9, 99.999), (50_000, 80.0)]
)
def test_a_burst_is_seen_as_it_is_from_any_clock(offset: float, step: float) -> None:
    large = 10**17
    tone = np.exp(2j * np.pi * 0.21 * np.arange(3000)).astype(np.complex64)
    played = [Played(large + 30_000 * i, 100, tone[300 * i : 300 * (i + 1)], large) for i in range(10)]
    seen = waveform(played, (large + int(offset), offset - int(offset)), step, 1000, nco_hz=0.0)
    expected = np.exp(2j * np.pi * 0.21 * (offset + step * np.arange(1000)) / 100)
    assert seen is not None
    assert np.abs(seen - expected).max() < 1e-4


def test_nothing_is_seen_where_nothing_is_played() -> None:
    played = [Played(1_000_000, 100, np.ones(10, np.complex64), 1_000_000)]
    assert waveform(played, (0, 0.0), 100.0, 1000, 0.0) is None


def test_the_digital_mixer_is_at_zero_at_the_start_of_a_burst() -> None:
    played = [Played(1_000_000, 100, np.ones(2000, np.complex64), 1_000_000)]
    seen = waveform(played, (1_000_000, 0.0), 100.0, 100, nco_hz=1000.0)
    assert seen is not None
    assert np.allclose(np.angle(seen), 2 * np.pi * 1000.0 * np.arange(100) / 1e6)


# ---------------------------------------------------------------------------------------------------------- registers


@pytest.fixture
def hardware() -> Hardware:
    silent = np.zeros(0, dtype=np.complex64)
    return Hardware(lambda _: silent, np.random.default_rng(0), quartz_ppm=1.0)


def test_gains_are_read_from_the_attenuators_pins(hardware: Hardware) -> None:
    """What UHD 4.3 writes for 1 dB and for the largest gain of both directions."""
    list(hardware.write(Setting.GPIO + 3, 0x425C424C, 0.0))
    assert (hardware.tx.tune.gain_db, hardware.rx.tune.gain_db) == (1.0, 1.0)
    list(hardware.write(Setting.GPIO + 3, 0x7F5C7F4C, 0.0))
    assert (hardware.tx.tune.gain_db, hardware.rx.tune.gain_db) == (31.5, 31.5)
    list(hardware.write(Setting.SPI_CONTROL, 0x90000100, 0.0))
    for word in (0x170C0000, 0x1A0A0000):
        list(hardware.write(Setting.SPI_DATA, word, 0.0))
    assert hardware.rx.tune.gain_db == pytest.approx(38.0)


@pytest.mark.parametrize(("value", "external"), [(0x12, False), (0x1C, True), (0x15, False)])
def test_the_reference_is_chosen_by_the_clock_register(hardware: Hardware, value: int, external: bool) -> None:
    list(hardware.write(Setting.CLOCK, value, 1.0))
    assert hardware.clock.error_ppm == (0.0 if external else 1.0)
    hardware.reference.present = False
    locked = bool(hardware.read(Readback.INTERRUPTS, 1.0) & 1 << 11)
    assert locked is not external


def test_a_timed_tune_keeps_the_phase_and_an_untimed_one_does_not(hardware: Hardware) -> None:
    def tune(*, timed: bool) -> float:
        list(hardware.write(Setting.SPI_CONTROL, 0x60000080, 0.0, timed=timed))
        for word in (0x000FA23C, 0x65008A42, 0x00007FF9, 0x00310000):
            list(hardware.write(Setting.SPI_DATA, word, 0.0, timed=timed))
        return hardware.tx.tune.phase_rad

    assert tune(timed=True) == tune(timed=True)
    untimed = {round(tune(timed=False), 6) for _ in range(20)}
    assert len(untimed) == 20
    assert tune(timed=True) not in untimed


def test_setting_the_time_takes_what_was_played_off_the_air(hardware: Hardware) -> None:
    list(hardware.transmitter.take(0, packet(100, start=True), now=0))
    for index, value in ((Setting.TIME_LO, 5), (Setting.TIME_IMMEDIATELY, 1), (Setting.TIME_HI, 0)):
        assert list(hardware.write(index, value, 1.0)) == []
    assert hardware.transmitter.played == []
    assert hardware.read(Readback.TIME_LO, 1.0) == 5


def test_a_late_command_on_request(hardware: Hardware) -> None:
    hardware.faults.late_commands = 1
    list(hardware.write(Setting.RX_CONTROL_0, 1000, 0.0))
    list(hardware.write(Setting.RX_CONTROL_0 + 1, 0, 0.0))
    ((port, message),) = hardware.write(Setting.RX_CONTROL_0 + 2, 100_000_000, 0.0)
    assert port == Port.RX_0
    assert int.from_bytes(vita.unpack(message).payload, "big") == LATE
    assert hardware.faults.late_commands == 0


def test_faults_of_a_plan_happen_to_a_board_and_those_that_last_end(hardware: Hardware) -> None:
    for kind in N210_KINDS:
        strike(Fault(kind, seconds=0.05), hardware.faults, hardware.reference)
    assert hardware.faults == Faults(1, 1, 1, 1, withheld=True, gone=True)
    assert hardware.reference == Reference(present=False, pps=False)
    until_s = time.monotonic() + 5
    while (hardware.faults.gone or not hardware.reference.pps) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert hardware.reference == Reference(present=True, pps=True)
    assert not hardware.faults.withheld
    assert not hardware.faults.gone


def test_a_fault_is_for_a_radio_that_has_it(asked: tuple) -> None:
    with pytest.raises(SettingsError, match=r"fault stall: radio station \(usrp\) has lost-packet"):
        VirtualBench(*asked, faults=[Fault("stall", "station")])
