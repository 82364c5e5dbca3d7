"""Malformed requests for a virtual Pluto: what nobody should send, and a client that must not notice.

Used by the benchmark, and by the suite's smaller version of it.
"""

from __future__ import annotations

import random
import socket
import threading

__all__ = ["Innocent", "abuse"]

DEVICES = (b"iio:device0", b"iio:device2", b"iio:device3", b"iio:device9", b"")
VERBS = (
    b"PRINT",
    b"OPEN",
    b"CLOSE",
    b"READ",
    b"WRITE",
    b"READBUF",
    b"WRITEBUF",
    b"SET",
    b"TIMEOUT",
    b"GETTRIG",
    b"ZPRINT",
)
WORDS = (b"INPUT", b"OUTPUT", b"DEBUG", b"BUFFER", b"voltage0", b"altvoltage1", b"frequency", b"BUFFERS_COUNT",
         b"CYCLIC", b"00000003", b"ffffffff", b"-1", b"0", b"1", b"64", b"4096", b"99999999999", b"nan", b"\0",
         b"%s%n")  # fmt: skip


def malformed(rng: random.Random) -> bytes:
    """A line that is wrong, or a request out of place; bounded."""
    match rng.randrange(6):
        case 0:
            return rng.randbytes(rng.randrange(60)).replace(b"\n", b" ") + b"\r\n"
        case 1:
            return (
                b" ".join([rng.choice(VERBS), rng.choice(DEVICES), *rng.choices(WORDS, k=rng.randrange(5))]) + b"\r\n"
            )
        case 2:
            length = rng.randrange(40)
            return b"WRITE iio:device0 ensm_mode %d\r\n" % length + rng.randbytes(length)
        case 3:
            length = rng.choice((b"-1", b"0", b"3", b"17", b"512", b"268435457", b"999999999999", b"1e3", b"x"))
            return b"OPEN iio:device3 64 0000000f\r\nREADBUF iio:device3 " + length + b"\r\nCLOSE iio:device3\r\n"
        case 4:
            length = rng.choice((-1, 0, 3, 12, 512, 513, 1 << 20))
            payload = rng.randbytes(min(max(length, 0), 600)).replace(b"\n", b" ")
            return b"OPEN iio:device2 64 0000000f\r\nWRITEBUF iio:device2 %d\r\n" % length + payload + b"\r\n"
        case _:
            return b"x" * rng.choice((900, 1500)) + b"\r\n"


def abuse(port: int, n: int, seed: int) -> tuple[int, int]:
    """Send malformed lines, over new connections whenever one is closed; returns lines sent and connections used."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    sent = connections = 0
    while sent < n:
        connections += 1
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            try:
                for _ in range(min(500, n - sent)):
                    raw.sendall(malformed(rng))
                    sent += 1
                    raw.setblocking(False)
                    try:
                        while raw.recv(1 << 16):
                            pass
                        break  # closed
                    except BlockingIOError:
                        pass
                    raw.setblocking(True)
            except OSError:
                pass  # closed while we were sending
    return sent, connections


class Innocent(threading.Thread):
    """A client that asks for the same all the time, and must never notice anything."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.asked, self.fault = port, 0, ""
        self.enough = threading.Event()

    def run(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as raw, raw.makefile("rb") as answers:
            while not self.enough.is_set() or not self.asked:
                raw.sendall(b"READ iio:device0 INPUT temp0 input\r\n")
                answer = answers.readline() + answers.readline()
                self.asked += 1
                if answer != b"6\n36842\0\n":
                    self.fault = repr(answer)
                    return
