"""A recording gives back what was written, survives what ends its writer, and refuses what is not whole."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import (
    Capture,
    CorruptRecordingError,
    Exchange,
    Recording,
    RecordingError,
    RecordingExistsError,
    RecordingFormatError,
    RecordingWriter,
    UnfitFrameError,
)

SETTINGS = {"center_hz": 5.6e9, "rx_gain_db": 40.0}
RADIOS = {"west": {"model": "simulated", "n_tx": 2, "scale_dbm": -10.0}, "user": {"model": "simulated"}}


def samples(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def exchange(index: int, n_tx: int = 2, n_rx: int = 3, n: int = 16) -> Exchange:
    rng = np.random.default_rng(index)
    west = Capture("west", samples(rng, n_rx, n), 0.1 * index, SETTINGS, ("clipped", "overrun") if index == 1 else ())
    user = Capture("user", samples(rng, 1, n), 0.1 * index, SETTINGS)
    return Exchange(index, {"west": samples(rng, n_tx, n)}, {"west": west, "user": user})


def results(index: int) -> dict:
    return {"angle_rad": np.array([0.1, np.nan]) * index, "H": np.full((2, 3), 1j * index), "fresh": index == 1}


def create(path: Path, *, overwrite: bool = False) -> RecordingWriter:
    return RecordingWriter.create(
        path, scenario_text="title = 'ü'", seed=7, versions={"numpy": "2"}, radios=RADIOS, overwrite=overwrite
    )


def record(path: Path, frames: int = 3) -> Path:
    with create(path) as writer:
        writer.add_design(0, {"weights": np.eye(3) * 1j}, {"scheme": "blp-cbf", "solve_time_s": 0.25})
        for index in range(frames):
            if index == 2:
                writer.add_design(2, {"weights": np.eye(3)}, {"scheme": "blp-comp", "solve_time_s": 0.5})
            writer.append(exchange(index), results(index))
    return path


def assert_same(got: Exchange, want: Exchange) -> None:
    assert got.index == want.index
    assert {name: array.tobytes() for name, array in got.sent.items()} == {n: a.tobytes() for n, a in want.sent.items()}
    assert list(got.captures) == list(want.captures)
    for name, capture in want.captures.items():
        other = got.captures[name]
        assert np.array_equal(other.samples, capture.samples)
        assert (other.start_s, dict(other.settings), other.flags) == (
            capture.start_s,
            dict(capture.settings),
            capture.flags,
        )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    with Recording.open(record(tmp_path / "a.h5", 70)) as recording:  # more than one block of rows
        assert (recording.status, recording.seed, recording.n_frames) == ("complete", 7, 70)
        assert recording.scenario_text == "title = 'ü'"
        assert recording.versions == {"numpy": "2"}
        assert recording.radios == RADIOS
        for index in range(70):
            assert_same(recording.exchange(index), exchange(index))
        for name in results(0):
            wanted = np.array([results(index)[name] for index in range(70)])
            assert np.array_equal(recording.results(name), wanted, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(n_tx=st.integers(1, 5), n_rx=st.integers(1, 5), n=st.integers(1, 40), frames=st.integers(1, 4))
def test_any_shape_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, n_tx: int, n_rx: int, n: int, frames: int
) -> None:
    path = tmp_path_factory.mktemp("shapes") / "a.h5"
    with create(path) as writer:
        for index in range(frames):
            writer.append(exchange(index, n_tx, n_rx, n), {})
    with Recording.open(path) as recording:
        assert recording.n_frames == frames
        for index in range(frames):
            assert_same(recording.exchange(index), exchange(index, n_tx, n_rx, n))


def test_the_design_in_force_is_the_last_one_before(tmp_path: Path) -> None:
    with Recording.open(record(tmp_path / "a.h5", 4)) as recording:
        schemes = [recording.design(index).attributes["scheme"] for index in range(4)]
        assert schemes == ["blp-cbf", "blp-cbf", "blp-comp", "blp-comp"]
        assert np.array_equal(recording.design(3).arrays["weights"], np.eye(3))


def test_h5py_alone_reads_it(tmp_path: Path) -> None:
    with h5py.File(record(tmp_path / "a.h5")) as file:
        assert np.array_equal(file["radios/west/received"][2], exchange(2).captures["west"].samples)
        assert np.array_equal(file["results"]["H"][2], results(2)["H"])
        assert file["frames"]["written"].tolist() == [1, 1, 1]


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = record(tmp_path / "a.h5")
    before = path.read_bytes()
    with pytest.raises(RecordingExistsError, match="exists already"):
        create(path)
    assert path.read_bytes() == before
    create(path, overwrite=True).close()
    with Recording.open(path) as recording:
        assert recording.n_frames == 0


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (ValueError("no echo"), "failed: ValueError: no echo")]
)
def test_the_status_says_how_it_ended(tmp_path: Path, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), create(tmp_path / "a.h5") as writer:
        writer.append(exchange(0), results(0))
        raise error
    with Recording.open(tmp_path / "a.h5") as recording:
        assert (recording.status, recording.n_frames) == (status, 1)
        assert_same(recording.exchange(0), exchange(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    bad = exchange(1)
    spoilt = bad.captures["west"].samples.copy()
    spoilt[2, 5] = value
    captures = {**bad.captures, "west": Capture("west", spoilt, 0.1, SETTINGS)}
    with create(tmp_path / "a.h5") as writer:
        writer.append(exchange(0), results(0))
        with pytest.raises(UnfitFrameError, match="frame 1: sample 5 of channel 2 that radio west received"):
            writer.append(Exchange(1, bad.sent, captures), results(1))
        writer.append(exchange(1), results(1))
    with Recording.open(tmp_path / "a.h5") as recording:
        assert_same(recording.exchange(1), exchange(1))


@pytest.mark.parametrize(
    ("frame", "found", "words"),
    [
        (exchange(2), results(1), "got frame 2, expected 1"),
        (exchange(1, n=17), results(1), "radios/west/received"),
        (exchange(1), {"angle_rad": np.zeros(2)}, "results"),
        (exchange(1), results(1) | {"H": "text"}, "result H"),
        (Exchange(1, {}, exchange(1).captures), results(1), "radios/west/sent is None"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_by_name(tmp_path: Path, frame: Exchange, found: dict, words: str) -> None:
    with create(tmp_path / "a.h5") as writer:
        writer.append(exchange(0), results(0))
        with pytest.raises(UnfitFrameError, match=words):
            writer.append(frame, found)


def test_a_changed_byte_is_found_and_the_frame_named(tmp_path: Path) -> None:
    path = record(tmp_path / "a.h5")
    with h5py.File(path) as file:
        place = file["radios/user/received"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with Recording.open(path) as recording:
        assert_same(recording.exchange(0), exchange(0))
        with pytest.raises(CorruptRecordingError, match="frame 1"):
            recording.exchange(1)


def test_a_changed_design_is_found(tmp_path: Path) -> None:
    path = record(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["designs/000001/weights"][0, 0] = 2
    with Recording.open(path) as recording, pytest.raises(CorruptRecordingError, match="design 000001"):
        recording.design(2)


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.1, 0.0])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = record(tmp_path / "a.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(RecordingError, match=r"a\.h5"):
        Recording.open(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("not HDF5 at all")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    with h5py.File(record(tmp_path / "newer.h5"), "r+") as file:
        file.attrs["format_version"] = 99
    for name, words in {
        "a.txt": "not an HDF5",
        "foreign.h5": "no recording",
        "newer.h5": "99",
        "none.h5": "no such file",
    }.items():
        with pytest.raises(RecordingFormatError, match=words):
            Recording.open(tmp_path / name)


CHILD = """
import sys
sys.path[:0] = {paths!r}
import test_recording as t
from dataclasses import replace
from pathlib import Path
{setup}
with t.create(Path(sys.argv[1])) as writer:
    for index in range(10**6):
        writer.append(t.exchange(index, n=int(sys.argv[2])), t.results(index))
        print(index + 1, flush=True)
