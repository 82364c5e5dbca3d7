"""Absolute level: digital full scale to root-watt at the antenna ports, one complex coefficient a channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.errors import CoefficientError
from drivers import Capabilities, RadioSettings
from recordings import Capture

__all__ = ["LevelCalibration"]

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class LevelCalibration:
    """One complex coefficient per channel, in root-watt at the port per unit of digital full scale.

    Attributes:
        tx: Transmit coefficients, (n_tx,).
        rx: Receive coefficients, (n_rx,).
        identity: What the coefficients are and where they came from.
    """

    tx: Complex
    rx: Complex
    identity: str

    def __post_init__(self) -> None:
        """Refuse coefficients that have no inverse."""
        for name in ("tx", "rx"):
            coefficients = np.array(getattr(self, name), dtype=complex)
            coefficients.flags.writeable = False
            if coefficients.ndim != 1 or not np.all(np.isfinite(coefficients)) or np.any(coefficients == 0):
                raise CoefficientError(
                    f"calibration {self.identity}: {name} coefficients must be finite, not zero and one per channel"
                )
            object.__setattr__(self, name, coefficients)

    @classmethod
    def nominal(cls, capabilities: Capabilities, settings: RadioSettings) -> LevelCalibration:
        """Return the maker's figures: full-scale levels and applied gains, equal on all channels, phase zero."""
        tx = _root_watt(capabilities.tx_full_scale_dbm + settings.tx_gain_db)
        rx = _root_watt(capabilities.rx_full_scale_dbm - settings.rx_gain_db)
        return cls(
            np.full(capabilities.n_tx, tx, dtype=complex),
            np.full(capabilities.n_rx, rx, dtype=complex),
            f"nominal levels of {capabilities.model} {capabilities.serial}",
        )

    def apply_tx(self, ports: Complex) -> NDArray[np.complex64]:
        """See `Calibration.apply_tx`."""
        return (ports / self._of("tx", ports)).astype(np.complex64)

    def embed_tx(self, digital: NDArray[np.complex64]) -> Complex:
        """See `Calibration.embed_tx`."""
        return np.asarray(digital * self._of("tx", digital))

    def apply(self, capture: Capture) -> Complex:
        """See `Calibration.apply`."""
        return np.asarray(capture.samples * self._of("rx", capture.samples))

    def embed(self, ports: Complex) -> Complex:
        """See `Calibration.embed`."""
        return np.asarray(ports / self._of("rx", ports))

    def _of(self, name: str, samples: NDArray[np.complexfloating]) -> Complex:
        coefficients: Complex = getattr(self, name)
        if len(samples) != len(coefficients):
            raise CoefficientError(f"calibration {self.identity}: {len(samples)} channels, {len(coefficients)} {name}")
        return coefficients[:, None]


def _root_watt(level_dbm: float) -> float:
    return float(np.sqrt(10 ** ((level_dbm - 30) / 10)))
