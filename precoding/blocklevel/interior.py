"""Primal-dual interior point on the weights of a `Programme`.

Full Newton steps, a Levenberg term where the Lagrangian is not convex, and smoothing that vanishes with the barrier.
Three things make it reliable (each measured, by leaving it out): a step across a power limit ends on the sphere it was
meant for; what other curved constraints leave over is taken back by a second-order correction; and what has become
feasible stays so. Without the first, hundreds of tiny steps from 24 antennas on; without the others, dead ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from precoding.arrays import ComplexArray, FloatArray
from precoding.blocklevel.newton import Direction, Iterate, NewtonSystem
from precoding.blocklevel.programme import Point, Programme

__all__ = ["Optimum", "maximise"]

_TO_BOUNDARY = 0.99
_LARGEST_STEP = 0.5  # of the norm of the weights
_MOST_HALVINGS = 26
_CORRECTED = 2  # longest steps that get a second-order correction
_HARDLY = 0.005  # of a slack that must be left by it
_CENTRED, _SOLVED = 10.0, 0.3  # error over barrier at which the barrier falls, or the end is reached
_CENTRED_PARTS, _SOLVED_PARTS = 500.0, 5.0  # or error over accuracy: what is left then costs the proof next to nothing
_LEAST_OBJECTIVE = 1e-3  # below which the accuracy is absolute
_NO_RHO = 1e-7
_WARM_RHO = 1e-4  # what a warm start was always found to need, by trial and three failed factorisations
_TINY = 1e-300
_KEPT = 0.5  # of a slack that must be left for it to be taken as it is
_JAMMED = 1e-13  # a slack this small with its constraint still violated will never recover
_LEAST_SLACK = 0.3  # at the start, in roots of the barrier


@dataclass(frozen=True)
class Settings:
    """Constants of the method, the same for all sizes.

    Attributes:
        first_barrier: For a cold start.
        accuracy: Final barrier over all constraints, relative to the objective.
        gap: Relative gap of the objective at which it may stop as soon as prices prove it; 0 to go to the end.
        smoothing: Final smoothing of the worst case, in units of the noise.
        most_smoothing: At the beginning.
        most_steps: Newton steps.
        polishing: Newton steps after the end.

    """

    first_barrier: float = 0.1
    accuracy: float = 2e-5
    gap: float = 0.0
    smoothing: float = 1e-7
    most_smoothing: float = 0.3
    most_steps: int = 200
    polishing: int = 3


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the method ended.

    Attributes:
        point: Constraints there.
        objective: t.
        prices: (m,).
        barrier: mu.
        converged: Whether the optimality conditions hold to the accuracy asked.
        steps: Newton steps.
        history: Objective after each step.

    """

    point: Point
    objective: float
    prices: FloatArray
    barrier: float
    converged: bool
    steps: int
    history: tuple[float, ...]


