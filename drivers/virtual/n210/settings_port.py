"""Who answers on the settings port: carries commands out in order, a timed one when its time has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from drivers.virtual.n210 import settings
from drivers.virtual.n210.hardware import Hardware, Outgoing
from drivers.virtual.n210.registers import Port

__all__ = ["SettingsPort"]


class SettingsPort:
    """The queue of commands. A timed command holds up all that follow it, as in the real board."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._queue: deque[settings.Command] = deque()

    def take(self, datagram: bytes, now_s: float) -> Outgoing:
        """Take a command; yields what is due at once.

        Raises:
            vita.Unfit: It is none.
        """
        self._queue.append(settings.parse(datagram))
        yield from self.advance(now_s)

    def due_s(self) -> float:
        """Return the air time at which the next command is due; infinity if there is none."""
        if not self._queue:
            return float("inf")
        ticks = self._queue[0].ticks
        return float("-inf") if ticks is None else self._hardware.clock.air_s(ticks)

    def advance(self, now_s: float) -> Outgoing:
        """Carry out all commands that are due; yields acknowledgements and what else they make the hardware send."""
        while self._queue and self.due_s() <= now_s:
            yield from self._carry_out(self._queue.popleft(), now_s)

    def _carry_out(self, command: settings.Command, now_s: float) -> Iterator[tuple[Port, bytes]]:
        value = 0
        if command.write:
            yield from self._hardware.write(command.index, command.value, now_s, timed=command.ticks is not None)
        else:
            value = self._hardware.read(command.index, now_s)
        yield Port.SETTINGS, settings.acknowledgement(command, value)
