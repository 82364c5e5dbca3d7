"""Faults on request: each kind as a client of the real libiio meets it, and the plan that decides when."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

import numpy as np
import pytest

from drivers import SettingsError
from drivers.virtual.faults import PLUTO_KINDS, Fault, FaultPlan, parse_fault

PHY, LPC, DDS = "ad9361-phy", "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"


# ---------------------------------------------------------------------------------------------------------- the plan


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stall", Fault("stall")),
        ("stall@3", Fault("stall", nth=3)),
        ("west/short-read%2.5", Fault("short-read", "west", nth=None, probability=0.025)),
        ("late-reply@2,seconds=6.5", Fault("late-reply", nth=2, seconds=6.5)),
    ],
)
def test_a_fault_is_read_from_text(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("explode", "explode.*refuse, stall"),
        ("stall@0", "first is 1"),
        ("stall%0", "above 0"),
        ("stall%101", "up to 1"),
        ("stall@x", "not of the form"),
        ("stall%1.2.3", "not of the form"),
        ("", "not of the form"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_fault(text)


def test_a_fault_strikes_on_its_occasion_once_for_each_radio() -> None:
    plan = FaultPlan([Fault("busy", nth=2)])
    struck = [bool(plan.strike(radio, "open")) for radio in ("a", "b", "a", "b", "a", "b")]
    assert struck == [False, False, True, True, False, False]
    assert plan.struck == [("a", "busy"), ("b", "busy")]
    assert plan.strike("a", "refill") == {}


def test_random_faults_are_the_seeds() -> None:
    def strikes(seed: int) -> list[bool]:
        plan = FaultPlan([Fault("timeout", "a", nth=None, probability=0.3)], seed)
        return [bool(plan.strike("a", "refill")) for _ in range(200)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 30 < sum(strikes(1)) < 90  # 60 expected; five standard deviations are 32


def test_every_kind_has_an_occasion_that_occurs(serve: Callable, clients) -> None:
    """A plan whose occasion no server announces would never strike."""
    announced: set[str] = set()
    bench = serve()
    plan = bench.faults
    strike = plan.strike
    plan.strike = lambda radio, occasion: announced.add(occasion) or strike(radio, occasion)
    uri = bench.radios[0].uri
    clients.context(uri).find_device(PHY).attrs["ensm_mode"].value = "fdd"
    sender = clients.buffer(uri, DDS, 64, cyclic=True)
    sender.push()
    clients.buffer(uri, LPC, 64).refill()
    assert announced >= {occasion for occasion, _ in PLUTO_KINDS.values()}


# -------------------------------------------------------------------------------------------- what a client sees of it


def test_refuse(serve: Callable, iio) -> None:
    uri = serve(Fault("refuse")).radios[0].uri
    with pytest.raises(ConnectionRefusedError):
        iio.Context(uri)


def test_refuse_for_a_while_at_a_later_connection(serve: Callable, clients) -> None:
    uri = serve(Fault("refuse", nth=2, seconds=0.3)).radios[0].uri
    clients.context(uri)
    time.sleep(0.05)
    with pytest.raises(ConnectionRefusedError):
        clients.context(uri)
    time.sleep(0.4)
    clients.context(uri)


def test_stall(serve: Callable, clients) -> None:
    uri = serve(Fault("stall", nth=40)).radios[0].uri
    context = clients.context(uri)
    context.set_timeout(200)
    mode = context.find_device(PHY).attrs["ensm_mode"]
    began = time.monotonic()
    with pytest.raises(OSError, match="Broken pipe"):
        for _ in range(60):
            assert mode.value == "fdd"
    assert 0.1 < time.monotonic() - began < 3


def test_late_reply_leaves_a_client_out_of_step(serve: Callable, clients) -> None:
    """What makes it dangerous: after the timeout the next answer is that of the question before."""
    uri = serve(Fault("late-reply", nth=1, seconds=0.6)).radios[0].uri
    context = clients.context(uri)
    context.set_timeout(200)
    phy = context.find_device(PHY)
    with pytest.raises(OSError, match="Broken pipe"):
        phy.find_channel("RX_LO", True).attrs["frequency"].value  # noqa: B018 - reading is asking
    time.sleep(0.7)
    assert phy.find_channel("TX_LO", True).attrs["frequency"].value == "2400000000"  # the receiver's


def test_short_read(serve: Callable, clients) -> None:
    buffer = clients.buffer(serve(Fault("short-read")).radios[0].uri, LPC, 1024)
    buffer.refill()
    assert len(buffer.read()) == 1024 * 8 // 2
    buffer.refill()
    assert len(buffer.read()) == 1024 * 8


def test_die_in_a_buffer_cuts_everybody_and_silences_the_unit(serve: Callable, clients) -> None:
    bench = serve(Fault("die", nth=2))
    uri = bench.radios[0].uri
    sender = clients.buffer(uri, DDS, 64, cyclic=True)
    sender.write(bytearray(b"\x10" * 512))
    sender.push()
    receiver = clients.buffer(uri, LPC, 1024)
    receiver.refill()
    assert bench.transmitting == ["west"]
    with pytest.raises(OSError, match="Broken pipe"):
        receiver.refill()
    deadline = time.monotonic() + 5
    while bench.transmitting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bench.transmitting == []
    assert clients.context(uri).attrs["hw_serial"] == bench.radios[0].serial  # it is up again


@pytest.mark.parametrize(("kind", "code"), [("busy", errno.EBUSY), ("timeout", errno.ETIMEDOUT)])
def test_busy_and_timeout(serve: Callable, clients, kind: str, code: int) -> None:
    uri = serve(Fault(kind)).radios[0].uri
    with pytest.raises(OSError) as error:
        clients.buffer(uri, LPC, 64).refill()
    assert error.value.errno == code
    clients.buffer(uri, LPC, 64).refill()


def test_out_of_range(serve: Callable, clients) -> None:
    phy = clients.context(serve(Fault("out-of-range")).radios[0].uri).find_device(PHY)
    with pytest.raises(OSError, match="Invalid argument"):
        phy.attrs["ensm_mode"].value = "alert"
    assert phy.attrs["ensm_mode"].value == "fdd"
    phy.attrs["ensm_mode"].value = "alert"
    assert phy.attrs["ensm_mode"].value == "alert"


def hearing(bench, clients) -> Callable[[], np.ndarray]:
    """The user's unit, tuned, listening in blocks of 1024 samples, one block in the kernel."""
    for radio in bench.radios:
        phy = clients.context(radio.uri).find_device(PHY)
        phy.find_channel("voltage0").attrs["sampling_frequency"].value = "4000000"
        phy.find_channel("TX_LO", True).attrs["frequency"].value = "2400000000"
        phy.find_channel("voltage0", True).attrs["hardwaregain"].value = "0"
        for channel in ("voltage0", "voltage1"):
            if one := phy.find_channel(channel):
                one.attrs["gain_control_mode"].value = "manual"
                one.attrs["hardwaregain"].value = "40"
    clients.device(bench.radios[1].uri, LPC).set_kernel_buffers_count(1)
    buffer = clients.buffer(bench.radios[1].uri, LPC, 1024)

    def heard() -> np.ndarray:
        buffer.refill()
        return np.frombuffer(bytes(buffer.read()), dtype="<i2").reshape(-1, 2) @ [1, 1j]

    return heard


