"""The front door: check the request and hand it to the solver of its scheme and method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from precoding.arrays import FloatArray, float_array, whole_number
from precoding.blocklevel.infeasible import largest_target_db
from precoding.blocklevel.joint import Request, design_block_level, design_with_enough_streams
from precoding.errors import ArgumentError
from precoding.network import Network
from precoding.result import Design

__all__ = ["METHODS", "ROBUSTNESS", "SCHEMES", "design"]

SCHEMES = ("blp-cbf", "blp-comp", "slp-cbf", "slp-comp")
METHODS = ("joint", "alternating")
ROBUSTNESS = ("exact", "paper", "none")


def design(
    network: Network,
    scheme: str,
    *,
    min_sinr_db: ArrayLike | None = None,
    weight: float | None = None,
    symbols: ArrayLike | None = None,
    method: str = "joint",
    robustness: str = "exact",
    start: Design | None = None,
    time_limit_s: float | None = None,
    psk_order: int = 4,
    sensing_streams: int | None = None,
    intra_level: float = 10.0,
    inter_level: float = 10.0,
    tolerance: float = 1e-4,
) -> Design:
    """Design precoders that sense best while every user gets its SINR; paper (P1) to (P4).

    Sensing best is the largest of the smallest effective Fisher information of the targets' angles.

    Args:
        network: What to design for, in any consistent units.
        scheme: "blp-cbf" (each BS serves its own users and hears its own signal), "blp-comp" (all serve all), "slp-cbf"
            or "slp-comp" (with the waveform of a block of known symbols).
        min_sinr_db: Target in dB, one for all or (J, K); -inf where a user is promised nothing.
        weight: Or else the paper's rho in [0, 1]: the SINR that is best for rho f / NF_R + (1 - rho) gamma / NF_C.
        symbols: At symbol level, PSK indices (J K, L): i is the symbol exp(j (2 pi i + pi) / M).
        method: "joint" or "alternating" (Algorithm 1 as the paper prints it, for block level).
        robustness: "exact" holds the targets for every channel in the CSI balls, "paper" by Prop. 3, which is neither
            safe nor tight, "none" on the estimates only.
        start: An earlier design of a similar network and the same shape; makes the search shorter only.
        time_limit_s: What the solvers reached by then is judged like any answer.
        psk_order: M.
        sensing_streams: Streams that only sense, of every BS (CBF) or of all together (CoMP), at block level: further
            columns of the weights. None for none, unless the proof shows that one stream a user is too few.
        intra_level: Where Algorithm 1 starts its intra-cell interference level, in units of the users' noise; so
        inter_level: for the inter-cell (CBF) or total (CoMP) level.
        tolerance: Relative, of the RCRB over its bound, at block level; 1e-3 is enough to follow moving users.

    Returns:
        A design whose certificate holds.

    Raises:
        ArgumentError: An unknown name, a wrong shape, or a block shorter than its number of streams.
        InfeasibleError: No precoder meets the targets.
        InaccurateError: The solvers ended short of what the certificate demands; carries the best design.

    """
    asked = _Asked(network, scheme, symbols, robustness, psk_order, sensing_streams, time_limit_s, tolerance)
    asked.check(method, min_sinr_db, weight, start)
    targets_db = None if min_sinr_db is None else _targets(network, min_sinr_db)
    if method == "alternating":
        return _alternating(asked, targets_db, weight, intra_level, inter_level)
    if targets_db is not None:
        return asked.design_at(targets_db, start)
    from precoding.weighted import weighted_design

    assert weight is not None  # noqa: S101  # one of the two is given
    return weighted_design(network, scheme, weight, asked.design_at, asked.largest_db, start)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Everything of a request but its targets and its start."""

    network: Network
    scheme: str
    symbols: ArrayLike | None
    robustness: str
    psk_order: int
    sensing_streams: int | None
    time_limit_s: float | None
    tolerance: float

    @property
    def block_level(self) -> bool:
        return self.scheme.startswith("blp")

    def check(self, method: str, min_sinr_db: ArrayLike | None, weight: float | None, start: Design | None) -> None:
        """Refuse what makes no sense."""
        _known("scheme", self.scheme, SCHEMES)
        _known("method", method, METHODS)
        _known("robustness", self.robustness, ROBUSTNESS)
        whole_number("sensing_streams", self.sensing_streams or 0, least=0)
        whole_number("psk_order", self.psk_order, least=2)
        if (min_sinr_db is None) == (weight is None):
            raise ArgumentError("min_sinr_db: give either min_sinr_db or weight, not both and not none")
        if weight is not None and not 0.0 <= weight <= 1.0:
            raise ArgumentError(f"weight: {weight}, must be between 0 and 1")
        if self.time_limit_s is not None and not self.time_limit_s > 0.0:
            raise ArgumentError(f"time_limit_s: {self.time_limit_s}, must be positive or None")
        if not 1e-6 <= self.tolerance <= 1e-2:
            raise ArgumentError(f"tolerance: {self.tolerance:g}, must be between 1e-6 and 1e-2")
        if np.any(self.network.angle_spread) and (method == "alternating" or not self.block_level):
            raise ArgumentError("network.angle_spread: only joint block-level designs know it; set it to 0")
        if not self.block_level and method == "alternating":
            raise ArgumentError("method: 'alternating' ends in a relaxation at symbol level, not in a waveform")
        if self.block_level:
            self._check_block_level()
        else:
            self._check_symbol_level()
        _check_start(self.network, self.scheme, start)

    def design_at(self, targets_db: FloatArray, start: Design | None) -> Design:
        """Design for targets in dB, (J, K), from an earlier design or None."""
        if self.block_level:
            request = self._request(targets_db, start)
            solve = design_with_enough_streams if self.sensing_streams is None else design_block_level
            return solve(request, start=start, time_limit_s=self.time_limit_s)
        from precoding.symbollevel.designing import design_symbol_level

        return design_symbol_level(
            self.network,
            self.scheme,
            targets_db,
            _indices(self.network, self.symbols, self.psk_order),
            self.psk_order,
            robust=self.robustness == "exact",
            start=start,
            time_limit_s=self.time_limit_s,
        )

    def largest_db(self) -> float:
        """Find the largest common SINR in dB, which is NF_C."""
        if self.block_level:
            return largest_target_db(self._request(_targets(self.network, 0.0)))
        from precoding.symbollevel.minimum_power import largest_symbol_level_sinr

        indices = _indices(self.network, self.symbols, self.psk_order)
        robust = self.robustness == "exact"
        return largest_symbol_level_sinr(self.network, self.scheme, indices, self.psk_order, robust=robust)

    def _request(self, targets_db: FloatArray, start: Design | None = None) -> Request:
        streams = self.sensing_streams
        if streams is None:  # what was needed before is needed again
            weights = None if start is None else start.weights
            streams = 0 if weights is None else max(weights.shape[2] - self._served, 0)
        return Request.of(
            self.network,
            self.scheme,
            targets_db,
            robustness=self.robustness,
            sensing_streams=streams,
            tolerance=self.tolerance,
        )

    @property
    def _served(self) -> int:
        """Streams of users that each column of the weights is for."""
        return self.network.K if self.scheme == "blp-cbf" else self.network.J * self.network.K

    def _check_block_level(self) -> None:
        if self.symbols is not None:
            raise ArgumentError(f"symbols: {self.scheme} does not depend on them; give them to Design.waveform")
        streams = self._served + (self.sensing_streams or 0)
        if self.network.block_length < streams:
            raise ArgumentError(
                f"network.block_length: {self.network.block_length} symbols cannot hold {streams} orthogonal streams "
                f"of {self.scheme}"
            )

    def _check_symbol_level(self) -> None:
        if self.sensing_streams:
            raise ArgumentError("sensing_streams: a symbol-level waveform has no streams; leave it 0")
        if self.robustness == "paper":
            raise ArgumentError("robustness: 'paper' (Prop. 3) is of block level; symbol level has 'exact' and 'none'")
        _indices(self.network, self.symbols, self.psk_order)


