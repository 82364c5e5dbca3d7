"""Row "faults": everything that can go wrong in a Pluto, at random moments, against the driver.

A case opens, configures and uses two units, and something happens to one of them at a seeded moment. Whatever comes of
it, a capture that is handed out is the frame that was sent, with the settings that were asked for, and nobody transmits
at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import numpy as np
from precoding_case import Check

from drivers import (
    DeviceLostError,
    DriverError,
    RadioNotFoundError,
    RadioRequest,
    RadioSettings,
    RadioStateError,
    SampleLossError,
    SettingsError,
    exchange,
)
from drivers.pluto.link import Patience
from drivers.pluto.opening import open_fleet
from drivers.pluto.radio import PlutoRadio
from drivers.simulated.scene import Node, Scene
from drivers.virtual.faults import PLUTO_KINDS, Fault
from drivers.virtual.serving import VirtualBench

__all__ = ["ENDS", "Case", "faults", "fleet", "occasions", "run_case"]

N_SAMPLES = 512
EXCHANGES = 3
SETTINGS = RadioSettings(center_hz=2.4e9, sample_rate_hz=1e6, tx_gain_db=-12.0, rx_gain_db=45.0)
REQUESTS = [RadioRequest("station", "pluto:ip:virtual", 2, 2), RadioRequest("user", "pluto:ip:virtual", 0, 1)]
PATIENCE = Patience(timeout_s=0.4, reopen_s=0.3)
SECONDS = {"late-reply": 0.6}  # later than the driver waits
EXPLAINED = 0.99  # of a capture's energy, by the frame that was sent
REACH = 2  # samples: how far from its place a frame may be, by sampling and by rounding
SCAR = 24  # samples: where an oscillator jumped
BAND = N_SAMPLES // 4  # bins of the frame's spectrum: oversampled, as frames are
BOOTED_DB = -10.0  # attenuation of a unit that was never opened

# How a run may end that does not recover. A stall while a unit is opened looks like something that is no Pluto.
LOST = (DeviceLostError, SampleLossError, RadioNotFoundError)
ENDS: dict[str, tuple[type[DriverError], ...]] = {
    "refuse": LOST,
    "stall": LOST,
    "late-reply": LOST,
    "short-read": LOST,
    "die": LOST,
    "out-of-range": (SettingsError,),
    "busy": (RadioStateError,),
    "timeout": LOST,
    "phase-jump": (),
    "swapped-ports": (),
}


@dataclass
class Case:
    """What came of a case.

    Attributes:
        end: "recovered", "untouched" if nothing struck, or the name of the error.
        problems: What must not happen and did.
        exchanges: Captures that were handed out, and by whom they were sent in which order.
        swapped: Of these, how many show the transmit ports exchanged.
        broken: How many captures show an oscillator's jump.
    """

    end: str = "recovered"
    problems: list[str] = field(default_factory=list)
    exchanges: int = 0
    swapped: int = 0
    broken: int = 0


def scene(seed: int = 0) -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, 2, 2),),
        users=(Node("user", (30.0, 5.0), 0.0, 0, 1),),
        serving={"user": "station"},
        targets=(),
        carrier_hz=SETTINGS.center_hz,
        symbol_rate_hz=250e3,
        leakage=1e-5,
        seed=seed,
    )


@contextmanager
def fleet(served: VirtualBench, patience: Patience = PATIENCE) -> Iterator[dict[str, PlutoRadio]]:
    """Open the driver's radios on what is served; close them whatever happens."""
    asked = [replace(one, address=radio.address) for one, radio in zip(REQUESTS, served.radios, strict=True)]
    radios = open_fleet(asked, patience)
    with ExitStack() as last_first:
        for radio in radios.values():
            last_first.callback(close, radio)
        yield radios


def close(radio: PlutoRadio) -> None:
    with suppress(DeviceLostError):  # it has gone for good; that it does not transmit is checked at its own end
        radio.close()


