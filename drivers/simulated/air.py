"""The air: joins the radios of a simulated bench, sample by sample, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from drivers.errors import RadioStateError
from drivers.simulated.paths import Path, Propagation
from drivers.simulated.scene import Scene

__all__ = ["Air", "Terms", "propagate"]

Complex = NDArray[np.complex128]


def propagate(
    paths: list[Path],
    sent: Mapping[str, Complex],
    n_rx: Mapping[str, int],
    n_samples: int,
    sample_rate_hz: float,
    computed_at_s: float = 0.0,
) -> dict[str, Complex]:
    """Carry what the radios send to where it is received.

    Args:
        paths: The paths at one instant of the exchange.
        sent: Samples at the antenna ports in root-watt, by transmitter, shape (n_tx, n_samples).
        n_rx: Receive antennas, by receiver.
        n_samples: Samples to receive.
        sample_rate_hz: The common sample rate.
        computed_at_s: That instant, after the first sample.

    Returns:
        Noise-free samples at the antenna ports in root-watt, by receiver, shape (n_rx, n_samples).
    """
    live = [path for path in paths if path.tx in sent and path.rx in n_rx]
    received = {name: np.zeros((n, n_samples), dtype=complex) for name, n in n_rx.items()}
    if not live:
        return received
    streams = _delayed(live, sent, n_samples, sample_rate_hz)
    turning = [i for i, path in enumerate(live) if path.doppler_hz]
    doppler = np.array([live[i].doppler_hz for i in turning])
    elapsed_s = np.arange(n_samples) / sample_rate_hz - computed_at_s
    streams[turning] *= np.exp(2j * np.pi * np.multiply.outer(doppler, elapsed_s))
    for name, samples in received.items():
        arriving = [i for i, path in enumerate(live) if path.rx == name]
        if arriving:
            spread = np.stack([live[i].gain * live[i].rx_response for i in arriving], axis=1)
            samples += spread @ streams[arriving]
    return received


def _delayed(live: list[Path], sent: Mapping[str, Complex], n_samples: int, sample_rate_hz: float) -> Complex:
    """Return each path's stream (tx_response^T x)(t - delay), (n_paths, n_samples), exact for band-limited signals."""
    longest = max(path.delay_s for path in live) * sample_rate_hz
    n_fft = scipy.fft.next_fast_len(n_samples + int(np.ceil(longest)) + 64)  # room, so that nothing wraps to the front
    spectra = {name: scipy.fft.fft(samples, n_fft) for name, samples in sent.items()}
    streams = np.empty((len(live), n_fft), dtype=complex)
    for name, spectrum in spectra.items():
        leaving = [i for i, path in enumerate(live) if path.tx == name]
        if leaving:
            streams[leaving] = np.stack([live[i].tx_response for i in leaving]) @ spectrum
    streams *= _phase_ramps(np.array([path.delay_s for path in live]), n_fft, sample_rate_hz)
    return scipy.fft.ifft(streams, overwrite_x=True)[:, :n_samples]


def _phase_ramps(delays_s: NDArray[np.float64], n_fft: int, sample_rate_hz: float) -> Complex:
    """Return exp(-j 2 pi f delay) for the FFT's frequencies, (n_delays, n_fft).

    A ramp of n points is the outer product of a coarse and a fine ramp of about sqrt(n) points: far fewer exponentials.
    """
    step = -2j * np.pi * sample_rate_hz / n_fft * delays_s
    fine = 1 << (n_fft.bit_length() // 2)
    coarse = np.exp(np.multiply.outer(step, np.arange(0, n_fft, fine)))
    ramp = (coarse[:, :, None] * np.exp(np.multiply.outer(step, np.arange(fine)))[:, None, :]).reshape(
        len(delays_s), -1
    )
    ramp[:, (n_fft + 1) // 2 :] *= np.exp(-n_fft * step)[:, None]  # the upper half of the bins are negative frequencies
    return np.asarray(ramp[:, :n_fft])


@dataclass(frozen=True)
class Terms:
    """What radios must agree on to share an exchange."""

    start_s: float
    sample_rate_hz: float
    center_hz: float
    n_samples: int


class Air:
    """The medium shared by simulated radios; owns virtual time and the numbers of exchanges.

    Radios post what they send; the first that collects makes the air carry everything posted for that instant. The
    scene begins to move with the first exchange, and an exchange sees it as it stands in its middle.
    """

    def __init__(self, scene: Scene) -> None:
        self.propagation = Propagation(scene)
        self.now_s = 0.0
        self.exchanges = 0
        self._origin_s: float | None = None
        self._terms: Terms | None = None
        self._posted: dict[str, Complex] = {}
        self._listening: dict[str, int] = {}
        self._received: dict[str, Complex] = {}

    def post(self, radio: str, sent: Complex, n_rx: int, terms: Terms) -> None:
        """Add one radio's samples at its ports, root-watt, shape (n_tx, n_samples), to the coming exchange.

        Raises:
            RadioStateError: The others of the exchange start at another time, or are tuned or clocked otherwise.
        """
        if self._listening and self._terms is not None and terms != self._terms:
            mine, theirs = asdict(terms), asdict(self._terms)
            name = next(key for key in mine if mine[key] != theirs[key])
            raise RadioStateError(
                f"radio {radio}: {name} is {mine[name]:.12g}, the other radios' is {theirs[name]:.12g}; "
                "radios of one exchange share start, rate, carrier and length"
            )
        self._terms = terms
        self._listening[radio] = n_rx
        if sent.shape[0]:
            self._posted[radio] = sent

    def withdraw(self, radio: str) -> None:
        """Take a radio out of the exchange: it was silenced."""
        self._posted.pop(radio, None)
        self._listening.pop(radio, None)
        self._received.pop(radio, None)

    def carry(self, radio: str) -> Complex:
        """Return what arrives at a radio's ports, root-watt, (n_rx, n_samples); carries the posted samples first."""
        if radio in self._listening and self._terms is not None:
            terms = self._terms
            duration_s = terms.n_samples / terms.sample_rate_hz
            self._origin_s = terms.start_s if self._origin_s is None else self._origin_s
            paths = self.propagation.at(terms.start_s - self._origin_s + duration_s / 2)
            self._received = propagate(
                paths, self._posted, self._listening, terms.n_samples, terms.sample_rate_hz, duration_s / 2
            )
            self._posted, self._listening = {}, {}
            self.now_s = terms.start_s + duration_s
            self.exchanges += 1
        return self._received.pop(radio)
