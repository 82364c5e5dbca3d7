"""Rows "sinr" and "csi": what is measured at the users, against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from precoding_case import NOISE, Check, psk_indices, random_network

from precoding import InfeasibleError, design
from testbed.drift import Drift
from testbed.measurement.csi_drift import channel_distance, drift_energy
from testbed.measurement.decomposition import StreamFit, decompose, fit_streams
from testbed.measurement.margins import SymbolLevelBlock, measure_margins
from testbed.measurement.sinr import estimate_sinr, sinr_of_fit
from testbed.measurement.waveform_fit import fit_waveform

Complex = NDArray[np.complex128]
Vector = NDArray[np.float64]
Powers = dict[str, NDArray[np.float64]]

CELLS, PER_CELL = 2, 3
USERS = CELLS * PER_CELL
N_TX, SOUNDING = 6, 64
ORDERS = {"bpsk": 2, "qpsk": 4, "8psk": 8}
KINDS = (  # interference over noise in dB, number of interferers, their symbols
    (-np.inf, 0, "qpsk"),
    (0.0, 1, "qpsk"),
    (10.0, 1, "qpsk"),
    (20.0, 1, "8psk"),
    (3.0, 2, "8psk"),
    (10.0, 5, "qpsk"),
    (10.0, 5, "gauss"),
    (10.0, 1, "bpsk"),
)


def sinr(scaled: Callable[[int], int]) -> list[Check]:
    """Coverage and bias of the SINR, its decomposition, its time; and the least margin of symbol-level waveforms."""
    return [*_streams(scaled), *_decomposition(scaled), *_time(scaled), *_margins(scaled)]


def csi(scaled: Callable[[int], int]) -> list[Check]:
    """Whether the ball holds the channel when the payload comes: still users, fading, a path that walks."""
    checks = []
    for name, model in (("still", _still), ("fading (Jakes)", _fading), ("one path walks", _walking)):
        for cooperative in (False, True):
            rng = np.random.default_rng(44)
            rows = [_in_the_ball(rng, model, cooperative) for _ in range(scaled(400))]
            inside, wider = np.mean(rows, axis=0)
            what = f"{name}, {'CoMP' if cooperative else 'CBF'}: payload's channels in the 95 % ball"
            got = f"{100 * inside:.1f} %; radius {wider:.2f} of that of noise alone"
            checks.append(Check(what, ">= 93 %", got, bool(inside >= 0.93)))
            if model is _still:
                checks.append(Check(f"{what}: wider by", "<= 5 %", f"{100 * (wider - 1):.1f} %", bool(wider <= 1.05)))
    return checks


# ---------------------------------------------------------------- streams


def _noise(rng: np.random.Generator, *shape: int) -> Complex:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def _frames(
    rng: np.random.Generator, count: int, length: int, sinr: float, kind: tuple[float, int, str]
) -> Iterator[tuple[Complex, Complex, Complex]]:
    """Received symbols, streams and gains of six users; the noise has power 1."""
    inr_db, others, word = kind
    users = np.arange(USERS)
    for _ in range(count):
        if word == "gauss":
            streams = _noise(rng, USERS, length)
        else:
            order = ORDERS[word]
            streams = np.exp(1j * np.pi * (2 * rng.integers(order, size=(USERS, length)) + 1) / order)
        gains = np.zeros((USERS, USERS), dtype=complex)
        if others:
            strength = _noise(rng, USERS, others) * 0.5 ** np.arange(others)
            strength *= 10 ** (inr_db / 20) / np.linalg.norm(strength, axis=1, keepdims=True)
            np.put_along_axis(gains, (users[:, None] + 1 + np.arange(others)) % USERS, strength, axis=1)
        gains[users, users] = np.sqrt(sinr * (1 + np.sum(np.abs(gains) ** 2, axis=1)))
        yield gains @ streams + _noise(rng, USERS, length), streams, gains


def _streams(scaled: Callable[[int], int]) -> list[Check]:
    checks = []
    for length in (20, 128, 1024):
        for sinr_db in (0.0, 10.0, 20.0, 30.0):
            true, shares, biases, spreads = 10 ** (sinr_db / 10), [], [], []
            for number, kind in enumerate(KINDS):
                rng = np.random.default_rng([41, length, int(sinr_db), number])
                ratio, inside = [], []
                for received, streams, _ in _frames(rng, scaled(1500), length, true, kind):
                    found = estimate_sinr(received, streams)
                    ratio.append(found.value / true)
                    inside.append((found.low <= true) & (true <= found.high))
                shares.append(float(np.mean(inside)))
                biases.append(10 * np.log10(np.mean(ratio)))
                spreads.append(10 / np.log(10) * np.std(ratio))
            least, most, worst = min(shares), max(shares), max(map(abs, biases))
            scatter = 1.96 * np.sqrt(0.05 * 0.95 / (scaled(1500) * USERS))
            what = f"L = {length}, {sinr_db:.0f} dB"
            got = f"{100 * least:.1f} to {100 * most:.1f} % (+-{100 * scatter:.1f})"
            checks.append(
                Check(f"{what}: coverage, {len(KINDS)} kinds", "93 to 97 %", got, 0.93 <= least <= most <= 0.97)
            )
            got = f"{worst:.3f} dB; spread {min(spreads):.2f} to {max(spreads):.2f} dB"
            checks.append(Check(f"{what}: bias", "<= 0.1 dB", got, worst <= 0.1))
    return checks


def _decomposition(scaled: Callable[[int], int]) -> list[Check]:
    """Paper eq. (31) at L = 128: interference of 0 and 10 dB over noise, SINR 10 dB, gains drawn for each frame."""
    checks = []
    for inr_db in (0.0, 10.0):
        rng = np.random.default_rng([42, int(inr_db)])
        rows: dict[str, list[Vector]] = {}
        scores: dict[str, list[Vector]] = {}
        for received, streams, gains in _frames(rng, scaled(2000), 128, 10.0, (inr_db, 5, "qpsk")):
            found = decompose(_fitted(received, streams), PER_CELL)
            for name, true in _true_powers(gains).items():
                value, error = getattr(found, name), getattr(found, f"{name}_error")
                clear = true > 0.5  # 3 dB under the noise; the terms are drawn anew in every frame
                rows.setdefault(name, []).append((value / true)[clear])
                scores.setdefault(name, []).append(((value - true) / error)[clear])
        for name, ratios in rows.items():
            ratio = np.concatenate(ratios)
            bias, one = 10 * np.log10(ratio.mean()), 10 / np.log(10) * ratio.std()
            score = np.concatenate(scores[name]).std()
            got = f"{bias:+.3f} dB; one frame {one:.2f} dB rms, {score:.2f} of the error stated"
            what = f"interference {inr_db:.0f} dB over noise: {name.replace('_', '-')}"
            checks.append(Check(what, "0.3 dB", got, bool(abs(bias) <= 0.3 and 0.9 < score < 1.1)))
    return checks


def _fitted(received: Complex, streams: Complex) -> StreamFit:
    fit = fit_streams(received, streams)
    assert fit is not None
    return fit


def _true_powers(gains: Complex) -> Powers:
    cell, own = np.arange(USERS) // PER_CELL, np.eye(USERS, dtype=bool)
    same, power = cell[:, None] == cell, np.abs(gains) ** 2
    return {
        "signal": np.sum(power * own, axis=1),
        "intra_cell": np.sum(power * (same & ~own), axis=1),
        "inter_cell": np.sum(power * ~same, axis=1),
        "noise": np.ones(USERS),
    }


def _time(scaled: Callable[[int], int]) -> list[Check]:
    took = []
    for received, streams, _ in _frames(np.random.default_rng(43), scaled(2000), 128, 1000.0, KINDS[5]):
        began = time.perf_counter()
        sinr_of_fit(_fitted(received, streams))
        took.append(1e3 * (time.perf_counter() - began))
    middle = float(np.median(took))
    return [Check("SINR and intervals of six users, L = 128, 30 dB", "<= 0.25 ms", f"{middle:.2f} ms", middle <= 0.25)]


# ---------------------------------------------------------------- margins


def _margins(scaled: Callable[[int], int]) -> list[Check]:
    """Waveforms of `precoding` on channels that differ from those designed for by up to the CSI radius."""
    checks = []
    for scheme, targets_db in (("slp-comp", (5.0, 10.0, 20.0)), ("slp-cbf", (5.0,))):
        for length in (20, 128):
            for target_db in targets_db:
                rows = [row for seed in range(scaled(10)) for row in _of_waveform(scheme, length, target_db, seed)]
                error_db, inside = np.concatenate(rows, axis=1)
                bias, share = float(np.mean(error_db)), float(np.mean(inside))
                what = f"{scheme}, L = {length}, asked {target_db:.0f} dB: least margin"
                got = f"bias {bias:+.3f} dB, spread {np.std(error_db):.2f} dB, coverage {100 * share:.1f} %"
                checks.append(Check(what, "0.1 dB, 90-99 %", got, abs(bias) <= 0.1 and 0.9 <= share <= 0.99))
    return checks


def _of_waveform(scheme: str, length: int, target_db: float, seed: int) -> list[Complex]:
    """Error in dB and whether the interval held the truth, (2, users), for frames of one waveform."""
    rng = np.random.default_rng([45, length, seed])
    network = random_network(rng, CELLS, PER_CELL, N_TX, csi_radius=0.03, block_length=length)
    indices = psk_indices(rng, network)
    try:
        samples = design(network, scheme, min_sinr_db=target_db, symbols=indices).samples
    except InfeasibleError:
        return []
    assert samples is not None
    reference = np.moveaxis(network.channels, 0, 2).reshape(USERS, CELLS, N_TX)
    symbols = np.exp(1j * np.pi * (2 * indices + 1) / 4)
    block = SymbolLevelBlock(samples, symbols, 4, scheme == "slp-comp", reference)
    tones = np.outer(np.arange(CELLS * N_TX), np.arange(SOUNDING)) / SOUNDING
    sent = np.concatenate([np.exp(2j * np.pi * tones) / np.sqrt(N_TX), samples.reshape(-1, length)], axis=1)
    return [_of_frame(rng, block, sent) for _ in range(40)]


def _of_frame(rng: np.random.Generator, block: SymbolLevelBlock, sent: Complex) -> Complex:
    phase = np.exp(2j * np.pi * rng.random((USERS, 1, 1)))
    channels = (block.reference + 0.015 / np.sqrt(N_TX) * _noise(rng, *block.reference.shape)) * phase
    received = channels.reshape(USERS, -1) @ sent + np.sqrt(NOISE) * _noise(rng, USERS, sent.shape[1])
    instants = np.arange(sent.shape[1]) - (SOUNDING - 1) / 2
    found = measure_margins(block, fit_waveform(received, sent, instants, SOUNDING)).sinr
    true = block.amplitudes(channels[:, :, None], np.full((USERS, 1), NOISE)).min(axis=2)[:, 0] ** 2
    return np.stack([10 * np.log10(np.maximum(found.value / true, 1e-3)), (found.low <= true) & (true <= found.high)])


# -------------------------------------------------------------------- CSI

VARIANCE, FREEDOM, AGE, SOUNDINGS = 1e-3, SOUNDING - CELLS * N_TX, 1.1, 60
Model = Callable[[np.random.Generator, Vector], Complex]


def _still(rng: np.random.Generator, times: Vector) -> Complex:
    return np.repeat(_noise(rng, 1, CELLS, CELLS, PER_CELL, N_TX), len(times), axis=0)


def _fading(rng: np.random.Generator, times: Vector) -> Complex:
    """Each antenna fades on its own; the fastest of 32 rays turns by 0.15 rad from sounding to sounding."""
    cosine = np.cos(2 * np.pi * rng.random((32, 1, 1, 1, 1)))
    phase = 2 * np.pi * rng.random((32, CELLS, CELLS, PER_CELL, N_TX))
    return np.stack([np.exp(1j * (0.15 * t * cosine + phase)).sum(axis=0) for t in times]) / np.sqrt(32)


def _walking(rng: np.random.Generator, times: Vector) -> Complex:
    """The gain of one path, the same for all antennas, walks at random."""
    steps = np.sqrt(np.diff(times, prepend=times[0]))[:, None, None, None, None]
    walk = np.cumsum(steps * _noise(rng, len(times), CELLS, CELLS, PER_CELL, 1), axis=0)
    beam = np.exp(2j * np.arange(N_TX)) / np.sqrt(N_TX)
    return _noise(rng, CELLS, CELLS, PER_CELL, N_TX) + 0.1 * walk * beam


def _in_the_ball(rng: np.random.Generator, model: Model, cooperative: bool) -> tuple[float, float]:
    """Share of links inside, and the mean radius over that of noise alone, after 60 soundings."""
    truth = model(rng, np.append(np.arange(SOUNDINGS), SOUNDINGS - 1 + AGE))
    turned = truth[:-1] * np.exp(2j * np.pi * rng.random((SOUNDINGS, 1, 1, PER_CELL, 1)))
    seen = turned + np.sqrt(VARIANCE) * _noise(rng, *turned.shape)
    links = truth.shape[1:4]
    nothing = Drift.none(links)
    drift = nothing
    for old, new in pairwise(seen):
        drift = drift.after(drift_energy(old, new, np.full(links, 2 * VARIANCE), cooperative=cooperative))
    measured = VARIANCE * rng.chisquare(2 * FREEDOM, links) / (2 * FREEDOM)
    radius, alone = (
        one.radius(measured, n_tx=N_TX, freedom=FREEDOM, age=AGE, confidence=0.95) for one in (drift, nothing)
    )
    inside = channel_distance(truth[-1], seen[-1], cooperative=cooperative) <= radius
    return float(inside.mean()), float(np.mean(radius / alone))
