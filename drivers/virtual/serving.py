"""A bench of virtual radios on loopback: each radio of an experiment behind the protocol that its address names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Protocol

from drivers.errors import RadioNotFoundError, SettingsError
from drivers.opening import RadioRequest
from drivers.simulated.scene import Node, Scene
from drivers.virtual.air_time import AirClock, FastClock, PacedClock
from drivers.virtual.faults import N210_KINDS, PLUTO_KINDS, Fault, FaultPlan
from drivers.virtual.medium import Medium
from drivers.virtual.n210.serving import usrp
from drivers.virtual.pluto.catalogue import CHIPS, Chip
from drivers.virtual.pluto.server import PlutoServer
from drivers.virtual.pluto.unit import VirtualPluto

__all__ = ["SERVERS", "Place", "VirtualBench", "VirtualRadio"]

DEFAULT_PORT = 30431  # of the IIO network daemon


class VirtualRadio(Protocol):
    """One served radio.

    Attributes:
        name: Its name in the scene.
        address: The address by which a driver opens it.
        serial: Its serial number.
        model: What it says that it is.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def serial(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102

    @property
    def is_transmitting(self) -> bool:
        """Whether anything but zeros leaves its ports."""
        ...

    def start(self) -> object:
        """Begin to listen.

        Raises:
            RadioNotFoundError: Its port cannot be had.
        """
        ...

    def close(self) -> None:
        """Cut its clients and switch it off."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a virtual radio stands.

    Attributes:
        node: The node of the scene.
        number: Which of the scene's nodes it is.
        carrier_hz: The scene's carrier.
        medium: The air.
        clock: The air's time.
        seed: Of everything random in it.
        faults: What shall go wrong.
    """

    node: Node
    number: int
    carrier_hz: float
    medium: Medium
    clock: AirClock
    seed: int
    faults: FaultPlan


def pluto(request: RadioRequest, place: Place) -> VirtualRadio:
    """Make the virtual Pluto of a radio whose address begins with `pluto:`.

    Raises:
        RadioNotFoundError: No Pluto has so many channels.
    """
    n = {(2, 2): 2, (0, 1): 1, (1, 1): 1}.get((request.n_tx, request.n_rx))
    if n is None:
        raise RadioNotFoundError(
            f"radio {request.name}: a virtual Pluto has 2 transmit and 2 receive channels (a station) or one of each "
            f"(a user), not {request.n_tx} and {request.n_rx}; write n_tx = 2 and n_rx = 2"
        )
    chip = _chip(n, place.carrier_hz)
    serial = "1044" + sha256(request.name.encode()).hexdigest()[:30]
    unit = VirtualPluto(
        place.node, place.number, chip, serial, place.medium, place.clock, seed=place.seed, faults=place.faults
    )
    return PlutoServer(unit, *_host_and_port(request.address))


def _chip(n: int, carrier_hz: float) -> Chip:
    """Return what a unit must be for so many channels and a carrier: one channel as delivered, if that tunes so far."""
    if n == 2:
        return CHIPS["ad9361"]
    low_hz, high_hz = CHIPS["ad9363a"].rx_lo_hz
    return CHIPS["ad9363a" if low_hz <= carrier_hz <= high_hz else "ad9364"]


def _host_and_port(address: str) -> tuple[str, int]:
    """Return where to listen: as a loopback address says, else on a free port."""
    found = re.fullmatch(r"pluto:ip:(?P<host>[0-9.]+)(?::(?P<port>\d{1,5}))?", address)
    try:
        if found and ipaddress.ip_address(found["host"]).is_loopback and int(found["port"] or 0) < 1 << 16:
            return found["host"], int(found["port"] or DEFAULT_PORT)
    except ValueError:  # no address of a network
        pass
    return "127.0.0.1", 0


# Scheme of an address: what makes its virtual radio.
SERVERS: dict[str, Callable[[RadioRequest, Place], VirtualRadio]] = {"pluto": pluto, "usrp": usrp}
# Radios that live by the wall clock, and with them the whole bench: their hosts have deadlines of their own.
REAL_TIME = ("usrp",)


class VirtualBench:
    """The virtual radios of an experiment, listening; use it in a `with` statement.

    Attributes:
        radios: The radios, in the order of the requests.
        faults: What goes wrong, and what has.
        paced: Whether captures take as long as their samples.
    """

    def __init__(
        self,
        requests: Sequence[RadioRequest],
        scene: Scene,
        *,
        paced: bool = False,
        faults: Iterable[Fault] = (),
        frame_period_s: float = 0.0,
    ) -> None:
        """Make the radios and let them listen, all or none.

        Args:
            requests: The radios, with the addresses that the experiment gives them.
            scene: The physics that joins them; its seed is theirs.
            paced: Whether captures take as long as their samples, rather than no time at all.
            faults: What shall go wrong.
            frame_period_s: Without pace, transmissions start at multiples of it on the air, so that the scene moves on
                from frame to frame; 0 starts them at once.

        Raises:
            RadioNotFoundError: A radio cannot be served, or its port cannot be had.
            SettingsError: A fault is for a radio that is not there.
        """
        plan = FaultPlan(faults, scene.seed)
        self.faults = plan
        for fault in plan.faults:
            if fault.radio and fault.radio not in [request.name for request in requests]:
                there = ", ".join(request.name for request in requests)
                raise SettingsError(f"fault {fault.kind}: there is no radio {fault.radio}; there are {there}")
        scheme = {request.name: request.address.partition(":")[0] for request in requests}
        for fault in plan.faults:
            for name in [fault.radio] if fault.radio else scheme:
                kinds = N210_KINDS if scheme[name] == "usrp" else PLUTO_KINDS
                if fault.kind not in kinds:
                    raise SettingsError(
                        f"fault {fault.kind}: radio {name} ({scheme[name]}) has {', '.join(kinds)}; write "
                        f"RADIO/{fault.kind} for a radio that has it"
                    )
        self.paced = paced or any(request.address.partition(":")[0] in REAL_TIME for request in requests)
        self._clock: AirClock = PacedClock() if self.paced else FastClock(frame_period_s)
        medium = Medium(scene)
        nodes = {node.name: (number, node) for number, node in enumerate(scene.nodes)}
        self.radios: list[VirtualRadio] = []
        for request in requests:
            if request.name not in nodes:
                raise RadioNotFoundError(f"radio {request.name}: the scene has only {', '.join(nodes)}")
            number, node = nodes[request.name]
            place = Place(node, number, scene.carrier_hz, medium, self._clock, scene.seed, plan)
            self.radios.append(_server(request)(request, place))
        try:
            for radio in self.radios:
                radio.start()
        except BaseException:
            self.close()
            raise

    @property
    def transmitting(self) -> list[str]:
        """Names of the radios that transmit anything but zeros."""
        return [radio.name for radio in self.radios if radio.is_transmitting]

    def close(self) -> None:
        """Cut all clients and switch all radios off."""
        self._clock.stop()
        for radio in self.radios:
            radio.close()

    def __enter__(self) -> VirtualBench:
        """Return itself: it listens already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _server(request: RadioRequest) -> Callable[[RadioRequest, Place], VirtualRadio]:
    scheme = request.address.partition(":")[0]
    if scheme not in SERVERS:
        known = " or ".join(f"{name}:" for name in SERVERS)
        raise RadioNotFoundError(
            f"radio {request.name}: {request.address!r} is no address of a virtual device, which begins with {known}; "
            'write for example radio = "pluto:ip:127.0.0.1:50001"'
        )
    return SERVERS[scheme]
