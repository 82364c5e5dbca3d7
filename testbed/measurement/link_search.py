"""Finding the frames of all stations at one receiver: the clearest first, then the next in what that one leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv

from testbed.frame import Frame
from testbed.measurement.acquisition import Acquisition, Found
from testbed.measurement.arrival import OnAir
from testbed.measurement.link_fit import LinkFit, Links, fit_links

__all__ = ["LinkSearch", "phase_origin"]

Complex = NDArray[np.complex128]

CHANCE = 1e-3  # that noise passes for a station, over all delays and offsets that are looked at


def phase_origin(frame: Frame, station: int) -> float:
    """Return the instant in the frame, in samples, in whose phase a link's channel is told.

    It is the centre of energy of a station's preamble: there an error of the offset does not turn the channel.
    """
    slot, sounding = frame.sync_slot(station), frame.sounding
    return float(np.mean(np.r_[slot, sounding])) * frame.options.samples_per_symbol


class LinkSearch:
    """Searches frames of one layout; what depends on the layout alone is computed once.

    Attributes:
        origins: Of the channels' phases, (J,).
        window: Symbols of the preamble, as late and as early as a frame may come.
    """

    def __init__(self, frame: Frame) -> None:
        gap = frame.options.gap_symbols
        self.frame = frame
        self.origins = np.array([phase_origin(frame, n) for n in range(frame.n_stations)])
        self.window = slice(frame.options.guard_symbols - gap, frame.payload.start)
        self._acquisition = [Acquisition(frame, n) for n in range(frame.n_stations)]
        searched = (2 * gap + 1) * frame.options.samples_per_symbol * (frame.sounding.stop - frame.sync_slot(0).start)
        self._evident = float(gammainccinv(frame.n_tx, CHANCE / searched))

    def find(self, samples: Complex, antennas: Sequence[OnAir], own: int) -> Links:
        """Return when and how far off all stations arrive, good enough for `fit_links`.

        Args:
            samples: At the receiver's antenna, (n_samples,).
            antennas: What each station sends.
            own: Which of them the receiver is to lock to.
        """
        links = self._linked(own, self._one_by_one(samples, antennas))
        if len(antennas) > 1:  # those found first had the others in their way
            parts = _contributions(fit_links(self.frame, samples, antennas, links, self.window), antennas)
            others = parts.sum(axis=0) - parts
            again = {n: one.find(samples - others[n]) for n, one in enumerate(self._acquisition)}
            links = self._best(samples, antennas, self._linked(own, again), again)
        given = replace(links, sought=np.zeros(len(antennas), dtype=bool))
        evidence = fit_links(self.frame, samples, antennas, given, self.window).evidence()
        return replace(links, sought=evidence > self._evident)

    def _one_by_one(self, samples: Complex, antennas: Sequence[OnAir]) -> dict[int, Found]:
        found: dict[int, Found] = {}
        while True:
            rest = {n: one.find(samples) for n, one in enumerate(self._acquisition) if n not in found}
            clearest = max(rest, key=lambda n: rest[n].share)
            found[clearest] = rest[clearest]
            if len(rest) == 1:
                return found
            alone, one = self._linked(0, {clearest: rest[clearest]}), (antennas[clearest],)
            samples = samples - _contributions(fit_links(self.frame, samples, one, alone, self.window), one)[0]

    def _best(self, samples: Complex, antennas: Sequence[OnAir], links: Links, found: Mapping[int, Found]) -> Links:
        """Return the links among all rivals in offset that explain the preamble best when all are fitted together."""
        rivals = [(n, offset) for n, one in found.items() for offset in one.rivals_hz]
        least = fit_links(self.frame, samples, antennas, links, self.window).noise if rivals else 0.0
        for n, offset in rivals:
            offsets = np.where(np.arange(len(antennas)) == n, offset, links.offset_hz)
            other = replace(links, offset_hz=offsets)
            noise = fit_links(self.frame, samples, antennas, other, self.window).noise
            if noise < least:
                links, least = other, noise
        return links

    def _linked(self, own: int, found: Mapping[int, Found]) -> Links:
        """Return links to the stations found, in their order."""
        order = sorted(found)
        delay = np.array([found[n].delay_samples for n in order])
        offset = np.array([found[n].offset_hz for n in order])
        return Links(own, delay, offset, self.origins[order], np.ones(len(order), dtype=bool))


def _contributions(fit: LinkFit, antennas: Sequence[OnAir]) -> Complex:
    """Return what each station contributes to a receiver's samples, (J, n_samples)."""
    links = zip(fit.channels, antennas, fit.links.delay_samples, fit.links.offset_hz, strict=True)
    return np.stack([h @ one.at_antenna(float(delay), float(offset)) for h, one, delay, offset in links])
