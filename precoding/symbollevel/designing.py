"""Symbol-level design: feasible at all? real waveform, exact repair, bound, certificate."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from precoding.arrays import ComplexArray, FloatArray
from precoding.errors import ArgumentError, InaccurateError
from precoding.network import Network
from precoding.result import Design
from precoding.symbollevel.certify import certify_waveform
from precoding.symbollevel.fast import fast_waveform
from precoding.symbollevel.found import UNSETTLED, Found, is_over
from precoding.symbollevel.task import Task, symbol_task
from precoding.symbollevel.thorough import thorough_waveform

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
    thorough: bool = False,
) -> Design:
    """Design the waveform that senses best while all symbols stay in their constructive regions; (P3), (P4).

    What is returned is a real waveform, not the relaxed covariances: its own X X^H is judged. Compiled solvers
    find it in milliseconds, and their multipliers give a bound; linearised cone programmes stand behind it, and take
    over (the status says so) where it finds no feasible waveform or where antennas have limits of their own.

    Args:
        network: In any consistent units; block_length is that of the symbols.
        scheme: "slp-cbf" or "slp-comp".
        min_sinr_db: (J, K) targets.
        symbols: (J K, L) PSK indices, row m K + k for user k of cell m.
        order: M of the PSK, index i being exp(j (2 pi i + pi) / M).
        robust: Hold the targets for all channels of the CSI balls, or on the estimates only.
        start: An earlier design of the same shape, for the same or other symbols, to start from.
        time_limit_s: Latest time to begin another step; what was reached by then is judged like any answer.
        thorough: Climb by cone programmes, and solve (P3) or (P4) for the tightest bound: seconds, not milliseconds.

    Returns:
        A feasible design; its gap is to a bound of the relaxed problem, which no real waveform reaches in general.

    Raises:
        ArgumentError: Bad scheme, symbols, order or start.
        InfeasibleError: No waveform meets the targets.
        InaccurateError: No feasible waveform was found; carries the design.

    """
    began = time.perf_counter()
    deadline_s = None if time_limit_s is None else began + time_limit_s
    task, amplitude = symbol_task(network, scheme, min_sinr_db, symbols, order, robust=robust)
    earlier = _earlier(task, start, amplitude)
    asked = _Asked(network, scheme, min_sinr_db, order, robust, began)
    found = None if thorough else fast_waveform(task, start, deadline_s)
    design = None if found is None else _judged(task, amplitude, found, asked)
    if found is None or design is None or (_wants_more(found, design, task) and not is_over(deadline_s)):
        careful = thorough_waveform(task, found.X if found else earlier, deadline_s, network.power)
        design = _judged(task, amplitude, _better(found, careful), asked)
    if not design.certificate.holds():
        raise _inaccurate(design)
    return design


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request, in the caller's units, and when it came."""

    network: Network
    scheme: str
    min_sinr_db: FloatArray
    order: int
    robust: bool
    began_s: float


def _judged(task: Task, amplitude: float, found: Found, asked: _Asked) -> Design:
    X = found.X * amplitude
    certificate = certify_waveform(
        asked.network,
        X,
        task.symbols,
        asked.order,
        asked.scheme,
        min_sinr_db=asked.min_sinr_db,
        bound_information=found.bound,
        robust=asked.robust,
    )
    return Design(
        asked.scheme,
        asked.min_sinr_db,
        certificate,
        found.status,
        time.perf_counter() - asked.began_s,
        history=tuple(1.0 / np.sqrt(found.history)),
        samples=X,
        symbols=task.symbols,
        memory=found.memory,
    )


def _wants_more(found: Found, design: Design, task: Task) -> bool:
    """Whether the fast way ended short, where the careful way is one that can be gone.

    That is not in slp-cbf with users without a target: prices of what leaks to them have no interior.
    """
    short = found.status == UNSETTLED or not design.certificate.holds()
    return short and (not task.leaks or bool(np.all(task.depth > 0.0)))


def _better(fast: Found | None, careful: Found) -> Found:
    """What the careful way found, with what the fast way learnt for the next frame, and the tighter bound."""
    if fast is None:
        return careful
    return replace(careful, bound=min(fast.bound, careful.bound), memory=fast.memory)


def _earlier(task: Task, start: Design | None, amplitude: float) -> ComplexArray | None:
    """Samples of a start in natural units."""
    if start is None:
        return None
    shape = (task.network.J, task.network.n_tx, task.block_length)
    if start.samples is None or start.samples.shape != shape:
        has = "no waveform" if start.samples is None else f"a waveform of shape {start.samples.shape}"
        raise ArgumentError(f"start: {has}, must be a symbol-level design of shape (J, n_tx, L) = {shape}, or None")
    return start.samples / amplitude


def _inaccurate(design: Design) -> InaccurateError:
    c = design.certificate
    return InaccurateError(
        f"{design.scheme}: the certificate does not hold after {len(design.history)} steps: SINR "
        f"{c.shortfall_db:+.2g} dB below target, RCRB {c.gap:.2g} above its bound, the solver says {design.status!r}; "
        "allow more time or lower min_sinr_db a little. The design is attached to this error",
        design=design,
    )
