"""Whose oscillators channels mix with: addresses, labels, and what is asked of UHD.

No virtual board can share its oscillator, and no device that can was at hand: what UHD is asked is tried on a stand-in
with the sources and stages of a TwinRX, an N320 and an N310, as UHD 4.3 lists them. That a device without is refused is
tried on the real UHD.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers import RadioNotFoundError, RadioRequest, SettingsError, open_radios
from drivers.usrp.addresses import Oscillators, parse_address
from drivers.usrp.coherence import coherence, kept_over_tunes
from drivers.usrp.server.oscillators import share_oscillators
from drivers.usrp.server.vendor import Failure
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.serving import VirtualBench

TWINRX = {stage: ["internal", "external", "companion", "reimport"] for stage in ("LO1", "LO2", "all")}
N320 = {"lo1": ["internal", "external"], "lo2": ["internal"]}


class Channels:
    """Receive channels that share oscillators as UHD's do: `all` sets the stages that have the source."""

    def __init__(self, stages: dict[str, list[str]], n: int, deaf: str = "") -> None:
        self.stages, self.n, self.deaf = stages, n, deaf
        self.sources = [dict.fromkeys(stages, "internal") for _ in range(n)]
        self.calls: list[tuple[str, object, int]] = []

    def get_rx_num_channels(self) -> int:
        return self.n

    def get_rx_lo_names(self, channel: int) -> list[str]:
        return list(self.stages)

    def get_rx_lo_sources(self, stage: str, channel: int) -> list[str]:
        return self.stages[stage]

    def get_rx_lo_source(self, stage: str, channel: int) -> str:
        return self.sources[channel][stage]

    def set_rx_lo_source(self, source: str, stage: str, channel: int) -> None:
        assert stage == "all"
        self.calls.append(("source", source, channel))
        for one, offers in self.stages.items():
            if source in offers and one != self.deaf:
                self.sources[channel][one] = source

    def set_rx_lo_export_enabled(self, enabled: bool, stage: str, channel: int) -> None:
        assert (enabled, stage) == (True, "all")
        self.calls.append(("export", enabled, channel))

    def get_usrp_rx_info(self, channel: int) -> dict[str, str]:
        return {"rx_subdev_name": "FE", "mboard_serial": f"F{channel // 2}"}


def test_an_address_says_whose_oscillators_and_which_are_put_out() -> None:
    said = parse_address("west", "addr=192.168.10.2,rx_lo=internal/companion/external/external,rx_lo_export=0")
    assert said.arguments == "addr=192.168.10.2"
    assert said.oscillators == {"rx": Oscillators(("internal", "companion", "external", "external"), (0,))}
    assert parse_address("west", "addr=1").oscillators == {}
    one_word = parse_address("west", "addr=1,tx_lo=external").oscillators["tx"]
    assert [one_word.source(i) for i in range(3)] == ["external"] * 3


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("addr=1,rx_lo=internal/sun", "rx_lo=internal/sun names 'sun'; an oscillator is internal, external"),
        ("addr=1,tx_lo_export=first", "tx_lo_export=first is no list of channels; write numbers with / between"),
        ("rx_lo=external", "names no device"),
    ],
)
def test_what_names_no_oscillator_is_refused(place: str, words: str) -> None:
    with pytest.raises(RadioNotFoundError, match=f"radio west: .*{words}"):
        parse_address("west", place)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("external", ("external-10MHz",) * 3),
        ("internal", ("F0", "F0", "F1")),
        ("gpsdo", ("F0", "F0", "F1")),
    ],
)
def test_boards_on_one_reference_stand_still_against_each_other(clock: str, expected: tuple[str, ...]) -> None:
    assert coherence(clock, ("F0", "F0", "F1")) == expected


