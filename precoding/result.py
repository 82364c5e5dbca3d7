"""The answer to a design request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray, complex_array
from precoding.certificate import Certificate

__all__ = ["Design"]


@dataclass(frozen=True, eq=False)
class Design:
    """Precoding weights with their certificate.

    Attributes:
        scheme: "blp-cbf" or "blp-comp".
        min_sinr_db: (J, K) the SINR targets.
        weights: Complex (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP, column m K + k for user k of cell m; in units
            of sqrt(power) for symbols of unit power.
        certificate: What the weights achieve, judged apart from the solver.
        status: The solver's own word on its last pass; trust the certificate, not this.
        solve_time_s: Sum of the solver's own reports over all passes.
        history: Largest RCRB in rad after each pass.

    """

    scheme: str
    min_sinr_db: FloatArray
    weights: ComplexArray
    certificate: Certificate
    status: str
    solve_time_s: float
    history: tuple[float, ...]

    def waveform(self, symbols: ArrayLike) -> ComplexArray:
        """Transmit samples X_n = W_n S of every BS.

        Args:
            symbols: Complex (J, K, L) or (J K, L), one row per user.

        Returns:
            Complex (J, n_tx, L).

        Raises:
            ArgumentError: The symbols have another shape or are not finite.

        """
        J, K = self.min_sinr_db.shape
        given = np.asarray(symbols)
        rows = (J, K) if given.ndim == 3 else (J * K,)
        S = complex_array("symbols", given, (*rows, *given.shape[-1:]))
        return self.weights @ S.reshape(J if self.scheme.endswith("cbf") else 1, self.weights.shape[2], -1)
