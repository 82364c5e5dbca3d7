"""Channel state by least squares from orthogonal sounding, with the radius of the ball that holds the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from testbed.frame import Frame

__all__ = ["ChannelState", "PreambleFit", "estimate_channels"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelState:
    """What one sounding tells about the channels of some users.

    Attributes:
        channels: Least-squares estimates, (n_users, J, n_tx), root-watt received per root-watt sent.
        error_variance: Estimated variance of one entry's error, (n_users, J).
        radius: Radius of the ball around each link's estimate that holds the true channel with the asked confidence,
            (n_users, J).
        noise: Estimated noise power per symbol, watt, (n_users,).
    """

    channels: Complex
    error_variance: Vector
    radius: Vector
    noise: Vector


def estimate_channels(frame: Frame, symbols: Complex, power: Vector, confidence: float) -> ChannelState:
    """Estimate every user's channels from all antennas of all stations.

    The error of an entry is CN(0, s^2), s^2 = n_tx sigma^2 / (L_p P); sigma^2 is estimated from what the pilots leave
    over, so |error|^2 / (n_tx s^2) follows F(2 n_tx, 2 (L_p - J n_tx)) and its quantile gives the radius (theory:
    Kay, Estimation Theory, ch. 4; the F law because the noise is estimated from independent residuals).

    Args:
        frame: The frame's layout.
        symbols: Received symbols of the sounding, (n_users, sounding_symbols), root-watt.
        power: Each station's power, (J,), watt.
        confidence: Probability that a link's true channel lies in its ball.
    """
    n_stations, n_tx, length = frame.pilots.shape
    amplitude = np.sqrt(power / n_tx)
    scaled = np.einsum("ul,ntl->unt", symbols, frame.pilots.conj()) / length
    fitted = np.einsum("unt,ntl->ul", scaled, frame.pilots)
    freedom = length - n_stations * n_tx
    noise = np.sum(np.abs(symbols - fitted) ** 2, axis=1) / freedom
    error_variance = np.multiply.outer(noise, n_tx / (length * power))
    quantile = float(fdtri(2 * n_tx, 2 * freedom, confidence))
    return ChannelState(scaled / amplitude[:, None], error_variance, np.sqrt(n_tx * error_variance * quantile), noise)


class PreambleFit:
    """Refines timing and carrier offset by the whole preamble; what depends on the layout alone is computed once."""

    def __init__(self, frame: Frame, power: Vector) -> None:
        self._known = slice(frame.sync_slot(0).start, frame.sounding.stop)
        self._sent = frame.preamble(power).reshape(-1, frame.pulse.n_symbols)
        self._slope = frame.pulse.slope(self._sent)[:, self._known]
        self._basis = np.linalg.qr(self._sent[:, self._known].T)[
            0
        ].T  # orthonormal rows that span what channels can explain
        sent = self._sent[:, self._known]
        self._solve = np.linalg.solve(sent.conj() @ sent.T, sent.conj()).T  # y @ _solve: least-squares channels
        self._time = (
            np.arange(self._known.start, self._known.stop) - (frame.sounding.start + frame.sounding.stop - 1) / 2
        )

    def residuals(self, symbols: Complex) -> tuple[Vector, Vector]:
        """Return what synchronisation left: carrier offset (radians per symbol) and delay (samples), (n_users,) each.

        One Gauss-Newton step of y_t = (h^T x)(t - delay) exp(j omega t) in h, omega and delay together: h is
        eliminated by projection, which leaves two real unknowns a user. Time counts from the middle of the sounding.

        Args:
            symbols: All received symbols, (n_users, n_symbols).
        """
        received = symbols[:, self._known]
        channels = received @ self._solve
        predicted = channels @ self._sent[:, self._known]
        columns = np.stack([1j * self._time * predicted, -(channels @ self._slope)])  # of omega and of delay
        columns = columns - (columns @ self._basis.conj().T) @ self._basis
        normal = np.einsum("pul,qul->upq", columns.conj(), columns).real
        error = np.einsum("pul,ul->up", columns.conj(), received - predicted).real
        step = np.linalg.solve(normal + np.finfo(float).tiny * np.eye(2), error[..., None])[..., 0]
        return step[:, 0], step[:, 1]
