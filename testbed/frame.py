"""The frame: what is sent in one exchange, in order, and where to find it again.

    | guard (silence) | sync of station 1 | ... | sync of station J | gap | sounding | gap | payload | tail (silence) |

- guard: every receiver sees its noise alone;
- sync: one station at a time, so that a user finds its own station's timing and carrier offset undisturbed;
- sounding: every transmit antenna of every station at once, on orthogonal sequences of constant modulus;
- payload: the precoded symbols.

Another waveform (OFDM: one network per subcarrier) would be another class with these methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from testbed.scenario import FrameOptions
from testbed.waveform import Pulse

__all__ = ["CONSTELLATIONS", "SYNC_SEGMENTS", "Frame"]

Complex = NDArray[np.complex128]

# Index i of M-PSK is exp(j (2 pi i + pi) / M): the convention of `precoding`.
CONSTELLATIONS: dict[str, Complex] = {
    name: np.exp(1j * (2 * np.pi * np.arange(m) + np.pi) / m) for name, m in {"bpsk": 2, "qpsk": 4, "8psk": 8}.items()
}


SYNC_SEGMENTS = 8  # four antenna tapers, each twice


@dataclass(frozen=True)
class Frame:
    """Layout and fixed sequences of a frame for J stations of n_tx antennas.

    Attributes:
        options: Lengths, rates and pulse as written in the scenario.
        n_stations: J.
        n_tx: Transmit antennas of each station.
        pulse: Modulator and matched filter of the frame's length.
        pilots: Sounding sequences of unit modulus, (J, n_tx, sounding_symbols), orthogonal over all J n_tx antennas.
        sync: Each station's synchronisation symbols of unit modulus, (J, sync_symbols).
        sync_tapers: Antenna weights of unit modulus with which the segments of sync are sent, (SYNC_SEGMENTS, n_tx):
            chirps, so nearly the same power everywhere; the second half repeats the first, so that its phase against
            it is the carrier offset; the tapers of a half are orthogonal, so that no user is in a fade of all of
            them.
    """

    options: FrameOptions
    n_stations: int
    n_tx: int
    pulse: Pulse = field(init=False)
    pilots: Complex = field(init=False, repr=False, compare=False)
    sync: Complex = field(init=False, repr=False, compare=False)
    sync_tapers: Complex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the fixed sequences."""
        options = self.options
        total = self.payload.stop + options.tail_symbols
        object.__setattr__(self, "pulse", Pulse(total, options.samples_per_symbol, options.roll_off))
        object.__setattr__(self, "pilots", _pilots(self.n_stations, self.n_tx, options.sounding_symbols))
        object.__setattr__(self, "sync", _fixed_qpsk(1, self.n_stations, options.sync_symbols))
        object.__setattr__(self, "sync_tapers", _tapers(self.n_tx))

    @property
    def guard(self) -> slice:
        """Symbols of silence at the start, less those that late pulses' tails may reach."""
        return slice(self.options.gap_symbols, self.options.guard_symbols - self.options.gap_symbols)

    def sync_slot(self, station: int) -> slice:
        """Symbols in which a station sends its synchronisation sequence."""
        start = self.options.guard_symbols + station * self.options.sync_symbols
        return slice(start, start + self.options.sync_symbols)

    @property
    def sounding(self) -> slice:
        """Symbols in which all antennas are sounded."""
        start = self.sync_slot(self.n_stations - 1).stop + self.options.gap_symbols
        return slice(start, start + self.options.sounding_symbols)

    @property
    def payload(self) -> slice:
        """The precoded symbols."""
        start = self.sounding.stop + self.options.gap_symbols
        return slice(start, start + self.options.payload_symbols)

    @property
    def n_samples(self) -> int:
        """Samples in a frame."""
        return self.pulse.n_samples

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""
        return self.options.symbol_rate_hz * self.options.samples_per_symbol

    @property
    def duration_s(self) -> float:
        """Length of a frame in seconds."""
        return self.n_samples / self.sample_rate_hz

    def preamble(self, power: NDArray[np.float64]) -> Complex:
        """Return all symbols but the payload's, (J, n_tx, n_symbols), at each station's total power (J,)."""
        symbols = np.zeros((self.n_stations, self.n_tx, self.pulse.n_symbols), dtype=complex)
        tapers = self.sync_tapers.T.repeat(self.options.sync_symbols // SYNC_SEGMENTS, axis=1)
        for station in range(self.n_stations):
            symbols[station, :, self.sync_slot(station)] = tapers * self.sync[station]
        symbols[..., self.sounding] = self.pilots
        return symbols * np.sqrt(power / self.n_tx)[:, None, None]

    def modulate(self, waveform: Complex | None, power: NDArray[np.float64]) -> Complex:
        """Return the samples of one frame at the antenna ports, (J, n_tx, n_samples), root-watt.

        Args:
            waveform: Precoded payload symbols (J, n_tx, payload_symbols), root-watt; None sends a frame that only
                sounds.
            power: Each station's power for sync and sounding, (J,), watt.
        """
        symbols = self.preamble(power)
        if waveform is not None:
            symbols[..., self.payload] = waveform
        return self.pulse.shape(symbols)

    def draw(self, rng: np.random.Generator, n_users: int) -> Complex:
        """Draw payload symbols of unit modulus, (J, n_users, payload_symbols)."""
        constellation = CONSTELLATIONS[self.options.modulation]
        index = rng.integers(len(constellation), size=(self.n_stations, n_users, self.options.payload_symbols))
        return constellation[index]


def _tapers(n_tx: int) -> Complex:
    antenna, shift = np.arange(n_tx), np.arange(SYNC_SEGMENTS // 2)[:, None]
    half = np.exp(1j * np.pi * antenna**2 / n_tx + 2j * np.pi * shift * antenna / n_tx)
    return np.concatenate([half, half])


def _pilots(n_stations: int, n_tx: int, length: int) -> Complex:
    """Return rows of a Fourier matrix under one scramble: orthogonal, and nearly so when shifted."""
    rows = np.arange(n_stations * n_tx)
    fourier = np.exp(2j * np.pi * np.outer(rows, np.arange(length)) / length)
    return np.asarray((fourier * _fixed_qpsk(0, length)).reshape(n_stations, n_tx, length))


def _fixed_qpsk(number: int, *shape: int) -> Complex:
    """Return a pseudo-random sequence that is part of the frame's definition: the same for everybody, always."""
    return CONSTELLATIONS["qpsk"][np.random.default_rng(number).integers(4, size=shape)]
