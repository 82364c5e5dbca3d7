"""The rig that stands behind an address of USRPs, as `testbed emulate` serves it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from drivers.errors import RadioNotFoundError
from drivers.usrp.addresses import parse_address
from drivers.virtual.n210.rig import Rig

if TYPE_CHECKING:
    from drivers.opening import RadioRequest
    from drivers.virtual.serving import Place

__all__ = ["usrp"]


def usrp(request: RadioRequest, place: Place) -> Rig:
    """Make the virtual N210s of a radio whose address begins with `usrp:`, one an antenna.

    Raises:
        RadioNotFoundError: The address does not name a loopback address per antenna.
    """
    arguments = parse_address(request.name, request.address.partition(":")[2]).arguments
    hosts = re.findall(r"(?:^|,)addr\d*=([^,]+)", arguments)
    wanted = max(request.n_tx, request.n_rx)
    if len(hosts) != wanted or not all(_is_loopback(host) for host in hosts):
        form = "addr=127.0.0.50" if wanted == 1 else f"addr0=127.0.0.50,...,addr{wanted - 1}=127.0.0.{49 + wanted}"
        raise RadioNotFoundError(
            f"radio {request.name}: virtual N210s have one antenna each, ports that cannot be chosen and loopback "
            f"addresses of their own: {request.n_tx} transmit and {request.n_rx} receive channels are usrp:{form}, "
            f"not {request.address!r}"
        )
    return Rig(
        place.node, place.number, hosts, place.seed, place.medium, lambda: place.clock.now(request.name), place.faults
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
