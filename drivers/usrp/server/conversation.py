"""What the server answers to the driver: one request after the other, while an exchange runs beside them."""

from __future__ import annotations

import os
import resource
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivers.usrp.server.device import Device
from drivers.usrp.server.order import Order
from drivers.usrp.server.streams import Streams
from drivers.usrp.server.vendor import Failure, translated
from drivers.usrp.wire import Channel, SharedSamples

__all__ = ["converse"]

NOBODY = 65534


def converse(channel: Channel, memory: SharedSamples) -> None:
    """Answer until the driver hangs up; whatever ends the conversation, the device is silent then."""
    server = _Server(channel, memory)
    try:
        while True:
            message = channel.receive()
            last = message["call"] == "close"
            server.answer(message)
            if last:
                return
    except ConnectionError:  # the controller has gone, perhaps by a kill
        return
    finally:
        server.close()
        _step_back()


def _step_back() -> None:
    """Take no core from others while UHD lets its boards go, which takes it a second a board.

    Its own threads wait for that in a loop without a pause, in which each asks to be a real-time thread. Root, and who
    has the limits that UHD recommends, is granted that: they would stop all else on a core for 0.95 s of every second.
    """
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    if os.geteuid() == 0:  # who may ask for anything; sockets are open, and nothing else is needed any more
        with suppress(OSError):  # a root of a container, who may not even do this
            os.setuid(NOBODY)
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # one that has just ended
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


class _Server:
    def __init__(self, channel: Channel, memory: SharedSamples) -> None:
        self._channel, self._memory = channel, memory
        self._speaking = threading.Lock()
        self._device: Device | None = None
        self._streams: Streams | None = None
        self._n: dict[str, int] = {"tx": 0, "rx": 0}

    def answer(self, message: dict[str, Any]) -> None:
        """Carry out a request and say what became of it; an exchange is answered when it is over."""
        number, call = message.pop("number"), message.pop("call")
        try:
            result = getattr(self, f"_on_{call}")(number=number, **message)
        except Failure as failure:
            self._say({"number": number, "failure": failure.kind, "text": str(failure)})
        except RuntimeError as error:
            meant = translated(error, call)
            self._say({"number": number, "failure": meant.kind, "text": str(meant)})
        else:
            if result is not None:
                self._say({"number": number, "result": result})

    def close(self) -> None:
        """Stop sending, whatever state the device is in. UHD lets it go when the process ends, which takes a second."""
        streams, self._streams = self._streams, None
        if streams is None or self._device is None:
            return
        try:
            streams.close()
            self._device.lowest_gain(streams.n_tx)
        except RuntimeError:  # the device has gone: nobody can silence it
            return

    def _on_open(self, number: int, arguments: str, subdevices: dict[str, str], n: dict[str, int]) -> dict[str, Any]:
        self._n = n
        self._device = Device(arguments, subdevices)
        return self._device.describe()

    def _on_device(self, number: int, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = getattr(self._opened, method)(**arguments)
        return result

    def _on_configure(
        self, number: int, center_hz: float, rate_hz: float, gains_db: dict[str, float]
    ) -> dict[str, Any]:
        device, n = self._opened, {side: count for side, count in self._n.items() if count}
        if self._streams is not None:
            self._streams.close()  # rates are set without streamers
            self._streams = None
        device.prefer_separate_antennas(self._n["rx"])
        read = {"rate_hz": device.set("rate", dict.fromkeys(n, rate_hz), n)}
        read["tune"] = device.tune(center_hz, n)
        read["gain_db"] = device.set("gain", {side: gains_db[side] for side in n}, n)
        self._streams = Streams(device, self._n["tx"], self._n["rx"])
        return read

    def _on_exchange(
        self, number: int, n_sent: int, n_received: int, start_ticks: int, tick_rate_hz: float, rate_hz: float
    ) -> None:
        if self._streams is None:
            raise Failure("state", "the radio is not configured")
        sent, received = self._memory.arrays(self._n["tx"] if n_sent else 0, n_sent, self._n["rx"], n_received)
        order = Order(sent, received, start_ticks, tick_rate_hz, rate_hz)
        self._streams.begin(order, lambda done: self._say({"number": number, "result": done.result()}))

    def _on_silence(self, number: int) -> dict[str, Any]:
        if self._streams is not None:
            self._streams.abort()
        return {}

    def _on_close(self, number: int) -> dict[str, Any]:
        self.close()
        return {}

    @property
    def _opened(self) -> Device:
        if self._device is None:
            raise Failure("state", "the radio is not open")
        return self._device

    def _say(self, message: dict[str, Any]) -> None:
        with self._speaking:
            self._channel.send(message)
