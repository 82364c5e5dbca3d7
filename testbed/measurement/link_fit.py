"""Channels, delays and carrier offsets of all stations at one receiver, fitted together, with the errors that leaves.

Sequences that are orthogonal when sent are only nearly so when each arrives late and turned; and what is spent on
finding delays and offsets is missing in the channels. Both are in the covariance of the errors, link by link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.frame import Frame
from testbed.measurement.arrival import Lock, OnAir
from testbed.measurement.weighted_chi_square import error_quantile

__all__ = ["LinkFit", "Links", "fit_links"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

ROUNDS = 8  # of Gauss-Newton at most; three are the rule
SETTLED = 0.03  # of the standard deviation of what is sought: a smaller step ends the rounds


@dataclass(frozen=True)
class Links:
    """When and how far off all stations arrive at one receiver.

    Attributes:
        own: Index of the station that the receiver locks to.
        delay_samples: (J,).
        offset_hz: (J,).
        origins: Instants in each station's frame, in samples, whose phase is that of the link's channel, (J,).
        sought: Whose delay and offset are worth a fit, (J,); of the others nothing is heard.
    """

    own: int
    delay_samples: Vector
    offset_hz: Vector
    origins: Vector
    sought: NDArray[np.bool_]

    @property
    def lock(self) -> Lock:
        """The receiver's setting."""
        own = self.own
        return Lock(float(self.delay_samples[own]), float(self.offset_hz[own]), float(self.origins[own]))

    def seen(self, on_air: Sequence[OnAir]) -> list[Complex]:
        """Return the symbols of everything on the air as it arrives, (..., n_symbols) for each station."""
        late = zip(on_air, self.delay_samples, self.offset_hz, strict=True)
        return [
            one.symbols if n == self.own else one.seen(self.lock, float(delay), float(offset))
            for n, (one, delay, offset) in enumerate(late)
        ]


@dataclass(frozen=True)
class LinkFit:
    """Least-squares fit of one receiver's symbols in a window.

    Attributes:
        links: Delays and offsets, refined.
        channels: In the phase that each link has at its origin, complex (J, n_tx).
        noise: Power per symbol that the fit leaves.
        freedom: Complex samples that it was estimated from.
        inverse: Of the Gram matrix of all that arrives, complex (n, n), n = J n_tx.
        along: What the channels take over from delays and offsets, complex (2 S, n).
        bent: Covariance of delays and offsets, over half the noise, (2 S, 2 S).
        delay_variance: Of the errors of the delays, (J,); infinite where none was sought.
        offset_variance: Of the errors of the offsets, Hz^2, (J,).
        symbols: All symbols under the lock, (n_symbols,).
        seen: What all antennas sent, as it arrives, (J, n_tx, n_symbols).
        weights: The channels in the phase of `symbols` and `seen`, (J, n_tx).
    """

    links: Links
    channels: Complex
    noise: float
    freedom: float
    inverse: Complex
    along: Complex
    bent: Vector
    delay_variance: Vector
    offset_variance: Vector
    symbols: Complex
    seen: Complex
    weights: Complex

    @cached_property
    def covariance(self) -> Vector:
        """Covariance of real and imaginary parts of each link's error, over the noise, (J, 2 n_tx, 2 n_tx)."""
        n_stations, n_tx = self.weights.shape
        blocks = []
        for n in range(n_stations):
            own = slice(n * n_tx, (n + 1) * n_tx)
            spread, taken = self.inverse[own, own].T, self.along[:, own]
            white = np.block([[spread.real, -spread.imag], [spread.imag, spread.real]])
            parts = np.concatenate([taken.real, taken.imag], axis=1)
            blocks.append(0.5 * (white + parts.T @ self.bent @ parts))
        return np.stack(blocks)

    @property
    def error_variance(self) -> Vector:
        """Mean variance of an entry's error, (J,)."""
        return np.asarray(self.noise * np.trace(self.covariance, axis1=1, axis2=2) / self.channels.shape[1])

    def radius(self, confidence: float) -> Vector:
        """Return the radius of the ball round each link's estimate that holds the true channel, (J,)."""
        shapes = [np.linalg.eigvalsh(one) for one in self.covariance] if np.isfinite(self.covariance).all() else []
        quantiles = [error_quantile(shape, 2 * self.freedom, confidence) for shape in shapes]
        return np.sqrt(self.noise * np.array(quantiles)) if quantiles else np.full(len(self.channels), np.nan)

    def evidence(self) -> Vector:
        """Return each link's energy in units of its error, in nats of likelihood, (J,)."""
        parts = np.concatenate([self.weights.real, self.weights.imag], axis=1)
        whitened = np.linalg.solve(self.covariance, parts[..., None])[..., 0]
        return np.asarray(np.sum(parts * whitened, axis=1) / (2 * max(self.noise, np.finfo(float).tiny)))


