"""Unmodified classes of pyadi-iio over the attributes, ranges and data paths that its own tests go over.

Those tests are not in its release on PyPI, so these are ours, on the same ground: its `test_pluto_p.py` and
`test_ad9361_p.py` of v0.0.21 (attributes at random values with their tolerances, receive, transmit and cyclic buffers,
digital loopback sample by sample, zeros in loopback, generator tones, sample rates with the filter). Left out: gain
checks and spectra over a cable, whose levels are those of one laboratory. Over- and underflow flags, for which one has
to sleep in real time, are in `test_unit.py`, on a clock that does not wait.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from drivers.virtual.serving import VirtualBench

CASES = [(0, "ad9361", (0, 1)), (1, "Pluto", (0,))]
ATTRIBUTES = [
    ("tx_hardwaregain_chan0", -89.75, 0.0, 0.25, 0),
    ("rx_lo", 325_000_000, 3_800_000_000, 1, 8),
    ("tx_lo", 325_000_000, 3_800_000_000, 1, 8),
    ("sample_rate", 521_000, 61_440_000, 1, 4),
    ("rx_rf_bandwidth", 200_000, 56_000_000, 1, 0),
    ("tx_rf_bandwidth", 200_000, 40_000_000, 1, 0),
    ("loopback", 0, 2, 1, 0),
]


@pytest.fixture(params=CASES, ids=[name for _, name, _ in CASES])
def radio(request: pytest.FixtureRequest, bench: VirtualBench, pyadi: Callable):
    number, name, _ = request.param
    return pyadi(name, bench.radios[number].uri)


@pytest.fixture
def channels(radio) -> list[int]:
    return list(range(len(radio._rx_channel_names) // 2))


@pytest.mark.parametrize(("attribute", "start", "stop", "step", "tolerance"), ATTRIBUTES)
def test_attributes_read_back(radio, attribute: str, start: float, stop: float, step: float, tolerance: float) -> None:
    rng = np.random.default_rng(4)
    for index in (0, round((stop - start) / step), *rng.integers(0, round((stop - start) / step) + 1, 30)):
        value = type(step)(start + step * int(index))
        setattr(radio, attribute, value)
        assert abs(getattr(radio, attribute) - value) <= tolerance


def test_gain_modes_and_gains_of_every_channel(radio, channels: list[int]) -> None:
    for channel in channels:
        for mode in ("slow_attack", "fast_attack", "manual"):
            setattr(radio, f"gain_control_mode_chan{channel}", mode)
            assert getattr(radio, f"gain_control_mode_chan{channel}") == mode
        for gain in (-3, 0, 30, 71):
            setattr(radio, f"rx_hardwaregain_chan{channel}", gain)
            assert getattr(radio, f"rx_hardwaregain_chan{channel}") == gain
        setattr(radio, f"tx_hardwaregain_chan{channel}", -12.25)
        assert getattr(radio, f"tx_hardwaregain_chan{channel}") == -12.25


def test_received_blocks_are_not_empty(radio, channels: list[int]) -> None:
    for enabled in [[channel] for channel in channels] + [channels]:
        radio.rx_destroy_buffer()
        radio.rx_enabled_channels = enabled
        radio.rx_buffer_size = 2**12
        for _ in range(5):
            received = np.atleast_2d(radio.rx())
            assert received.shape == (len(enabled), 2**12)
            assert (np.abs(received).max(axis=1) > 0).all()


def test_blocks_are_transmitted_one_after_another(radio, channels: list[int], bench: VirtualBench) -> None:
    tone = 2**14 * np.exp(2j * np.pi * np.arange(2**12) / 16)
    for _ in range(6):
        radio.tx([tone] * len(channels) if len(channels) > 1 else tone)
    assert sum(one.unit.blocks_played for one in bench.radios) == 6


def test_cyclic_buffers_refuse_a_second_push(radio, channels: list[int]) -> None:
    tone = 2**14 * np.exp(2j * np.pi * np.arange(2**10) / 16)
    radio.tx_cyclic_buffer = True
    for _ in range(3):
        radio.tx([tone] * len(channels) if len(channels) > 1 else tone)
        with pytest.raises(Exception, match="cyclic mode"):
            radio.tx([tone] * len(channels) if len(channels) > 1 else tone)
        radio.tx_destroy_buffer()


def test_digital_loopback_gives_the_upper_12_bits(bench: VirtualBench, pyadi: Callable) -> None:
    radio = pyadi("Pluto", bench.radios[1].uri)
    radio.loopback, radio.tx_cyclic_buffer = 1, True
    ramp = np.arange(2**11) << 4
    radio.rx_buffer_size = 2**12
    radio.tx(ramp + 1j * (-ramp - 1))
    for _ in range(8):
        received = radio.rx()
    begin = int(np.flatnonzero(received.real == 0)[0])
    period = received[np.arange(begin, begin + 2**11) % 2**12 if begin + 2**11 > 2**12 else slice(begin, begin + 2**11)]
    assert np.array_equal(period.real, np.arange(2**11))
    assert np.array_equal(period.imag, -np.arange(2**11) - 1)
    radio.loopback = 0


def test_no_data_is_zeros_in_loopback(bench: VirtualBench, pyadi: Callable) -> None:
    radio = pyadi("Pluto", bench.radios[1].uri)
    radio.loopback, radio.tx_cyclic_buffer, radio.tx_enabled_channels = 1, True, None
    radio.tx()
    for _ in range(8):
        received = radio.rx()
    assert not received.any()


@pytest.mark.parametrize("frequency_hz", [500_000, 1_000_000])
def test_a_generators_tone_leaks_into_the_own_receiver(bench: VirtualBench, pyadi: Callable, frequency_hz: int) -> None:
    radio = pyadi("ad9361", bench.radios[0].uri)
    radio.tx_lo = radio.rx_lo = 2_400_000_000
    radio.sample_rate = 4_000_000
    radio.gain_control_mode_chan0 = "slow_attack"
    radio.rx_enabled_channels, radio.rx_buffer_size = [0], 2**14
    radio.dds_single_tone(frequency_hz, 0.9, 0)
    for _ in range(6):
        received = radio.rx()
    spectrum = np.abs(np.fft.fft(received * np.hanning(len(received))))
    found_hz = np.fft.fftfreq(len(received), 1 / 4e6)[np.argmax(spectrum)]
    assert abs(found_hz - frequency_hz) < 0.01 * frequency_hz
    spectrum[np.argmax(spectrum) + np.arange(-4, 5)] = 0
    assert spectrum.max() < 10 ** (-40 / 20) * np.abs(np.fft.fft(received * np.hanning(len(received)))).max()


def test_the_fpga_decimates_by_8(bench: VirtualBench, pyadi: Callable) -> None:
    radio = pyadi("Pluto", bench.radios[1].uri)
    radio.sample_rate = 4_000_000
    assert not radio.rx_dec8_filter_en
    radio.rx_dec8_filter_en = True
    assert radio.rx_dec8_filter_en
    assert bench.radios[1].unit.true_rx_rate_hz == 500_000
    radio.rx_dec8_filter_en = False
    assert bench.radios[1].unit.true_rx_rate_hz == 4_000_000


def test_only_the_oscillators_change_when_they_are_tuned(bench: VirtualBench, clients) -> None:
    context = clients.context(bench.radios[0].uri)

    def state() -> dict[str, str]:
        return {
            f"{device.name} {channel.id} {channel.output} {name}": channel.attrs[name].value
            for device in context.devices
            for channel in device.channels
            for name in channel.attrs
        }

    before = state()
    for lo in ("RX_LO", "TX_LO"):
        context.find_device("ad9361-phy").find_channel(lo, True).attrs["frequency"].value = "2000000000"
    after = state()
    changed = {key for key, value in after.items() if before[key] != value}
    assert changed == {"ad9361-phy altvoltage0 True frequency", "ad9361-phy altvoltage1 True frequency"}


def test_the_representation_reads_everything(bench: VirtualBench, pyadi: Callable) -> None:
    text = repr(pyadi("Pluto", bench.radios[1].uri))
    assert "sample_rate:             30.72" in text
    assert "loopback:                0" in text
