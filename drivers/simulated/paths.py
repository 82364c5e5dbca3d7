"""From a scene to its paths: every way from a transmit array to a receive array, at one instant.

A path carries one stream: what the transmit array sends in its direction, delayed, turned by Doppler, and spread over
the receive array. Everything is linear, so that the air is a sum over paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.simulated.impairments import thermal_noise_power
from drivers.simulated.propagation import SPEED_OF_LIGHT, array_response, bearing, echo_gain, friis_gain
from drivers.simulated.scene import Node, NormalisedGains, Scene

__all__ = ["Path", "Propagation"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """One way from a transmit array to a receive array.

    The receive array gets gain * rx_response * exp(j 2 pi doppler_hz t) * (tx_response^T x)(t - delay_s), where t
    counts from the instant the path was computed for and gain includes the carrier phase at that instant.
    """

    kind: str
    tx: str
    rx: str
    gain: complex
    delay_s: float
    doppler_hz: float
    tx_response: Complex
    rx_response: Complex


class Propagation:
    """All paths of a scene as a function of time; what is random in them is drawn once, from the scene's seed."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        rng = np.random.default_rng([scene.seed, 0])
        users, stations, rays = len(scene.users), len(scene.stations), scene.scattering_rays
        # Departure sines uniform in (-1, 1): neighbouring half-wavelength elements are then uncorrelated.
        self._ray_sine = rng.uniform(-1, 1, (users, stations, rays))
        self._ray_phase = rng.uniform(0, 2 * np.pi, (users, stations, rays))
        self._ray_arrival = rng.uniform(0, 2 * np.pi, (users, stations, rays))
        self._leakage_phase = rng.uniform(
            0, 2 * np.pi, (stations, max(n.n_rx for n in scene.stations), max(n.n_tx for n in scene.stations))
        )
        entries = (users, stations, max(n.n_tx for n in scene.stations))
        self._rayleigh = (rng.standard_normal(entries) + 1j * rng.standard_normal(entries)) / np.sqrt(2)
        self._resting: dict[tuple[int, int], tuple[Path, ...]] = {}  # paths of users that do not move, computed once
        self._wavenumber = 2 * np.pi * scene.carrier_hz / SPEED_OF_LIGHT

    def at(self, time_s: float) -> list[Path]:
        """Return every path at a time (seconds since the experiment began)."""
        return [*self._user_paths(time_s), *self._reflections(time_s), *self._leakage()]

    # ------------------------------------------------------------------ users

    def _user_paths(self, time_s: float) -> Iterator[Path]:
        for u, user in enumerate(self.scene.users):
            for s, station in enumerate(self.scene.stations):
                if any(user.velocity_m_s) and not self.scene.normalised:
                    yield from self._rician_paths(u, s, user, station, time_s)
                    continue
                if (u, s) not in self._resting:
                    once = (
                        [self._rayleigh_path(u, s, self.scene.normalised)]
                        if self.scene.normalised
                        else self._rician_paths(u, s, user, station, 0.0)
                    )
                    self._resting[u, s] = tuple(once)
                yield from self._resting[u, s]

    def _rician_paths(self, u: int, s: int, user: Node, station: Node, time_s: float) -> Iterator[Path]:
        """Line of sight and scattered rays; those of a resting user share delay and Doppler, so they make one path."""
        scene = self.scene
        position, velocity = _moved(user, time_s), np.asarray(user.velocity_m_s)
        distance_m, sine = bearing(np.asarray(station.position_m), station.orientation_rad, position)
        amplitude = friis_gain(distance_m, scene.carrier_hz, station.antenna_gain, user.antenna_gain)
        towards = (position - np.asarray(station.position_m)) / distance_m
        los = np.sqrt(scene.rician_k / (1 + scene.rician_k)) if np.isfinite(scene.rician_k) else 1.0
        gains = [los * np.exp(-1j * self._wavenumber * distance_m)]
        responses = [array_response(station.n_tx, sine)]
        dopplers = [-self._wavenumber * float(velocity @ towards) / (2 * np.pi)]
        if np.isfinite(scene.rician_k):
            arrival = self._ray_arrival[u, s]
            from_ray = np.stack([np.cos(arrival), np.sin(arrival)], axis=-1)
            moved = from_ray @ (position - np.asarray(user.position_m))
            scattered = np.sqrt(1 / ((1 + scene.rician_k) * scene.scattering_rays))
            gains += list(scattered * np.exp(1j * (self._ray_phase[u, s] + self._wavenumber * moved)))
            responses += list(array_response(station.n_tx, self._ray_sine[u, s]))
            dopplers += list(self._wavenumber * (from_ray @ velocity) / (2 * np.pi))
        one = np.ones(1, dtype=complex)
        delay_s = distance_m / SPEED_OF_LIGHT
        if not velocity.any():
            combined = np.asarray(gains) @ np.asarray(responses)
            yield Path("user", station.name, user.name, amplitude, delay_s, 0.0, combined, one)
            return
        for gain, response, doppler in zip(gains, responses, dopplers, strict=True):
            yield Path("user", station.name, user.name, amplitude * gain, delay_s, float(doppler), response, one)

    def _rayleigh_path(self, u: int, s: int, gains: NormalisedGains) -> Path:
        """An independent CN(0, 1) entry per antenna in the own cell, less in the others."""
        scene, user, station = self.scene, self.scene.users[u], self.scene.stations[s]
        ratio = 1.0 if scene.serving[user.name] == station.name else gains.user_ratio
        power = gains.user_snr * self._noise_w(user) / gains.power_w * ratio
        response = self._rayleigh[u, s, : station.n_tx]
        return Path("user", station.name, user.name, np.sqrt(power), 0.0, 0.0, response, np.ones(1, dtype=complex))

    # ------------------------------------------------------------ reflections

    def _reflections(self, time_s: float) -> Iterator[Path]:
        """Own echoes, inter-cell reflections, reflections off other cells' targets, and clutter."""
        scene = self.scene
        for receiver in scene.stations:
            for target in scene.targets:
                own = target.station == receiver.name
                point = np.asarray(target.position_m) + time_s * np.asarray(target.velocity_m_s)
                for sender in scene.stations:
                    same = sender is receiver
                    if own and (same or scene.intercell_reflections):
                        kind = "echo" if same else "intercell"
                    elif not own and scene.other_targets:
                        kind = "other target"
                    else:
                        continue
                    yield self._reflection(
                        kind, sender, receiver, point, np.asarray(target.velocity_m_s), target.rcs_m2, target.phase_rad
                    )
            for clutter in scene.clutter:
                for sender in scene.stations:
                    yield self._reflection(
                        "clutter", sender, receiver, np.asarray(clutter.position_m), np.zeros(2), clutter.rcs_m2, 0.0
                    )

    def _reflection(
        self, kind: str, sender: Node, receiver: Node, point: Vector, velocity: Vector, rcs_m2: float, phase_rad: float
    ) -> Path:
        scene = self.scene
        out_m, sine_out = bearing(np.asarray(sender.position_m), sender.orientation_rad, point)
        back_m, sine_back = bearing(np.asarray(receiver.position_m), receiver.orientation_rad, point)
        towards = (point - np.asarray(sender.position_m)) / out_m + (point - np.asarray(receiver.position_m)) / back_m
        doppler_hz = -self._wavenumber * float(velocity @ towards) / (2 * np.pi)
        phase = phase_rad - self._wavenumber * (out_m + back_m)
        if scene.normalised:
            ratio = 1.0 if sender is receiver else scene.normalised.reflection_ratio
            echo = scene.normalised.echo_snr * self._noise_w(receiver)
            amplitude = np.sqrt(echo * ratio / (scene.normalised.block_length * scene.normalised.power_w))
            delay_s = 0.0
        else:
            amplitude = echo_gain(out_m, back_m, rcs_m2, scene.carrier_hz, sender.antenna_gain, receiver.antenna_gain)
            delay_s = (out_m + back_m) / SPEED_OF_LIGHT
        return Path(
            kind, sender.name, receiver.name, amplitude * np.exp(1j * phase), delay_s, doppler_hz,
            array_response(sender.n_tx, sine_out), array_response(receiver.n_rx, sine_back),
        )  # fmt: skip

    # ---------------------------------------------------------------- leakage

    def _leakage(self) -> Iterator[Path]:
        """Direct coupling of a station's transmit to its receive antennas: equal power, random phases, no delay."""
        if self.scene.leakage == 0:
            return
        for s, station in enumerate(self.scene.stations):
            phases = self._leakage_phase[s, : station.n_rx, : station.n_tx]
            for i, unit in enumerate(np.eye(station.n_tx, dtype=complex)):
                coupling = np.exp(1j * phases[:, i])
                yield Path("leakage", station.name, station.name, np.sqrt(self.scene.leakage), 0.0, 0.0, unit, coupling)

    def _noise_w(self, node: Node) -> float:
        """Noise power in one symbol's bandwidth at a node."""
        return thermal_noise_power(self.scene.symbol_rate_hz, node.front_end.noise_figure_db)


def _moved(node: Node, time_s: float) -> Vector:
    return np.asarray(node.position_m) + time_s * np.asarray(node.velocity_m_s)
