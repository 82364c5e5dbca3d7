"""Random networks to design for, and what came of a request."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precoding import Design, InaccurateError, InfeasibleError, Network, design

__all__ = ["Check", "Outcome", "asked", "at_most", "psk_indices", "random_network", "rcrb", "spread", "warm_up"]

NOISE = 1e-3  # power over noise 30 dB at power 1
WIDEST_RAD = np.deg2rad(60.0)


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    what: str
    asked: str
    got: str
    met: bool


def at_most(what: str, limit: float, values: list[float], unit: str = "") -> Check:
    """Whether all values are within a limit; none at all is a miss."""
    got = f"{spread(values)}{unit} in {len(values)}"
    return Check(what, f"<= {limit:g}{unit}", got, bool(values) and max(values) <= limit)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A design with its time, or none where the targets are infeasible; `proven` only if its certificate holds."""

    design: Design | None
    proven: bool
    infeasible: bool
    wall_s: float
    warned: int


def random_network(
    rng: np.random.Generator,
    J: int = 2,
    K: int = 3,
    n_tx: int = 6,
    csi_radius: float = 0.01,
    block_length: int = 30,
) -> Network:
    """Rayleigh channels, CN(0, 1) in the own cell and a third of that between cells; targets within +-60 deg.

    |alpha|^2 L P / sigma^2 is 1 on the own path and a third on the others.
    """
    shape, own = (J, J, K, n_tx), np.eye(J, dtype=bool)
    channels = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / np.sqrt(2)
    channels[~own] /= np.sqrt(3)
    departure = rng.uniform(-WIDEST_RAD, WIDEST_RAD, (J, J))
    gains = np.where(own, 1.0, 1.0 / 3.0) * NOISE / block_length
    reflections = np.sqrt(gains) * np.exp(2j * np.pi * rng.random((J, J)))
    angles = departure.diagonal().copy()
    n_rx = max(10, n_tx)
    return Network(channels, angles, departure, reflections, n_rx, 1.0, NOISE, NOISE, csi_radius, block_length)


def psk_indices(rng: np.random.Generator, network: Network, order: int = 4) -> NDArray[np.int64]:
    return rng.integers(0, order, (network.J * network.K, network.block_length))


def asked(
    network: Network,
    scheme: str,
    min_sinr_db: float,
    robustness: str,
    symbols: NDArray[np.int64] | None = None,
) -> Outcome:
    """Design, and keep what is not proven apart from what is; numerical warnings are counted, not hidden."""
    answer: Design | None = None
    proven = infeasible = False
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = design(
                network,
                scheme,
                min_sinr_db=min_sinr_db,
                robustness=robustness,
                symbols=symbols,
            )
            proven = True
        except InfeasibleError:
            infeasible = True
        except InaccurateError as error:
            answer = error.design
    return Outcome(answer, proven, infeasible, time.perf_counter() - began, len(caught))


def warm_up() -> float:
    """Have every compiled kernel made or loaded before anything is timed; returns the seconds it took."""
    began = time.perf_counter()
    network = random_network(np.random.default_rng(0), 2, 2, 6)
    for scheme in ("blp-cbf", "blp-comp"):
        for robustness in ("none", "paper", "exact"):
            asked(network, scheme, 5.0, robustness)
    return time.perf_counter() - began


def rcrb(answer: Design) -> float:
    return float(answer.certificate.rcrb_rad.max())


def spread(values: list[float], form: str = ".2g") -> str:
    """Median, 90th percentile and worst, or a dash."""
    if not values:
        return "-"
    middle, high = np.quantile(values, [0.5, 0.9], method="higher")  # no mean of a number and infinity
    return f"median {middle:{form}}, p90 {high:{form}}, max {max(values):{form}}"