def _alternating(
    asked: _Asked, targets_db: FloatArray | None, weight: float | None, intra_level: float, inter_level: float
) -> Design:
    from precoding.alternating import design_alternating

    if asked.sensing_streams:
        raise ArgumentError("sensing_streams: Algorithm 1 has none; leave it 0")
    return design_alternating(
        asked.network,
        asked.scheme,
        min_sinr_db=targets_db,
        weight=weight,
        robustness=asked.robustness,
        intra_level=intra_level,
        inter_level=inter_level,
        time_limit_s=asked.time_limit_s,
    )


def _targets(network: Network, min_sinr_db: ArrayLike) -> FloatArray:
    given = np.asarray(min_sinr_db, dtype=np.float64)
    nothing = np.isneginf(given)
    targets = np.array(float_array("min_sinr_db", np.where(nothing, 0.0, given), (network.J, network.K)))
    targets[np.broadcast_to(nothing, targets.shape)] = -np.inf
    return targets


def _indices(network: Network, symbols: ArrayLike | None, psk_order: int) -> NDArray[np.int64]:
    if symbols is None:
        raise ArgumentError("symbols: missing; a symbol-level design needs the PSK indices of its block, (J K, L)")
    given = np.asarray(symbols)
    wanted = (network.J * network.K, network.block_length)
    if given.shape != wanted:
        raise ArgumentError(f"symbols: shape {given.shape}, must be (J K, L) = {wanted}")
    if given.dtype.kind not in "iu" or np.any(given < 0) or np.any(given >= psk_order):
        raise ArgumentError(f"symbols: must be whole numbers from 0 to {psk_order - 1}, the indices of {psk_order}-PSK")
    return given.astype(np.int64)


def _check_start(network: Network, scheme: str, start: Design | None) -> None:
    if start is None:
        return
    shape = (start.weights if start.weights is not None else start.samples).shape[:2]  # type: ignore[union-attr]
    if start.scheme != scheme or shape != (network.J, network.n_tx):
        raise ArgumentError(
            f"start: a design for {start.scheme}, (J, n_tx) = {shape}; "
            f"needed is one for {scheme}, {(network.J, network.n_tx)}"
        )


def _known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}: {value!r} is unknown; choose one of {', '.join(known)}")