def fit_links(frame: Frame, samples: Complex, on_air: Sequence[OnAir], links: Links, window: slice) -> LinkFit:
    """Fit y_t = sum_n (h_n^T x_n)(t - tau_n) exp(j omega_n t) + noise by Gauss-Newton in all unknowns.

    Args:
        frame: The frame's layout.
        samples: At the receiver's antenna, (n_samples,).
        on_air: What each station's antennas send in the whole frame.
        links: Where to begin.
        window: Symbols that are fitted, counted under the lock.
    """
    fit, step, settled = _linear(frame, samples, on_air, links, window)
    for _ in range(ROUNDS):
        if settled:
            break
        links = replace(
            links,
            delay_samples=links.delay_samples + step[0],
            offset_hz=links.offset_hz + step[1],
        )
        fit, step, settled = _linear(frame, samples, on_air, links, window)
    return fit


def _linear(
    frame: Frame, samples: Complex, on_air: Sequence[OnAir], links: Links, window: slice
) -> tuple[LinkFit, tuple[Vector, Vector], bool]:
    """Fit the channels at given delays and offsets; return what these lack (samples, Hz) and if that is nothing."""
    symbols, seen = links.lock.symbols(frame, samples), np.stack(links.seen(on_air))
    n_stations, n_tx = seen.shape[:2]
    rows, received = seen[..., window].reshape(n_stations * n_tx, -1), symbols[window]
    inverse = np.linalg.inv(rows @ rows.conj().T)
    solve = rows.conj().T @ inverse
    weights = received @ solve
    columns = _columns(frame, on_air, links, seen, weights.reshape(n_stations, n_tx), window)
    along = columns @ solve  # what the channels take over from delays and offsets, (2 S, n)
    across = columns - along @ rows
    left = received - weights @ rows
    bent = np.linalg.inv((across @ across.conj().T).real + np.finfo(float).tiny * np.eye(len(columns)))
    step = bent @ (across @ left.conj()).real
    freedom = rows.shape[1] - rows.shape[0] - len(columns) / 2
    noise = float(np.vdot(left, left).real) / freedom
    deviation = np.sqrt(0.5 * noise * np.diagonal(bent))
    variance = np.full((2, n_stations), np.inf)
    variance[:, links.sought] = (deviation**2).reshape(2, -1)
    moved = np.zeros((2, n_stations))
    moved[:, links.sought] = _cautious(frame, step.reshape(2, -1), window)
    hz = frame.options.symbol_rate_hz / (2 * np.pi)
    apart = links.origins + links.delay_samples - links.lock.instant
    turn = np.exp(2j * np.pi * links.lock.offset_hz / frame.sample_rate_hz * apart)[:, None]
    fit = LinkFit(
        links=links,
        channels=weights.reshape(n_stations, n_tx) * turn,
        noise=noise,
        freedom=freedom,
        inverse=np.asarray(inverse, dtype=complex),
        along=along,
        bent=np.asarray(bent, dtype=float),
        delay_variance=variance[0],
        offset_variance=variance[1] * hz**2,
        symbols=symbols,
        seen=seen,
        weights=weights.reshape(n_stations, n_tx),
    )
    return fit, (moved[0], moved[1] * hz), bool(np.all(np.abs(step) <= SETTLED * deviation))


def _columns(
    frame: Frame, on_air: Sequence[OnAir], links: Links, seen: Complex, weights: Complex, window: slice
) -> Complex:
    """Return what the symbols change by with each sought delay (samples), then offset (radians a symbol), (2 S, T)."""
    origins = (links.origins + links.delay_samples - links.lock.delay_samples) / frame.options.samples_per_symbol
    time = np.arange(window.start, window.stop)
    late, turned = [], []
    for n in map(int, np.flatnonzero(links.sought)):
        arrival = links.lock, float(links.delay_samples[n]), float(links.offset_hz[n])
        late.append(-on_air[n].slope(*arrival, weights[n])[window])
        turned.append(1j * (time - origins[n]) * (weights[n] @ seen[n])[window])
    return np.array(late + turned).reshape(-1, len(time))


def _cautious(frame: Frame, step: Vector, window: slice) -> Vector:
    """Return steps (2, S) in delay and offset that stay within a search's reach: larger ones are a lost signal."""
    samples, radians = frame.options.samples_per_symbol / 2, np.pi / (2 * (window.stop - window.start))
    return np.stack([np.clip(step[0], -samples, samples), np.clip(step[1], -radians, radians)])
