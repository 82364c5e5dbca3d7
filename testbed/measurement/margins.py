"""How deep the received symbols of symbol-level precoding lie in their constructive regions.

A symbol-level waveform moves symbols away from the decision borders on purpose: an error vector would call that
distortion. What counts is the margin of slot s, m_s = Re(y d*) - |Im(y d*)| / tan(psi), of the noiseless signal
y = h^T x_s; and the SINR is that of the worst slot, gamma = min_s m_s^2 / (noise + inter-cell interference of slot s),
paper eq. (57), (60a). The noiseless signal is what the fitted channel makes of the waveform really sent.

A minimum over noisy margins lies too low; a parametric bootstrap tells by how much, and how wide the interval is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from testbed.measurement.sinr import CONFIDENCE, SinrEstimate
from testbed.measurement.waveform_fit import WaveformFit

__all__ = ["QUANTILES", "MarginReport", "SymbolLevelBlock", "expected_margin_sinr", "measure_margins"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

QUANTILES = np.linspace(0, 1, 11)
DRAWS = 128  # the width of an interval from so many draws is right within 6 %
WORST = 32  # slots that may be the worst after another draw of the noise
SHIFTS = (17, 41)  # draws taken for one another's independent companions; neither is half of all, the opposite sign


@dataclass(frozen=True)
class MarginReport:
    """What a symbol-level payload showed at the users.

    Attributes:
        sinr: Of the worst slot, without the bias of the minimum, linear, with its interval, (n_users,) each.
        quantiles: Of the margins over the root of noise and interference, at QUANTILES, (n_users, 11): their squares
            are SINRs; negative where the symbol itself is wrong without any noise.
        symbol_errors: Received symbols nearest to another one than was sent, (n_users,).
    """

    sinr: SinrEstimate
    quantiles: Vector
    symbol_errors: NDArray[np.int64]


@dataclass(frozen=True)
class SymbolLevelBlock:
    """A symbol-level payload, as sent and as meant.

    Attributes:
        waveform: As radiated, complex (J, n_tx, L).
        symbols: What each user is to decide, unit modulus, (n_users, L), cell by cell.
        order: M of the M-PSK.
        cooperative: Whether all stations serve all users (CoMP); otherwise foreign signals count as noise.
        reference: The channels it was designed for, complex (n_users, J, n_tx): they give the phase in which a user
            expects its symbols.
    """

    waveform: Complex
    symbols: Complex
    order: int
    cooperative: bool
    reference: Complex

    @cached_property
    def serving(self) -> NDArray[np.bool_]:
        """Which stations serve which user, (n_users, J)."""
        users, stations = len(self.symbols), np.arange(len(self.waveform))
        cell = stations.repeat(users // len(stations))
        return np.asarray((cell[:, None] == stations) | self.cooperative)

    @cached_property
    def _meant(self) -> Complex:
        """Waveform times what each user was meant to receive, (n_users, J, n_tx): h times it tells the turn."""
        signal = np.einsum("ujn,jns,uj->us", self.reference, self.waveform, self.serving, optimize=True)
        return np.asarray(np.einsum("jns,us->ujn", self.waveform, signal.conj()) * self.serving[..., None])

    def likeness(self, channels: Complex) -> Complex:
        """Return the payload's signal times that meant, summed, (n_users, draws); its phase is that of the arrival.

        A receiver tracks that phase, and no precoder can know it.

        Args:
            channels: Complex (n_users or 1, J, draws, n_tx).
        """
        stations = channels @ self._meant[..., None]  # (n_users, J, draws, 1)
        return np.asarray(stations[..., 0].sum(axis=1))

    def amplitudes(self, channels: Complex, noise: Vector, blur: Vector | float = 0.0) -> Vector:
        """Return margins over the root of noise and inter-cell interference, (n_users, draws, L).

        Args:
            channels: Complex (n_users, J, draws, n_tx).
            noise: Power per symbol, (n_users, draws).
            blur: Power that errors of the channels add to the interference, (n_users, L).
        """
        heard, likeness = channels @ self.waveform[None], self.likeness(channels)
        serving = self.serving[..., None, None]
        own = heard.sum(axis=1) if self.cooperative else np.sum(heard * serving, axis=1)
        turn = likeness / np.maximum(np.abs(likeness), np.finfo(float).tiny)
        turned = own * turn.conj()[..., None] * self.symbols.conj()[:, None]
        margin = turned.real - np.abs(turned.imag) / np.tan(np.pi / self.order)
        if self.cooperative:
            return np.asarray(margin / np.sqrt(noise)[..., None])
        foreign = np.sum(np.abs(heard) ** 2 * ~serving, axis=1) - np.atleast_2d(blur)[:, None]
        return np.asarray(margin / np.sqrt(noise[..., None] + np.maximum(foreign, 0.0)))


def measure_margins(block: SymbolLevelBlock, fit: WaveformFit) -> MarginReport:
    """Measure margins, SINR and symbol errors of a symbol-level payload.

    Args:
        block: What was sent and meant.
        fit: Channels and noise from sounding and payload.
    """
    n_users, n_stations, n_tx = block.reference.shape
    channels = fit.channels.reshape(n_users, 1, n_stations, n_tx).swapaxes(1, 2)
    noise = np.maximum(fit.noise, np.finfo(float).tiny)[:, None]
    blur = noise * _foreign_error(block, fit)
    seen = block.amplitudes(channels, noise, blur)[:, 0]
    likeness = block.likeness(channels)
    arrived = fit.payload * likeness.conj() * block.symbols.conj()
    return MarginReport(
        sinr=_interval(*_least(block, fit, seen, blur)),
        quantiles=np.quantile(seen, QUANTILES, axis=1).T,
        symbol_errors=np.sum(np.abs(np.angle(arrived)) > np.pi / block.order, axis=1),
    )


def _least(block: SymbolLevelBlock, fit: WaveformFit, seen: Vector, blur: Vector) -> tuple[Vector, Vector]:
    """Return the least margin of each user without bias, and its standard deviation, by a parametric bootstrap.

    With a(h) the least margin and Pa(h) its mean over errors of the fit, 2 a - Pa takes the bias away. Its variance is
    4 var(a) - 4 cov(a, Pa) + var(Pa), where Pa is told by a second, independent error on top of the first.

    Args:
        block: What was sent and meant.
        fit: Channels and noise.
        seen: Margins on the channels as fitted, (n_users, L).
        blur: What errors of the fit add to each slot's interference, (n_users, L).
    """
    from testbed.measurement.margin_kernels import least_margins

    n_users, n_stations, n_tx = block.reference.shape
    white, chi = _draws(n_stations * n_tx, fit.freedom)
    errors = (white @ fit.root.T).reshape(1, -1, n_stations, n_tx).swapaxes(1, 2)
    channels = fit.channels.reshape(n_users, 1, n_stations, n_tx).swapaxes(1, 2)
    least = least_margins(
        np.ascontiguousarray((channels @ block.waveform[None])[:, :, 0]),
        errors[0] @ block.waveform,
        block.likeness(channels)[:, 0],
        block.likeness(errors),
        block.symbols,
        np.argsort(seen, axis=1, kind="stable")[:, :WORST],
        np.sqrt(np.maximum(fit.noise, np.finfo(float).tiny)),
        chi,
        blur,
        block.serving,
        1 / np.tan(np.pi / block.order),
        np.stack([np.roll(np.arange(DRAWS), shift) for shift in SHIFTS]),
    )
    a, first, second = np.moveaxis(least - least.mean(axis=2, keepdims=True), 1, 0)
    variance = np.mean(4 * a**2 - 2 * a * (first + second) + first * second, axis=1)
    return 2 * seen.min(axis=1) - least[:, 0].mean(axis=1), np.sqrt(np.maximum(variance, 0.0))


def expected_margin_sinr(block: SymbolLevelBlock, noise: Vector, error_variance: Vector) -> Vector:
    """Return the SINR of the worst slot to be expected on channels that the design knew through noisy estimates.

    Args:
        block: What is sent and meant; its reference are the estimates.
        noise: Power per symbol, (n_users,).
        error_variance: Of each channel entry, (n_users, J).
    """
    n_stations, n_tx = block.reference.shape[1:]
    white = _draws(n_stations * n_tx, 1)[0].reshape(-1, n_stations, n_tx).swapaxes(0, 1)
    channels = block.reference[:, :, None] + np.sqrt(error_variance)[:, :, None, None] * white
    worst = block.amplitudes(channels, np.tile(noise[:, None], len(white[0]))).min(axis=2)
    return np.asarray(np.maximum(worst.mean(axis=1), 0.0) ** 2)


def _interval(amplitude: Vector, deviation: Vector) -> SinrEstimate:
    """Return the SINR whose root has a normal error; 0 where the margin is negative."""
    half = float(ndtri((1 + CONFIDENCE) / 2)) * deviation
    low, value, high = (np.maximum(amplitude + shift, 0.0) ** 2 for shift in (-half, 0.0, half))
    return SinrEstimate(value, low, high)


def _foreign_error(block: SymbolLevelBlock, fit: WaveformFit) -> Vector:
    """Return what errors of the fit add to each slot's interference, in units of the noise, (n_users, L)."""
    n_stations, n_tx = block.waveform.shape[:2]
    roots = fit.root.reshape(n_stations, n_tx, -1).swapaxes(1, 2)
    added = np.sum(np.abs(roots @ block.waveform) ** 2, axis=1)  # (J, L)
    return np.asarray(~block.serving @ added)


@lru_cache(maxsize=4)
def _draws(n: int, freedom: int) -> tuple[Complex, Vector]:
    """Return white noise (DRAWS, n), in pairs of opposite sign, and noise powers of mean 1; always the same."""
    rng = np.random.default_rng(0)
    half = (rng.standard_normal((DRAWS // 2, n)) + 1j * rng.standard_normal((DRAWS // 2, n))) / np.sqrt(2)
    return np.concatenate([half, -half]), rng.standard_gamma(freedom, DRAWS) / freedom
