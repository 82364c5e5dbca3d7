"""A bench of virtual radios: where each listens, what it says it is, all or none."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from drivers import RadioNotFoundError, RadioRequest
from drivers.simulated.scene import Node, Scene
from drivers.virtual.serving import VirtualBench, _host_and_port


def scene(carrier_hz: float = 2.4e9) -> Scene:
    return Scene(
        stations=(Node("west", (0.0, 0.0), 0.0, 2, 2),),
        users=(Node("ann", (10.0, 0.0), 0.0, 0, 1),),
        serving={"ann": "west"},
        targets=(),
        carrier_hz=carrier_hz,
        symbol_rate_hz=1e6,
    )


REQUESTS = [RadioRequest("west", "pluto:usb:1.2.5", 2, 2), RadioRequest("ann", "pluto:ip:192.168.2.1", 0, 1)]


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("pluto:ip:127.0.0.1:50001", ("127.0.0.1", 50001)),
        ("pluto:ip:127.0.0.3", ("127.0.0.3", 30431)),  # libiio's own port
        ("pluto:ip:192.168.2.1", ("127.0.0.1", 0)),
        ("pluto:ip:pluto.local", ("127.0.0.1", 0)),
        ("pluto:usb:1.2.5", ("127.0.0.1", 0)),
        ("pluto:ip:127.0.0.1:99999", ("127.0.0.1", 0)),
        ("pluto:ip:127.0.0.999", ("127.0.0.1", 0)),
    ],
)
def test_a_loopback_address_is_kept_and_others_get_a_free_port(address: str, where: tuple[str, int]) -> None:
    assert _host_and_port(address) == where


@pytest.mark.parametrize(("carrier_hz", "models"), [(2.4e9, ("AD9361", "AD9363A")), (5.6e9, ("AD9361", "AD9364"))])
def test_units_are_what_channels_and_carrier_need(carrier_hz: float, models: tuple[str, str]) -> None:
    with VirtualBench(REQUESTS, scene(carrier_hz)) as bench:
        assert [radio.model.partition("Z7010-")[2].rstrip(")") for radio in bench.radios] == list(models)
        assert len({radio.serial for radio in bench.radios}) == 2
        assert all(radio.address.startswith("pluto:ip:127.0.0.1:") for radio in bench.radios)
    bench.close()  # again: nothing


def test_all_listen_or_none() -> None:
    with socket.socket() as other, socket.socket() as free:
        other.bind(("127.0.0.1", 0))
        other.listen()
        free.bind(("127.0.0.1", 0))
        ports = [free.getsockname()[1], other.getsockname()[1]]
        free.close()
        requests = [
            replace(request, address=f"pluto:ip:127.0.0.1:{port}")
            for request, port in zip(REQUESTS, ports, strict=True)
        ]
        with pytest.raises(RadioNotFoundError, match="ann: cannot listen"):
            VirtualBench(requests, scene())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[0]), timeout=5)


@pytest.mark.parametrize(("n_tx", "n_rx"), [(4, 4), (2, 1), (0, 2)])
def test_no_pluto_has_so_many_channels(n_tx: int, n_rx: int) -> None:
    with pytest.raises(RadioNotFoundError, match=f"not {n_tx} and {n_rx}"):
        VirtualBench([replace(REQUESTS[0], n_tx=n_tx, n_rx=n_rx)], scene())


def test_addresses_of_no_virtual_device_are_refused() -> None:
    with pytest.raises(RadioNotFoundError, match=r"west: 'replay:.*begins with pluto:"):
        VirtualBench([replace(REQUESTS[0], address="replay:run.h5")], scene())


def test_a_radio_that_is_not_in_the_scene_is_refused() -> None:
    with pytest.raises(RadioNotFoundError, match="zoe: the scene has only west, ann"):
        VirtualBench([replace(REQUESTS[0], name="zoe")], scene())
