"""Addresses of USRPs: `usrp:addr=192.168.10.2`, `usrp:addr0=192.168.10.2,addr1=192.168.10.3,clock=external`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from drivers.errors import RadioNotFoundError

__all__ = ["UsrpAddress", "parse_address"]

SOURCES = ("internal", "external", "gpsdo", "mimo")
FORM = (
    "usrp:KEY=VALUE,... with UHD's own keys (addr, addr0, addr1, serial, type) and ours: clock, time, python, tx_subdev"
)


@dataclass(frozen=True)
class UsrpAddress:
    """What an address says.

    Attributes:
        arguments: UHD's device arguments.
        clock: Where the 10 MHz comes from; empty if it is not said.
        pulses: Where the pulse per second comes from; empty if it is not said.
        python: The interpreter that has UHD; empty for the first that is found.
        subdevices: UHD's subdevice specification by side, where it is not the default.
    """

    arguments: str
    clock: str = ""
    pulses: str = ""
    python: str = ""
    subdevices: dict[str, str] = field(default_factory=dict)

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
    subdevices = {side: said.pop(f"{side}_subdev") for side in ("tx", "rx") if f"{side}_subdev" in said}
    for key in ("clock", "time"):
        if ours[key] and ours[key] not in SOURCES:
            raise RadioNotFoundError(f"radio {radio}: {key}={ours[key]} is no source; there are {', '.join(SOURCES)}")
    if not said:
        raise RadioNotFoundError(f"radio {radio}: 'usrp:{place}' names no device; write {FORM}")
    arguments = ",".join(f"{key}={value}" for key, value in said.items())
    return UsrpAddress(arguments, ours["clock"], ours["time"], ours["python"], subdevices)
