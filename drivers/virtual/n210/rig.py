"""A node of the scene as a rig of N210s: one board an antenna, on a common 10 MHz and PPS, in the shared medium."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.simulated.front_end import Oscillator, receive, root_watt, transmit
from drivers.simulated.impairments import carrier_phase
from drivers.simulated.scene import Node
from drivers.usrp.levels import RX_FULL_SCALE_DBM, TX_FULL_SCALE_DBM
from drivers.virtual.faults import FaultPlan
from drivers.virtual.medium import Medium, is_heard
from drivers.virtual.n210.board import Board
from drivers.virtual.n210.clock import TICKS_PER_S
from drivers.virtual.n210.faults import strike
from drivers.virtual.n210.front_end import Tune
from drivers.virtual.n210.receiver import Stretch
from drivers.virtual.n210.waveform import waveform

__all__ = ["Rig"]

Complex = NDArray[np.complex128]
KEPT_WINDOWS = 8  # of the medium: every board of a rig asks for the same one, and gets its own antenna's row
QUARTZ_PPM = 2.0  # a board on its own quartz is off by up to this much


class Rig:
    """The boards of one node. Antenna i of the node is board i: its TX/RX port sends, its RX2 port receives.

    Not modelled: phase noise, sample-clock jitter, the difference of cables (set by `front_ends`), spurs.
    """

    def __init__(
        self,
        node: Node,
        number: int,
        addresses: Sequence[str],
        seed: int,
        medium: Medium,
        now_s: Callable[[], float],
        faults: FaultPlan,
    ) -> None:
        """Make the boards and put them on the air; `start` puts them on the network.

        Args:
            node: The node.
            number: Its number in the scene, for serial numbers and seeds.
            addresses: A loopback address per antenna, as many as the larger of its two arrays.
            seed: Of everything random in it.
            medium: The air.
            now_s: The air time.
            faults: What shall go wrong, with the first board.
        """
        self.node = node
        self._seed, self._medium, self._now_s, self._faults = seed, medium, now_s, faults
        self._front_end = replace(
            node.front_end, carrier_offset_ppm=0.0, sample_clock_offset_ppm=0.0, start_offset_s=0.0
        )  # these are the clock's business
        self._windows: OrderedDict[tuple[float, int, float, float], Complex] = OrderedDict()
        self._lock = threading.Lock()
        self.boards = [self._board(number, i, address) for i, address in enumerate(addresses)]
        medium.register(node.name, self)

    @property
    def name(self) -> str:
        """Name of its node."""
        return self.node.name

    @property
    def address(self) -> str:
        """The address by which a driver opens it."""
        places = [board.address for board in self.boards]
        if len(places) == 1:
            return f"usrp:addr={places[0]}"
        return "usrp:" + ",".join(f"addr{i}={place}" for i, place in enumerate(places))

    @property
    def serial(self) -> str:
        """Serial numbers of its boards."""
        return "+".join(board.serial for board in self.boards)

    @property
    def model(self) -> str:
        """What it is."""
        return f"{len(self.boards)} x N210 with SBX" if len(self.boards) > 1 else "N210 with SBX"

    @property
    def is_transmitting(self) -> bool:
        """Whether anything but zeros leaves its ports, or waits to."""
        return any(board.is_transmitting for board in self.boards)

    def start(self) -> None:
        """Put all boards on the network, or none.

        Raises:
            RadioNotFoundError: An address cannot be had.
        """
        try:
            for board in self.boards:
                board.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take all boards off the network and off the air."""
        self._medium.withdraw(self.node.name)
        for board in self.boards:
            board.stop()

    def ports(self, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Complex | None:
        """See `drivers.virtual.medium.Transmitter`."""
        sent = [self._port(board, start_s, n, sample_rate_hz, center_hz) for board in self.boards[: self.node.n_tx]]
        if all(one is None for one in sent):
            return None
        return np.stack([np.zeros(n, dtype=complex) if one is None else one for one in sent])

    def _board(self, number: int, i: int, address: str) -> Board:
        seed = [self._seed, 5, number, i]
        noise = np.random.default_rng([*seed, 1])
        return Board(
            address,
            f"V{number:03d}{i:03d}",
            f"{self.node.name} {i}",
            now_s=self._now_s,
            receive=lambda stretch: self._receive(i, stretch, noise),
            rng=np.random.default_rng([*seed, 0]),
            quartz_ppm=float(np.random.default_rng([*seed, 2]).uniform(-QUARTZ_PPM, QUARTZ_PPM)),
            on_exchange=lambda: self._strike() if i == 0 else None,
        )

    def _strike(self) -> None:
        hardware = self.boards[0].hardware
        for fault in self._faults.strike(self.node.name, "exchange").values():
            strike(fault, hardware.faults, hardware.reference)

    def _port(self, board: Board, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Complex | None:
        """Return what leaves the port of one board; see `ports`."""
        hardware = board.hardware
        tune = hardware.tx_tunes.at(start_s + n / sample_rate_hz / 2)
        if not is_heard(tune.lo_hz + tune.nco_hz, center_hz, sample_rate_hz):
            return None
        ticks_per_s = TICKS_PER_S * (1 + hardware.clock.error_ppm * 1e-6)
        played = tuple(hardware.transmitter.played)  # its owner may add to it meanwhile
        step = ticks_per_s / sample_rate_hz
        digital = waveform(played, hardware.clock.whole_and_part(start_s), step, n, tune.nco_hz)
        if digital is None:
            return None
        lo = _oscillator(tune, hardware.clock.error_ppm, center_hz, start_s, n, sample_rate_hz)
        full_scale = root_watt(TX_FULL_SCALE_DBM + tune.gain_db)
        return np.asarray(transmit(digital[None], self._front_end, lo, sample_rate_hz, full_scale)[0], dtype=complex)

    def _receive(self, i: int, stretch: Stretch, noise: np.random.Generator) -> NDArray[np.complex64]:
        """Return the digital samples of one board's receiver."""
        hardware = self.boards[i].hardware
        sample_rate_hz = TICKS_PER_S / stretch.decimation * (1 + hardware.clock.error_ppm * 1e-6)
        start_s, n = hardware.clock.air_s(stretch.ticks), stretch.n_samples
        tune = hardware.rx_tunes.at(start_s + n / sample_rate_hz / 2)
        center_hz = tune.lo_hz - tune.nco_hz
        if i < self.node.n_rx:
            arriving = self._window(start_s, n, sample_rate_hz, center_hz)[i]
        else:
            arriving = np.zeros(n, dtype=complex)  # a board that only sends
        lo = _oscillator(tune, hardware.clock.error_ppm, center_hz, start_s, n, sample_rate_hz)
        full_scale = root_watt(RX_FULL_SCALE_DBM - tune.gain_db)
        samples, _ = receive(arriving[None], self._front_end, lo, sample_rate_hz, full_scale, noise)
        elapsed = stretch.ticks - stretch.begun + stretch.decimation * np.arange(n)  # the mixer is at zero at the start
        turned = samples[0] * np.exp(2j * np.pi * tune.nco_hz / TICKS_PER_S * elapsed) if tune.nco_hz else samples[0]
        return np.asarray(turned, dtype=np.complex64)

    def _window(self, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Complex:
        """Return what arrives at all antennas, (n_rx, n); boards on one clock ask for the same and share the work."""
        key = (start_s, n, sample_rate_hz, center_hz)
        with self._lock:
            if key not in self._windows:
                self._windows[key] = self._medium.received(self.node.name, *key)
                while len(self._windows) > KEPT_WINDOWS:
                    self._windows.popitem(last=False)
            return self._windows[key]


def _oscillator(
    tune: Tune, error_ppm: float, center_hz: float, start_s: float, n: int, sample_rate_hz: float
) -> Oscillator:
    """Return a synthesizer against a carrier about which envelopes are given."""
    offset_hz = tune.lo_hz * (1 + error_ppm * 1e-6) - center_hz
    phase_rad = carrier_phase(n, offset_hz, sample_rate_hz, start_s) + tune.phase_rad
    return Oscillator(offset_hz, phase_rad, np.zeros(n), start_s + (n - 1) / sample_rate_hz)
