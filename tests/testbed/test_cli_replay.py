"""`testbed replay` and `info` on good, changed, damaged and foreign files."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from recordings import Exchange, Recording, RecordingWriter
from testbed import experiment

RunProcess = Callable[..., subprocess.CompletedProcess[str]]
Call = Callable[..., tuple[int, str, str]]


def rewrite(source: Path, target: Path, change: Callable[[Exchange], Exchange], angle_rad: float = 0.0) -> Path:
    """Write a recording again, checksums and all, with other exchanges, or with all angles turned."""
    with Recording.open(source) as old:
        facts = {"scenario_text": old.scenario_text, "seed": old.seed, "versions": old.versions, "radios": old.radios}
        with RecordingWriter.create(target, **facts) as writer:
            for index in range(old.n_frames):
                for design in old.designs:
                    if design.index_from == index:
                        writer.add_design(index, design.arrays, design.attributes)
                found = {name: old.results(name)[index] for name in old.result_names}
                found["angle_rad"] = found["angle_rad"] + angle_rad
                writer.append(change(old.exchange(index)), found)
    return target


def other_sent(exchange: Exchange) -> Exchange:
    sent = exchange.sent["west"].copy()
    if exchange.index == 3:
        sent[2, 41] += 0.01
    return replace(exchange, sent={"west": sent})


def other_gain(exchange: Exchange) -> Exchange:
    ann = exchange.captures["ann"]
    changed = replace(ann, settings={**ann.settings, "rx_gain_db": 44.0})
    return replace(exchange, captures={**exchange.captures, "ann": changed})


def table_lines(text: str) -> list[str]:
    """Return the lines that carry results."""
    return [line.rstrip() for line in text.splitlines() if line.strip().startswith(("west", "ann", "Precoders"))]


def test_a_run_says_where_and_its_replay_is_equal_to_the_bit(
    recorded: tuple[Path, str], run_process: RunProcess
) -> None:
    path, printed = recorded
    assert f"recorded in {path}\nreplay with  testbed replay {path}\n" in printed
    assert "One small cell [bold] :smile:\n" in printed  # a title is text, not markup
    replayed = run_process("replay", path)
    assert (replayed.returncode, replayed.stderr) == (0, "")
    assert "frames 0 to 7 equal the recorded ones to the bit" in replayed.stdout
    assert table_lines(replayed.stdout) == table_lines(printed)
    assert len(table_lines(printed)) == 5


def test_a_part_replays_as_the_whole_does(call: Call, recorded: tuple[Path, str]) -> None:
    whole, part = [], []
    experiment.replay(recorded[0], listeners=[whole.append])
    assert not experiment.replay(recorded[0], frames=slice(3, 6), listeners=[part.append]).differences
    assert [done.index for done in part] == [3, 4, 5]
    for done in part:
        for name, value in done.outcome.as_results().items():
            assert value.tobytes() == whole[done.index].outcome.as_results()[name].tobytes(), name
    status, text, _ = call("replay", recorded[0], "--frames", "3:6")
    assert status == 0
    assert "frames 3 to 5 equal" in text


def test_a_part_that_only_sounds_says_so(call: Call, recorded: tuple[Path, str]) -> None:
    status, text, _ = call("replay", recorded[0], "--frames", ":1")
    assert status == 0
    assert "no frame with a payload" in text


@pytest.mark.parametrize("frames", ["3:3", "5:2", "8:", "0:9", "100:200"])
def test_frames_that_are_not_there_are_refused(
    refused: Callable[..., None], recorded: tuple[Path, str], frames: str
) -> None:
    refused(2, f"no frames {frames}.*holds 8 whole frames", "replay", recorded[0], "--frames", frames)


def test_a_changed_byte_is_refused_by_frame(refused: Callable[..., None], copy: Path) -> None:
    with h5py.File(copy) as file:
        place = file["radios/west/received"].id.get_chunk_info(3).byte_offset + 100
    content = bytearray(copy.read_bytes())
    content[place] ^= 1
    copy.write_bytes(content)
    refused(1, r"copy\.h5: frame 3 .*checksum", "replay", copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_sent, "frame 3, radio west: sample 41 of transmit channel 2"),
        (other_gain, "frame 0, radio ann: rx_gain_db is 45, recorded was 44"),
    ],
)
def test_another_experiment_is_refused_by_name(
    refused: Callable[..., None],
    recorded: tuple[Path, str],
    tmp_path: Path,
    change: Callable[[Exchange], Exchange],
    words: str,
) -> None:
    refused(1, words, "replay", rewrite(recorded[0], tmp_path / "other.h5", change))


def test_other_samples_to_send_can_be_ignored_and_that_is_said(
    call: Call, recorded: tuple[Path, str], tmp_path: Path
) -> None:
    other = rewrite(recorded[0], tmp_path / "what?first=1.h5", other_sent)  # no name of a file may pass for options
    status, text, error = call("replay", other, "--tx", "ignore")
    assert (status, error) == (0, "")
    assert "not compared with those recorded" in text


def test_other_results_fail_and_the_first_is_named(
    refused: Callable[..., None], recorded: tuple[Path, str], tmp_path: Path
) -> None:
    other = rewrite(recorded[0], tmp_path / "other.h5", lambda exchange: exchange, angle_rad=1e-9)
    refused(1, r"differ from the recorded ones, first frame 0, angle_rad\[0\]", "replay", other)


FOREIGN = {
    "text.h5": (lambda path, _: path.write_text("not HDF5 at all"), "not an HDF5 file"),
    "empty.h5": (lambda path, _: path.write_bytes(b""), "empty"),
    "folder.h5": (lambda path, _: path.mkdir(), "folder"),
    "cut.h5": (lambda path, whole: path.write_bytes(whole[: len(whole) // 2]), "cut off or damaged"),
    "foreign.h5": (lambda path, _: h5py.File(path, "w").close(), "no recording of this testbed"),
    "missing.h5": (lambda path, _: None, "no such file|neither a file"),
}


@pytest.mark.parametrize("command", ["replay", "info"])
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_recording_is_called_what_it_is(
    refused: Callable[..., None], recorded: tuple[Path, str], tmp_path: Path, name: str, command: str
) -> None:
    make, words = FOREIGN[name]
    make(tmp_path / name, recorded[0].read_bytes())
    refused(2, f"{name}.*({words})", command, tmp_path / name)


DAMAGES: dict[str, Callable[[h5py.File], None]] = {
    "no seed": lambda file: file.attrs.__delitem__("seed"),
    "seed of letters": lambda file: file.attrs.__setitem__("seed", "abc"),
    "no radios": lambda file: file.__delitem__("radios"),
    "no samples": lambda file: file.__delitem__("radios/west/received"),
    "no results": lambda file: file.__delitem__("results"),
    "no designs": lambda file: file.__delitem__("designs"),
    "bare designs": lambda file: file["designs/000000"].attrs.__delitem__("index_from"),
    "numbers for a table": lambda file: (file.__delitem__("frames"), file.__setitem__("frames", np.zeros(3))),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_recording_without_its_parts_is_called_damaged(refused: Callable[..., None], copy: Path, name: str) -> None:
    with h5py.File(copy, "r+") as file:
        DAMAGES[name](file)
    refused(1, r"copy\.h5.* cannot be read, the file is damaged", "replay", copy)