@pytest.mark.parametrize(
    ("front_ends", "oscillators", "expected"),
    [
        (["SBXv3 RX"] * 4, Oscillators(), ["external-10MHz"] * 4),
        (["UBX RX"] * 4, Oscillators(), ["external-10MHz"] * 4),
        (["WBXv4 RX"] * 4, Oscillators(), ["F0:0", "F0:1", "F1:2", "F1:3"]),
        (["FE-RX1"] * 4, Oscillators(), ["F0:0", "F0:1", "F1:2", "F1:3"]),
        # Two TwinRX: the first puts out what the second takes in.
        (
            ["TwinRX RX0"] * 4,
            Oscillators(("internal", "companion", "external", "external"), (0,)),
            ["external-10MHz:lo-of-F0"] * 4,
        ),
        # Each TwinRX for itself: its two channels only.
        (
            ["TwinRX RX0"] * 4,
            Oscillators(("internal", "companion", "companion", "internal")),
            ["external-10MHz:lo-of-F0"] * 2 + ["external-10MHz:lo-of-F1"] * 2,
        ),
        # Two channels that take from each other take from nobody.
        (["TwinRX RX0"] * 4, Oscillators(("companion",)), ["F0:0", "F0:1", "F1:2", "F1:3"]),
        (["Rhodium"] * 4, Oscillators(("external",)), ["external-10MHz:external-lo"] * 4),
        (["Rhodium"] * 4, Oscillators(("internal", "internal", "external", "internal")),
         ["F0:0", "F0:1", "external-10MHz:external-lo", "F1:3"]),
    ],
)  # fmt: skip
def test_what_survives_a_tune(front_ends: list[str], oscillators: Oscillators, expected: list[str]) -> None:
    assert kept_over_tunes("external", ("F0", "F0", "F1", "F1"), front_ends, oscillators) == tuple(expected)


def test_oscillators_are_put_out_before_they_are_taken() -> None:
    usrp = Channels(TWINRX, 4)
    share_oscillators(usrp, "rx", ["internal", "companion", "external", "external"], [0])
    assert usrp.calls == [
        ("export", True, 0), ("source", "internal", 0), ("source", "companion", 1), ("source", "external", 2),
        ("source", "external", 3),
    ]  # fmt: skip


def test_a_stage_that_has_only_its_own_oscillator_keeps_it() -> None:
    usrp = Channels(N320, 2)
    share_oscillators(usrp, "rx", ["external", "external"], [])
    assert usrp.sources == [{"lo1": "external", "lo2": "internal"}] * 2


@pytest.mark.parametrize(
    ("usrp", "sources", "exporting", "words"),
    [
        (
            Channels({}, 1),
            ["external"],
            [],
            r"rx channel 0 \(FE of board F0\) cannot share its oscillator; leave rx_lo",
        ),
        (Channels({}, 2), [], [1], r"rx channel 1 \(FE of board F0\) cannot share its oscillator"),
        (Channels(N320, 2), ["companion"] * 2, [], "has no rx_lo=companion; choose among internal, external"),
        (Channels(N320, 2), ["internal", "companion"], [0], "rx channel 1 .* has no rx_lo=companion"),
        (Channels(N320, 2), [], [2], "rx_lo_export names channel 2, the last one is 1"),
        (Channels(N320, 1, deaf="lo1"), ["external"], [], "rx_lo=external was asked for and its lo1 stays internal"),
    ],
)
def test_what_a_device_cannot_share_is_said(
    usrp: Channels, sources: list[str], exporting: list[int], words: str
) -> None:
    with pytest.raises(Failure, match=words) as failed:
        share_oscillators(usrp, "rx", sources, exporting)
    assert failed.value.kind == "settings"
    assert usrp.sources == Channels(usrp.stages, usrp.n).sources
    assert usrp.calls == [] or usrp.deaf


def test_internal_oscillators_may_be_asked_of_any_device() -> None:
    usrp = Channels({}, 2)
    share_oscillators(usrp, "rx", ["internal", "internal"], [])
    assert usrp.calls == []


def test_a_real_device_that_cannot_share_is_refused(uhd: str, bench: VirtualBench, asked: tuple) -> None:
    (_, user), scene = asked
    for key, words in (
        ("rx_lo=external", r"radio user: rx channel 0 \(SBXv3 RX of board V002000\) cannot share its oscillator"),
        ("rx_lo=external/external", "radio user: rx_lo names 2 oscillators for 1 channels"),
    ):
        request: RadioRequest = replace(user, address=f"{user.address},{key}")
        with pytest.raises(SettingsError, match=words):
            open_radios([request], scene)
        wait_for_endings()
