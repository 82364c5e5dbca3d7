"""The simulated radio: a front end on the shared air, in virtual time; nobody sleeps.

Not modelled: USB or network transport, buffer timing, temperature, spurs, mutual coupling of antennas, element
patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.errors import RadioNotFoundError, RadioStateError
from drivers.opening import RadioRequest
from drivers.radio import Capabilities, RadioSettings, Range, check_burst, check_settings
from drivers.simulated.air import Air, Terms
from drivers.simulated.front_end import FrontEnd, Oscillator, oscillator, receive, root_watt, transmit
from drivers.simulated.scene import Node, Scene
from recordings import Capture

__all__ = ["SimulatedRadio", "open_simulated"]

# The scale of a small transceiver: +10 dBm at full scale without attenuation, full scale at -10 dBm without gain.
TX_FULL_SCALE_DBM = 10.0
RX_FULL_SCALE_DBM = -10.0
COHERENT = "air"  # label of oscillators without an offset: they keep their phases to each other, a frame's at least


def open_simulated(place: str, requests: Sequence[RadioRequest], scene: Scene) -> dict[str, SimulatedRadio]:
    """Open simulated radios on one air.

    Args:
        place: What follows `simulated:` in the address; there is nothing to name.
        requests: The radios.
        scene: The physics that joins them.

    Raises:
        RadioNotFoundError: The scene has no such node, or the node has other antennas than asked for.
    """
    if place:
        raise RadioNotFoundError(
            f"radio {requests[0].name}: 'simulated' takes no address, got {place!r}; write radio = \"simulated\""
        )
    air = Air(scene)
    nodes = {node.name: (number, node) for number, node in enumerate(scene.nodes)}
    radios = {}
    for request in requests:
        if request.name not in nodes:
            raise RadioNotFoundError(f"radio {request.name}: the simulated scene has only {', '.join(nodes)}")
        number, node = nodes[request.name]
        if (node.n_tx, node.n_rx) != (request.n_tx, request.n_rx):
            raise RadioNotFoundError(
                f"radio {request.name}: the scene gives it {node.n_tx} transmit and {node.n_rx} receive channels, "
                f"{request.n_tx} and {request.n_rx} are asked for"
            )
        radios[request.name] = SimulatedRadio(node, number, air, scene)
    return radios


class SimulatedRadio:
    """One node of the scene as a radio; see `drivers.Radio` for the methods."""

    def __init__(self, node: Node, number: int, air: Air, scene: Scene) -> None:
        self._node = node
        self._air = air
        self._seed = [scene.seed, 3, number]
        self._settings: RadioSettings | None = None
        self._tunes = 0
        self._tune_phase_rad = 0.0
        self._lo: Oscillator | None = None  # of the last exchange on this tune: phase noise wanders on from it
        self._armed: tuple[float, int, Oscillator, FrontEnd] | None = None
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """See `drivers.Radio`; all channels of a node share one oscillator."""
        kept = self._node.name if self._node.front_end.random_phase else self._coherence
        return Capabilities(
            model="simulated",
            serial=self._node.name,
            n_tx=self._node.n_tx,
            n_rx=self._node.n_rx,
            center_hz=Range(1e6, 100e9),
            sample_rate_hz=Range(1e3, 1e9),
            tx_gain_db=Range(-90.0, 30.0),
            rx_gain_db=Range(-30.0, 120.0),
            tx_full_scale_dbm=TX_FULL_SCALE_DBM,
            rx_full_scale_dbm=RX_FULL_SCALE_DBM,
            start_spread_s=self._node.front_end.start_spread_s,
            tx_coherence=(self._coherence,) * self._node.n_tx,
            tx_kept_over_tunes=(kept,) * self._node.n_tx,
            rx_kept_over_tunes=(kept,) * self._node.n_rx,
        )

    @property
    def _coherence(self) -> str:
        """Which radios keep their phase to this one: those that start with it and turn with it."""
        front_end = self._node.front_end
        if front_end.start_spread_s:
            return self._node.name
        offset_ppm = front_end.carrier_offset_ppm
        return f"{COHERENT}{offset_ppm:+g}ppm" if offset_ppm else COHERENT

    def configure(self, settings: RadioSettings) -> RadioSettings:
        """See `drivers.Radio`; every value in range is applied exactly. A tune may draw a new oscillator phase."""
        self._require_open()
        check_settings(self._node.name, settings, self.capabilities)
        self._tunes += 1
        self._lo = None
        if self._node.front_end.random_phase:
            rng = np.random.default_rng([*self._seed, 0, self._tunes])
            self._tune_phase_rad = float(rng.uniform(0, 2 * np.pi))
        self._settings = settings
        return settings

    def time_s(self) -> float:
        """See `drivers.Radio`."""
        return self._air.now_s

    def arm(self, burst: NDArray[np.complex64], n_samples: int, start_s: float) -> None:
        """See `drivers.Radio`."""
        settings = self._require_settings()
        if self._armed is not None:
            raise RadioStateError(f"radio {self._node.name}: already armed; collect or silence it first")
        if not self._air.now_s <= start_s < float("inf"):
            raise RadioStateError(
                f"radio {self._node.name}: asked to start at {start_s:g} s, but it is {self._air.now_s:g} s; "
                "arm earlier"
            )
        check_burst(self._node.name, burst, n_samples, self.capabilities)
        front_end = self._started(self._air.exchanges)
        rng = np.random.default_rng([*self._seed, 1, self._air.exchanges])
        lo = oscillator(
            front_end,
            settings.center_hz,
            n_samples,
            settings.sample_rate_hz,
            start_s,
            self._tune_phase_rad,
            rng,
            previous=self._lo,
        )
        padded = np.zeros((burst.shape[0], n_samples), dtype=np.complex64)
        padded[:, : burst.shape[1]] = burst
        full_scale = root_watt(TX_FULL_SCALE_DBM + settings.tx_gain_db)
        ports = transmit(padded, front_end, lo, settings.sample_rate_hz, full_scale)
        terms = Terms(start_s, settings.sample_rate_hz, settings.center_hz, n_samples)
        self._air.post(self._node.name, np.asarray(ports, dtype=complex), self._node.n_rx, terms)
        self._armed = (start_s, self._air.exchanges, lo, front_end)

    def collect(self) -> Capture:
        """See `drivers.Radio`."""
        settings = self._require_settings()
        if self._armed is None:
            raise RadioStateError(f"radio {self._node.name}: nothing to collect; arm it first")
        start_s, exchange, lo, front_end = self._armed
        self._armed = None
        self._lo = lo
        ports = self._air.carry(self._node.name)
        rng = np.random.default_rng([*self._seed, 2, exchange])
        full_scale = root_watt(RX_FULL_SCALE_DBM - settings.rx_gain_db)
        samples, clipped = receive(ports, front_end, lo, settings.sample_rate_hz, full_scale, rng)
        flags = ("clipped",) * bool(clipped) + ("time-unaligned",) * bool(front_end.start_spread_s)
        return Capture(self._node.name, samples, start_s, settings.as_mapping(), flags)

    def silence(self) -> None:
        """See `drivers.Radio`."""
        self._armed = None
        self._air.withdraw(self._node.name)

    def close(self) -> None:
        """See `drivers.Radio`."""
        self.silence()
        self._closed = True

    def _started(self, exchange: int) -> FrontEnd:
        """Return the front end with the start of one exchange, drawn anew if nobody aligns the radio."""
        front_end = self._node.front_end
        if not front_end.start_spread_s:
            return front_end
        late = float(np.random.default_rng([*self._seed, 4, exchange]).uniform(-0.5, 0.5))
        return replace(front_end, start_offset_s=front_end.start_offset_s + late * front_end.start_spread_s)

    def _require_open(self) -> None:
        if self._closed:
            raise RadioStateError(f"radio {self._node.name}: it is closed; open it again")

    def _require_settings(self) -> RadioSettings:
        self._require_open()
        if self._settings is None:
            raise RadioStateError(f"radio {self._node.name}: not configured; call configure first")
        return self._settings
