"""A radio made of one Pluto or several: its channels are those of its units, one after the other.

Units of one radio share nothing but the exchange: their channels are not coherent, and `Capabilities` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from drivers.errors import InvalidSamplesError, RadioStateError, SettingsError
from drivers.pluto import receive, transmit
from drivers.pluto.fleet import Fleet, Share
from drivers.pluto.levels import CENTER_HZ, RX_GAIN_DB, SAMPLE_RATE_HZ, TX_GAIN_DB
from drivers.pluto.unit import Unit
from drivers.radio import Capabilities, RadioSettings, check_burst, check_settings
from recordings import Capture

__all__ = ["LONGEST_S", "UNALIGNED", "Part", "PlutoRadio"]

UNALIGNED = "time-unaligned"  # no timed start: the delay was estimated, and taken out by whole samples
LONGEST_S = 0.25  # of a capture: a buffer must be full well before the unit counts as lost


@dataclass(frozen=True)
class Part:
    """A unit of a radio, and how many of its channels, from the first on, the radio uses.

    Attributes:
        unit: The device.
        n_tx: Transmit channels used; the others send zeros.
        n_rx: Receive channels used; the others are received and dropped.
    """

    unit: Unit
    n_tx: int
    n_rx: int


class PlutoRadio:
    """One radio of Plutos; see `drivers.Radio` for the methods."""

    def __init__(self, name: str, parts: Sequence[Part], fleet: Fleet) -> None:
        self._name = name
        self._parts = tuple(parts)
        self._fleet = fleet
        self._applied: RadioSettings | None = None
        self._armed: tuple[float, transmit.Fidelity | None] | None = None
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """See `drivers.Radio`."""
        return Capabilities(
            model=" + ".join(part.unit.link.model for part in self._parts),
            serial="+".join(part.unit.link.serial for part in self._parts),
            n_tx=sum(part.n_tx for part in self._parts),
            n_rx=sum(part.n_rx for part in self._parts),
            center_hz=CENTER_HZ,
            sample_rate_hz=SAMPLE_RATE_HZ,
            tx_gain_db=TX_GAIN_DB,
            rx_gain_db=RX_GAIN_DB,
            tx_full_scale_dbm=transmit.FULL_SCALE_DBM,
            rx_full_scale_dbm=receive.FULL_SCALE_DBM,
            start_spread_s=self._fleet.start_spread_s,
            tx_coherence=tuple(part.unit.link.serial for part in self._parts for _ in range(part.n_tx)),
            # The channels of a unit share a synthesizer, but not its dividers: a tune may leave another phase.
            tx_kept_over_tunes=tuple(f"{part.unit.link.serial}:{i}" for part in self._parts for i in range(part.n_tx)),
            rx_kept_over_tunes=tuple(f"{part.unit.link.serial}:{i}" for part in self._parts for i in range(part.n_rx)),
        )

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """See `drivers.Radio`; all units read back the same, or it is an error."""
        self._require_open()
        check_settings(self._name, settings, self.capabilities)
        self.silence()
        self._applied = None
        applied = [part.unit.configure(settings) for part in self._parts]
        if any(one != applied[0] for one in applied):
            raise SettingsError(f"radio {self._name}: its units read back differently: {applied}; use equal units")
        self._applied = applied[0]
        return self._applied

    def time_s(self) -> float:
        """See `drivers.Radio`; a Pluto has no clock: its time is the end of the last exchange."""
        return self._fleet.now_s

    def arm(self, burst: NDArray[np.complex64], n_samples: int, start_s: float) -> None:
        """See `drivers.Radio`; the exchange comes as near to its time as it can, and captures say how late it was."""
        settings = self._require_settings()
        if self._armed is not None:
            raise RadioStateError(f"radio {self._name}: already armed; collect or silence it first")
        if not self._fleet.now_s <= start_s < float("inf"):
            raise RadioStateError(
                f"radio {self._name}: asked to start at {start_s:g} s, but it is {self._fleet.now_s:g} s; arm earlier"
            )
        check_burst(self._name, burst, n_samples, self.capabilities)
        if not 0 < n_samples <= LONGEST_S * settings.sample_rate_hz:
            raise InvalidSamplesError(
                f"radio {self._name}: {n_samples} samples are asked for; a Pluto captures from 1 sample to "
                f"{LONGEST_S:g} s at a time: change the frame's length"
            )
        words = transmit.words_of(burst)
        first = 0
        for part in self._parts:
            mine = slice(first, first + part.n_tx)
            first += part.n_tx
            sends = bool(burst[mine].size)
            share = Share(
                transmit.Words(words.iq[mine], 0) if sends else None,
                burst[mine],
                n_samples,
                settings.sample_rate_hz,
                settings.center_hz,
                start_s,
            )
            self._fleet.stage(part.unit, share)
        self._armed = (start_s, transmit.fidelity(burst, words) if burst.size else None)

    def collect(self) -> Capture:
        """See `drivers.Radio`."""
        settings = self._require_settings()
        if self._armed is None:
            raise RadioStateError(f"radio {self._name}: nothing to collect; arm it first")
        (start_s, fidelity), self._armed = self._armed, None
        received = [self._fleet.collect(part.unit) for part in self._parts]
        samples = np.concatenate([one.samples[: part.n_rx] for part, one in zip(self._parts, received, strict=True)])
        clipped = any(one.clipped for one in received)
        flags = (UNALIGNED,) + ("clipped",) * clipped + ("tx-clipped",) * bool(fidelity and fidelity.clipped)
        measured = {**received[0].measured, **_measured(fidelity)}
        return Capture(self._name, samples, start_s, settings.as_mapping(), flags, measured)

    def silence(self) -> None:
        """See `drivers.Radio`."""
        self._armed = None
        for part in self._parts:
            self._fleet.withdraw(part.unit)
        if not self._closed:
            _each([part.unit.silence for part in self._parts])

    def close(self) -> None:
        """See `drivers.Radio`."""
        if not self._closed:
            self._armed, self._closed = None, True
            for part in self._parts:
                self._fleet.withdraw(part.unit)
            _each([partial(self._fleet.release, part.unit) for part in self._parts])

    def _require_open(self) -> None:
        if self._closed:
            raise RadioStateError(f"radio {self._name}: it is closed; open it again")

    def _require_settings(self) -> RadioSettings:
        self._require_open()
        if self._applied is None:
            raise RadioStateError(f"radio {self._name}: not configured; call configure first")
        return self._applied


def _measured(fidelity: transmit.Fidelity | None) -> dict[str, float]:
    """Return a burst's fidelity as `Capture.measured` names it; NaN for a radio that sends nothing."""
    one = fidelity or transmit.Fidelity(np.nan, np.nan, np.nan, 0)
    return {
        "tx_evm_db": one.evm_db,
        "tx_port_gain_db": one.port_gain_db,
        "tx_port_phase_rad": one.port_phase_rad,
        "tx_clipped": float(one.clipped),
    }


def _each(actions: Sequence[Callable[[], None]]) -> None:
    """Take all actions, whatever happens; the first error is raised at the end."""
    with ExitStack() as last_first:
        for action in reversed(actions):
            last_first.callback(action)
