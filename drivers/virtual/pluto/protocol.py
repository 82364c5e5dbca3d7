"""The text protocol of IIOD, version 0: from a line to a request, and from an answer to bytes. Pure.

A client sends a line that ends in CR LF, sometimes followed by raw bytes; every numeric answer is a decimal number and
LF, negative ones being -errno. Source: libiio 0.24, its network backend and its daemon.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

__all__ = [
    "LONGEST_LINE",
    "LONGEST_VALUE",
    "Close",
    "Exit",
    "GetTrigger",
    "Open",
    "Print",
    "ProtocolError",
    "Read",
    "ReadBuffer",
    "Request",
    "SetBuffers",
    "SetTrigger",
    "Timeout",
    "Version",
    "Write",
    "WriteBuffer",
    "number",
    "parse",
    "text",
]

# A line names a device, a channel, an attribute and a mask of a few words; anything longer is not ours.
LONGEST_LINE = 1024
# An attribute's value: the largest, a filter of 128 taps, has about 2 kB.
LONGEST_VALUE = 1 << 16
LONGEST_BUFFER = 1 << 28  # bytes; more than a Pluto's memory

DIRECTIONS = ("INPUT", "OUTPUT")


class ProtocolError(Exception):
    """A request cannot be answered but by an error number.

    Attributes:
        code: The positive errno.
        ends: Whether the connection is out of step after it and must be closed.
    """

    def __init__(self, code: int, *, ends: bool = False) -> None:
        super().__init__(errno.errorcode.get(code, str(code)))
        self.code = code
        self.ends = ends


@dataclass(frozen=True)
class Exit:
    """The client leaves."""


@dataclass(frozen=True)
class Print:
    """Asks for the description of the context."""


@dataclass(frozen=True)
class Version:
    """Asks for the daemon's version."""


@dataclass(frozen=True)
class Timeout:
    """Sets how long an answer may take; 0 is for ever."""

    milliseconds: int


@dataclass(frozen=True)
class Open:
    """Opens a device's buffer."""

    device: str
    samples: int
    mask: int
    cyclic: bool


@dataclass(frozen=True)
class Close:
    """Closes a device's buffer."""

    device: str


@dataclass(frozen=True)
class Read:
    """Asks for an attribute: of a channel, of the device, of its debug or buffer folder."""

    device: str
    kind: str  # "INPUT", "OUTPUT", "DEBUG", "BUFFER" or "" for the device's own
    channel: str
    attribute: str


@dataclass(frozen=True)
class Write:
    """Sets an attribute to the `length` bytes that follow the line."""

    device: str
    kind: str
    channel: str
    attribute: str
    length: int


@dataclass(frozen=True)
class ReadBuffer:
    """Asks for bytes from an open buffer."""

    device: str
    length: int


@dataclass(frozen=True)
class WriteBuffer:
    """Announces bytes for an open buffer."""

    device: str
    length: int


@dataclass(frozen=True)
class SetBuffers:
    """Sets how many buffers the kernel keeps."""

    device: str
    count: int


@dataclass(frozen=True)
class GetTrigger:
    """Asks for a device's trigger."""

    device: str


@dataclass(frozen=True)
class SetTrigger:
    """Sets a device's trigger."""

    device: str


Request = (
    Exit | Print | Version | Timeout | Open | Close | Read | Write
    | ReadBuffer | WriteBuffer | SetBuffers | GetTrigger | SetTrigger
)  # fmt: skip


def parse(line: bytes) -> Request | None:
    """Return the request in a line, or None for an empty one.

    Args:
        line: Without its end of line.

    Raises:
        ProtocolError: It is no request; EINVAL.
    """
    try:
        words = line.decode("ascii").split()
    except UnicodeDecodeError:
        raise ProtocolError(errno.EINVAL) from None
    if not words:
        return None
    verb, arguments = words[0], words[1:]
    if verb in ("EXIT", "PRINT", "VERSION") and not arguments:
        alone: dict[str, Request] = {"EXIT": Exit(), "PRINT": Print(), "VERSION": Version()}
        return alone[verb]
    if verb == "TIMEOUT" and len(arguments) == 1:
        return Timeout(_natural(arguments[0], 1 << 31))
    if verb in ("READ", "WRITE") and arguments:
        return _attribute(verb, arguments)
    return _buffer(verb, arguments)


def _buffer(verb: str, arguments: list[str]) -> Request:
    match verb, arguments:
        case "OPEN", [device, samples, mask]:
            return Open(device, _natural(samples, LONGEST_BUFFER), _mask(mask), cyclic=False)
        case "OPEN", [device, samples, mask, "CYCLIC"]:
            return Open(device, _natural(samples, LONGEST_BUFFER), _mask(mask), cyclic=True)
        case "CLOSE", [device]:
            return Close(device)
        case "READBUF", [device, length]:
            return ReadBuffer(device, _natural(length, LONGEST_BUFFER))
        case "WRITEBUF", [device, length]:
            return WriteBuffer(device, _natural(length, LONGEST_BUFFER))
        case "SET", [device, "BUFFERS_COUNT", count]:
            return SetBuffers(device, _natural(count, 1 << 16))
        case "GETTRIG", [device]:
            return GetTrigger(device)
        case "SETTRIG", [device, *_]:
            return SetTrigger(device)
    raise ProtocolError(errno.EINVAL)


def _attribute(verb: str, arguments: list[str]) -> Read | Write:
    """Return the request of `READ|WRITE device [INPUT|OUTPUT channel|DEBUG|BUFFER] [attribute] [length]`.

    The attribute may be left out, which asks for all of them; no client of version 0.24 does, and it is refused.
    """
    length = 0
    where: tuple[str, str, str, str]
    if verb == "WRITE":
        length = _natural(arguments.pop(), LONGEST_VALUE, ends=True)
    match arguments:
        case [device, "INPUT" | "OUTPUT" as kind, channel, attribute]:
            where = (device, kind, channel, attribute)
        case [device, "DEBUG" | "BUFFER" as kind, attribute]:
            where = (device, kind, "", attribute)
        case [device, attribute] if attribute not in (*DIRECTIONS, "DEBUG", "BUFFER"):
            where = (device, "", "", attribute)
        case _:
            # The value that follows a WRITE cannot be told from a request any more.
            raise ProtocolError(errno.EINVAL, ends=verb == "WRITE")
    return Read(*where) if verb == "READ" else Write(*where, length)


def _natural(word: str, most: int, *, ends: bool = False) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", word) or int(word) > most:
        raise ProtocolError(errno.EINVAL, ends=ends)
    return int(word)


def _mask(word: str) -> int:
    if not re.fullmatch(r"([0-9a-fA-F]{8}){1,8}", word):
        raise ProtocolError(errno.EINVAL)
    return int(word, 16)


def number(value: int) -> bytes:
    """Return a numeric answer."""
    return b"%d\n" % value


def text(value: str) -> bytes:
    """Return an attribute's value as an answer: its length with the final NUL, and itself."""
    payload = value.encode() + b"\0"
    return number(len(payload)) + payload + b"\n"
