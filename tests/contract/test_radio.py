"""The contract of every radio: one suite, run over every driver that needs no hardware."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers import (
    InvalidSamplesError,
    Radio,
    RadioRequest,
    RadioSettings,
    RadioStateError,
    ReplayMismatchError,
    SettingsError,
    VendorLibraryError,
    exchange,
    open_radios,
)
from drivers.simulated.scene import Node, Scene, Target
from drivers.usrp.interpreters import interpreter_with_uhd
from drivers.usrp.server_process import wait_for_endings
from drivers.virtual.serving import VirtualBench
from recordings import Exchange, RecordingWriter

N_SAMPLES = 256
SETTINGS = RadioSettings(center_hz=5.6e9, sample_rate_hz=1e6, tx_gain_db=-10.0, rx_gain_db=40.0)
USER = RadioRequest("user", "simulated", 0, 1)
Radios = dict[str, Radio]
Opener = Callable[[Path], AbstractContextManager[Radios]]


def requests(address: str, n_tx: int = 4, n_rx: int = 3) -> Sequence[RadioRequest]:
    """A station with as many channels as a driver's devices have, and a user."""
    return [RadioRequest("station", address, n_tx, n_rx), replace(USER, address=address)]


def scene(n_tx: int = 4, n_rx: int = 3) -> Scene:
    return Scene(
        stations=(Node("station", (0.0, 0.0), 0.0, n_tx, n_rx),),
        users=(Node("user", (30.0, 5.0), 0.0, 0, 1),),
        serving={"user": "station"},
        targets=(Target("target", "station", (20.0, -3.0), 1.0),),
        carrier_hz=5.6e9,
        symbol_rate_hz=250e3,
        seed=3,
        leakage=1e-5,  # a radio without a timed start finds its own burst by it
    )


def burst(n_tx: int, n: int = N_SAMPLES) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (0.1 * (rng.standard_normal((n_tx, n)) + 1j * rng.standard_normal((n_tx, n)))).astype(np.complex64)


def settings(radio: Radio) -> RadioSettings:
    """Those of the scene, or where a radio cannot make them, others that it can."""
    able = radio.capabilities
    wish = SETTINGS if SETTINGS.center_hz in able.center_hz else replace(SETTINGS, center_hz=2.45e9)
    wish = wish if wish.tx_gain_db in able.tx_gain_db else replace(wish, tx_gain_db=0.0)
    return wish if wish.rx_gain_db in able.rx_gain_db else replace(wish, rx_gain_db=30.0)


@contextmanager
def closing(radios: Radios) -> Iterator[Radios]:
    try:
        yield radios
    finally:
        for radio in radios.values():
            radio.close()


@contextmanager
def simulated(_: Path) -> Iterator[Radios]:
    with closing(open_radios(requests("simulated"), scene())) as radios:
        yield radios


@contextmanager
def replayed(folder: Path) -> Iterator[Radios]:
    """Record two exchanges of the simulated radios, then stand in for them."""
    path = folder / "contract.h5"
    facts = {name: {"address": "simulated"} for name in ("station", "user")}
    with (
        simulated(folder) as radios,
        RecordingWriter.create(path, scenario_text="", seed=3, versions={}, radios=facts) as writer,
    ):
        for radio in radios.values():
            radio.configure(settings(radio))
        for index in range(2):
            captures = exchange(radios, {"station": burst(4)}, N_SAMPLES, 0.1 + index)
            writer.append(Exchange(index, {"station": burst(4)}, captures), {})
    with closing(open_radios(requests(f"replay:{path}"), scene())) as radios:
        yield radios


@contextmanager
def plutos(_: Path) -> Iterator[Radios]:
    """A 2R2T and a 1R1T unit: virtual, but reached by the real libiio and pyadi-iio."""
    asked = requests("pluto:ip:virtual", 2, 2)
    with VirtualBench(asked, scene(2, 2)) as served:
        addressed = [replace(one, address=radio.address) for one, radio in zip(asked, served.radios, strict=True)]
        with closing(open_radios(addressed, scene(2, 2))) as radios:
            yield radios
        assert served.transmitting == []


