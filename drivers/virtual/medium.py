"""The air between devices that live in their own time: any window of it can be received, by anyone, at any rate.

The physics is that of the simulated radios (`Propagation`, `propagate`); what is new here is that transmissions are
continuous, that every receiver asks for its own window, and that carriers and clocks need not agree.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from drivers.errors import RadioNotFoundError
from drivers.simulated.air import propagate
from drivers.simulated.impairments import carrier_phase, oscillator_phase
from drivers.simulated.paths import Path, Propagation
from drivers.simulated.scene import Scene

__all__ = ["Medium", "Transmitter", "faded", "is_heard", "moved_carrier"]

Complex = NDArray[np.complex128]
Envelopes = NDArray[np.complexfloating]

# Samples before and after a window that are carried along and dropped: a delay by a part of a sample reaches that far.
ROOM = 64


class Transmitter(Protocol):
    """Something that may be on the air at any time."""

    def ports(self, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Envelopes | None:
        """Return what leaves the antenna ports in a window.

        Args:
            start_s: Air time of the first sample.
            n: Number of samples.
            sample_rate_hz: The receiver's true sample rate: sample k is at start_s + k / sample_rate_hz.
            center_hz: Carrier about which the envelope is wanted; see `moved_carrier`.

        Returns:
            Complex envelopes in root-watt, shape (n_tx, n); None for silence, or if it cannot be heard there.
        """
        ...


def is_heard(from_hz: float, center_hz: float, sample_rate_hz: float) -> bool:
    """Return whether a carrier lies within the band of a receiver."""
    return abs(from_hz - center_hz) <= sample_rate_hz / 2


def moved_carrier(samples: Envelopes, from_hz: float, to_hz: float, start_s: float, sample_rate_hz: float) -> Envelopes:
    """Return envelopes about another carrier: the same waves, seen from a receiver that is tuned elsewhere.

    Args:
        samples: Envelopes about from_hz, shape (..., n).
        from_hz: The carrier they are about.
        to_hz: The carrier they shall be about.
        start_s: Air time of the first sample; all carriers have phase zero at air time zero.
        sample_rate_hz: Sample rate.
    """
    if from_hz == to_hz:
        return samples
    phase_rad = carrier_phase(samples.shape[-1], from_hz - to_hz, sample_rate_hz, start_s)
    return oscillator_phase(samples, phase_rad)


class Medium:
    """Everything on the air in a scene; safe to use from several threads.

    The scene begins to move with the first window in which anything is on the air, and a window sees it as it stands in
    its middle.
    """

    def __init__(self, scene: Scene) -> None:
        self._propagation = Propagation(scene)
        self._n_rx = {node.name: node.n_rx for node in scene.nodes}
        self._lock = threading.Lock()
        self._transmitters: dict[str, Transmitter] = {}
        self._origin_s: float | None = None
        self._longest_s: dict[str, float] = {}

    def register(self, name: str, transmitter: Transmitter) -> None:
        """Let a node of the scene transmit; what it registered before is replaced.

        Raises:
            RadioNotFoundError: The scene has no such node.
        """
        self._require_known(name)
        with self._lock:
            self._transmitters[name] = transmitter

    def withdraw(self, name: str) -> None:
        """Take a node off the air, as if it had been switched off."""
        with self._lock:
            self._transmitters.pop(name, None)

    def received(self, name: str, start_s: float, n: int, sample_rate_hz: float, center_hz: float) -> Complex:
        """Return what arrives at a node's antenna ports in a window, without noise.

        Args:
            name: The receiving node.
            start_s: Air time of the first sample.
            n: Number of samples.
            sample_rate_hz: The receiver's true sample rate.
            center_hz: The carrier it is nominally tuned to.

        Returns:
            Complex envelopes about that carrier in root-watt, shape (n_rx, n); not to be written to.

        Raises:
            RadioNotFoundError: The scene has no such node.
        """
        self._require_known(name)
        with self._lock:
            transmitters = dict(self._transmitters)
            longest_s = self._longest_s.get(name) or self._paths_to(name, 0.0)[1]
        before = ROOM + int(np.ceil(longest_s * sample_rate_hz))
        total, from_s = before + n + ROOM, start_s - before / sample_rate_hz
        sent = {
            who: faded(one, ROOM // 2)
            for who, what in transmitters.items()
            if (one := what.ports(from_s, total, sample_rate_hz, center_hz)) is not None
        }
        if not sent:
            return _silence(self._n_rx[name], n)
        middle_s = n / sample_rate_hz / 2
        with self._lock:
            self._origin_s = start_s if self._origin_s is None else self._origin_s
            paths, _ = self._paths_to(name, start_s - self._origin_s + middle_s)
        computed_at_s = before / sample_rate_hz + middle_s
        in_either_precision = cast("dict[str, Complex]", sent)  # single is twice as fast, and exact to -140 dB
        received = propagate(
            paths, in_either_precision, {name: self._n_rx[name]}, total, sample_rate_hz, computed_at_s
        )[name]
        return received[:, before : before + n]

    def _paths_to(self, name: str, time_s: float) -> tuple[list[Path], float]:
        """Return the paths to a node, of which those of resting users are computed once, and the longest's delay.

        The delay is kept for the next window: in the meantime nobody moves by as much as ROOM samples.
        """
        paths = [path for path in self._propagation.at(time_s) if path.rx == name]
        self._longest_s[name] = max((path.delay_s for path in paths), default=0.0)
        return paths, self._longest_s[name]

    def _require_known(self, name: str) -> None:
        if name not in self._n_rx:
            raise RadioNotFoundError(f"radio {name}: the scene has only {', '.join(self._n_rx)}")


@lru_cache(maxsize=16)
def _silence(n_rx: int, n: int) -> Complex:
    silence = np.zeros((n_rx, n), dtype=complex)
    silence.flags.writeable = False
    return silence


def faded(samples: Envelopes, n: int) -> Envelopes:
    """Return a window whose first and last n samples fade: cut off hard, they would ring into its middle."""
    rise = (np.sin(np.pi / 2 * (np.arange(n) + 0.5) / n) ** 2).astype(samples.real.dtype)
    softened = samples.copy()
    softened[:, :n] *= rise
    softened[:, -n:] *= rise[::-1]
    return softened
