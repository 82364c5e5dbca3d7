"""One frame at the users of stations that nobody aligned: every link has its own delay and carrier offset.

A user locks to its own station; what it receives of the others is late and turned, and known all the same. So one joint
fit gives all links' timing, offsets and channels, and another one the streams of the payload. A link's phase turns
against those of the other cells from frame to frame: only what no such phase changes, |h^T w|, has a meaning, which is
all that coordinated beamforming needs.

Powers and SINR are those of paper eq. (31), of streams while they are on the air: how much of another cell's payload
falls onto the own one depends on the chance of two starts, and is no property of a precoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.frame import CONSTELLATIONS, Frame
from testbed.measurement.acquisition import segment_share
from testbed.measurement.arrival import Arrivals, OnAir
from testbed.measurement.decomposition import Decomposition, StreamFit, fit_streams, total_power
from testbed.measurement.front_end import without_dc
from testbed.measurement.link_fit import LinkFit, fit_links
from testbed.measurement.link_search import LinkSearch
from testbed.measurement.sinr import SinrEstimate, estimate_sinr, sinr_of_fit
from testbed.measurement.sounding import ChannelState
from testbed.measurement.synchronisation import Synchronisation
from testbed.measurement.users import PayloadReport, UserReport
from testbed.measurement.waveform_fit import fit_waveform

__all__ = ["UnalignedObserver"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class _Sent:
    """One frame as sent: all that a user needs to know of it."""

    antennas: tuple[OnAir, ...]  # of each station
    preambles: tuple[OnAir, ...]  # the same without the payload
    streams: tuple[OnAir, ...]  # each station's symbols, unit power, silent outside the payload


class UnalignedObserver:
    """Measures frames of one layout at users of stations that start apart; see `UserObserver` for aligned ones.

    Args:
        frame: The frame's layout.
        confidence: Of the radius of the CSI ball.
    """

    def __init__(self, frame: Frame, confidence: float) -> None:
        self.frame = frame
        self.confidence = confidence
        self._search = LinkSearch(frame)
        self._whole = slice(frame.sounding.start - frame.options.gap_symbols, frame.payload.stop)
        self._order = len(CONSTELLATIONS[frame.options.modulation])

    def observe(self, samples: Complex, symbols: Complex | None, radiated: Complex) -> UserReport:
        """Measure one frame at all users.

        Args:
            samples: Samples at the users' antennas, (J K, n_samples), root-watt.
            symbols: What the users were sent, (J K, payload_symbols), or None if the frame only sounded.
            radiated: All symbols of the frame as sent by all antennas, (J, n_tx, n_symbols), root-watt.
        """
        frame = self.frame
        sent = self._sent(radiated, symbols)
        heard = without_dc(frame, samples.astype(np.complex128, copy=False))
        per_cell = len(samples) // frame.n_stations
        with np.errstate(invalid="ignore"):  # a sample that is no number makes its own user's results none
            links = [self._search.find(one, sent.antennas, u // per_cell) for u, one in enumerate(heard)]
            fits = [
                fit_links(frame, one, sent.antennas, link, self._search.window)
                for one, link in zip(heard, links, strict=True)
            ]
            payload = None if symbols is None else self._payload(heard, sent, fits, symbols)
        return UserReport(self._timing(fits), self._state(fits), payload, _arrivals(fits))

    def _sent(self, radiated: Complex, symbols: Complex | None) -> _Sent:
        frame = self.frame
        antennas = self._on_air(radiated)
        if symbols is None:
            return _Sent(antennas, antennas, ())
        silent = radiated.copy()
        silent[..., frame.payload] = 0
        streams = np.zeros((frame.n_stations, len(symbols) // frame.n_stations, frame.pulse.n_symbols), dtype=complex)
        streams[..., frame.payload] = symbols.reshape(*streams.shape[:2], -1)
        return _Sent(antennas, self._on_air(silent), self._on_air(streams))

    def _on_air(self, symbols: Complex) -> tuple[OnAir, ...]:
        return tuple(OnAir(self.frame, one, origin) for one, origin in zip(symbols, self._search.origins, strict=True))

    def _timing(self, fits: Sequence[LinkFit]) -> Synchronisation:
        """Return timing, offset and quality of the own stations, what comes from the others taken off."""
        quality = []
        for fit in fits:
            own, slot = fit.links.own, self.frame.sync_slot(fit.links.own)
            others = [fit.weights[n] @ fit.seen[n][:, slot] for n in range(len(fit.seen)) if n != own]
            quality.append(segment_share(self.frame, own, fit.symbols[slot] - sum(others, np.zeros(1))))
        locks = [fit.links.lock for fit in fits]
        delay, offset = (np.array([getattr(lock, name) for lock in locks]) for name in FOUND)
        return Synchronisation(delay, offset, np.array(quality))

    def _state(self, fits: Sequence[LinkFit]) -> ChannelState:
        """Return the channels with their errors.

        A link too weak to be found may have any delay: it is weaker than what was taken for it, so this is added to the
        error twice over.
        """
        channels = np.stack([fit.channels for fit in fits])
        doubt = 2 * np.where([fit.links.sought for fit in fits], 0.0, np.linalg.norm(channels, axis=-1))
        variance = np.stack([fit.error_variance for fit in fits]) + doubt**2 / channels.shape[-1]
        radius = np.stack([fit.radius(self.confidence) for fit in fits]) + doubt
        return ChannelState(channels, variance, radius, np.array([fit.noise for fit in fits]))

    def _payload(self, samples: Complex, sent: _Sent, fits: Sequence[LinkFit], symbols: Complex) -> PayloadReport:
        frame, per_cell = self.frame, len(symbols) // self.frame.n_stations
        p_value, streams, sinrs, errors = [], [], [], []
        time = np.arange(self._whole.start, self._whole.stop) - (frame.sounding.start + frame.sounding.stop - 1) / 2
        for u, first in enumerate(fits):
            # The whole frame knows delays and offsets better than the preamble: over the payload, errors add up.
            fit = fit_links(frame, samples[u], sent.antennas, first.links, self._whole)
            rows = fit.seen[..., self._whole].reshape(-1, len(time))
            n_sounding = frame.payload.start - self._whole.start
            p_value.append(fit_waveform(fit.symbols[None, self._whole], rows, time, n_sounding).p_value[0])
            others = [w @ x for w, x in zip(fit.weights, fit.links.seen(sent.preambles), strict=True)]
            received = (fit.symbols - np.sum(others, axis=0))[None, frame.payload]
            arriving = np.concatenate(fit.links.seen(sent.streams))[:, frame.payload]
            order = np.r_[u, np.delete(np.arange(len(symbols)), u)]
            fitted = fit_streams(received, arriving[order])
            sinrs.append(estimate_sinr(received, symbols[u : u + 1]) if fitted is None else sinr_of_fit(fitted))
            streams.append(fitted)
            own = received[0] * symbols[u].conj()
            errors.append(np.sum(np.abs(np.angle(own * np.sum(own).conj())) > np.pi / self._order))
        sinr = SinrEstimate(*(np.concatenate([getattr(one, name) for one in sinrs]) for name in ENDS))
        return PayloadReport(sinr, np.array(errors), np.array(p_value), _powers(streams, per_cell), None)


FOUND = ("delay_samples", "offset_hz")
ENDS = ("value", "low", "high")


def _arrivals(fits: Sequence[LinkFit]) -> Arrivals:
    links = [fit.links for fit in fits]
    return Arrivals(
        np.stack([link.delay_samples for link in links]),
        np.stack([link.offset_hz for link in links]),
        np.stack([fit.delay_variance for fit in fits]),
        np.stack([fit.offset_variance for fit in fits]),
    )


def _powers(streams: Sequence[StreamFit | None], per_cell: int) -> Decomposition | None:
    """Return the power of each kind at each user; a user's own stream is the first of its fit."""
    rows = []
    for u, fit in enumerate(streams):
        if fit is None:
            return None
        order = np.r_[u, np.delete(np.arange(len(streams)), u)]
        same = order // per_cell == u // per_cell
        own = np.arange(len(order)) == 0
        kinds = [total_power(fit, chosen[None]) for chosen in (own, same & ~own, ~same)]
        kinds.append((fit.noise, fit.noise / np.sqrt(fit.freedom)))
        rows.append([kind[part][0] for part in (0, 1) for kind in kinds])
    return Decomposition(*np.array(rows).T)
