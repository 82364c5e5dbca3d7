"""Opening Plutos: who is there, who is not, and one line each that says what to do."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pluto_faults import PATIENCE, REQUESTS, SETTINGS, fleet, scene

from drivers import (
    DeviceLostError,
    DriverError,
    RadioNotFoundError,
    RadioRequest,
    RadioStateError,
    SettingsError,
    VendorLibraryError,
    open_radios,
)
from drivers.pluto.failures import at_opening, in_operation
from drivers.pluto.opening import open_fleet
from drivers.pluto.vendor import libraries
from drivers.virtual.serving import VirtualBench


@pytest.fixture
def served(real_libiio: None) -> Iterator[VirtualBench]:
    with VirtualBench(REQUESTS, scene()) as bench:
        yield bench


def opened(*requests: RadioRequest) -> None:
    for radio in open_fleet(requests, PATIENCE).values():
        radio.close()


def refused(kind: type[DriverError], words: str, *requests: RadioRequest) -> None:
    with pytest.raises(kind, match=words) as caught:
        opened(*requests)
    assert "\n" not in str(caught.value)


def test_units_are_known_by_serial_number_model_and_channels(served: VirtualBench) -> None:
    with fleet(served) as radios:
        for radio, virtual, n in zip(radios.values(), served.radios, (2, 1), strict=True):
            assert radio.capabilities.serial == virtual.serial
            assert f"{n}R{n}T" in radio.capabilities.model
        assert radios["station"].capabilities.tx_coherence == (served.radios[0].serial,) * 2
        assert (radios["user"].capabilities.n_tx, radios["user"].capabilities.n_rx) == (0, 1)


def test_all_plutos_of_a_bench_are_opened_in_one_call(served: VirtualBench) -> None:
    asked = [replace(one, address=radio.address) for one, radio in zip(REQUESTS, served.radios, strict=True)]
    radios = open_radios(asked, scene())
    try:
        assert radios["station"]._fleet is radios["user"]._fleet  # type: ignore[attr-defined]
    finally:
        for radio in radios.values():
            radio.close()


def test_an_opened_unit_is_silent_whatever_it_was_left_at(served: VirtualBench) -> None:
    with fleet(served):
        assert served.transmitting == []
        assert all(set(radio.unit._transmit_state().gain_db) == {-89.75} for radio in served.radios)


def test_a_unit_with_too_few_channels_is_refused_by_serial_and_model(served: VirtualBench) -> None:
    user = served.radios[1]
    words = rf"radio west: 2 transmit and 2 receive.*{user.serial} \(.*AD9363A.*1R1T\) has 1 of each.*2R2T"
    refused(RadioNotFoundError, words, RadioRequest("west", user.address, 2, 2))


def test_a_radio_may_be_made_of_several_units(served: VirtualBench) -> None:
    both = served.radios[0].address + "+" + served.radios[1].address.removeprefix("pluto:")
    radio = open_fleet([RadioRequest("west", both, 3, 2)], PATIENCE)["west"]
    try:
        serials = [one.serial for one in served.radios]
        assert radio.capabilities.tx_coherence == (serials[0], serials[0], serials[1])
        assert (radio.capabilities.n_tx, radio.capabilities.n_rx) == (3, 2)
    finally:
        radio.close()
    refused(RadioNotFoundError, "has nothing to do", RadioRequest("west", both, 2, 2))


def test_a_unit_belongs_to_one_radio_even_under_another_address(served: VirtualBench) -> None:
    address = served.radios[1].address
    port = address.rpartition(":")[2]
    other = RadioRequest("bob", f"pluto:ip:localhost:{port}", 0, 1)
    refused(RadioNotFoundError, "radio bob.*is also at .*for radio ann", RadioRequest("ann", address, 0, 1), other)


def test_nobody_at_the_port_is_said_at_once(real_libiio: None) -> None:
    refused(
        RadioNotFoundError,
        r"radio a: .*127\.0\.0\.1:1 refuses.*booted",
        RadioRequest("a", "pluto:ip:127.0.0.1:1", 0, 1),
    )


def test_a_host_that_accepts_and_never_answers_is_no_pluto(real_libiio: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"pluto:ip:127.0.0.1:{silent.getsockname()[1]}"
        refused(RadioNotFoundError, "does not answer as a Pluto", RadioRequest("a", address, 0, 1))


def test_nothing_on_usb_is_said_with_what_lists_it(real_libiio: None) -> None:
    refused(RadioNotFoundError, "usb:1.250.5 is not there.*iio_info -s", RadioRequest("a", "pluto:usb:1.250.5", 0, 1))


def test_a_bad_address_opens_nothing(served: VirtualBench) -> None:
    good = replace(REQUESTS[0], address=served.radios[0].address)
    refused(
        RadioNotFoundError, "'192.168.2.1' is no Pluto's address", good, RadioRequest("a", "pluto:192.168.2.1", 0, 1)
    )
    assert set(served.radios[0].unit._transmit_state().gain_db) == {-10.0}  # as it booted


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cf-ad9361-lpc", "axi-adrv9002-rx-lpc", "has no device cf-ad9361-lpc .*axi-adrv9002-rx-lpc.*plutosdr-fw"),
        ("ad9361-phy", "adrv9002-phy", "has no device ad9361-phy"),
        ("hw_serial", "serial", "tells no serial number"),
    ],
)
def test_other_firmware_is_refused_with_what_it_has(served: VirtualBench, old: str, new: str, words: str) -> None:
    unit = served.radios[1].unit
    described = unit.xml()
    unit.xml = lambda: described.replace(f'"{old}"', f'"{new}"')
    refused(RadioNotFoundError, words, RadioRequest("a", served.radios[1].address, 0, 1))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (None, r"libiio's Python binding is missing .*pip install 'isac-testbed\[pluto\]'"),
        ("raise OSError(2, 'Could not find libiio C library')", "apt-get install libiio0"),
        ("raise FileNotFoundError(2, 'libiio version 1.x required, found version 0')", r"pylibiio>=0\.25,<1"),
        ("def imread(): ...", "not libiio's: pip uninstall iio"),
        ("version = (1, 0, 'v1.0')", r"libiio 1\.0 is installed, .*0\.24"),
    ],
)
def test_a_missing_or_foreign_libiio_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str | None, words: str
) -> None:
    if module is None:
        monkeypatch.setitem(sys.modules, "iio", None)
    else:
        (tmp_path / "iio.py").write_text(module)
        monkeypatch.delitem(sys.modules, "iio", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VendorLibraryError, match=words) as caught:
        libraries()
    assert "\n" not in str(caught.value)
    monkeypatch.delitem(sys.modules, "iio", raising=False)


def test_a_missing_pyadi_is_told_with_the_remedy(real_libiio: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adi", None)
    with pytest.raises(VendorLibraryError, match="pyadi-iio is missing"):
        libraries()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ECONNREFUSED, RadioNotFoundError, "refuses the connection"),
        (errno.EACCES, RadioNotFoundError, "udev rule"),
        (errno.EPERM, RadioNotFoundError, "udev rule"),
        (errno.EBUSY, RadioStateError, "in use by another program"),
        (errno.EPIPE, RadioNotFoundError, "does not answer as a Pluto"),
        (errno.ETIMEDOUT, RadioNotFoundError, "does not answer as a Pluto"),
        (errno.ENODEV, RadioNotFoundError, "is not there"),
        (errno.ENXIO, RadioNotFoundError, "does ping h answer"),
        (errno.EIO, RadioNotFoundError, "cannot be opened"),
    ],
)
def test_every_errno_at_opening_has_its_meaning(code: int, kind: type[DriverError], words: str) -> None:
    error = at_opening(OSError(code, "as libiio says"), "west", "ip:h")
    assert type(error) is kind
    assert str(error).startswith("radio west: the Pluto at ip:h ")
    assert words in str(error)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.EINVAL, "x"), SettingsError, "out of its range"),
        (OSError(errno.EBUSY, "x"), RadioStateError, "another program"),
        (OSError(errno.ENOSYS, "x"), SettingsError, "firmware cannot"),
        (OSError(errno.ETIMEDOUT, "x"), DeviceLostError, "the device timed out"),
        (OSError(errno.EPIPE, "x"), DeviceLostError, "stopped answering"),
        (OSError(errno.ECONNRESET, "x"), DeviceLostError, "stopped answering"),
        (KeyError("gain"), RadioNotFoundError, "knows no 'gain'"),
        (Exception("Channel voltage2 not found"), DeviceLostError, "not understood: Exception: Channel voltage2"),
        (ValueError("garbled"), DeviceLostError, "not understood"),
    ],
)
def test_every_error_in_operation_has_its_meaning(error: Exception, kind: type[DriverError], words: str) -> None:
    meant = in_operation(error, "west", "tune")
    assert type(meant) is kind
    assert "tune" in str(meant)
    assert words in str(meant)


def test_a_normal_run_prints_nothing(served: VirtualBench, capfd: pytest.CaptureFixture[str]) -> None:
    with fleet(served) as radios:
        for radio in radios.values():
            radio.configure(SETTINGS)
    assert capfd.readouterr() == ("", "")
