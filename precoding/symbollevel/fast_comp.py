"""The fast ascent of slp-comp: lit coordinates, compiled block descent on the small dual, closed-form repair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.symbollevel.ascent import Ascent
from precoding.symbollevel.bound import SymbolPrices
from precoding.symbollevel.echoes import Echoes
from precoding.symbollevel.fast_data import Lit
from precoding.symbollevel.found import is_over
from precoding.symbollevel.task import Task

__all__ = ["Memory", "climb_fast"]

# One set for all sizes. Sensing alone: from random starts, for its optima are local; the best of them is kept.
_STARTS, _SENSING_STEPS, _RESENSING_STEPS, _SENSING_Y_STEPS, _SENSING_SETTLED = 3, 200, 4, 3, 1e-5
_PHASES, _START_SWEEPS = 8, 6
_STEPS, _INNER, _SWEEPS, _Y_STEPS, _SETTLED = 60, 1, 2, 2, 4e-5
_STEPS_BETWEEN_CLOCKS = 10
_RISES = np.geomspace(1e-6, 1.0, 31)
_LEAST_SHARE = 0.05  # of the mean price of power: a BS that sensing does not need still has power for users
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0  # of a turn: phases spread evenly over any stretch of the block


@dataclass(frozen=True, eq=False)
class Memory:
    """What the next frame starts from.

    Attributes:
        beams: (2 r, 4 J) the waveform that senses best without users.
        beam_y: (J, p - 1) its nuisance weights.
        beam_mu: (J,) its shares of the targets.
        y: (J, p - 1) nuisance weights of the last waveform.
        mu: (J,) its shares of the targets.
        lam: (J,) its prices of power.

    """

    beams: FloatArray
    beam_y: FloatArray
    beam_mu: FloatArray
    y: FloatArray
    mu: FloatArray
    lam: FloatArray


@dataclass(frozen=True, eq=False)
class FastAscent:
    """What the fast ascent found.

    Attributes:
        ascent: The waveform, not yet exactly feasible, and the way to it.
        prices: Of everything that is asked, for the bound.
        memory: For the next frame.

    """

    ascent: Ascent
    prices: SymbolPrices
    memory: Memory


def climb_fast(
    task: Task,
    model: Echoes,
    lit: Lit,
    used: float,
    memory: Memory | None,
    deadline_s: float | None,
    effort: int = 1,
) -> FastAscent:
    """Climb from the beams that sense best, each symbol's turned to where its users need least.

    Args:
        task: In natural units; feasible.
        model: Of its echoes.
        lit: The same, reduced.
        used: Share of the power that users need at least.
        memory: Of an earlier design of the same sizes, or None.
        deadline_s: Latest time to go on, on the clock of `time.perf_counter`.
        effort: Factor on the number of steps.

    """
    from precoding.symbollevel.descent import ascend

    beams, beam_y, beam_mu, beam_lam = _beams(lit, memory)
    y, mu, lam = (beam_y, beam_mu, beam_lam) if memory is None else (memory.y, memory.mu, memory.lam)
    y, mu, lam = y.copy(), mu.copy(), lam.copy()
    W, nu, omega = _first(lit, task.block_length, beams, np.maximum(lam, _LEAST_SHARE * lam.mean()), used)
    norms = np.sqrt(np.sum(W**2, axis=0))
    before, gamma, pace = W.copy(), np.zeros_like(W), np.array([1.0, 0.0, 0.0])
    history: list[float] = []
    status = "MaxSteps"
    settled = _SETTLED if effort == 1 else _SETTLED / effort
    while len(history) < _STEPS * effort:
        row = np.empty(_STEPS_BETWEEN_CLOCKS)
        made = ascend(
            lit.E, lit.station, lit.cap, lit.BH, lit.HH, lit.edges, lit.depth, lit.radii,
            W, before, norms, nu, omega, y, mu, lam, pace, gamma,
            _STEPS_BETWEEN_CLOCKS, _INNER, _SWEEPS, _Y_STEPS, settled, row,
        )  # fmt: skip
        history += list(row[:made] * model.unit)
        if made < _STEPS_BETWEEN_CLOCKS or pace[2] >= 4.0:
            status = "Settled"
            break
        if is_over(deadline_s):
            status = "MaxTime"
            break
    Xi = _waveform(lit, gamma, omega, lam)
    ascent = Ascent(Xi, tuple(history), status)
    return FastAscent(ascent, _prices(task, model, lit, Xi, nu, y, mu, lam), Memory(beams, beam_y, beam_mu, y, mu, lam))


def _beams(lit: Lit, memory: Memory | None) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Waveform of 4 J symbols that senses best without users, its y, mu and lambda."""
    from precoding.symbollevel.illumination import sense

    J, p, _, r = lit.E.shape
    cap = lit.cap
    if memory is not None:
        W, y, mu = memory.beams.copy(), memory.beam_y.copy(), memory.beam_mu.copy()
        _, lam = sense(lit.E, lit.station, cap, W, y, mu, _RESENSING_STEPS, _SENSING_Y_STEPS, _SENSING_SETTLED)
        return W, y, mu, lam
    rng = np.random.default_rng(0)
    found = []
    for _ in range(_STARTS):
        W, y, mu = rng.normal(size=(2 * r, 4 * J)), np.zeros((J, p - 1)), np.full(J, 1.0 / J)
        best, lam = sense(lit.E, lit.station, cap, W, y, mu, _SENSING_STEPS, _SENSING_Y_STEPS, _SENSING_SETTLED)
        found.append((best, W, y, mu, lam))
    return max(found, key=lambda each: each[0])[1:]


