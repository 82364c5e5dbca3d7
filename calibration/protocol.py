"""What every calibration can do; `tests/contract/test_calibration.py` is the contract."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recordings import Capture

__all__ = ["Calibration"]

Complex = NDArray[np.complex128]


class Calibration(Protocol):
    """Coefficients of one radio, from samples at its converters to samples at its antenna ports and back."""

    @property
    def identity(self) -> str:
        """What it is and where it came from, for a recording."""
        ...

    def apply_tx(self, ports: Complex) -> NDArray[np.complex64]:
        """Return what the converters must be given, (n_tx, n), full scale 1, for root-watt at the ports, (n_tx, n)."""
        ...

    def embed_tx(self, digital: NDArray[np.complex64]) -> Complex:
        """Return what leaves the ports, root-watt, for what the converters are given; inverse of `apply_tx`."""
        ...

    def apply(self, capture: Capture) -> Complex:
        """Return what reached the ports, root-watt, (n_rx, n), from what the converters delivered."""
        ...

    def embed(self, ports: Complex) -> Complex:
        """Return what the converters would deliver for root-watt at the ports; inverse of `apply`."""
        ...
