"""One N210 on the network: five UDP ports of one loopback address, and the thread that answers on them."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from drivers.errors import RadioNotFoundError
from drivers.virtual.n210 import vita
from drivers.virtual.n210.clock import TICKS_PER_S
from drivers.virtual.n210.control_port import ControlPort
from drivers.virtual.n210.hardware import RX_PORTS, Hardware
from drivers.virtual.n210.receiver import Stretch
from drivers.virtual.n210.registers import Port
from drivers.virtual.n210.settings_port import SettingsPort

__all__ = ["Board"]

Address = tuple[str, int]
LONGEST_DATAGRAM = 9000
LONGEST_NAP_S = 0.05  # a stopped board ends within this time
ON_AIR_S = 1.0  # samples older than this are asked for by no receiver any more
SOCKET_BUFFER = 4 << 20


class Board:
    """A board that is on the network from `start` to `stop`; its hardware belongs to its own thread.

    Other threads read `hardware.transmitter.played`, whose elements never change, and the histories of the front ends.
    """

    def __init__(
        self,
        address: str,
        serial: str,
        name: str,
        *,
        now_s: Callable[[], float],
        receive: Callable[[Stretch], NDArray[np.complex64]],
        rng: np.random.Generator,
        quartz_ppm: float = 0.0,
        on_exchange: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a board.

        Args:
            address: Its loopback address.
            serial: Its serial number.
            name: The name its owner gave it.
            now_s: The air time.
            receive: Returns what reaches the receiver in a stretch that lies in the past, digital, full scale 1.
            rng: Source of the phases of untimed tunes.
            quartz_ppm: Error of its own quartz.
            on_exchange: Called when a host asks for samples.
        """
        self.address, self.serial = address, serial
        self.hardware = Hardware(receive, rng, quartz_ppm, on_exchange)
        self._now_s = now_s
        self._settings = SettingsPort(self.hardware)
        self._control = ControlPort(address, serial, name, self.hardware)
        self._hosts: dict[Port, Address] = {}  # to whom packets of a port go: who wrote to it last
        self._sockets: dict[Port, socket.socket] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"n210 {address}", daemon=True)

    def start(self) -> None:
        """Go onto the network.

        Raises:
            RadioNotFoundError: The address is no loopback address, or taken by another board.
        """
        try:
            for port in Port:
                self._sockets[port] = _socket(self.address, port)
        except OSError as error:
            self._close()
            raise RadioNotFoundError(
                f"virtual N210 {self.address}: port {port} cannot be used: {error.strerror}; "
                "is another `testbed emulate` running?"
            ) from error
        self._thread.start()

    @property
    def is_transmitting(self) -> bool:
        """Whether anything but zeros leaves its port, or waits to."""
        now = self.hardware.clock.ticks(self._now_s())
        return any(piece.end > now and piece.samples.any() for piece in tuple(self.hardware.transmitter.played))

    def stop(self) -> None:
        """Leave the network."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for port, one in self._sockets.items():
                selector.register(one, selectors.EVENT_READ, port)
            while not self._stopping.is_set():
                for key, _ in selector.select(self._nap_s()):
                    self._read(key.data)
                now_s = self._now_s()
                self._send(self._settings.advance(now_s))
                self._send(self.hardware.advance(now_s))
                self.hardware.transmitter.forget(self.hardware.clock.ticks(now_s) - round(ON_AIR_S * TICKS_PER_S))

    def _nap_s(self) -> float:
        due_s = min(self._settings.due_s(), self.hardware.due_s())
        return min(max(due_s - self._now_s(), 0.0), LONGEST_NAP_S)

    def _read(self, port: Port) -> None:
        """Take all datagrams that wait at a port; what is no packet of ours is ignored, whoever sent it."""
        for _ in range(64):  # then the other ports get their turn
            try:
                datagram, host = self._sockets[port].recvfrom(LONGEST_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if self.hardware.faults.gone:
                continue
            try:
                self._take(port, datagram, host)
            except vita.Unfit:
                continue

    def _take(self, port: Port, datagram: bytes, host: Address) -> None:
        now_s = self._now_s()
        if port == Port.CONTROL:
            self._hosts[port] = host
            self._send(self._control.answer(datagram, now_s))
        elif datagram[4:8] == bytes(4):  # an empty header: the host says where packets of this port shall go
            self._hosts[port] = host
        elif port == Port.SETTINGS:
            self._hosts[port] = host
            self._send(self._settings.take(datagram, now_s))
        elif port == Port.TX:
            packet = vita.unpack(datagram[4:])
            hardware = self.hardware
            starved = bool(packet.payload) and hardware.faults.strikes("underflows")
            sequence, ticks = int.from_bytes(datagram[:4], "big"), hardware.clock.ticks(now_s)
            self._send((port, one) for one in hardware.transmitter.take(sequence, packet, ticks, starved=starved))

    def _send(self, packets: Iterable[tuple[Port, bytes]]) -> None:
        faults = self.hardware.faults
        for port, packet in packets:
            if port not in self._hosts or faults.gone:
                continue
            if port in RX_PORTS:
                if faults.strikes("lost_packets"):
                    continue
                if faults.strikes("strangers"):
                    self._sockets[port].sendto(b"a stranger's packet.", self._hosts[port])
            self._sockets[port].sendto(packet, self._hosts[port])

    def _close(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()


def _socket(address: str, port: Port) -> socket.socket:
    """Return a socket of a loopback address; any other is refused, for these boards must not be on a network.

    Raises:
        OSError: The address is none of 127.0.0.0/8, or the port is taken.
    """
    if not address.startswith("127."):
        raise OSError(0, "it is not in 127.0.0.0/8")
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            one.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    return one
