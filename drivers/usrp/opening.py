"""From addresses to USRPs: all radios of a bench opened together, on one time, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from drivers.errors import RadioNotFoundError, RadioStateError, SettingsError
from drivers.radio import Capabilities, Range
from drivers.usrp.addresses import Oscillators, UsrpAddress, parse_address
from drivers.usrp.board_time import References, in_parallel, set_time, use_references
from drivers.usrp.coherence import coherence, kept_over_tunes
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.levels import RX_FULL_SCALE_DBM, TX_FULL_SCALE_DBM
from drivers.usrp.radio import UsrpRadio
from drivers.usrp.server_process import ServerProcess, wait_for_endings

if TYPE_CHECKING:
    from drivers.opening import RadioRequest
    from drivers.simulated.scene import Scene

__all__ = ["open_usrp"]

# Enough for all radios of a bench to get their commands and samples to their boards, also on a machine that is busy.
LEAD_S = 0.1


def open_usrp(place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, UsrpRadio]:
    """Open all USRPs of a bench, or none.

    Args:
        place: Nothing: radios of several addresses are opened at once, since they get one time.
        requests: The radios.
        scene: The scene of simulated radios; not looked at.

    Returns:
        The radios by name.

    Raises:
        VendorLibraryError: No Python here has UHD.
        RadioNotFoundError: No device answers at an address, or it has fewer channels than asked for.
        RadioStateError: A board is not locked, or has no pulses.
        SettingsError: The references do not give the radios one time, or channels cannot share oscillators as asked.
    """
    addresses = {one.name: parse_address(one.name, one.address.partition(":")[2]) for one in requests}
    references = _references(addresses)
    pythons = {name: interpreter_with_uhd(address.python) for name, address in addresses.items()}
    wait_for_endings()
    servers: dict[str, ServerProcess] = {}
    try:
        for name, python in pythons.items():
            servers[name] = ServerProcess(name, python)
        found = in_parallel({one.name: partial(_open, one, addresses[one.name], servers[one.name]) for one in requests})
        boards = {name: _distinct(about["rx_boards"], about["tx_boards"]) for name, about in found.items()}
        references = {
            name: one.among(name, found[name]["clock_sources"], found[name]["time_sources"])
            for name, one in references.items()
        }
        in_parallel(
            {name: partial(use_references, name, servers[name], references[name], boards[name]) for name in servers}
        )
        _count_seconds(servers, references, boards)
    except BaseException:
        for server in servers.values():
            server.close()
        raise
    return {
        one.name: _radio(one, addresses[one.name], found[one.name], references[one.name], servers[one.name])
        for one in requests
    }


def _references(addresses: Mapping[str, UsrpAddress]) -> dict[str, References]:
    """Return each radio's references: what its address says, else external ones as soon as there are several boards.

    Raises:
        SettingsError: Radios that start together would count different seconds.
    """
    several = len(addresses) > 1 or any(address.is_several for address in addresses.values())
    default = "external" if several else "internal"
    chosen = {name: References(one.clock or default, one.pulses or default) for name, one in addresses.items()}
    for name, references in chosen.items():
        if several and not references.is_common:
            raise SettingsError(
                f"radio {name}: time=internal on a bench of several boards, which then start at different times; "
                "give all of them one pulse per second and say time=external"
            )
    return chosen


def _open(request: RadioRequest, address: UsrpAddress, server: ServerProcess) -> Mapping[str, Any]:
    n = {"tx": request.n_tx, "rx": request.n_rx}
    try:
        about = server.ask("open", arguments=address.arguments, subdevices=address.subdevices, n=n)
    except RadioNotFoundError as error:
        raise RadioNotFoundError(
            f"radio {request.name}: no USRP answers at {address.arguments}; check power, cable and address with "
            f"uhd_find_devices --args {address.arguments}, or serve virtual ones with testbed emulate"
        ) from error
    except RadioStateError as error:
        known = "; uhd_usrp_probe lists its subdevices" if address.subdevices else ""
        raise RadioStateError(f"{error}{known}") from error
    for side, wanted in n.items():
        there = len(about[f"{side}_boards"])
        if there < wanted:
            word = "transmit" if side == "tx" else "receive"
            raise RadioNotFoundError(
                f"radio {request.name}: {wanted} {word} channels are asked for, {about['model']} at "
                f"{address.arguments} has {there}; add boards (addr0=..., addr1=...) or name others with {side}_subdev"
            )
    _share_oscillators(request, address, server)
    return about


def _share_oscillators(request: RadioRequest, address: UsrpAddress, server: ServerProcess) -> None:
    n = {"tx": request.n_tx, "rx": request.n_rx}
    for side, one in address.oscillators.items():
        if len(one.sources) not in (0, 1, n[side]):
            raise SettingsError(
                f"radio {request.name}: {side}_lo names {len(one.sources)} oscillators for {n[side]} channels; write "
                "one word for all, or one each"
            )
        sources = [one.source(i) for i in range(n[side])] if one.sources else []
        arguments = {"side": side, "sources": sources, "exporting": one.exporting}
        server.ask("device", method="share_oscillators", arguments=arguments)


def _count_seconds(
    servers: Mapping[str, ServerProcess], references: Mapping[str, References], boards: Mapping[str, Sequence[str]]
) -> None:
    if all(one.is_common for one in references.values()):
        set_time(servers, boards)
        return
    for server in servers.values():  # a single board, which has only itself to agree with
        server.ask("device", method="set_time", arguments={"seconds": 0, "at_edge": False})


def _radio(
    request: RadioRequest, address: UsrpAddress, about: Mapping[str, Any], references: References, server: ServerProcess
) -> UsrpRadio:
    boards = {"tx": about["tx_boards"][: request.n_tx], "rx": about["rx_boards"][: request.n_rx]}
    front_ends = [*about["rx_front_ends"], *about["tx_front_ends"]]
    kept = {
        side: kept_over_tunes(
            references.clock, boards[side], about[f"{side}_front_ends"], address.oscillators.get(side, Oscillators())
        )
        for side in boards
    }
    capabilities = Capabilities(
        model=f"{about['model']} {front_ends[0]}".removesuffix(" RX"),
        serial="+".join(_distinct(boards["rx"], boards["tx"])),
        n_tx=request.n_tx,
        n_rx=request.n_rx,
        center_hz=Range(*about["center_hz"]),
        sample_rate_hz=Range(*about["sample_rate_hz"]),
        tx_gain_db=Range(*about["tx_gain_db"]),
        rx_gain_db=Range(*about["rx_gain_db"]),
        tx_full_scale_dbm=TX_FULL_SCALE_DBM,
        rx_full_scale_dbm=RX_FULL_SCALE_DBM,
        start_spread_s=0.0,
        tx_coherence=coherence(references.clock, boards["tx"]),
        tx_kept_over_tunes=kept["tx"],
        rx_kept_over_tunes=kept["rx"],
        lead_s=LEAD_S,
    )
    boards["all"] = _distinct(about["rx_boards"], about["tx_boards"])
    return UsrpRadio(request.name, capabilities, boards, about["tick_rate_hz"], server)


def _distinct(*lists: Sequence[str]) -> list[str]:
    """Return the members of lists, each once, in order."""
    return list(dict.fromkeys(one for members in lists for one in members))