@contextmanager
def fresh_usrps(_: Path, net: str = "127.0.1") -> Iterator[Radios]:
    """Two N210s in one MultiUSRP, and another: virtual, but reached by the real libuhd."""
    try:
        interpreter_with_uhd()
    except VendorLibraryError as error:
        pytest.skip(str(error))
    asked = [
        RadioRequest("station", f"usrp:addr0={net}.1,addr1={net}.2", 2, 2),
        RadioRequest("user", f"usrp:addr={net}.3", 0, 1),
    ]
    with VirtualBench(asked, scene(2, 2)) as served:
        with closing(open_radios(asked, scene(2, 2))) as radios:
            yield radios
        assert served.transmitting == []
        wait_for_endings()  # libuhd takes leave of its boards


KEPT: list[tuple[ExitStack, Radios]] = []  # USRPs that are open, with pulses counted: that takes seconds


@contextmanager
def usrps(folder: Path) -> Iterator[Radios]:
    """The same, kept open from test to test: each gets radio objects as they are when they have just been opened."""
    if not KEPT:
        with ExitStack() as stack:
            opened = stack.enter_context(fresh_usrps(folder, "127.0.2"))
            KEPT.append((stack.pop_all(), opened))
    radios = {name: copy(radio) for name, radio in KEPT[0][1].items()}
    yield radios
    if any(radio._closed for radio in radios.values()):
        KEPT.pop()[0].close()
    else:
        for radio in radios.values():
            radio.silence()


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    while KEPT:
        KEPT.pop()[0].close()


@pytest.fixture(params=[simulated, replayed, plutos, usrps], ids=["simulated", "replay", "pluto", "usrp"])
def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param is plutos:
        request.getfixturevalue("real_libiio")
    return request.param


@pytest.fixture
def radios(opener: Opener, tmp_path: Path) -> Iterator[Radios]:
    with opener(tmp_path) as opened:
        yield opened


@pytest.fixture
def configured(radios: Radios) -> Radios:
    for radio in radios.values():
        radio.configure(settings(radio))
    return radios


def go(radios: Radios, sent: np.ndarray | None = None, later_s: float = 0.1) -> dict:
    start_s = max(radio.time_s() for radio in radios.values()) + later_s
    sent = a_burst(radios) if sent is None else sent
    return exchange(radios, {"station": sent}, N_SAMPLES, start_s)


def a_burst(radios: Radios) -> np.ndarray:
    return burst(radios["station"].capabilities.n_tx)


def test_captures_have_the_asked_shape_and_type(configured: Radios) -> None:
    captures = go(configured)
    assert captures["station"].samples.shape == (configured["station"].capabilities.n_rx, N_SAMPLES)
    assert captures["user"].samples.shape == (1, N_SAMPLES)
    assert all(capture.samples.dtype == np.complex64 for capture in captures.values())
    assert all(not capture.samples.flags.writeable for capture in captures.values())
    assert all(np.isfinite(capture.samples).all() for capture in captures.values())
    assert np.any(captures["user"].samples != 0)


def test_settings_are_read_back_into_the_capture(configured: Radios) -> None:
    capture = go(configured)["station"]
    assert dict(capture.settings) == dict(settings(configured["station"]).as_mapping())
    assert capture.radio == "station"


def test_a_setting_out_of_range_is_refused_by_name(radios: Radios) -> None:
    with pytest.raises(SettingsError, match="rx_gain_db"):
        radios["station"].configure(replace(settings(radios["station"]), rx_gain_db=1e6))


def test_arming_before_configuring_is_refused(radios: Radios) -> None:
    with pytest.raises(RadioStateError, match="station"):
        radios["station"].arm(a_burst(radios), N_SAMPLES, radios["station"].time_s() + 1)


