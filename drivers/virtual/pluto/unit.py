"""One virtual Pluto: attributes, buffers and the physics between them."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.simulated.scene import Node
from drivers.virtual.air_time import AirClock
from drivers.virtual.faults import FaultPlan
from drivers.virtual.history import History
from drivers.virtual.medium import Medium
from drivers.virtual.phase_noise import PhaseNoise
from drivers.virtual.pluto.catalogue import DDS, LPC, PHY, REGISTER, Chip, devices
from drivers.virtual.pluto.description import Device, context_xml
from drivers.virtual.pluto.front import Radiation, ReceiveState, TransmitState, convert
from drivers.virtual.pluto.protocol import Open, Read, Write
from drivers.virtual.pluto.rules import RefusedError, register
from drivers.virtual.pluto.settled import generators, looped_back, receive_state, transmit_state
from drivers.virtual.pluto.streams import ReceiveStream, TransmitStream
from drivers.virtual.pluto.transceiver import RX_LO, TX_LO, Transceiver
from drivers.virtual.pluto.waveform import Buffer

__all__ = ["START_DELAY_S", "VirtualPluto"]

# How late a transmission starts after it was pushed, at most: transport, the kernel and the DMA of a real unit.
START_DELAY_S = 100e-6
KERNEL_BUFFERS = 4
LARGEST_BLOCK = 1 << 24  # bytes: four million samples; the real one's memory for DMA is of that order
STATUS = 0x80000088  # the register of both cores that tells of lost samples, and its bits
LOST = {LPC: 4, DDS: 1}
OBSERVED = 1024  # samples over which a level is measured
BUSY_GRACE_S = 0.05  # the real daemon tries 500 times, 100 us apart, before it says that a device is busy

Words = NDArray[np.int16]
Stream = ReceiveStream | TransmitStream


class VirtualPluto:
    """A unit on the air; its methods are what the network daemon does for its clients, from any thread.

    Methods raise `RefusedError` with the errno of the real one.

    Attributes:
        name: Its name in the scene.
        serial: Its serial number.
        chip: What kind of transceiver it is.
        node: Its place in the scene.
        devices: Its devices by the protocol's name for them.
        faults: What goes wrong.
        started_late_s: How long after its push the last transmission started, which no client can know.
        blocks_played: How many blocks have been pushed.
        radiation: What leaves its ports, at any time.
    """

    def __init__(
        self,
        node: Node,
        number: int,
        chip: Chip,
        serial: str,
        medium: Medium,
        clock: AirClock,
        *,
        seed: int = 0,
        faults: FaultPlan | None = None,
    ) -> None:
        """Boot a unit.

        Args:
            node: Its name, its antennas and what is imperfect in it.
            number: Which of the scene's nodes it is; seeds its noise.
            chip: What kind of transceiver it is.
            serial: Its serial number.
            medium: The air.
            clock: The air's time.
            seed: Seeds start delays, oscillator phases and noise.
            faults: What shall go wrong.
        """
        self.name, self.serial, self.chip, self.node = node.name, serial, chip, node
        self.devices = {device.id: device for device in devices(chip.n)}
        self.faults = faults or FaultPlan()
        self._seed = [seed, 5, number]
        self._medium, self._clock = medium, clock
        self._front_end = node.front_end
        self._attributes = Transceiver(chip)
        self._lock = threading.RLock()
        self._freed = threading.Condition(self._lock)
        self._counts = {DDS: KERNEL_BUFFERS, LPC: KERNEL_BUFFERS}
        self._open: list[tuple[Stream, str, bool]] = []
        self._selected = dict.fromkeys(LOST, 0)
        self._buffers: tuple[Buffer, ...] = ()
        self._blocks = self._starts = self._jumps = 0
        self._phases_rad, self._tunes = {RX_LO: 0.0, TX_LO: 0.0}, 0
        self._swapped = False
        self.started_late_s, self.blocks_played = 0.0, 0
        for file in (RX_LO, TX_LO):
            self._draw_phase(file)
        self._sent = History(self._transmit_state())
        self._heard = History(self._receive_state())
        linewidth_hz = node.front_end.phase_noise_linewidth_hz  # transmitter and receiver have a synthesiser each
        sent_noise, self._noise = (PhaseNoise(linewidth_hz, [*self._seed, 6, way]) for way in (0, 1))
        self.radiation = Radiation(node.front_end, self._sent, sent_noise)
        medium.register(self.name, self.radiation)

    # ------------------------------------------------------------------ description

    @property
    def true_rx_rate_hz(self) -> float:
        """Sample rate of receive buffers by the unit's own crystal."""
        return self._attributes.rx_rate_hz * (1 + self._front_end.sample_clock_offset_ppm * 1e-6)

    @property
    def true_tx_rate_hz(self) -> float:
        """Sample rate of transmit buffers by the unit's own crystal."""
        return self._attributes.tx_rate_hz * (1 + self._front_end.sample_clock_offset_ppm * 1e-6)

    @property
    def is_transmitting(self) -> bool:
        """Whether anything but zeros leaves its ports."""
        return any(not isinstance(one, Buffer) or one.words.any() for one in self._sent.now.playing)

    def xml(self) -> str:
        """Return the description that clients ask for first."""
        attributes = {
            "hw_model": self.chip.hw_model,
            "hw_model_variant": "0",
            "hw_serial": self.serial,
            "fw_version": "v0.32",
            "ad9361-phy,xo_correction": self._attributes.read(PHY, "/xo_correction"),
            "ad9361-phy,model": self.chip.name,
            "local,kernel": "4.19.0",
        }
        return context_xml(f"virtual Pluto {self.name}", attributes, list(self.devices.values()))

    def device(self, name: str) -> Device:
        """Return a device by the protocol's name for it."""
        if name not in self.devices:
            raise RefusedError(errno.ENODEV)
        return self.devices[name]

    # ------------------------------------------------------------------- attributes

    def read(self, where: Read) -> str:
        """Return what an attribute reads; levels and automatic gains are measured now."""
        file = self._file(where)
        if where.device == PHY and file.startswith("in_voltage") and file.endswith(("_rssi", "_hardwaregain")):
            self.captured(self._clock.now(self.name), OBSERVED, (0, 0))
        if where.device in LOST and file == f"debug/{REGISTER}":
            lost = self._selected[where.device] == STATUS and any(one.has_lost() for one in self._streams(where.device))
            return f"0x{LOST[where.device] if lost else 0:X}"
        return self._attributes.read(where.device, file)

    def write(self, where: Write, value: bytes) -> None:
        """Write an attribute; what it changes on the air, it changes at once."""
        if "out-of-range" in self.faults.strike(self.name, "setting"):
            raise RefusedError(errno.EINVAL)
        file = self._file(where)
        try:
            text = value.decode("ascii")
        except UnicodeDecodeError:
            raise RefusedError(errno.EINVAL) from None
        with self._lock:
            if where.device in LOST and file == f"debug/{REGISTER}":
                self._write_register(where.device, text)
                return
            self._attributes.write(where.device, file, text)
            if file in self._phases_rad:
                self._draw_phase(file)
            rate_hz = self.true_tx_rate_hz
            self._buffers = tuple(
                one if one.rate_hz == rate_hz else replace(one, rate_hz=rate_hz) for one in self._buffers
            )
            self._settle()

    def _write_register(self, device: str, text: str) -> None:
        """Select a register, and clear the flag of lost samples by writing it; all others ignore what is written."""
        self._selected[device], value = register(text.rstrip("\0"))
        if value is not None and self._selected[device] == STATUS and value & LOST[device]:
            for stream in self._streams(device):
                stream.forget()

    def _streams(self, device: str) -> list[Stream]:
        with self._lock:
            return [stream for stream, where, _ in self._open if where == device]

    def _file(self, where: Read | Write) -> str:
        file = self.device(where.device).file(where.kind, where.channel, where.attribute)
        if file is None:
            raise RefusedError(errno.ENOENT)
        return file

    # ---------------------------------------------------------------------- buffers

    def set_kernel_buffers(self, device: str, count: int) -> None:
        """Set how many blocks the kernel keeps for buffers that are opened from now on."""
        self.device(device)
        if device not in self._counts or not 1 <= count <= 64:
            raise RefusedError(errno.EINVAL)
        with self._lock:
            if any(where == device for _, where, _ in self._open):
                raise RefusedError(errno.EBUSY)
            self._counts[device] = count

    def open(self, request: Open) -> Stream:
        """Open a buffer, after the daemon's grace if the device is busy."""
        device = self.device(request.device)
        bits = [i for i in range(device.scan_channels) if request.mask >> i & 1]
        if not bits or request.mask >> device.scan_channels or not request.samples:
            raise RefusedError(errno.EINVAL)
        if request.samples * 2 * len(bits) > LARGEST_BLOCK:
            raise RefusedError(errno.ENOMEM)
        if request.cyclic and device.id == LPC:
            raise RefusedError(errno.EINVAL)
        if "busy" in self.faults.strike(self.name, "open"):
            raise RefusedError(errno.EBUSY)
        with self._freed:
            if not self._freed.wait_for(lambda: self._is_free(device.id, request.cyclic), BUSY_GRACE_S):
                raise RefusedError(errno.EBUSY)
            stream = self._stream(device.id, request.samples, bits, request.cyclic)
            self._open.append((stream, device.id, request.cyclic))
            self._settle()
            return stream

    def _is_free(self, device: str, cyclic: bool) -> bool:
        """One client only if it transmits (its words cannot be mixed with another's); receivers may be several."""
        holders = [one for one in self._open if one[1] == device]
        return not holders or (device == LPC and not cyclic)

    def _stream(self, device: str, n: int, channels: list[int], cyclic: bool) -> Stream:
        count = self._counts[device]
        if device == LPC:
            return ReceiveStream(self, self._clock, n, channels, count)
        return TransmitStream(self, self._clock, n, channels, self.chip.n, count, cyclic=cyclic)

    def close(self, stream: Stream) -> None:
        """Close a buffer; what it played ends, and the test generators come back if they are on."""
        with self._freed:
            self._open = [one for one in self._open if one[0] is not stream]
            if isinstance(stream, TransmitStream):
                stream.close()
            self._freed.notify_all()

    def close_all(self) -> None:
        """Close every buffer and leave the air: the unit is switched off."""
        with self._lock:
            for stream, _, _ in list(self._open):
                self.close(stream)
        self._medium.withdraw(self.name)

    # ------------------------------------------------------- what buffers need of it

    def next_block(self) -> int:
        """Return the number of the unit's next block."""
        with self._lock:
            self._blocks += 1
            return self._blocks

    def captured(self, start_s: float, n: int, number: tuple[int, int]) -> Words:
        """Return the words of a window, (n_rx, n, 2); the number seeds its noise."""
        rate_hz = self.true_rx_rate_hz
        middle_s = start_s + n / rate_hz / 2
        state = self._heard.at(middle_s)
        if state.loopback:
            return looped_back(self._sent.at(middle_s).playing, self.chip.n, start_s, n, rate_hz)
        start_s += self._front_end.start_offset_s
        ports = (
            np.zeros((self.chip.n, n), dtype=complex)
            if state.deaf
            else self._medium.received(self.name, start_s, n, rate_hz, state.center_hz)
        )
        low, high = self._attributes.gain_range_db
        rng = np.random.default_rng([*self._seed, 2, *number])
        block = convert(ports, state, self._front_end, self._noise, start_s, rate_hz, (low, high), rng)
        for i in range(self.chip.n):
            self._attributes.show(PHY, f"in_voltage{i}_rssi", f"{max(-block.level_dbm[i], 0.0):.2f} dB")
            if state.gain_db[i] is None:
                self._attributes.show(PHY, f"in_voltage{i}_hardwaregain", f"{block.gain_db[i]:.6f} dB")
        return block.words

    def start(self) -> float:
        """Return the air time at which a transmission that is pushed now begins to play."""
        with self._lock:
            self._starts += 1
            rng = np.random.default_rng([*self._seed, 1, self._starts])
            self.started_late_s = float(rng.uniform(0, START_DELAY_S)) + self._front_end.start_offset_s
            return self._clock.change(starts=True) + self.started_late_s

    def play(self, buffer: Buffer) -> None:
        """Play a buffer beside those that still play."""
        with self._lock:
            self.blocks_played += 1
            if "swapped-ports" in self.faults.strike(self.name, "push"):
                self._swapped = True
            now_s = self._clock.now(self.name)
            self._buffers = (*(one for one in self._buffers if one.end_s > now_s), buffer)
            self._settle(at_s=buffer.start_s)

    def stop(self) -> None:
        """Play no buffer any more."""
        with self._lock:
            self._buffers = ()
            self._settle()

    def jump(self) -> None:
        """Let both oscillators jump to another phase."""
        with self._lock:
            self._jumps += 1
            rng = np.random.default_rng([*self._seed, 4, self._jumps])
            for file in self._phases_rad:
                self._phases_rad[file] += float(rng.uniform(np.pi / 4, 7 * np.pi / 4))
            self._settle()

    # ------------------------------------------------------------------------ states

    def _settle(self, at_s: float | None = None) -> None:
        """Note what the unit is set to from now on, if it is anything new."""
        sent, heard = self._transmit_state(), self._receive_state()
        if sent != self._sent.now:
            self._sent.record(self._clock.change() if at_s is None else at_s, sent)
        if heard != self._heard.now:
            self._heard.record(self._clock.now(self.name), heard)

    def _transmit_state(self) -> TransmitState:
        is_open = any(device == DDS for _, device, _ in self._open)
        playing = self._buffers if is_open else generators(self._attributes, self.devices[DDS])
        return transmit_state(self._attributes, playing, self._phases_rad[TX_LO], swapped=self._swapped)

    def _receive_state(self) -> ReceiveState:
        return receive_state(self._attributes, self._phases_rad[RX_LO])

    def _draw_phase(self, file: str) -> None:
        """Draw an oscillator's phase: another with every tune."""
        self._tunes += 1
        if self._front_end.random_phase:
            rng = np.random.default_rng([*self._seed, 0, self._tunes])
            self._phases_rad[file] = float(rng.uniform(0, 2 * np.pi))
