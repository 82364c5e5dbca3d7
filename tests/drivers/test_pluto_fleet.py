"""Plutos in an exchange: started together, found again, put in place, silent afterwards; several units as one radio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pluto_faults import EXPLAINED, N_SAMPLES, PATIENCE, REQUESTS, SETTINGS, burst, explained, fitted, fleet, scene

from drivers import InvalidSamplesError, RadioRequest, RadioStateError, SampleLossError, exchange
from drivers.pluto.fleet import START_SPREAD_S
from drivers.pluto.opening import open_fleet
from drivers.pluto.radio import PlutoRadio
from drivers.pluto.unit import Unit
from drivers.simulated.front_end import FrontEnd
from drivers.simulated.scene import Node, Scene
from drivers.virtual.serving import VirtualBench

pytestmark = pytest.mark.usefixtures("real_libiio")

TWO = [
    RadioRequest("west", "pluto:ip:virtual", 2, 2),
    RadioRequest("east", "pluto:ip:virtual", 2, 2),
    RadioRequest("ann", "pluto:ip:virtual", 0, 1),
]


def two_stations() -> Scene:
    """Stations that hear themselves by leakage, and a user between them; crystals differ by 1 ppm."""
    west, east = FrontEnd(random_phase=True), FrontEnd(random_phase=True, carrier_offset_ppm=1.0)
    return Scene(
        stations=(Node("west", (0.0, 0.0), 0.0, 2, 2, 1.0, (0.0, 0.0), west),
                  Node("east", (40.0, 0.0), np.pi, 2, 2, 1.0, (0.0, 0.0), east)),
        users=(Node("ann", (22.0, 5.0), 0.0, 0, 1, 1.0, (0.0, 0.0), replace(west, carrier_offset_ppm=-0.5)),),
        serving={"ann": "west"},
        targets=(),
        carrier_hz=SETTINGS.center_hz,
        symbol_rate_hz=250e3,
        leakage=1e-5,
    )  # fmt: skip


@pytest.fixture
def served() -> Iterator[VirtualBench]:
    with VirtualBench(REQUESTS, scene()) as bench:
        yield bench


@pytest.fixture
def radios(served: VirtualBench) -> Iterator[dict[str, PlutoRadio]]:
    with fleet(served) as opened:
        for radio in opened.values():
            radio.configure(SETTINGS)
        yield opened


@pytest.fixture
def three() -> Iterator[dict[str, PlutoRadio]]:
    with VirtualBench(TWO, two_stations()) as bench:
        opened = open_fleet(
            [replace(one, address=r.address) for one, r in zip(TWO, bench.radios, strict=True)], PATIENCE
        )
        try:
            for radio in opened.values():
                radio.configure(SETTINGS)
            yield opened
        finally:
            for radio in opened.values():
                radio.close()
        assert bench.transmitting == []


def test_a_capture_is_the_frame_in_its_place_with_what_was_measured(radios: dict[str, PlutoRadio]) -> None:
    sent = burst(np.random.default_rng(1))
    for name, capture in exchange(radios, {"station": sent}, N_SAMPLES, 1.0).items():
        assert capture.flags == ("time-unaligned",)
        assert explained(capture.samples, sent) > EXPLAINED
        assert capture.start_s == 1.0
        assert 0 <= capture.measured["delay_s"] < N_SAMPLES / SETTINGS.sample_rate_hz
        assert capture.measured["delay_quality"] > 10
        assert capture.measured["tries"] == 1
        assert capture.measured["late_s"] < 1.0
        assert np.isnan(capture.measured["tx_evm_db"]) == (name == "user")
    assert radios["user"].time_s() == pytest.approx(1.0 + N_SAMPLES / SETTINGS.sample_rate_hz)


def test_every_exchange_starts_elsewhere_and_is_found(radios: dict[str, PlutoRadio]) -> None:
    rng = np.random.default_rng(2)
    delays = set()
    for index in range(5):
        sent = burst(rng)
        captures = exchange(radios, {"station": sent}, N_SAMPLES, 0.01 * index)
        delays.add(captures["user"].measured["delay_s"])
        assert all(explained(capture.samples, sent) > EXPLAINED for capture in captures.values())
    assert len(delays) > 1


def test_after_an_exchange_nobody_transmits(served: VirtualBench, radios: dict[str, PlutoRadio]) -> None:
    exchange(radios, {"station": burst(np.random.default_rng(3))}, N_SAMPLES, 0.0)
    assert served.transmitting == []


def test_a_shorter_burst_is_followed_by_silence(radios: dict[str, PlutoRadio]) -> None:
    sent = burst(np.random.default_rng(4))
    sent[:, 300:] = 0
    captures = exchange(radios, {"station": sent[:, :300]}, N_SAMPLES, 0.0)
    assert explained(captures["user"].samples, sent) > EXPLAINED


def test_absolute_level_is_that_of_scale_and_gain(radios: dict[str, PlutoRadio]) -> None:
    """A station hears each port by the leakage at the level that full scales and gains say."""
    sent = burst(np.random.default_rng(5))
    able, capture = radios["station"].capabilities, exchange(radios, {"station": sent}, N_SAMPLES, 0.0)["station"]
    response, _ = fitted(capture.samples, sent)
    found_db = 20 * np.log10(np.abs(response.sum(axis=1)))
    level_db = able.tx_full_scale_dbm + SETTINGS.tx_gain_db - able.rx_full_scale_dbm + SETTINGS.rx_gain_db
    assert found_db == pytest.approx(level_db - 50.0, abs=0.3)  # 50 dB of isolation


def test_stronger_than_the_converter_is_flagged(served: VirtualBench, radios: dict[str, PlutoRadio]) -> None:
    for radio in radios.values():
        radio.configure(replace(SETTINGS, tx_gain_db=0.0, rx_gain_db=70.0))
    captures = exchange(radios, {"station": burst(np.random.default_rng(6))}, N_SAMPLES, 0.0)
    assert captures["station"].flags == ("time-unaligned", "clipped")


def test_two_stations_start_within_the_spread_or_again(
    three: dict[str, PlutoRadio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.virtual.pluto.unit.START_DELAY_S", 450e-6)
    rng, tries, spreads = np.random.default_rng(7), list[float](), list[float]()
    for index in range(6):
        sent = {"west": burst(rng), "east": burst(rng)}
        captures = exchange(three, sent, N_SAMPLES, 0.01 * index)
        ann = captures["ann"]
        assert not ann.measured["start_spread_s"] > START_SPREAD_S  # NaN if it hears but one
        spreads.append(ann.measured["start_spread_s"])
        tries.append(ann.measured["tries"])
        for name in ("west", "east"):  # each in its own place, whatever the other does
            assert explained(captures[name].samples, sent[name]) > 0.9
    assert max(tries) > 1
    assert np.isfinite(spreads).any()


def test_starts_that_stay_apart_end_the_run(three: dict[str, PlutoRadio]) -> None:
    three["west"]._fleet.start_spread_s = -1.0
    rng = np.random.default_rng(8)
    with pytest.raises(SampleLossError, match=r"started \d+ us apart, .*20 tries"):
        exchange(three, {"west": burst(rng), "east": burst(rng)}, N_SAMPLES, 0.0)


def test_units_of_one_radio_send_their_own_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualBench(TWO[:2], replace(two_stations(), users=(), serving={})) as bench:
        both = "+".join(radio.uri for radio in bench.radios)
        radio = open_fleet([RadioRequest("cell", f"pluto:{both}", 4, 3)], PATIENCE)["cell"]
        try:
            radio.configure(SETTINGS)
            rng = np.random.default_rng(9)
            sent = np.concatenate([burst(rng), burst(rng)])
            capture = exchange({"cell": radio}, {"cell": sent}, N_SAMPLES, 0.0)["cell"]
        finally:
            radio.close()
    assert capture.samples.shape == (3, N_SAMPLES)
    assert explained(capture.samples[:2], sent[:2]) > 0.9
    assert explained(capture.samples[2:], sent[2:]) > 0.9
    assert explained(capture.samples[:2], sent[2:]) < 0.5


def test_a_receiver_that_hears_nobody_ends_the_run_with_what_to_look_at(radios: dict[str, PlutoRadio]) -> None:
    faint = (1e-3 * burst(np.random.default_rng(10))).astype(np.complex64)
    radios["user"].configure(replace(SETTINGS, rx_gain_db=-3.0))
    with pytest.raises(SampleLossError, match=r"radio user.*hears none of the transmitters"):
        exchange(radios, {"station": faint}, N_SAMPLES, 0.0)


def test_radios_of_one_exchange_agree_on_it(radios: dict[str, PlutoRadio]) -> None:
    nothing = np.zeros((0, 0), dtype=np.complex64)
    radios["station"].arm(nothing, N_SAMPLES, 0.0)
    with pytest.raises(RadioStateError, match="n_samples is 256, the other radios' is 512"):
        radios["user"].arm(nothing, 256, 0.0)


def test_a_start_in_the_past_is_refused(radios: dict[str, PlutoRadio]) -> None:
    exchange(radios, {"station": burst(np.random.default_rng(11))}, N_SAMPLES, 1.0)
    with pytest.raises(RadioStateError, match=r"radio station: asked to start at 0\.5 s"):
        exchange(radios, {}, N_SAMPLES, 0.5)


@pytest.mark.parametrize("n_samples", [0, 250_001])
def test_a_capture_longer_than_the_patience_is_refused(radios: dict[str, PlutoRadio], n_samples: int) -> None:
    with pytest.raises(InvalidSamplesError, match="frame's length"):
        radios["user"].arm(np.zeros((0, 0), dtype=np.complex64), n_samples, 0.0)


def test_ctrl_c_in_an_exchange_silences_all_first(
    served: VirtualBench, radios: dict[str, PlutoRadio], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Unit, n_samples: int) -> None:
        raise KeyboardInterrupt

    sent = burst(np.random.default_rng(12))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Unit, "receive", interrupted)
        exchange(radios, {"station": sent}, N_SAMPLES, 0.0)
    assert served.transmitting == []
    assert {gain for one in served.radios for gain in one.unit._transmit_state().gain_db} == {-89.75}
    captures = exchange(radios, {"station": sent}, N_SAMPLES, 0.1)  # and the gains are back when it goes on
    assert explained(captures["user"].samples, sent) > EXPLAINED
    assert set(served.radios[0].unit._transmit_state().gain_db) == {SETTINGS.tx_gain_db}
