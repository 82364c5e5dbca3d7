"""One client's connection: lines in, answers out, and its buffers closed when it leaves."""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import Callable
from typing import Protocol

from drivers.virtual.faults import Fault
from drivers.virtual.pluto.protocol import (
    LONGEST_LINE,
    Close,
    Exit,
    GetTrigger,
    Open,
    Print,
    ProtocolError,
    Read,
    ReadBuffer,
    Request,
    SetBuffers,
    SetTrigger,
    Timeout,
    Version,
    Write,
    WriteBuffer,
    number,
    parse,
    text,
)  # fmt: skip
from drivers.virtual.pluto.rules import RefusedError
from drivers.virtual.pluto.streams import ReceiveStream, TransmitStream
from drivers.virtual.pluto.unit import VirtualPluto

__all__ = ["Session"]

VERSION = b"0.24.virtual\n"  # major.minor.tag, and clients want at least 8 bytes after the second point
FIRST_TIMEOUT_S = 2.5


class _EndedError(Exception):
    """The connection ends."""


class Host(Protocol):
    """What a session asks of the server that runs it."""

    def pause(self, seconds: float) -> None:
        """Wait, unless the server is being stopped."""
        ...

    def cut_all(self) -> None:
        """Cut every connection: the unit has died and comes up again."""
        ...


class Session:
    """Answers one client until it leaves, is out of step, or the server cuts it off."""

    def __init__(self, connection: socket.socket, unit: VirtualPluto, host: Host) -> None:
        self._connection, self._unit, self._host = connection, unit, host
        self._lines = io.BufferedReader(socket.SocketIO(connection, "r"), 1 << 16)
        self._streams: dict[str, tuple[ReceiveStream | TransmitStream, Open]] = {}
        self._timeout_s = FIRST_TIMEOUT_S

    def run(self) -> None:
        """Answer requests until the connection ends; its buffers are closed then, whatever happened."""
        try:
            while self._answer():
                pass
        except (_EndedError, OSError):  # gone, out of step, or cut off
            pass
        finally:
            for stream, _ in self._streams.values():
                self._unit.close(stream)
            self._lines.close()
            self._connection.close()

    def _answer(self) -> bool:
        """Answer one line; return whether there may be another."""
        line = self._lines.readline(LONGEST_LINE + 1)
        if not line:
            return False
        if not line.endswith(b"\n") and len(line) > LONGEST_LINE:
            self._send(number(-errno.EINVAL))
            return False
        try:
            request = parse(line)
            if isinstance(request, Exit):
                return False
            if request is not None:
                self._misbehave(request)
                self._dispatch(request)
        except RefusedError as refusal:
            self._send(number(-refusal.code))
        except ProtocolError as error:
            self._send(number(-error.code))
            return not error.ends
        return True

    def _dispatch(self, request: Request) -> None:
        unit = self._unit
        match request:
            case Print():
                xml = unit.xml().encode()
                self._send(number(len(xml)) + xml + b"\n")
            case Version():
                self._send(VERSION)
            case Timeout(milliseconds):
                self._timeout_s = milliseconds / 1000 or float("inf")
                self._send(number(0))
            case Read():
                self._send(text(unit.read(request)))
            case Write():
                value = self._payload(request.length)
                unit.write(request, bytes(value))
                self._send(number(request.length))
            case SetBuffers(device, count):
                unit.set_kernel_buffers(device, count)
                self._send(number(0))
            case GetTrigger() | SetTrigger():
                raise RefusedError(errno.ENOENT)
            case Open():
                self._open(request)
            case Close(device):
                stream, _ = self._stream(device)
                del self._streams[device]
                unit.close(stream)
                self._send(number(0))
            case ReadBuffer(device, length):
                self._read(device, length)
            case WriteBuffer(device, length):
                self._write(device, length)

    # ---------------------------------------------------------------------- buffers

    def _open(self, request: Open) -> None:
        if request.device in self._streams:
            raise RefusedError(errno.EBUSY)
        self._streams[request.device] = (self._unit.open(request), request)
        self._send(number(0))

    def _stream(self, device: str) -> tuple[ReceiveStream | TransmitStream, Open]:
        self._unit.device(device)
        if device not in self._streams:
            raise RefusedError(errno.EBADF)
        return self._streams[device]

    def _read(self, device: str, length: int) -> None:
        """Answer with pieces of a block, the mask before the first, and 0 after the last if it was cut short."""
        stream, opened = self._stream(device)
        if not isinstance(stream, ReceiveStream) or not length:
            raise RefusedError(errno.EINVAL)
        faults = self._unit.faults.strike(self._unit.name, "refill")
        if "timeout" in faults:
            raise RefusedError(errno.ETIMEDOUT)
        if "phase-jump" in faults:
            self._unit.jump()
        broken = faults.get("die") or faults.get("short-read")
        wanted = length // 2 // 4 * 4 if broken else length
        mask = b"%08x\n" % opened.mask
        for piece in stream.read(wanted, self._timeout_s):
            promised = length if broken and broken.kind == "die" else len(piece)
            self._connection.sendall(number(promised) + mask, socket.MSG_MORE)
            self._connection.sendall(piece)
            mask = b""
            if broken and broken.kind == "die":
                self._host.cut_all()
                raise _EndedError
        if broken:
            self._send(number(0))

    def _write(self, device: str, length: int) -> None:
        stream, _ = self._stream(device)
        if not isinstance(stream, TransmitStream) or not 0 < length <= stream.block_bytes:
            raise RefusedError(errno.EINVAL)
        if length % (stream.block_bytes // stream.samples):
            raise RefusedError(errno.EINVAL)
        self._send(number(0))
        stream.push(self._payload(length))
        self._send(number(length))

    # -------------------------------------------------------------------------- rim

    def _payload(self, length: int) -> bytearray:
        """Return the bytes that follow a request."""
        payload = bytearray(length)
        view = memoryview(payload)
        while len(view):
            received = self._lines.readinto(view)
            if not received:
                raise _EndedError
            view = view[received:]
        return payload

    def _send(self, answer: bytes) -> None:
        self._connection.sendall(answer)

    def _misbehave(self, request: Request) -> None:
        """Let what the fault plan wants happen before a request is answered."""
        strike: Callable[[str, str], dict[str, Fault]] = self._unit.faults.strike
        if stall := strike(self._unit.name, "request").get("stall"):
            self._host.pause(stall.lasts_s)
            raise _EndedError
        if isinstance(request, Read | Write) and (late := strike(self._unit.name, "attribute").get("late-reply")):
            self._host.pause(late.lasts_s)