"""


def child(setup: str = "") -> list[str]:
    here = Path(__file__).parent
    return [sys.executable, "-c", CHILD.format(paths=[str(here), str(here.parents[1])], setup=setup)]


@pytest.mark.parametrize("lines", [1, 64, 100])  # first frame, the growth of the file, any other
def test_a_killed_writer_loses_nothing_that_it_had_appended(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "killed.h5"
    with subprocess.Popen([*child(), str(path), "64"], stdout=subprocess.PIPE, text=True) as writer:
        done = 0
        while done < lines:
            done = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        done = max([done, *map(int, writer.stdout.read().split("\n")[:-1])])
    with Recording.open(path) as recording:
        assert recording.status == "running"
        assert done <= recording.n_frames <= done + 1  # one may be appended and not yet announced
        for index in range(recording.n_frames):
            assert_same(recording.exchange(index), exchange(index, n=64))


def assert_full_disk_is_survived(path: Path, setup: str = "") -> None:
    ended = subprocess.run([*child(setup), str(path), "512"], capture_output=True, text=True, check=False, timeout=60)
    done = int(ended.stdout.split()[-1])
    assert "RecordingWriteError" in ended.stderr
    assert f"{done} frames are safe" in ended.stderr
    with Recording.open(path) as recording:
        assert recording.n_frames == done > 3
        assert recording.status.startswith("failed: RecordingWriteError")
        for index in range(done):
            assert_same(recording.exchange(index), exchange(index, n=512))


def test_a_file_size_limit_keeps_the_frames_before(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))"
    assert_full_disk_is_survived(tmp_path / "limited.h5", limit)


def test_a_full_disk_keeps_the_frames_before(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root; the file size limit tests the same path")
    try:
        assert_full_disk_is_survived(tmp_path / "full.h5")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def measuring(index: int) -> Exchange:
    """Only the station's driver measured something, and not the same of every channel."""
    plain = exchange(index)
    west = replace(plain.captures["west"], measured={"tx_evm_db": -50.0 - index, "delay_s": 1e-5})
    user = replace(plain.captures["user"], measured={"delay_s": float("nan")})
    return replace(plain, captures={"west": west, "user": user})


