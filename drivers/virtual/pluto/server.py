"""The network daemon of a virtual Pluto: a listener on loopback and a thread per client."""

from __future__ import annotations

import contextlib
import math
import socket
import threading

from drivers.errors import RadioNotFoundError, SettingsError
from drivers.virtual.pluto.session import Session
from drivers.virtual.pluto.unit import VirtualPluto

__all__ = ["PlutoServer"]

# Three connections are a client's usual need; more than this many is somebody who opens and forgets.
MOST_CONNECTIONS = 64
JOIN_S = 5.0


class PlutoServer:
    """Serves one unit until it is closed; use it in a `with` statement.

    Attributes:
        unit: The unit.
        port: Its port, once it is started.
    """

    def __init__(self, unit: VirtualPluto, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare a server.

        Args:
            unit: What it serves.
            host: An address of the loopback network.
            port: Its port; 0 takes a free one.

        Raises:
            SettingsError: The host is not on loopback.
        """
        if not host.startswith("127."):
            raise SettingsError(
                f"radio {unit.name}: a virtual radio listens on loopback (127.x.x.x) only, not on {host}"
            )
        self.unit, self.host, self.port = unit, host, port
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The unit's name."""
        return self.unit.name

    @property
    def serial(self) -> str:
        """The unit's serial number."""
        return self.unit.serial

    @property
    def model(self) -> str:
        """What the unit says that it is."""
        return self.unit.chip.hw_model

    @property
    def is_transmitting(self) -> bool:
        """Whether anything but zeros leaves its ports."""
        return self.unit.is_transmitting

    @property
    def address(self) -> str:
        """The address by which this project's drivers open the unit."""
        return f"pluto:{self.uri}"

    @property
    def uri(self) -> str:
        """The address by which libiio opens the unit."""
        return f"ip:{self.host}:{self.port}"

    def start(self) -> PlutoServer:
        """Begin to listen.

        Raises:
            RadioNotFoundError: The port cannot be had.
        """
        refusal_s = self._refusal_s()
        if refusal_s is None or not self.port:
            self._listen()
        if refusal_s is not None:
            self._deafen()
        self._accepting = threading.Thread(target=self._accept, args=(refusal_s,), daemon=True, name=self.unit.name)
        self._accepting.start()
        return self

    def __enter__(self) -> PlutoServer:
        """Begin to listen."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Cut all clients and switch the unit off; calling it again does nothing."""
        self._stopping.set()
        self._deafen()
        self.cut_all()
        if self._accepting is not None:
            self._accepting.join(JOIN_S)
        with self._lock:
            threads = list(self._clients.values())
        for thread in threads:
            thread.join(JOIN_S)
        self.unit.close_all()

    # ------------------------------------------------- what sessions ask of their host

    def pause(self, seconds: float) -> None:
        """Wait, unless the server is being stopped."""
        self._stopping.wait(None if math.isinf(seconds) else seconds)

    def cut_all(self) -> None:
        """Cut every connection: the unit has died and comes up again."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            with contextlib.suppress(OSError):  # it may be gone already
                client.shutdown(socket.SHUT_RDWR)

    # ---------------------------------------------------------------------- listening

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen(MOST_CONNECTIONS)
        except OSError as error:
            listener.close()
            raise RadioNotFoundError(
                f"radio {self.unit.name}: cannot listen on {self.host}:{self.port}: {error.strerror}; "
                "end the program that holds the port, or name another"
            ) from error
        self.port = int(listener.getsockname()[1])
        self._listener = listener

    def _deafen(self) -> None:
        """Stop listening; shut down first, for a thread that waits in accept would keep the port."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _refusal_s(self) -> float | None:
        """Return how long the next connection shall be refused, or None."""
        fault = self.unit.faults.strike(self.unit.name, "connection").get("refuse")
        return None if fault is None else fault.lasts_s

    def _accept(self, refusal_s: float | None) -> None:
        while not self._stopping.is_set():
            if refusal_s is not None:
                self._deafen()
                self.pause(refusal_s)
                if self._stopping.is_set():
                    return
                self._listen()
            listener = self._listener
            if listener is None:
                return
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
            refusal_s = self._refusal_s()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._clients) >= MOST_CONNECTIONS:
                connection.close()
                return
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True, name=self.unit.name)
            self._clients[connection] = thread
        thread.start()

    def _run(self, connection: socket.socket) -> None:
        try:
            Session(connection, self.unit, self).run()
        finally:
            with self._lock:
                self._clients.pop(connection, None)