def burst(rng: np.random.Generator) -> np.ndarray:
    spectrum = np.zeros((2, N_SAMPLES), dtype=complex)
    bins = np.arange(BAND) - BAND // 2
    spectrum[:, bins] = rng.standard_normal((2, BAND)) + 1j * rng.standard_normal((2, BAND))
    samples = np.fft.ifft(spectrum)
    return (0.7 * samples / np.abs(samples).max()).astype(np.complex64)


def occasions() -> Counter[tuple[str, str]]:
    """Count, in a run without faults, how often each radio gives each kind of fault an occasion."""
    never = [Fault(kind, nth=10**8) for kind in PLUTO_KINDS]
    with VirtualBench(REQUESTS, scene(), faults=never) as served:
        with fleet(served, Patience()) as radios:
            use(radios, np.random.default_rng(0), Case(), served)
        counts: Counter[tuple[str, str]] = Counter()
        for fault, by_radio in zip(served.faults.faults, served.faults._counts, strict=True):
            counts.update({(radio, fault.kind): count for radio, count in by_radio.items()})
    return counts


def run_case(kind: str, seed: int, counts: Counter[tuple[str, str]]) -> Case:
    """Run one case: a fault of a kind, in a radio and at a moment drawn from the seed."""
    rng = np.random.default_rng([seed, *kind.encode()])
    radio, nth = moment(kind, rng, counts)
    case = Case()
    fault = Fault(kind, radio, nth, seconds=SECONDS.get(kind))
    with VirtualBench(REQUESTS, scene(seed), faults=[fault]) as served:
        try:
            with fleet(served) as radios:
                use(radios, rng, case, served)
        except DriverError as error:
            case.end = type(error).__name__
            if "\n" in str(error) or not isinstance(error, ENDS[kind]):
                case.problems.append(f"{kind} of {radio} at {nth}: {error!r}")
        else:
            if not served.faults.struck:
                case.end = "untouched"
            swapped = EXCHANGES + 1 - nth if kind == "swapped-ports" else 0
            if case.broken and kind != "phase-jump":
                case.problems.append(f"{kind} of {radio} at {nth}: {case.broken} captures show an oscillator's jump")
            if case.swapped != swapped:  # a sounding shows what no driver can know
                case.problems.append(f"{kind} at {nth}: ports look exchanged in {case.swapped} captures, not {swapped}")
        if served.transmitting:
            case.problems.append(f"{kind} of {radio} at {nth}: {served.transmitting} still transmit")
        case.problems += [f"{kind} of {radio} at {nth}: {one}" for one in not_silent(served, kind)]
    return case


def moment(kind: str, rng: np.random.Generator, counts: Counter[tuple[str, str]]) -> tuple[str, int]:
    """Draw whose occasion a fault takes."""
    radios = [name for name in ("station", "user") if counts[name, kind]]
    radio = radios[rng.integers(len(radios))]
    return radio, int(rng.integers(1, counts[radio, kind] + 1))


def use(radios: dict[str, PlutoRadio], rng: np.random.Generator, case: Case, served: VirtualBench) -> None:
    """Configure radios and exchange frames; note in the case whatever is not as it must be."""
    for radio in radios.values():
        radio.configure(SETTINGS)
    for index in range(EXCHANGES):
        sent = burst(rng)
        captures = exchange(radios, {"station": sent}, N_SAMPLES, 0.01 * index)
        case.exchanges += 1
        case.swapped += looks_swapped(captures["user"].samples, sent)
        for name, capture in captures.items():
            part = explained(capture.samples, sent)
            if not part >= EXPLAINED and explained_but_for_a_jump(capture.samples, sent) >= EXPLAINED:
                case.broken += 1
            elif not part >= EXPLAINED:
                case.problems.append(f"exchange {index}: {name}'s capture holds {part:.3f} of what was sent")
            if "time-unaligned" not in capture.flags or dict(capture.settings) != dict(SETTINGS.as_mapping()):
                case.problems.append(f"exchange {index}: {name}'s capture says {capture.flags}, {capture.settings}")
        case.problems += [f"exchange {index}: {one}" for one in not_as_asked(served)]


def shifted(sent: np.ndarray) -> np.ndarray:
    """Return what was sent, earlier and later by some samples, (taps * n_tx, n)."""
    return np.concatenate([np.roll(sent, tap, axis=1) for tap in range(-REACH, REACH + 1)])


