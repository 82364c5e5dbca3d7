"""Textbook estimators of a station's target angle, to compare ours with; nothing else in the testbed uses them.

Each is a spectrum over directions, written as in the literature, and its highest point in the sector. Amplitude spectra
are multiplied by the illumination v^T X X^H v*: |alpha|^2 alone is largest where nothing was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from precoding import SECTOR_RAD, steering
from testbed.errors import RequestError

__all__ = ["BASELINES"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

GRID = np.linspace(-np.sin(SECTOR_RAD), np.sin(SECTOR_RAD), 121)  # sines; a beam of 10 elements spans 12 steps


@dataclass(frozen=True, eq=False)
class _Echo:
    """Sample covariances of received Y (n_rx, L) and sent X (n_tx, L)."""

    ryy: Complex
    ryx: Complex
    rxx: Complex
    length: int

    def towards(self, sine: Vector) -> tuple[Complex, Complex, Vector]:
        """Return a (G, n_rx), the correlation r = Y X^H v* (G, n_rx) and the illumination v^T X X^H v* (G,)."""
        a, v = (steering(n, np.arcsin(sine)) for n in self.ryx.shape)
        lit = np.sum((v @ self.rxx) * v.conj(), axis=1).real
        return a, v.conj() @ self.ryx.T, np.maximum(lit, np.finfo(float).tiny)

    def whitened(self, sine: Vector) -> tuple[Vector, Complex, Vector, Vector]:
        """Return a^H R^-1 a, a^H R^-1 r, r^H R^-1 r, R = Y Y^H, and the illumination, (G,) each."""
        n_rx = len(self.ryy)
        if self.length < n_rx:
            raise RequestError(
                f"{self.length} snapshots of {n_rx} antennas: their covariance has no inverse; this estimator needs at "
                f"least {n_rx} snapshots (three times as many to be of use), matched filter and MUSIC need fewer"
            )
        a, r, lit = self.towards(sine)
        inverse = np.linalg.inv(self.ryy)
        aa = np.sum((a.conj() @ inverse) * a, axis=1).real
        rr = np.sum((r.conj() @ inverse) * r, axis=1).real
        return aa, np.sum((a.conj() @ inverse) * r, axis=1), rr, lit


def _matched_filter(echo: _Echo, sine: Vector) -> Vector:
    """|a^H r|^2 over the illumination: maximum likelihood if there were white noise only."""
    a, r, lit = echo.towards(sine)
    return np.asarray(np.abs(np.sum(a.conj() * r, axis=1)) ** 2 / lit)


def _mvdr(echo: _Echo, sine: Vector) -> Vector:
    """Power behind the minimum-variance beam, 1 / (a^H R^-1 a): who sent it is not asked (Capon, 1969)."""
    return np.asarray(1.0 / echo.whitened(sine)[0])


def _capon(echo: _Echo, sine: Vector) -> Vector:
    """Power behind the same beam of what the own symbols explain (Xu, Li, Stoica, IEEE TAES 44(1), 2008)."""
    aa, ar, _, lit = echo.whitened(sine)
    return np.asarray(np.abs(ar / aa) ** 2 / lit)


def _apes(echo: _Echo, sine: Vector) -> Vector:
    """As Capon, with Q = R - r r^H / lit, the covariance of the rest, for R (amplitude and phase estimation, APES).

    Made for amplitudes: where the rest is white noise, the peak is flat and its angle far from the bound at high SNR.
    """
    aa, ar, rr, lit = echo.whitened(sine)
    left = lit - rr  # Q^-1 = R^-1 + R^-1 r r^H R^-1 / (lit - r^H R^-1 r)
    return np.asarray(np.abs(ar * lit / left / (aa + np.abs(ar) ** 2 / left)) ** 2 / lit)


def _unstructured_ml(echo: _Echo, sine: Vector) -> Vector:
    """Likelihood ratio with any covariance, (a^H Q^-1 a) / (a^H R^-1 a): AML, GLRT (Xu, Li, Stoica, 2008)."""
    aa, ar, rr, lit = echo.whitened(sine)
    return np.asarray(1.0 + np.abs(ar) ** 2 / ((lit - rr) * aa))


def _music(echo: _Echo, sine: Vector) -> Vector:
    """Overlap of a with the first eigenvector of R: one target (Schmidt, 1986)."""
    return _overlap(echo.ryy, echo, sine)


def _projected_music(echo: _Echo, sine: Vector) -> Vector:
    """MUSIC on what the own symbols explain of the echo, Y X^H (X X^H)^+ X Y^H."""
    explained = echo.ryx @ np.linalg.pinv(echo.rxx, rcond=1e-9, hermitian=True) @ echo.ryx.conj().T
    return _overlap(explained, echo, sine)


def _overlap(covariance: Complex, echo: _Echo, sine: Vector) -> Vector:
    strongest = np.linalg.eigh(covariance)[1][:, -1]
    return np.asarray(np.abs(echo.towards(sine)[0].conj() @ strongest) ** 2)


def _highest(spectrum: Callable[[_Echo, Vector], Vector], received: Complex, sent: Complex) -> float:
    """Return the angle of a spectrum's highest point: a grid over the sector, then ever finer ones, then a parabola."""
    echo = _Echo(received @ received.conj().T, received @ sent.conj().T, sent @ sent.conj().T, received.shape[1])
    best, step = float(GRID[np.argmax(spectrum(echo, GRID))]), float(GRID[1] - GRID[0])
    for _ in range(3):  # to a ten-thousandth of a beam
        fine = best + step * np.linspace(-1, 1, 11)
        best, step = float(fine[np.argmax(spectrum(echo, fine))]), step / 5
    left, middle, right = spectrum(echo, best + step * np.array([-1.0, 0.0, 1.0]))
    bend = left - 2 * middle + right
    return float(np.arcsin(best + (0.5 * step * np.clip((left - right) / bend, -2, 2) if bend < 0 else 0.0)))


BASELINES: dict[str, Callable[[Complex, Complex], float]] = {
    "matched filter": partial(_highest, _matched_filter),
    "MUSIC": partial(_highest, _music),
    "MUSIC, projected": partial(_highest, _projected_music),
    "MVDR": partial(_highest, _mvdr),
    "Capon": partial(_highest, _capon),
    "APES": partial(_highest, _apes),
    "unstructured ML": partial(_highest, _unstructured_ml),
}
"""From received (n_rx, L) and the station's own symbols (n_tx, L) to an angle in rad; by name.

Those that invert a covariance raise `RequestError` with fewer snapshots than antennas.
"""
