"""Rows "threshold" and "baselines": where our estimators leave their bound, and how textbook ones compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from precoding_case import Check, random_network

from precoding import (
    IntervalErrors,
    array_output_snr,
    crb_comp,
    crb_slepian_bangs,
    design,
    interference_power,
    method_of_interval_errors,
    steering,
)
from testbed.measurement.angle_cbf import estimate_angle
from testbed.measurement.angle_comp import estimate_angles
from testbed.measurement.baselines import BASELINES

ANGLES_RAD = np.radians([10.0, -25.0, 35.0])  # of the target of station 0, from each station
REFLECTIONS = np.exp(1j * np.arange(3)) / np.sqrt([1.0, 3.0, 3.0])
QPSK = np.exp(0.25j * np.pi * np.array([1, 3, 5, 7]))
N_RX, MIN_SINR_DB = 10, 10.0
LEVEL = 1.5  # RMSE over root CRB at the onset: one part local errors, 1.25 parts outliers
TRIALS, AROUND_DB = 40000, 3  # at each echo SNR; steps of 1 dB on both sides of the prediction
COMPARED = 1500


@dataclass(frozen=True, eq=False)
class Case:
    """What station 0 hears of its target; the echo SNR is |alpha|^2 L P / sigma^2 of its own path, sigma^2 = 1."""

    name: str
    weights: NDArray[np.complex128]  # (J, n_tx, S)
    length: int
    cooperative: bool
    sent: NDArray[np.complex128]  # (J, n_tx, L); in CBF only the own symbols stay from frame to frame

    @property
    def angles_rad(self) -> NDArray[np.float64]:
        return ANGLES_RAD[: len(self.weights)]

    def reflections(self, echo_db: float) -> NDArray[np.complex128]:
        scale = np.sqrt(10 ** (echo_db / 10) / self.length)
        return np.asarray(scale * REFLECTIONS[: len(self.weights)])

    def gram(self) -> NDArray[np.complex128]:
        known = self.sent.reshape(-1, self.length) if self.cooperative else self.sent[0]
        return np.asarray(known @ known.conj().T)

    def interference(self, echo_db: float) -> float:
        R = self.weights[1:] @ self.weights[1:].conj().swapaxes(1, 2)
        foreign = interference_power(self.angles_rad[1:], self.reflections(echo_db)[1:], R)
        return 0.0 if self.cooperative else foreign

    def known(self, echo_db: float) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        paths = len(self.weights) if self.cooperative else 1
        return self.angles_rad[:paths], self.reflections(echo_db)[:paths]

    def root_crb(self, echo_db: float) -> float:
        angles, alpha = self.known(echo_db)
        if self.cooperative:
            return float(np.sqrt(crb_comp(0, angles, alpha, self.gram(), 1.0, N_RX)))
        q = self.interference(echo_db)
        return float(np.sqrt(crb_slepian_bangs(angles[0], alpha[0], self.gram(), q, 1.0, N_RX, self.length)))

    def predicted(self, echo_db: float) -> IntervalErrors:
        q = self.interference(echo_db)
        known = self.known(echo_db)
        return method_of_interval_errors(0, *known, self.gram(), 1.0, N_RX, self.length, interference_power=q)

    def frame(self, rng: np.random.Generator, echo_db: float) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Return received (n_rx, L) and sent (J, n_tx, L)."""
        sent = self.sent.copy()
        if not self.cooperative:
            sent[1:] = self.weights[1:] @ _symbols(rng, len(sent) - 1, self.weights.shape[2], self.length)
        beams = self.reflections(echo_db)[:, None] * steering(sent.shape[1], self.angles_rad)
        echo = np.outer(steering(N_RX, ANGLES_RAD[0]), np.einsum("ni,nil->l", beams, sent))
        noise = rng.standard_normal((2, N_RX, self.length)) / np.sqrt(2)
        return echo + noise[0] + 1j * noise[1], sent


def threshold(scaled: Callable[[int], int]) -> list[Check]:
    """Where RMSE leaves the CRB, measured and predicted, for the waveform that is really sent."""
    cases = [
        _case("J = 1 omnidirectional", 1, 6, 30),
        _case("J = 1 precoded", 1, 6, 30, "blp-cbf"),
        _case("J = 2 CBF omnidirectional", 2, 6, 30),
        _case("J = 2 CBF precoded", 2, 6, 30, "blp-cbf"),
        _case("J = 3 CBF precoded, n_tx 10, L 128", 3, 10, 128, "blp-cbf"),
        _case("J = 2 CoMP precoded", 2, 6, 30, "blp-comp"),
    ]
    return [_onset(index, case, scaled(TRIALS)) for index, case in enumerate(cases)]


def baselines(scaled: Callable[[int], int]) -> list[Check]:
    """RMSE over root CRB (Slepian-Bangs) of our automatic choice and of the textbook's estimators; nothing is asked."""
    columns = [
        (_case("J 2, precoded, L 30", 2, 6, 30, "blp-cbf"), (0.0, 10.0, 20.0)),
        (_case("J 3, precoded, L 128", 3, 10, 128, "blp-cbf"), (0.0, 10.0, 20.0)),
        (_case("J 2, omni, L 30", 2, 6, 30), (0.0, 10.0)),
    ]
    names = ("ours", *BASELINES)
    wide = max(len(name) for name in names)
    for case, levels_db in columns:
        ratios = [_ratios(case, db, np.random.default_rng([43, int(db)]), scaled(COMPARED)) for db in levels_db]
        print(f"  {case.name}: RMSE / root CRB at an echo SNR of {', '.join(f'{db:g}' for db in levels_db)} dB")
        for name in names:
            print(f"    {name:<{wide}} " + " ".join(f"{ratio[name]:6.2f}" for ratio in ratios), flush=True)
    return []


