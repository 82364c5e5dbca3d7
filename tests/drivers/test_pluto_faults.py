"""Every fault of a Pluto at random moments: recovered with all settings, or ended with the right error; never half."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pluto_faults import ENDS, N_SAMPLES, REQUESTS, SETTINGS, burst, explained, fleet, occasions, run_case, scene

from drivers import DeviceLostError, exchange
from drivers.virtual.faults import PLUTO_KINDS, Fault
from drivers.virtual.pluto.protocol import Write
from drivers.virtual.serving import VirtualBench

pytestmark = pytest.mark.usefixtures("real_libiio")

CASES = 3


@pytest.fixture(scope="module")
def counts() -> Counter[tuple[str, str]]:
    return occasions()


def test_every_fault_has_its_ends() -> None:
    assert set(ENDS) == set(PLUTO_KINDS)


@pytest.mark.parametrize("kind", PLUTO_KINDS)
def test_a_fault_at_a_random_moment_makes_no_wrong_capture(kind: str, counts: Counter[tuple[str, str]]) -> None:
    cases = [run_case(kind, seed, counts) for seed in range(CASES)]
    assert [problem for case in cases for problem in case.problems] == []
    assert {case.end for case in cases} != {"untouched"}


@pytest.mark.parametrize(
    ("kind", "radio"),
    [
        ("stall", "station"),
        ("late-reply", "station"),
        *((kind, radio) for kind in ("short-read", "die", "timeout", "busy") for radio in ("station", "user")),
    ],
)
def test_a_fault_between_two_frames_costs_no_frame(kind: str, radio: str) -> None:
    """The exchange is repeated on a new context with all settings applied again, and says that it was."""
    rng = np.random.default_rng(1)
    with VirtualBench(REQUESTS, scene()) as served:
        with fleet(served) as radios:
            for one in radios.values():
                one.configure(SETTINGS)
            exchange(radios, {"station": burst(rng)}, N_SAMPLES, 0.0)
            if kind == "late-reply":  # then the transmit gain is set anew; else an exchange asks for no attribute
                radios[radio].silence()
            old = radios[radio]._parts[0].unit.link._context
            served.faults.add(Fault(kind, radio, seconds={"late-reply": 0.6}.get(kind)))
            sent = burst(rng)
            captures = exchange(radios, {"station": sent}, N_SAMPLES, 0.1)
            assert served.faults.struck == [(radio, kind)]
            for capture in captures.values():
                assert explained(capture.samples, sent) > 0.99
                assert dict(capture.settings) == dict(SETTINGS.as_mapping())
                assert capture.measured["recoveries"] == (0 if kind == "busy" else 1)
            assert (radios[radio]._parts[0].unit.link._context is old) == (kind == "busy")
        assert served.transmitting == []


def test_a_unit_that_comes_back_as_another_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    with VirtualBench(REQUESTS, scene()) as served, fleet(served) as radios:
        for one in radios.values():
            one.configure(SETTINGS)
        user = served.radios[1].unit
        described = user.xml()
        user.xml = lambda: described.replace(user.serial, "4711")
        served.faults.add(Fault("die", "user"))
        with pytest.raises(DeviceLostError, match="serial number 4711 answers there now"):
            exchange(radios, {"station": burst(rng)}, N_SAMPLES, 0.0)
        assert served.transmitting == []
        user.xml = lambda: described


def test_a_unit_that_comes_back_with_other_values_is_not_taken() -> None:
    rng = np.random.default_rng(3)
    with VirtualBench(REQUESTS, scene()) as served, fleet(served) as radios:
        for one in radios.values():
            one.configure(SETTINGS)
        unit = served.radios[1].unit
        read = unit.read
        unit.read = lambda where: "2400000004" if where.attribute == "frequency" else read(where)
        served.faults.add(Fault("die", "user"))
        with pytest.raises(DeviceLostError, match="came back with"):
            exchange(radios, {"station": burst(rng)}, N_SAMPLES, 0.0)
        unit.read = read


def test_what_a_lost_connection_sets_late_spoils_no_capture() -> None:
    """A request that was given up takes effect after everything has been applied anew; here, the one of a stranger."""
    rng = np.random.default_rng(5)
    with VirtualBench(REQUESTS, scene()) as served, fleet(served) as radios:
        for one in radios.values():
            one.configure(SETTINGS)
        exchange(radios, {"station": burst(rng)}, N_SAMPLES, 0.0)
        unit = served.radios[0].unit
        unit.write(Write("iio:device0", "OUTPUT", "voltage1", "hardwaregain", 3), b"-89")
        sent = burst(rng)
        captures = exchange(radios, {"station": sent}, N_SAMPLES, 0.1)
        assert captures["station"].measured["recoveries"] == 1
        assert explained(captures["user"].samples, sent) > 0.99
        assert set(unit._transmit_state().gain_db) == {SETTINGS.tx_gain_db}


def test_a_unit_that_never_comes_back_ends_the_run_and_the_other_is_silent() -> None:
    rng = np.random.default_rng(4)
    with VirtualBench(REQUESTS, scene()) as served:
        with fleet(served) as radios:
            for one in radios.values():
                one.configure(SETTINGS)
            served.radios[1].close()
            with pytest.raises(
                DeviceLostError, match=r"radio user: .*did not come back within 0\.3 s; .*unplug"
            ) as caught:
                exchange(radios, {"station": burst(rng)}, N_SAMPLES, 0.0)
            assert any("user could not be silenced" in note for note in caught.value.__notes__)
        assert served.transmitting == []
        assert set(served.radios[0].unit._transmit_state().gain_db) == {-89.75}