def playing(bench, clients, on_ports: tuple[float, float]):
    """The station sends a constant, of one magnitude on each port."""
    sender = clients.buffer(bench.radios[0].uri, DDS, 1024, cyclic=True)
    words = np.zeros((1024, 4), dtype="<i2")
    words[:, 0], words[:, 2] = (round(30_000 * one) for one in on_ports)
    sender.write(bytearray(words.tobytes()))
    sender.push()
    return sender


def test_phase_jump(serve: Callable, clients) -> None:
    bench = serve(Fault("phase-jump", "ann", nth=5))
    heard = hearing(bench, clients)
    playing(bench, clients, (1.0, 0.0))
    phases = np.angle([heard()[200:].mean() for _ in range(7)])[1:]
    turned = np.abs(np.angle(np.exp(1j * np.diff(phases))))
    assert np.sum(turned > 0.5) == 1  # a jump is at least 45 degrees; noise turns the mean by less than 0.01
    assert np.sum(turned < 0.05) == 4


def test_swapped_ports(serve: Callable, clients) -> None:
    levels = []
    for faults in ((), (Fault("swapped-ports"),)):
        bench = serve(*faults)
        heard = hearing(bench, clients)
        playing(bench, clients, (1.0, 0.0))
        heard()
        ports = bench.radios[0].unit.radiation.ports(0.01, 256, 4e6, 2.4e9)
        levels.append(np.abs(ports).mean(axis=1))
    assert levels[0][0] > 0
    assert levels[0][1] == 0
    assert np.allclose(levels[1], levels[0][::-1])


def test_an_impatient_client_in_real_time_gets_a_timeout(serve: Callable) -> None:
    """The daemon's own timeout, as the client sets it: half its patience."""
    bench = serve(paced=True)
    with socket.create_connection(("127.0.0.1", bench.radios[1].port)) as raw, raw.makefile("rb") as answers:
        raw.sendall(b"TIMEOUT 20\r\nOPEN iio:device3 4000000 00000003\r\n")
        assert [answers.readline() for _ in range(2)] == [b"0\n", b"0\n"]
        raw.sendall(b"READBUF iio:device3 16000000\r\n")
        assert answers.readline() == b"-110\n"  # the block takes 130 ms at 30.72 Msps
