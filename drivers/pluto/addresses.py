"""A Pluto's address: `ip:192.168.2.1`, `ip:127.0.0.1:50001`, `usb:1.2.5`, or several units joined by `+`."""

from __future__ import annotations

import re

from drivers.errors import RadioNotFoundError

__all__ = ["uris"]

# libiio also finds units without an address, but by way of a daemon that is often missing; "usb:" takes the only one.
_FORMS = re.compile(r"ip:[A-Za-z0-9_.-]+(:[0-9]{1,5})?|usb:(?:[0-9]+\.[0-9]+\.[0-9]+)?")
HIGHEST_PORT = 65535


def uris(radio: str, place: str) -> tuple[str, ...]:
    """Return libiio's address of every unit of a radio.

    Args:
        radio: The radio's name, for messages.
        place: What follows `pluto:` in its address.

    Raises:
        RadioNotFoundError: It is no such address, or names a unit twice.
    """
    units = tuple(place.split("+"))
    for unit in units:
        form = _FORMS.fullmatch(unit)
        if form is None or int((form[1] or ":0")[1:]) > HIGHEST_PORT:
            raise RadioNotFoundError(
                f"radio {radio}: {unit!r} is no Pluto's address; write pluto:ip:192.168.2.1, pluto:ip:HOST:PORT or "
                "pluto:usb:1.2.5 (as iio_info -s shows it), and join several units of one radio by +"
            )
        if units.count(unit) > 1:
            raise RadioNotFoundError(f"radio {radio}: {unit} stands twice in its address; a unit is one device")
    return units
