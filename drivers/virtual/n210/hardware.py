"""The inside of an N210: registers, and what hangs on them (clock, front ends, receive and transmit chains)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from drivers.virtual.history import History
from drivers.virtual.n210.clock import BoardClock, Reference
from drivers.virtual.n210.faults import Faults
from drivers.virtual.n210.front_end import SbxFrontEnd, Tune
from drivers.virtual.n210.receiver import Receiver, Stretch
from drivers.virtual.n210.registers import Port, Readback, Setting, Spi
from drivers.virtual.n210.transmitter import Transmitter

__all__ = ["RX_PORTS", "Hardware", "Outgoing"]

Outgoing = Iterator[tuple[Port, bytes]]
RX_PORTS = (Port.RX_0, Port.RX_1)
_RX_CONTROLS = (Setting.RX_CONTROL_0, Setting.RX_CONTROL_1)
_RX_DSPS = (Setting.RX_DSP_0, Setting.RX_DSP_1)
_FPGA_COMPATIBILITY = 11 << 16  # what UHD 4.3 to 4.11 asks for
_MIMO_LOCKED, _REFERENCE_LOCKED = 1 << 10, 1 << 11
_LOCK_DETECTORS = 0xFFFFFFFF  # those of the synthesizers are among the pins; all of them say yes
_EXTERNAL_REFERENCE = 0x0C  # bits of the clock register that a host sets for the 10 MHz input
_BOTH = 3  # of the four states of a board (idle, receives, sends, both), the one whose pins count here


class Hardware:
    """All of a board but its network. Times are air times; that of a call is never before that of the call before."""

    def __init__(
        self,
        receive: Callable[[Stretch], NDArray[np.complex64]],
        rng: np.random.Generator,
        quartz_ppm: float,
        on_exchange: Callable[[], None] = lambda: None,
    ) -> None:
        """Switch on.

        Args:
            receive: Returns what reaches the receiver in a stretch that lies in the past, digital, full scale 1.
            rng: Source of the phases of untimed tunes.
            quartz_ppm: Error of the board's own quartz.
            on_exchange: Called when a host asks for samples: the occasion for faults.
        """
        self._on_exchange = on_exchange
        self.faults = Faults()
        self.reference = Reference()
        self.clock = BoardClock(self.reference, quartz_ppm)
        self.transmitter = Transmitter()
        self.receivers = [Receiver(3 + i, receive) for i in range(len(RX_PORTS))]
        self.tx, self.rx = SbxFrontEnd(0.0, rng), SbxFrontEnd(0.0, rng)
        self.tx_tunes: History[Tune] = History(self.tx.tune)
        self.rx_tunes: History[Tune] = History(self.rx.tune)
        self._spi_slave = 0
        self._time = {Setting.TIME_HI: 0, Setting.TIME_LO: 0, Setting.TIME_IMMEDIATELY: 0}

    def write(self, index: int, value: int, now_s: float, *, timed: bool = False) -> Outgoing:
        """Take a settings register; yields packets that are due at once, with the port they leave from."""
        if index in self._time:
            self._write_time(Setting(index), value, now_s)
        elif index == Setting.CLOCK:
            self.clock.use(external=value & _EXTERNAL_REFERENCE == _EXTERNAL_REFERENCE, now_s=now_s)
        elif index == Setting.SPI_CONTROL:
            self._spi_slave = value & 0xFFFFFF
        elif index == Setting.SPI_DATA:
            self._write_spi(value, timed=timed)
        elif index == Setting.GPIO + _BOTH:
            self.rx.write_pins(value & 0xFFFF)
            self.tx.write_pins(value >> 16)
        else:
            yield from self._write_chain(index, value, now_s)
        self._remember(now_s)

    def read(self, index: int, now_s: float) -> int:
        """Return a readback register."""
        ticks = self.clock.ticks(now_s)
        at_pps = self.clock.ticks_at_pps(now_s)
        values: dict[int, int] = {
            Readback.GPIO: _LOCK_DETECTORS,
            Readback.TIME_HI: ticks >> 32,
            Readback.TIME_LO: ticks,
            Readback.COMPATIBILITY: _FPGA_COMPATIBILITY,
            Readback.INTERRUPTS: _MIMO_LOCKED | (_REFERENCE_LOCKED if self.clock.locked else 0),
            Readback.PPS_TIME_HI: at_pps >> 32,
            Readback.PPS_TIME_LO: at_pps,
        }
        return values.get(index, 0) & 0xFFFFFFFF

    def due_s(self) -> float:
        """Return the air time at which a chain will have something to say; infinity if none has."""
        dues = [self.transmitter.due(), *(receiver.due() for receiver in self.receivers)]
        return min((self.clock.air_s(due) for due in dues if due is not None), default=float("inf"))

    def advance(self, now_s: float) -> Outgoing:
        """Yield the packets of everything that happened before an air time."""
        now = self.clock.ticks(now_s)
        self.transmitter.withhold = self.faults.withheld
        for message in self.transmitter.advance(now):
            yield Port.TX, message
        for port, receiver in zip(RX_PORTS, self.receivers, strict=True):
            for packet in receiver.advance(now):
                yield port, packet

    def _write_time(self, index: Setting, value: int, now_s: float) -> None:
        self._time[index] = value
        if index != Setting.TIME_HI:  # the high word comes last and completes a time
            return
        self.transmitter.played = []  # its times are those of the old count
        ticks = value << 32 | self._time[Setting.TIME_LO]
        setter = self.clock.set_now if self._time[Setting.TIME_IMMEDIATELY] else self.clock.set_at_pps
        setter(ticks, now_s)

    def _write_spi(self, word: int, *, timed: bool) -> None:
        if self._spi_slave & Spi.CONVERTER:
            self.rx.write_converter(word)
        for select, front_end in ((Spi.RX_BOARD, self.rx), (Spi.TX_BOARD, self.tx)):
            if self._spi_slave & select:
                front_end.write_synthesizer(word, timed=timed)

    def _write_chain(self, index: int, value: int, now_s: float) -> Outgoing:
        now = self.clock.ticks(now_s)
        for i, receiver in enumerate(self.receivers):
            if 0 <= index - _RX_CONTROLS[i] < 10:
                late = False
                if index == _RX_CONTROLS[i] + 2 and not receiver.is_asked_to_stop:
                    self._on_exchange()
                    late = self.faults.strikes("late_commands")
                for packet in receiver.write_control(index - _RX_CONTROLS[i], value, now, late=late):
                    yield RX_PORTS[i], packet
            elif 0 <= index - _RX_DSPS[i] < 7:
                receiver.write_dsp(index - _RX_DSPS[i], value)
        if index == Setting.RX_DSP_0:
            self.rx.write_nco(value)
        elif 0 <= index - Setting.TX_CONTROL < 6:
            self.transmitter.write_control(index - Setting.TX_CONTROL, value, now)
        elif 0 <= index - Setting.TX_DSP < 5:
            self.transmitter.write_dsp(index - Setting.TX_DSP, value)
            if index == Setting.TX_DSP:
                self.tx.write_nco(value)

    def _remember(self, now_s: float) -> None:
        for history, front_end in ((self.tx_tunes, self.tx), (self.rx_tunes, self.rx)):
            if history.now != front_end.tune:
                history.record(now_s, front_end.tune)
