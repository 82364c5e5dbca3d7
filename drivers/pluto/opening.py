"""From addresses to Plutos: all units of a bench opened together, identified, silent, and under a watchdog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from drivers.errors import RadioNotFoundError
from drivers.pluto.addresses import uris
from drivers.pluto.fleet import Fleet
from drivers.pluto.link import Patience
from drivers.pluto.radio import Part, PlutoRadio
from drivers.pluto.unit import Unit
from drivers.watchdog import Watchdog

if TYPE_CHECKING:
    from drivers.opening import RadioRequest
    from drivers.simulated.scene import Scene

__all__ = ["open_fleet", "open_pluto", "silence_unit"]


def open_pluto(place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, PlutoRadio]:
    """Open all Plutos of a bench; see `open_fleet`."""
    return open_fleet(requests, Patience())


def open_fleet(requests: Sequence[RadioRequest], patience: Patience) -> dict[str, PlutoRadio]:
    """Open Plutos, silent, or none.

    Args:
        requests: The radios; an address may name several units, whose channels follow each other.
        patience: How long units are waited for.

    Returns:
        The radios by name.

    Raises:
        VendorLibraryError: libiio or pyadi-iio cannot be used.
        RadioNotFoundError: No Pluto answers at an address, it has fewer channels than asked for, or is used twice.
    """
    places = {request.name: uris(request.name, request.address.partition(":")[2]) for request in requests}
    addresses = [("pluto", uri) for units in places.values() for uri in units]
    opened: dict[str, list[Unit]] = {}
    watchdog = Watchdog(addresses)
    try:
        for name, addressed in places.items():
            opened[name] = []
            for uri in addressed:
                opened[name].append(Unit(name, uri, patience))
        _require_distinct([unit for units in opened.values() for unit in units])
        parts = {request.name: _shared_out(request, opened[request.name]) for request in requests}
        fleet = Fleet([unit for units in opened.values() for unit in units], watchdog)
    except BaseException:
        for units in opened.values():
            for unit in units:
                unit.close()
        watchdog.release()
        raise
    return {name: PlutoRadio(name, part, fleet) for name, part in parts.items()}


def silence_unit(uri: str) -> None:
    """Silence the unit at an address whose controller is gone; for the watchdog."""
    Unit("watchdog", uri, Patience()).close()


def _require_distinct(units: Sequence[Unit]) -> None:
    seen: dict[str, Unit] = {}
    for unit in units:
        if unit.link.serial in seen:
            other = seen[unit.link.serial]
            raise RadioNotFoundError(
                f"{unit.name} is also at {other.uri}, for radio {other.radio}; a unit belongs to one radio only"
            )
        seen[unit.link.serial] = unit


def _shared_out(request: RadioRequest, units: Sequence[Unit]) -> list[Part]:
    """Return how many channels of each unit a radio uses: from the first unit on, as many as it has."""
    n_tx, n_rx, parts = request.n_tx, request.n_rx, []
    for unit in units:
        part = Part(unit, min(n_tx, unit.link.n_channels), min(n_rx, unit.link.n_channels))
        n_tx, n_rx = n_tx - part.n_tx, n_rx - part.n_rx
        parts.append(part)
    if n_tx or n_rx:
        have = sum(unit.link.n_channels for unit in units)
        named = ", ".join(f"{unit.link.serial} ({unit.link.model})" for unit in units)
        raise RadioNotFoundError(
            f"radio {request.name}: {request.n_tx} transmit and {request.n_rx} receive channels are asked for, "
            f"{named} has {have} of each; switch it to 2R2T, or add a unit: pluto:ip:A+ip:B"
        )
    idle = [part.unit for part in parts if not (part.n_tx or part.n_rx)]
    if idle:
        raise RadioNotFoundError(f"{idle[0].name} has nothing to do: take it out of the radio's address")
    return parts