def test_what_drivers_measured_is_read_where_it_was_measured(tmp_path: Path) -> None:
    with create(tmp_path / "a.h5") as writer:
        for index in range(2):
            writer.append(measuring(index), {})
    with Recording.open(tmp_path / "a.h5") as recording:
        captures = recording.exchange(1).captures
    assert dict(captures["west"].measured) == {"tx_evm_db": -51.0, "delay_s": 1e-5}
    assert dict(captures["user"].measured) == {}


def test_a_changed_measurement_is_noticed(tmp_path: Path) -> None:
    with create(tmp_path / "a.h5") as writer:
        writer.append(measuring(0), {})
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        row = file["frames"][0]
        row["measured"][0, 0] += 1e-9
        file["frames"][0] = row
    with Recording.open(tmp_path / "a.h5") as recording, pytest.raises(CorruptRecordingError, match="checksum"):
        recording.exchange(0)


def test_a_radio_that_begins_to_measure_in_midst_of_a_recording_is_refused(tmp_path: Path) -> None:
    with create(tmp_path / "a.h5") as writer:
        writer.append(exchange(0), {})
        with pytest.raises(UnfitFrameError, match="frames is"):
            writer.append(measuring(1), {})


def test_recordings_of_the_first_format_are_still_read(tmp_path: Path) -> None:
    """They are those in which nothing was measured."""
    with h5py.File(record(tmp_path / "a.h5"), "r+") as file:
        assert "measured" not in file["frames"].dtype.names
        assert "measured" not in file["frames"].attrs
        file.attrs["format_version"] = 1
    with Recording.open(tmp_path / "a.h5") as recording:
        for index in range(3):
            assert_same(recording.exchange(index), exchange(index))
            assert all(dict(capture.measured) == {} for capture in recording.exchange(index).captures.values())