def fitted(samples: np.ndarray, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least-squares response of every antenna to every port, (n_rx, taps, n_tx), and what it leaves."""
    taps, basis = range(-REACH, REACH + 1), shifted(sent)
    response = np.linalg.lstsq(basis.T, samples.T, rcond=1e-3)[0].T
    return response.reshape(len(samples), len(taps), len(sent)), samples - response @ basis


def explained(samples: np.ndarray, sent: np.ndarray) -> float:
    """Return the part of a capture's energy that is the frame, in its place."""
    _, rest = fitted(samples, sent)
    return 1.0 - float(np.sum(np.abs(rest) ** 2) / np.sum(np.abs(samples) ** 2))


def explained_but_for_a_jump(samples: np.ndarray, sent: np.ndarray) -> float:
    """Return the part of a capture's energy that is the frame, in its place, but for the best-chosen few samples.

    An oscillator that jumps at the edge of a block leaves some samples of it in the old phase, and what filters make of
    the step. That is what happened on the air: no driver can tell it from a channel that changes.
    """
    basis, n, best = shifted(sent), samples.shape[1], 0.0
    for at in range(0, n, SCAR // 2):
        kept = (np.arange(n) - at) % n >= SCAR
        response = np.linalg.lstsq(basis[:, kept].T, samples[:, kept].T, rcond=1e-3)[0].T
        rest = float(np.sum(np.abs(samples - response @ basis)[:, kept] ** 2))
        best = max(best, 1.0 - rest / float(np.sum(np.abs(samples[:, kept]) ** 2)))
    return best


def looks_swapped(samples: np.ndarray, sent: np.ndarray) -> bool:
    """Return whether the user hears the ports in the other order: it stands left of broadside, so port 1 leads."""
    response, _ = fitted(samples, sent)
    first, second = response[0].sum(axis=0)
    return bool(np.angle(second / first) < 0)


def not_as_asked(served: VirtualBench) -> list[str]:
    """Return which units are set otherwise than was asked, by their own account."""
    found = []
    for radio in served.radios:
        sends, hears = radio.unit._transmit_state(), radio.unit._receive_state()
        rate_hz = radio.unit.true_rx_rate_hz
        ok = (
            rate_hz == SETTINGS.sample_rate_hz
            and {sends.center_hz, hears.center_hz} == {SETTINGS.center_hz}
            and set(sends.gain_db) == {SETTINGS.tx_gain_db}
            and set(hears.gain_db) == {SETTINGS.rx_gain_db}
        )
        if not ok:
            found.append(f"{radio.name} is set to {rate_hz}, {sends}, {hears}")
    return found


def not_silent(served: VirtualBench, kind: str) -> list[str]:
    """Return whose attenuators are open or oscillator is on; a unit that takes no more connections cannot be told."""
    if kind == "refuse":
        return []
    found = []
    for radio in served.radios:
        gains_db = set(radio.unit._transmit_state().gain_db)
        is_off = radio.unit._attributes.read("iio:device0", "out_altvoltage1_TX_LO_powerdown") == "1"
        if gains_db != {BOOTED_DB} and (gains_db != {-89.75} or not is_off):
            found.append(f"{radio.name} is left at {gains_db} dB, oscillator {'off' if is_off else 'on'}")
    return found


def faults(scaled: Callable[[int], int]) -> list[Check]:
    """Every fault, at random moments."""
    counts, checks = occasions(), []
    for kind in PLUTO_KINDS:
        cases = [run_case(kind, seed, counts) for seed in range(scaled(100))]
        ends = Counter(case.end for case in cases)
        problems = [problem for case in cases for problem in case.problems]
        for problem in problems[:5]:
            print("   ", problem)
        told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        captures, broken = sum(case.exchanges for case in cases), sum(case.broken for case in cases)
        within = f", {broken} captures show it" if broken else ""
        got = f"{told}; {len(problems)} problems in {captures} exchanges{within}"
        checks.append(Check(f"{kind}, {len(cases)} times", "0 problems", got, met=not problems))
    return checks
