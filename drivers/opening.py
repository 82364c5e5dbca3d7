"""From addresses to radios: `simulated`, `replay:run.h5`; a driver is imported when one of its radios is opened."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from drivers.errors import RadioNotFoundError

if TYPE_CHECKING:
    from drivers.radio import Radio
    from drivers.simulated.scene import Scene

__all__ = ["DRIVERS", "RadioRequest", "open_radios"]

# Scheme of an address: module, and its function that opens all radios of one address at once; imported when needed.
DRIVERS = {
    "simulated": ("drivers.simulated.radio", "open_simulated"),
    "replay": ("drivers.replay", "open_replay_address"),
    "pluto": ("drivers.pluto.opening", "open_pluto"),
    "usrp": ("drivers.usrp.opening", "open_usrp"),
}
# Drivers whose radios are opened all at once, whatever their addresses: Plutos find each other's start in their
# captures, USRPs get one time.
TOGETHER = ("pluto", "usrp")


@dataclass(frozen=True)
class RadioRequest:
    """A radio that an experiment asks for."""

    name: str
    address: str
    n_tx: int
    n_rx: int


class _Opener(Protocol):
    def __call__(self, place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, Radio]: ...


def open_radios(requests: Sequence[RadioRequest], scene: Scene) -> dict[str, Radio]:
    """Open every radio asked for, or none.

    Args:
        requests: The radios; those of one driver are opened together, since they may share an air, a file or a clock.
        scene: The physics that joins simulated radios; drivers of real ones do not look at it.

    Returns:
        The open radios by name, in the order of the requests.

    Raises:
        RadioNotFoundError: An address names no driver, or there is nothing behind it.
    """
    groups: dict[tuple[str, str], list[RadioRequest]] = {}
    for request in requests:
        scheme, _, place = request.address.partition(":")
        if scheme not in DRIVERS:
            near = difflib.get_close_matches(scheme, DRIVERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(DRIVERS)}"
            raise RadioNotFoundError(f"radio {request.name}: no driver for address {request.address!r}; {hint}")
        groups.setdefault((scheme, "" if scheme in TOGETHER else place), []).append(request)
    opened: dict[str, Radio] = {}
    try:
        for (scheme, place), members in groups.items():
            module, function = DRIVERS[scheme]
            opener: _Opener = getattr(importlib.import_module(module), function)
            opened |= opener(place, members, scene)
    except BaseException as error:
        for name, radio in opened.items():
            try:
                radio.close()
            except Exception as another:  # one that cannot be closed must not keep the others open
                error.add_note(f"radio {name} could not be closed: {another}")
        raise
    return {request.name: opened[request.name] for request in requests}