def _ratios(case: Case, echo_db: float, rng: np.random.Generator, trials: int) -> dict[str, float]:
    """RMSE over root CRB of each estimator, all on the same frames."""
    frames = [case.frame(rng, echo_db) for _ in range(trials)]
    found = {"ours": [estimate_angle(received, sent[0]).angle_rad for received, sent in frames]}
    for name, estimate in BASELINES.items():
        found[name] = [estimate(received, sent[0]) for received, sent in frames]
    bound = case.root_crb(echo_db)
    return {
        name: float(np.sqrt(np.mean((np.array(each) - ANGLES_RAD[0]) ** 2))) / bound for name, each in found.items()
    }


def _case(name: str, J: int, n_tx: int, length: int, scheme: str = "") -> Case:
    """Omnidirectional without a scheme; else designed for Rayleigh channels and three users a cell."""
    rng = np.random.default_rng([40, J, n_tx])
    weights = np.tile(np.eye(n_tx, dtype=complex) / np.sqrt(n_tx), (J, 1, 1))
    if scheme:
        network = random_network(rng, J, 3, n_tx, block_length=length)
        departure = network.departure_angles.copy()
        departure[0] = ANGLES_RAD[:J]
        arrival = departure.diagonal().copy()
        network = replace(network, departure_angles=departure, arrival_angles=arrival)
        weights = np.asarray(design(network, scheme, min_sinr_db=MIN_SINR_DB).weights)
    cooperative = scheme == "blp-comp"
    symbols = _symbols(rng, 1 if cooperative else J, weights.shape[2], length)
    return Case(name, weights, length, cooperative, weights @ symbols)


def _symbols(rng: np.random.Generator, *shape: int) -> NDArray[np.complex128]:
    return QPSK[rng.integers(4, size=shape)]


def _onset(index: int, case: Case, trials: int) -> Check:
    fine = np.arange(-15.0, 15.0, 0.25)
    predicted = _crossing(fine, np.array([case.predicted(db).rms_rad / case.root_crb(db) for db in fine]))
    levels = np.round(predicted) + np.arange(-AROUND_DB, AROUND_DB + 1.0)
    squares = np.empty((len(levels), trials))
    for row, db in enumerate(levels):
        rng = np.random.default_rng([41, index, row])
        found = [_estimate(case, *case.frame(rng, db)) for _ in range(trials)]
        squares[row] = ((np.array(found) - ANGLES_RAD[0]) / case.root_crb(db)) ** 2
        print(f"    {case.name} {db:+3.0f} dB: {_compared(case, db, squares[row])}", flush=True)
    measured = _crossing(levels, np.sqrt(squares.mean(axis=1)))
    low, high = _bootstrapped(levels, squares, np.random.default_rng([42, index]))
    got = f"{measured:+.2f} [{low:+.2f}, {high:+.2f}] dB, predicted {predicted:+.2f} dB"
    return Check(f"{case.name}: onset", "within 1 dB", got, abs(measured - predicted) <= 1.0)


def _compared(case: Case, echo_db: float, squares: NDArray[np.float64]) -> str:
    expected = case.predicted(echo_db)
    snr_db = 10 * np.log10(array_output_snr(*case.known(echo_db), case.gram(), 1.0, N_RX))
    return (
        f"array output {snr_db:4.1f} dB; RMSE / root CRB {np.sqrt(squares.mean()):5.2f}, "
        f"predicted {expected.rms_rad / case.root_crb(echo_db):5.2f}; over 5 root CRB {np.mean(squares > 25.0):.1e}, "
        f"predicted {expected.outlier_probability:.1e}"
    )


def _estimate(case: Case, received: NDArray[np.complex128], sent: NDArray[np.complex128]) -> float:
    if case.cooperative:
        return float(estimate_angles(received, sent, 0).angles_rad[0])
    return estimate_angle(received, sent[0]).angle_rad


def _crossing(levels_db: NDArray[np.float64], ratios: NDArray[np.float64]) -> float:
    """Highest SNR at which the ratio falls below the level, between two points on a logarithmic scale; or beyond."""
    i = int(np.max(np.flatnonzero(ratios > LEVEL), initial=-1))
    if i in (-1, len(ratios) - 1):
        return float("-inf" if i < 0 else "inf")
    part = np.log(ratios[i] / LEVEL) / np.log(ratios[i] / ratios[i + 1])
    return float(levels_db[i] + part * (levels_db[i + 1] - levels_db[i]))


def _bootstrapped(
    levels_db: NDArray[np.float64], squares: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % interval of the measured onset, by drawing the trials of each SNR again, with replacement."""
    found = []
    for _ in range(400):
        drawn = [row[rng.integers(len(row), size=len(row))].mean() for row in squares]
        found.append(_crossing(levels_db, np.sqrt(drawn)))
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")  # some may be infinite
    return float(low), float(high)
