"""Symbol-level design: feasible at all? relaxed bound, real waveform, exact repair, certificate."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray
from precoding.errors import ArgumentError, InaccurateError
from precoding.network import Network
from precoding.result import Design
from precoding.symbollevel.bound import bounded_information
from precoding.symbollevel.cbf import cbf_waveform
from precoding.symbollevel.certify import certify_waveform
from precoding.symbollevel.comp import comp_waveform
from precoding.symbollevel.minimum_power import infeasible, noise_margin
from precoding.symbollevel.relaxed import symbol_prices
from precoding.symbollevel.repair import repaired
from precoding.symbollevel.task import Task, symbol_task

__all__ = ["design_symbol_level"]


def design_symbol_level(
    network: Network,
    scheme: str,
    min_sinr_db: FloatArray,
    symbols: ArrayLike,
    order: int,
    *,
    robust: bool,
    start: Design | None = None,
    time_limit_s: float | None = None,
) -> Design:
    """Design the waveform that senses best while all symbols stay in their constructive regions; (P3), (P4).

    What is returned is a real waveform, not the relaxed covariances: its own X X^H is judged. The relaxed problem
    gives the bound beside it, and the place to start.

    Args:
        network: In any consistent units; block_length is that of the symbols.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) targets.
        symbols: (J K, L) PSK indices, row m K + k for user k of cell m.
        order: M of the PSK, index i being exp(j (2 pi i + pi) / M).
        robust: Hold the targets for all channels of the CSI balls, or on the estimates only.
        start: An earlier design for symbols of the same shape, to start from.
        time_limit_s: Latest time to begin another step; what was reached by then is judged like any answer.

    Returns:
        A feasible design; its gap is to the relaxed bound, which a real waveform does not reach in general.

    Raises:
        ArgumentError: Bad scheme, symbols, order or start.
        InfeasibleError: No waveform meets the targets.
        InaccurateError: The solver ended without a feasible waveform; carries the design.

    """
    began = time.perf_counter()
    deadline_s = None if time_limit_s is None else began + time_limit_s
    task, amplitude = symbol_task(network, scheme, min_sinr_db, symbols, order, robust=robust)
    earlier = None if start is None else _earlier(task, start) / amplitude
    margin = noise_margin(task)
    if margin.db < 0.0:
        raise infeasible(task, margin, network.power)
    optimise = comp_waveform if task.cooperate else cbf_waveform
    ascent, model, relaxed = optimise(task, None if earlier is None else task.to_basis(earlier), deadline_s)
    X = repaired(task, task.to_antennas(ascent.Xi), margin.X)
    bound = bounded_information(task.network, task.min_sinr, task.symbols, order, symbol_prices(task, model, relaxed))
    certificate = certify_waveform(
        network, X * amplitude, task.symbols, order, scheme,
        min_sinr_db=min_sinr_db, bound_information=bound, robust=robust,
    )  # fmt: skip
    design = Design(
        scheme, min_sinr_db, certificate, ascent.status, time.perf_counter() - began,
        history=tuple(1.0 / np.sqrt(ascent.history)), samples=X * amplitude, symbols=task.symbols,
    )  # fmt: skip
    if not certificate.holds():
        raise _inaccurate(design)
    return design


def _earlier(task: Task, start: Design) -> ComplexArray:
    shape = (task.network.J, task.network.n_tx, task.block_length)
    if start.samples is None or start.samples.shape != shape:
        has = "no waveform" if start.samples is None else f"a waveform of shape {start.samples.shape}"
        raise ArgumentError(f"start: {has}, must be a symbol-level design of shape (J, n_tx, L) = {shape}, or None")
    return start.samples


def _inaccurate(design: Design) -> InaccurateError:
    c = design.certificate
    return InaccurateError(
        f"{design.scheme}: the certificate does not hold after {len(design.history)} steps: SINR "
        f"{c.shortfall_db:+.2g} dB below target, RCRB {c.gap:.2g} above its bound, the solver says {design.status!r}; "
        "allow more time or lower min_sinr_db a little. The design is attached to this error",
        design=design,
    )