def maximise(
    programme: Programme,
    start: tuple[ComplexArray, ...],
    *,
    settings: Settings = Settings(),  # frozen
    prices: FloatArray | None = None,
    deadline_s: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Optimum:
    """Follow the barrier from a start, feasible or not, to an optimum.

    Args:
        programme: What to maximise.
        start: For each cluster, complex (S, n).
        settings: Constants of the method.
        prices: (m,) of a similar programme, or None.
        deadline_s: Time after which the point reached is returned.
        clock: In seconds.

    """
    # Overflow far from any solution shows as values that are not finite; those steps are refused.
    with np.errstate(all="ignore"):
        return _Path(programme, start, settings, prices).follow(deadline_s, clock)


class _Path:
    def __init__(
        self, programme: Programme, start: tuple[ComplexArray, ...], settings: Settings, prices: FloatArray | None
    ) -> None:
        self.programme, self.settings = programme, settings
        self.kappa = programme.kappa
        self.mu, self.rho = settings.first_barrier, 0.0
        # The many kinks of Prop. 3, and nuisances that too few streams show, want every point of the path met well.
        self.leeway = settings.accuracy if programme.spreads and not programme.kinked else 0.0
        known = prices is not None and len(prices) == programme.rows.total
        if prices is None or not known:
            prices = np.ones(programme.rows.total)
            least = np.full(len(prices), _LEAST_SLACK * np.sqrt(self.mu))
        else:
            least = self.mu / prices
        self.smoothing = self._smoothing(prices)
        point = programme.at(start, self.smoothing)
        moving = self.kappa > 0.0
        reached = (point.values - least)[moving] / self.kappa[moving]
        # Known prices say what t will be; with t as low as the least value their slacks would block the first step.
        t = float((prices * self.kappa)[moving] @ reached / (prices @ self.kappa)) if known else float(reached.min())
        s = np.maximum(point.values - self.kappa * t, least)
        self.now = Iterate(point, t, s, prices.copy() if known else self.mu / s)
        if known:
            self.rho = _WARM_RHO

    def follow(self, deadline_s: float | None, clock: Callable[[], float]) -> Optimum:
        began, converged = clock(), False
        history: list[float] = []
        while len(history) < self.settings.most_steps and (deadline_s is None or clock() - began <= deadline_s):
            final = self.settings.accuracy * max(abs(self.now.t), _LEAST_OBJECTIVE) / self.programme.costs
            if self.mu <= final and self._error() < max(_SOLVED * self.mu, _SOLVED_PARTS * self.leeway):
                converged = True
                self._polish()
                break
            if len(history) > 1 and self._is_proven(abs(history[-1] - history[-2])):
                converged = True
                break
            if self.mu > final and self._error() < max(_CENTRED * self.mu, _CENTRED_PARTS * self.leeway):
                self._lower_barrier(final)
            if not self._step():
                break
            history.append(self.now.t)
        now = self.now
        return Optimum(now.point, now.t, now.y, self.mu, converged, len(history), tuple(history))

    def _is_proven(self, moved: float) -> bool:
        """Whether the point is feasible and its prices leave less than the gap; asked where the objective stands."""
        now, allowed = self.now, self.settings.gap * abs(self.now.t)
        if not 0.0 < moved < allowed or np.any((now.point.values - self.kappa * now.t)[self.kappa == 0.0] < 0.0):
            return False
        return self.programme.bounds(now.point, now.y, self.mu, 1.0 + self.settings.gap)

    def _polish(self) -> None:
        """Take Newton steps for nothing but a better proof: near the largest SINR prices are large and cancel."""
        for _ in range(self.settings.polishing):
            before, error = self.now, self._error()
            if not self._step() or self._error() > error:
                self.now = before
                return

    def _lower_barrier(self, final: float) -> None:
        # A kink that is rounded ever more tightly wants small steps; else the barrier may fall superlinearly.
        self.mu = max(final, 0.2 * self.mu if self.programme.kinked else min(0.2 * self.mu, self.mu**1.5))
        self.smoothing = self._smoothing(self.now.y)
        self.now = replace(self.now, point=self.programme.at(self.now.point.weights, self.smoothing))

    def _smoothing(self, prices: FloatArray) -> FloatArray:
        return self.programme.smoothing(self.mu, prices, self.settings.smoothing, self.settings.most_smoothing)

    def _error(self) -> float:
        """Largest violation of the perturbed optimality conditions."""
        now, point = self.now, self.now.point
        slope = np.linalg.norm(now.y @ point.jacobian + self.mu * point.spread_gradient) * _norm(point.weights)
        balance = abs(1.0 - self.kappa @ now.y)
        violated = np.max(now.y * np.abs(now.residual(self.kappa)))
        return float(max(slope, balance, violated, np.max(np.abs(now.y * now.s - self.mu))))

    def _step(self) -> bool:
        try:
            system = NewtonSystem(self.programme, self.now, self.mu, self.rho)
        except np.linalg.LinAlgError:
            return False
        self.rho = system.rho
        step = system.direction()
        if not step.is_finite:
            return False
        found = self._line_search(system, step)
        if found is None:
            return False
        point, t, s, halvings = found
        true = point.values - self.kappa * t
        feasible = np.all(true > 0.0)
        s = true if feasible else np.where(true > _KEPT * s, true, s)
        y = self.now.y + _to_boundary(self.now.y, step.dy) * step.dy
        self.now = Iterate(point, t, s, np.clip(y, 1e-3 * self.mu / s, 1e3 * self.mu / s))
        self.rho = 0.2 * self.rho if halvings == 0 else max(4.0 * self.rho, 1e-3) if halvings >= 2 else self.rho
        if self.rho < _NO_RHO:
            self.rho = 0.0
        return bool(s.min() > _JAMMED)

    def _line_search(self, system: NewtonSystem, step: Direction) -> tuple[Point, float, FloatArray, int] | None:
        """Halve the step until the merit has not risen; try a second-order correction of the longer ones."""
        now = self.now
        longest = _LARGEST_STEP * _norm(now.point.weights) / max(float(np.linalg.norm(step.dx)), _TINY)
        length = min(_to_boundary(now.s, step.ds), longest)
        penalty = 2.0 * np.maximum(now.y, now.y + step.dy)
        merit = self._merit(now.point, now.t, now.s, penalty)
        for halvings in range(_MOST_HALVINGS):
            t, s = now.t + length * step.dt, now.s + length * step.ds
            point = self._at(length * step.dx, s)
            if point is not None and self._accepts(point, t, s, penalty, merit):
                return point, t, s, halvings
            if point is not None and halvings < _CORRECTED:
                mx, mt, ms = system.correction(point.values - self.kappa * t - s)
                t, s = t + mt, s + ms
                if np.all(s > _HARDLY * now.s):
                    point = self._at(length * step.dx + mx, s)
                    if point is not None and self._accepts(point, t, s, penalty, merit):
                        return point, t, s, halvings
            length *= 0.5
        return None

    def _at(self, dx: FloatArray, s: FloatArray) -> Point | None:
        """Evaluate after a step, or return None where an eigenvalue or a value is out of range."""
        weights = self.programme.with_power_left(_moved(self.now.point.weights, dx), s)
        try:
            point = self.programme.at(weights, self.smoothing)
        except np.linalg.LinAlgError:
            return None
        return point if np.all(np.isfinite(point.values)) and np.all(np.isfinite(point.jacobian)) else None

    def _accepts(self, point: Point, t: float, s: FloatArray, penalty: FloatArray, merit: float) -> bool:
        """Whether the merit has not risen, and what was feasible has stayed so."""
        was_feasible = np.all(self.now.point.values > self.kappa * self.now.t)
        if was_feasible and not np.all(point.values > self.kappa * t):
            return False
        return self._merit(point, t, s, penalty) <= merit + 1e-9 * abs(merit)

    def _merit(self, point: Point, t: float, s: FloatArray, penalty: FloatArray) -> float:
        residual = point.values - self.kappa * t - s
        return float(-t - self.mu * (np.sum(np.log(s)) + point.spread) + np.sum(penalty * np.abs(residual)))


def _norm(weights: tuple[ComplexArray, ...]) -> float:
    return float(np.sqrt(sum(np.sum(np.abs(W) ** 2) for W in weights)))


def _to_boundary(value: FloatArray, change: FloatArray) -> float:
    falling = change < 0.0
    return float(min(1.0, _TO_BOUNDARY * np.min(-value[falling] / change[falling], initial=np.inf)))


def _moved(weights: tuple[ComplexArray, ...], dx: FloatArray) -> tuple[ComplexArray, ...]:
    moved, offset = [], 0
    for W in weights:
        real, imag = dx[offset : offset + W.size], dx[offset + W.size : offset + 2 * W.size]
        moved.append(W + (real + 1j * imag).reshape(W.shape))
        offset += 2 * W.size
    return tuple(moved)
