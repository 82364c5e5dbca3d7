"""The precoder in force: what a design leaves in the transmitters, and what it promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding import Design
from testbed.errors import ReplayError

__all__ = ["Precoder"]

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]

ARRAYS = ("weights", "samples", "symbols", "promised_sinr", "rcrb_rad", "bound_rcrb_rad", "csi_radius")


@dataclass(frozen=True)
class Precoder:
    """Block-level weights, or the samples of one symbol-level block, with their promises.

    Frozen into a recording, so that a replay sends the very same ones.

    Attributes:
        scheme: "blp-cbf", "blp-comp", "slp-cbf" or "slp-comp".
        weights: (J, n_tx, K) for CBF or (J, n_tx, J K) for CoMP; None at symbol level.
        samples: The waveform of one block, (J, n_tx, L); None at block level.
        symbols: The symbols that it carries, (J, K, L); None at block level.
        promised_sinr: What the design promises by its robustness, linear, (J, K), from the certificate.
        rcrb_rad: Root of the design metric that the certificate states, (J,).
        bound_rcrb_rad: The relaxation's bound on it, (J,).
        csi_radius: Of the balls of channels that it was designed for, (J, J, K).
        status: The solver's own word.
        solve_time_s: Time the solver reports.
    """

    scheme: str
    weights: Complex | None
    samples: Complex | None
    symbols: Complex | None
    promised_sinr: Vector
    rcrb_rad: Vector
    bound_rcrb_rad: Vector
    csi_radius: Vector
    status: str
    solve_time_s: float

    @classmethod
    def of(cls, design: Design, csi_radius: Vector, symbols: Complex | None = None) -> Precoder:
        """Take over a certified design.

        Args:
            design: The design.
            csi_radius: Of the network it was made for, (J, J, K).
            symbols: Of the frame it was made for, (J, K, L); not needed at block level.
        """
        certificate = design.certificate
        rcrb_rad = np.asarray(certificate.rcrb_rad, dtype=float)
        return cls(
            design.scheme,
            None if design.weights is None else np.asarray(design.weights),
            None if design.samples is None else np.asarray(design.samples),
            None if design.samples is None else symbols,
            10 ** (np.asarray(certificate.promised_sinr_db) / 10),
            rcrb_rad,
            np.broadcast_to(np.asarray(certificate.bound_rcrb_rad, dtype=float), rcrb_rad.shape).copy(),
            np.asarray(csi_radius, dtype=float),
            design.status,
            float(design.solve_time_s),
        )

    @property
    def gap(self) -> float:
        """Largest relative excess of the certified RCRB over the bound."""
        return float(np.max(self.rcrb_rad / self.bound_rcrb_rad)) - 1.0

    @property
    def cooperative(self) -> bool:
        """Whether every station serves every user (CoMP)."""
        return self.scheme.endswith("comp")

    def waveform(self, symbols: Complex) -> Complex:
        """Return the precoded payload (J, n_tx, L) of symbols (J, K, L).

        Raises:
            ReplayError: The precoder is the waveform of other symbols.
        """
        streams = symbols.reshape(-1, symbols.shape[-1])
        if self.weights is not None:  # with CoMP, every station sends every stream
            return np.asarray(self.weights @ (streams if self.cooperative else symbols))
        if self.samples is None or self.symbols is None or not np.array_equal(symbols, self.symbols):
            raise ReplayError(
                f"the recorded {self.scheme} samples carry other symbols than this frame: a symbol-level waveform is "
                "for one payload; replay with the frames, seed and modulation that were recorded"
            )
        return self.samples

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the arrays by name, for a recording; none that is not there."""
        return {name: np.asarray(value) for name in ARRAYS if (value := getattr(self, name)) is not None}

    def attributes(self) -> Mapping[str, str | float]:
        """Return what is not an array, for a recording."""
        return {"scheme": self.scheme, "status": self.status, "solve_time_s": self.solve_time_s}

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[np.generic]], attributes: Mapping[str, str | float]) -> Precoder:
        """Return what `arrays` and `attributes` were taken from."""

        def stored(name: str) -> Complex | None:
            return np.asarray(arrays[name], dtype=complex) if name in arrays else None

        return cls(
            scheme=str(attributes["scheme"]),
            weights=stored("weights"),
            samples=stored("samples"),
            symbols=stored("symbols"),
            promised_sinr=np.asarray(arrays["promised_sinr"], dtype=float),
            rcrb_rad=np.asarray(arrays["rcrb_rad"], dtype=float),
            bound_rcrb_rad=np.asarray(arrays["bound_rcrb_rad"], dtype=float),
            csi_radius=np.asarray(arrays["csi_radius"], dtype=float),
            status=str(attributes["status"]),
            solve_time_s=float(attributes["solve_time_s"]),
        )