def test_collecting_before_arming_is_refused(configured: Radios) -> None:
    with pytest.raises(RadioStateError, match="arm"):
        configured["user"].collect()


def test_arming_twice_is_refused(configured: Radios) -> None:
    start_s = configured["station"].time_s() + 1
    configured["station"].arm(a_burst(configured), N_SAMPLES, start_s)
    with pytest.raises(RadioStateError, match="already armed"):
        configured["station"].arm(a_burst(configured), N_SAMPLES, start_s)


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0])
def test_samples_that_must_not_be_sent_are_refused(configured: Radios, value: float) -> None:
    bad = a_burst(configured)
    bad[1, 17] = value
    with pytest.raises(InvalidSamplesError, match="sample 17 of transmit channel 1"):
        go(configured, bad)


def test_a_burst_of_the_wrong_shape_is_refused(configured: Radios) -> None:
    with pytest.raises(InvalidSamplesError, match=f"{len(a_burst(configured))} transmit channels"):
        go(configured, a_burst(configured)[:1])


def test_after_an_error_the_radios_can_go_on(configured: Radios) -> None:
    bad = a_burst(configured)
    bad[0, 0] = np.nan
    with pytest.raises(InvalidSamplesError):
        go(configured, bad)
    assert np.isfinite(go(configured)["user"].samples).all()


def test_time_does_not_run_backwards(configured: Radios) -> None:
    before = configured["station"].time_s()
    go(configured)
    assert configured["station"].time_s() >= before


def test_the_same_seed_gives_the_same_samples(opener: Opener, tmp_path: Path) -> None:
    def all_samples(folder: Path) -> list[np.ndarray]:
        folder.mkdir()
        with (fresh_usrps if opener is usrps else opener)(folder) as opened:
            for radio in opened.values():
                radio.configure(settings(radio))
            return [capture.samples for _ in range(2) for capture in go(opened).values()]

    for first, second in zip(all_samples(tmp_path / "a"), all_samples(tmp_path / "b"), strict=True):
        assert np.array_equal(first, second)


def test_a_closed_radio_answers_no_more_and_closes_again(configured: Radios) -> None:
    for radio in configured.values():
        radio.close()
        radio.close()
        radio.silence()
    with pytest.raises(RadioStateError, match="closed"):
        configured["station"].arm(a_burst(configured), N_SAMPLES, 10.0)


def test_every_channel_says_with_whom_it_is_coherent_and_with_whom_over_tunes(radios: Radios) -> None:
    for radio in radios.values():
        able = radio.capabilities
        assert len(able.tx_coherence) == len(able.tx_kept_over_tunes) == able.n_tx
        assert len(able.rx_kept_over_tunes) == able.n_rx
        labels = able.tx_coherence + able.tx_kept_over_tunes + able.rx_kept_over_tunes
        assert all(label and " " not in label for label in labels)
        # What is the same after a tune was never different before: the finer labels refine the coarser ones.
        pairs = set(zip(able.tx_kept_over_tunes, able.tx_coherence, strict=True))
        assert len(pairs) == len(set(able.tx_kept_over_tunes))


def test_starts_are_together_or_the_captures_say_so(configured: Radios) -> None:
    for name, capture in go(configured).items():
        assert ("time-unaligned" in capture.flags) == (configured[name].capabilities.start_spread_s > 0)


def test_all_can_stay_silent(configured: Radios) -> None:
    start_s = configured["station"].time_s() + 0.1
    if configured["station"].capabilities.model == "replay":  # and not what was recorded
        with pytest.raises(ReplayMismatchError):
            exchange(configured, {}, N_SAMPLES, start_s)
    else:
        captures = exchange(configured, {}, N_SAMPLES, start_s)
        assert np.isfinite(captures["user"].samples).all()
