"""A small virtual bench on loopback, and the real clients if they are installed."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from drivers.opening import RadioRequest
from drivers.simulated.front_end import FrontEnd
from drivers.simulated.scene import Node, Scene
from drivers.virtual.faults import Fault
from drivers.virtual.serving import VirtualBench

NEEDED = (
    "install Debian's libiio0 and libiio-utils and PyPI's pyadi-iio==0.0.21 with pylibiio>=0.25,<1 (make test does)"
)
REQUESTS = [RadioRequest("west", "pluto:", 2, 2), RadioRequest("ann", "pluto:", 0, 1)]

Served = Callable[..., VirtualBench]


def the_scene(**of_the_radios: object) -> Scene:
    """A station with two antennas and a user 10 m in front of it, in free space, at 2.4 GHz."""
    front_end = FrontEnd(noise_figure_db=6.0, **of_the_radios)
    return Scene(
        stations=(Node("west", (0.0, 0.0), 0.0, 2, 2, front_end=front_end),),
        users=(Node("ann", (10.0, 0.0), 0.0, 0, 1, front_end=front_end),),
        serving={"ann": "west"},
        targets=(),
        carrier_hz=2.4e9,
        symbol_rate_hz=1e6,
        leakage=1e-6,
        seed=3,
    )


@pytest.fixture
def serve() -> Iterator[Served]:
    """Make virtual benches that are closed when the test ends."""
    benches = []

    def serve(*faults: Fault, paced: bool = False, **of_the_radios: object) -> VirtualBench:
        benches.append(VirtualBench(REQUESTS, the_scene(**of_the_radios), paced=paced, faults=faults))
        return benches[-1]

    yield serve
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(serve: Served) -> VirtualBench:
    return serve()


def vendor(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, AttributeError) as error:  # a missing or wrong libiio is an OSError
        pytest.skip(f"{name} cannot be imported ({error}): {NEEDED}")


class Clients:
    """Contexts and buffers of the real libiio, destroyed in the only order that it survives: buffers first.

    Left to the garbage collector, a context may die before its buffer, which is a fault of the binding that ends the
    process.
    """

    def __init__(self, iio: ModuleType) -> None:
        self._iio = iio
        self.contexts: list = []
        self.buffers: list = []

    def context(self, uri: str):
        self.contexts.append(self._iio.Context(uri))
        return self.contexts[-1]

    def device(self, uri: str, name: str, channels: int = 4):
        """A device of a context of its own, with its first channels enabled."""
        device = self.context(uri).find_device(name)
        for channel in device.channels:
            if channel.scan_element:
                channel.enabled = int(channel.id.removeprefix("voltage")) < channels
        return device

    def buffer(self, uri: str, name: str, n: int, *, cyclic: bool = False, channels: int = 4):
        self.buffers.append(self._iio.Buffer(self.device(uri, name, channels), n, cyclic))
        return self.buffers[-1]

    def destroy(self, buffer) -> None:
        self._iio._buffer_destroy(buffer._buffer)
        buffer._buffer = None
        self.buffers.remove(buffer)

    def close(self) -> None:
        for buffer in list(self.buffers):
            self.destroy(buffer)
        for context in self.contexts:
            self._iio._destroy(context._context)
            context._context = None


@pytest.fixture(scope="session")
def iio() -> ModuleType:
    return vendor("iio")


@pytest.fixture
def clients(iio: ModuleType, serve: Served) -> Iterator[Clients]:
    clients = Clients(iio)
    yield clients
    clients.close()


@pytest.fixture
def pyadi(iio: ModuleType, clients: Clients) -> Callable:
    """Open an unmodified class of pyadi-iio by its name, from a URI."""
    adi = vendor("adi")

    def pyadi(name: str, uri: str):
        radio = getattr(adi, name)(uri=uri)
        clients.contexts.append(radio._ctx)
        radios.append(radio)
        return radio

    radios: list = []
    yield pyadi
    for radio in radios:
        radio.rx_destroy_buffer()
        radio.tx_destroy_buffer()


@pytest.fixture
def tool() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run one of libiio's command line tools."""

    def tool(*command: str, send: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is missing: {NEEDED}")
        return subprocess.run(command, input=send, capture_output=True, timeout=30, check=False)

    return tool
