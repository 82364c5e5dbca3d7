"""The answer to a design request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.arrays import ComplexArray, FloatArray, complex_array
from precoding.certificate import Certificate
from precoding.errors import ArgumentError

__all__ = ["Design"]


@dataclass(frozen=True, eq=False)
class Design:
    """Block-level weights or a symbol-level waveform, with their certificate.

    Attributes:
        scheme: "blp-cbf", "blp-comp", "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) the SINR targets that were met.
        certificate: What the weights or the waveform achieve, judged apart from the solver.
        status: How the solver ended, in its own words; trust the certificate, not this.
        solve_time_s: Time of the solver over all passes.
        history: Largest RCRB in rad after each pass or iteration.
        weights: Complex (J, n_tx, S): S = K (CBF) or J K (CoMP, column m K + k for user k of cell m) streams, then any
            streams that only sense; in units of sqrt(power) for symbols of unit power. None at symbol level.
        samples: Complex (J, n_tx, L), the optimised waveform of a symbol-level design. None at block level.
        symbols: (J K, L) PSK indices that the samples carry. None at block level.
        weight: The paper's rho, if the SINR targets were chosen by it.
        memory: What a warm start from this design uses beyond its weights or samples; nothing to look at.

    """

    scheme: str
    min_sinr_db: FloatArray
    certificate: Certificate
    status: str
    solve_time_s: float
    history: tuple[float, ...]
    weights: ComplexArray | None = None
    samples: ComplexArray | None = None
    symbols: NDArray[np.int64] | None = None
    weight: float | None = None
    memory: object | None = None

    def waveform(self, symbols: ArrayLike | None = None) -> ComplexArray:
        """Transmit samples of every BS: X_n = W_n S, or at symbol level the waveform that was optimised.

        Args:
            symbols: At block level complex, one row per stream: (J, S, L) or (J S, L) for CBF, (S, L) for CoMP, or by
                cell (J, K, L). At symbol level the PSK indices designed for, (J K, L), or None.

        Returns:
            Complex (J, n_tx, L).

        Raises:
            ArgumentError: The symbols have another shape, are not finite, or are not those of the design.

        """
        if self.weights is None:
            return self._designed_for(symbols)
        if symbols is None:
            raise ArgumentError("symbols: missing; block-level weights have no waveform without symbols")
        J, _, streams = self.weights.shape
        groups = J if self.scheme.endswith("cbf") else 1
        given = np.asarray(symbols)
        cells = given.ndim == 3 and given.shape[:2] == (J, groups * streams // J)
        rows = given.shape[:2] if cells else (groups * streams,)
        S = complex_array("symbols", given, (*rows, *given.shape[-1:]))
        return self.weights @ S.reshape(groups, streams, -1)

    def _designed_for(self, symbols: ArrayLike | None) -> ComplexArray:
        assert self.samples is not None and self.symbols is not None  # noqa: S101  # one of the two is there
        if symbols is not None and not np.array_equal(np.asarray(symbols), self.symbols):
            raise ArgumentError("symbols: not those of the design; a symbol-level waveform carries one block only")
        return self.samples