def _first(
    lit: Lit, L: int, beams: FloatArray, lam: FloatArray, used: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """W (2 r, L), nu and omega to begin with."""
    from precoding.symbollevel.projection import begin

    r = len(lit.station)
    directions, strength, _ = np.linalg.svd(beams[:r] + 1j * beams[r:], full_matrices=False)
    weights = np.exp(2j * np.pi * _GOLDEN * np.outer(np.arange(len(strength)), np.arange(L)))
    z = np.sqrt(max(1.0 - used, 0.0) / L) * (directions * strength) @ weights
    K = np.einsum("nuv,n->uv", lit.HH, 1.0 / lam)
    stacked = np.ascontiguousarray(np.concatenate([z.real, z.imag]))
    hear = np.ascontiguousarray(lit.BH.conj().T)
    angle, nu, omega = begin(stacked, hear, K, lit.edges, lit.depth, lit.radii, _PHASES, _START_SWEEPS)
    w = _complex(omega)
    W = z * np.exp(1j * angle) + (lit.BH @ w) / lam[lit.station][:, None]
    return np.ascontiguousarray(np.concatenate([W.real, W.imag])), nu, omega


def _waveform(lit: Lit, gamma: FloatArray, omega: FloatArray, lam: FloatArray) -> ComplexArray:
    """X_n = (B^H gamma + H^H omega)_n / lambda_n, complex (J, d, L)."""
    J, r_n = lit.B.shape[:2]
    pushed = lit.B.conj().swapaxes(1, 2) @ _complex(gamma).reshape(J, r_n, -1)
    return np.asarray((pushed + lit.H.conj().swapaxes(1, 2) @ _complex(omega)) / lam[:, None, None])


def _prices(
    task: Task,
    model: Echoes,
    lit: Lit,
    Xi: ComplexArray,
    nu: FloatArray,
    y: FloatArray,
    mu: FloatArray,
    lam: FloatArray,
) -> SymbolPrices:
    """Multipliers of the linearised problem, with power a little dearer, so that they bound the relaxed one."""
    u = np.concatenate([np.ones((len(y), 1)), -y], axis=1) * model.scale
    edges = np.zeros(task.edges.shape)
    edges[lit.promised] = nu.transpose(0, 2, 1)
    return SymbolPrices(
        sensing=mu[:, None, None] * u[:, :, None] * u[:, None, :],
        stations=(1.0 + _raise(lit, Xi, nu, y, mu, lam)) * lam / 2.0,
        antennas=None,
        edges=edges,
        leaks=None,
        leak_sizes=None,
        foreign=model.foreign,
    )


def _raise(lit: Lit, Xi: ComplexArray, nu: FloatArray, y: FloatArray, mu: FloatArray, lam: FloatArray) -> float:
    """Relative rise e of the power prices that gives the least bound.

    B = Lambda / 2 - T of a local optimum is a little indefinite. The bound pays e for power, and sum_s |c_s|^2 / 4
    (B + e Lambda / 2)^-1 for the symbols, c_s being what pulls at x_s; in coordinates of unit price both are sums over
    eigenvalues of B. The direction of x_s stands for the subgradient of |x_s|, which is valid and nearly best.
    """
    J, r_n, d = lit.B.shape
    root = np.sqrt(2.0 / lam)
    u = np.concatenate([np.ones((J, 1)), -y], axis=1)
    Q = np.einsum("mp,mpar->mar", u * np.sqrt(mu)[:, None], lit.E).reshape(2 * J, J, r_n)
    beams = np.einsum("anr,nrd,n->and", Q, lit.B, root).reshape(2 * J, J * d)
    b, V = np.linalg.eigh(np.eye(J * d) - beams.conj().T @ beams)
    omega = np.einsum("uel,uel->ul", lit.edges[0] + 1j * lit.edges[1], nu)
    norms = np.sqrt(np.sum(np.abs(Xi) ** 2, axis=(0, 1)))
    away = np.einsum("u,uel->l", lit.radii, nu) / np.maximum(norms, np.finfo(np.float64).tiny)
    pull = ((lit.H.conj().swapaxes(1, 2) @ omega - away * Xi) * root[:, None, None]).reshape(J * d, -1)
    pulled = np.sum(np.abs(V.conj().T @ pull) ** 2, axis=1) / 4.0
    rises = max(-float(b[0]), 0.0) * (1.0 + _RISES[0]) + _RISES
    cost = np.sum(pulled / (b + rises[:, None]), axis=1) + rises * float(lam @ lit.cap**2) / 2.0
    return float(rises[cost.argmin()])


def _complex(parts: FloatArray) -> ComplexArray:
    half = len(parts) // 2
    return np.asarray(parts[:half] + 1j * parts[half:])
