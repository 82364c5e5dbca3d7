"""Addresses of USRPs: `usrp:addr=192.168.10.2`, `usrp:addr0=192.168.10.2,addr1=192.168.10.3,clock=external`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.errors import RadioNotFoundError

__all__ = ["Oscillators", "UsrpAddress", "parse_address"]

SIDES = ("tx", "rx")
SOURCES = ("internal", "external", "gpsdo", "mimo")
LO_SOURCES = ("internal", "external", "companion", "reimport")
FORM = (
    "usrp:KEY=VALUE,... with UHD's own keys (addr, addr0, addr1, serial, type) and ours: clock, time, python, "
    "tx_subdev, tx_lo, tx_lo_export, and rx_..."
)


@dataclass(frozen=True)
class Oscillators:
    """Whose oscillators the channels of one side mix with.

    Attributes:
        sources: By channel, (n,), or one for all, (1,): "internal", "external" (from the board's LO input), "reimport"
            (its own, put out and taken in again) or "companion" (the board's other channel's); empty to leave them
            as they are.
        exporting: Channels whose oscillator is put out for others.
    """

    sources: tuple[str, ...] = ()
    exporting: tuple[int, ...] = ()

    def source(self, channel: int) -> str:
        """Return whose oscillator a channel uses."""
        if not self.sources:
            return "internal"
        return self.sources[0] if len(self.sources) == 1 else self.sources[channel]

    def shared_by(self, channel: int, boards: Sequence[str]) -> str:
        """Return a name for the oscillator that a channel shares with others; empty if it has one of its own.

        Args:
            channel: The channel.
            boards: The board of every channel.
        """
        source = self.source(channel)
        if source in ("external", "reimport") or channel in self.exporting:
            # A channel of this radio puts it out, or something outside, which may serve other radios, too.
            return f"lo-of-{boards[self.exporting[0]]}" if self.exporting else "external-lo"
        others = [i for i, board in enumerate(boards) if board == boards[channel] and i != channel]
        if source == "companion":
            given = next((i for i in others if self.source(i) != "companion"), None)
            return "" if given is None else self.shared_by(given, boards)
        takers = [i for i in others if self.source(i) == "companion"]
        return f"lo-of-{boards[channel]}" if takers else ""


@dataclass(frozen=True)
class UsrpAddress:
    """What an address says.

    Attributes:
        arguments: UHD's device arguments.
        clock: Where the 10 MHz comes from; empty if it is not said.
        pulses: Where the pulse per second comes from; empty if it is not said.
        python: The interpreter that has UHD; empty for the first that is found.
        subdevices: UHD's subdevice specification by side, where it is not the default.
        oscillators: How channels share oscillators, by side, where they do.
    """

    arguments: str
    clock: str = ""
    pulses: str = ""
    python: str = ""
    subdevices: dict[str, str] = field(default_factory=dict)
    oscillators: dict[str, Oscillators] = field(default_factory=dict)

    @property
    def is_several(self) -> bool:
        """Whether it names several motherboards."""
        return re.search(r"(^|,)(addr|serial|name|resource)1=", self.arguments) is not None


def parse_address(radio: str, place: str) -> UsrpAddress:
    """Return what an address says.

    Args:
        radio: The radio's name, for messages.
        place: What follows `usrp:`.

    Raises:
        RadioNotFoundError: It is no such address.
    """
    said: dict[str, str] = {}
    for part in place.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value) or key in said:
            raise RadioNotFoundError(f"radio {radio}: 'usrp:{place}' is no address of a USRP at {part!r}; write {FORM}")
        said[key] = value
    ours = {key: said.pop(key, "") for key in ("clock", "time", "python")}
    subdevices = {side: said.pop(f"{side}_subdev") for side in SIDES if f"{side}_subdev" in said}
    for key in ("clock", "time"):
        if ours[key] and ours[key] not in SOURCES:
            raise RadioNotFoundError(f"radio {radio}: {key}={ours[key]} is no source; there are {', '.join(SOURCES)}")
    oscillators = {
        side: _oscillators(radio, side, said) for side in SIDES if {f"{side}_lo", f"{side}_lo_export"} & said.keys()
    }
    if not said:
        raise RadioNotFoundError(f"radio {radio}: 'usrp:{place}' names no device; write {FORM}")
    arguments = ",".join(f"{key}={value}" for key, value in said.items())
    return UsrpAddress(arguments, ours["clock"], ours["time"], ours["python"], subdevices, oscillators)


def _oscillators(radio: str, side: str, said: dict[str, str]) -> Oscillators:
    """Take what is said of one side's oscillators: `rx_lo=internal/companion/external,rx_lo_export=0`."""
    sources, exporting = said.pop(f"{side}_lo", ""), said.pop(f"{side}_lo_export", "")
    words, channels = tuple(sources.split("/")) if sources else (), exporting.split("/") if exporting else []
    if strange := [word for word in words if word not in LO_SOURCES]:
        raise RadioNotFoundError(
            f"radio {radio}: {side}_lo={sources} names {strange[0]!r}; an oscillator is {', '.join(LO_SOURCES)}: "
            "one word for all channels, or one each with / between them"
        )
    if not all(channel.isdecimal() for channel in channels):
        raise RadioNotFoundError(
            f"radio {radio}: {side}_lo_export={exporting} is no list of channels; write numbers with / between them"
        )
    return Oscillators(words, tuple(int(channel) for channel in channels))
