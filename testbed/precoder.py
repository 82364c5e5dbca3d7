"""The precoder in force: what a design leaves in the transmitters, and what it promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding import Design

__all__ = ["Precoder"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Precoder:
    """Block-level weights with their promises; frozen into a recording, so that a replay modulates the very same ones.

    Attributes:
        scheme: "blp-cbf" or "blp-comp".
        weights: (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP.
        promised_sinr: What the design promises by its robustness, linear, (J, K), from the certificate.
        rcrb_rad: Root of the design metric that the certificate states, (J,).
        bound_rcrb_rad: The relaxation's bound on it, (J,).
        status: The solver's own word.
        solve_time_s: Time the solver reports.
    """

    scheme: str
    weights: Complex
    promised_sinr: Vector
    rcrb_rad: Vector
    bound_rcrb_rad: Vector
    status: str
    solve_time_s: float

    @classmethod
    def of(cls, design: Design) -> Precoder:
        """Take over a certified design."""
        certificate = design.certificate
        rcrb_rad = np.asarray(certificate.rcrb_rad, dtype=float)
        return cls(
            design.scheme,
            np.asarray(design.weights),
            10 ** (np.asarray(certificate.promised_sinr_db) / 10),
            rcrb_rad,
            np.broadcast_to(np.asarray(certificate.bound_rcrb_rad, dtype=float), rcrb_rad.shape).copy(),
            design.status,
            float(design.solve_time_s),
        )

    @property
    def gap(self) -> float:
        """Largest relative excess of the certified RCRB over the bound."""
        return float(np.max(self.rcrb_rad / self.bound_rcrb_rad)) - 1.0

    def waveform(self, symbols: Complex) -> Complex:
        """Return the precoded payload (J, n_tx, L) of symbols (J, K, L)."""
        cooperative = self.scheme.endswith("comp")  # every station sends every stream
        return np.asarray(self.weights @ (symbols.reshape(-1, symbols.shape[-1]) if cooperative else symbols))

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the arrays by name, for a recording."""
        names = ("weights", "promised_sinr", "rcrb_rad", "bound_rcrb_rad")
        return {name: np.asarray(getattr(self, name)) for name in names}

    def attributes(self) -> Mapping[str, str | float]:
        """Return what is not an array, for a recording."""
        return {"scheme": self.scheme, "status": self.status, "solve_time_s": self.solve_time_s}

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[np.generic]], attributes: Mapping[str, str | float]) -> Precoder:
        """Return what `arrays` and `attributes` were taken from."""
        return cls(
            scheme=str(attributes["scheme"]),
            weights=np.asarray(arrays["weights"], dtype=complex),
            promised_sinr=np.asarray(arrays["promised_sinr"], dtype=float),
            rcrb_rad=np.asarray(arrays["rcrb_rad"], dtype=float),
            bound_rcrb_rad=np.asarray(arrays["bound_rcrb_rad"], dtype=float),
            status=str(attributes["status"]),
            solve_time_s=float(attributes["solve_time_s"]),
        )
