"""Writing a recording, frame by frame, so that whatever ends the program leaves every appended frame readable."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordings.errors import RecordingExistsError, RecordingWriteError, UnfitFrameError
from recordings.exchange import Exchange
from recordings.layout import FORMAT, FORMAT_VERSION, checksum, frame_checksum
from recordings.rows import check_numbers, frame_row, measured_names, result_row, samples_of, setting_names

if TYPE_CHECKING:
    import h5py

__all__ = ["RecordingWriter"]

GROW_FRAMES = 64  # resizing costs more than writing: rows are made in blocks, and the spare ones dropped on close
SYNC_FRAMES = 100  # a power cut costs about the last second at the 100 frames/s that the loop is built for
INDEX_BYTES = 1 << 20  # more than the indices and tables of all datasets grow in one frame


class RecordingWriter:
    """A recording being written; made by `RecordingWriter.create` and used in a `with` statement."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self.n_frames = 0
        self._file: h5py.File | None = file
        self._datasets: dict[str, h5py.Dataset] = {}
        self._kinds: dict[str, tuple[object, ...]] = {}  # shape and type of every row, as the first frame had them

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        scenario_text: str,
        seed: int,
        versions: Mapping[str, str],
        radios: Mapping[str, Mapping[str, str | float]],
        overwrite: bool = False,
    ) -> RecordingWriter:
        """Create the file with everything that is known before the first frame.

        Args:
            path: The file to write.
            scenario_text: The experiment as written.
            seed: Of everything random in it.
            versions: Version of each program that a result depends on.
            radios: For each radio its facts, such as model, serial and address.
            overwrite: Whether an existing file may be replaced.

        Raises:
            RecordingExistsError: The file exists and overwrite is False.
            RecordingWriteError: The file cannot be written there, or the disk is full.
        """
        import h5py

        path = Path(path)
        try:
            if overwrite and path.is_file():
                _require_unused(path)
            writer = cls(path, h5py.File(path, "w" if overwrite else "x"))
        except FileExistsError as error:
            raise RecordingExistsError(
                f"{path} exists already; choose another output, or allow to overwrite it"
            ) from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise RecordingWriteError(
                f"{path} cannot be created: {reason}; is its folder there, and is nobody using it?"
            ) from error
        with writer._writing("create the file") as file:
            file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION, "status": "running"})
            file.attrs["scenario"] = scenario_text
            file.attrs["seed"] = seed if abs(seed) < 2**63 else str(seed)
            file.create_group("versions").attrs.update(versions)
            file.create_group("designs")
            file.create_group("radios")
            for name, facts in radios.items():
                file["radios"].create_group(name).attrs.update(facts)
            file.flush()
        return writer

    def append(self, exchange: Exchange, results: Mapping[str, ArrayLike]) -> None:
        """Append one frame; when this returns, a killed program cannot lose it.

        Args:
            exchange: What was sent and received; its frames are numbered from 0 without gaps.
            results: What was found, by name: numbers, truth values or arrays. They and the samples keep the radios,
                shapes and types of the first frame.

        Raises:
            UnfitFrameError: NaN samples, another shape or type than before, or a number out of order.
            RecordingWriteError: The disk is full or failed; all frames before are safe.
        """
        index = exchange.index
        if index != self.n_frames:
            raise UnfitFrameError(f"{self.path}: got frame {index}, expected {self.n_frames}; append every frame once")
        samples, row, found = samples_of(exchange), frame_row(exchange), result_row(index, results)
        with self._writing(f"write frame {index}") as file:
            if not self._datasets:
                self._create_datasets(file, exchange, samples, row, found)
            self._require_same_shapes(index, {**samples, "frames": row, "results": found})
            self._reserve(file, sum(array.nbytes for array in samples.values()))
            if index % GROW_FRAMES == 0:
                self._resize(index + GROW_FRAMES)
            for path, array in samples.items():
                self._datasets[path].id.write_direct_chunk((index, 0, 0), array)
            _write_row(self._datasets["results"], index, found)
            received = {name: capture.samples for name, capture in exchange.captures.items()}
            sent = {name: exchange.sent[name] for name in exchange.captures if name in exchange.sent}
            row["crc"] = frame_checksum(received, sent, row, found)
            row["written"] = 1
            _write_row(self._datasets["frames"], index, row)
            file.flush()
            self.n_frames += 1
            if self.n_frames % SYNC_FRAMES == 0:
                os.fsync(file.id.get_vfd_handle())

    def add_design(
        self, index_from: int, arrays: Mapping[str, ArrayLike], attributes: Mapping[str, str | float]
    ) -> None:
        """Store a design that is used from a frame on.

        Args:
            index_from: First frame that it is used in; not yet appended.
            arrays: Its arrays by name.
            attributes: Everything else by name, texts and numbers.

        Raises:
            UnfitFrameError: That frame is already written, or an array is not of numbers.
            RecordingWriteError: The disk is full or failed; all frames before are safe.
        """
        if index_from < self.n_frames:
            raise UnfitFrameError(
                f"{self.path}: a design from frame {index_from}, but {self.n_frames} frames are written"
            )
        checked = {
            name: check_numbers(f"design from frame {index_from}: {name}", array) for name, array in arrays.items()
        }
        with self._writing(f"write the design from frame {index_from}") as file:
            self._reserve(file, sum(array.nbytes for array in checked.values()))
            group = file["designs"].create_group(f"{len(file['designs']):06d}")
            for name, array in checked.items():
                group[name] = array
            group.attrs.update({**attributes, "index_from": index_from})
            group.attrs["crc"] = checksum(checked[name] for name in sorted(checked))
            file.flush()

    def close(self, status: str = "complete") -> None:
        """Drop the spare rows, write the status and let the file go; calling it again does nothing.

        Args:
            status: "complete", "interrupted" or "failed: <reason>".

        Raises:
            RecordingWriteError: The disk failed; the frames are safe, but the status may still say "running".
        """
        if self._file is None:
            return
        with self._writing(f"close the file as {status!r}") as file:
            self._file = None
            try:
                self._resize(self.n_frames)
                file.attrs["status"] = status
                file.flush()
                os.fsync(file.id.get_vfd_handle())
                size = file.id.get_filesize()
            finally:
                file.close()
            os.truncate(self.path, size)  # gives back what was reserved

    def __enter__(self) -> RecordingWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close with the status that tells how the `with` statement ended."""
        if error is None:
            self.close("complete")
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        try:
            self.close("interrupted" if interrupted else f"failed: {type(error).__name__}: {str(error)[:1000]}")
        except RecordingWriteError as second:
            error.add_note(str(second))  # the first error is the one to mend

    def _create_datasets(
        self,
        file: h5py.File,
        exchange: Exchange,
        samples: Mapping[str, NDArray[np.complex64]],
        row: NDArray[np.void],
        found: NDArray[np.generic],
    ) -> None:
        unknown = [name for name in (*exchange.captures, *exchange.sent) if name not in file["radios"]]
        if unknown or set(exchange.sent) - set(exchange.captures):
            raise UnfitFrameError(
                f"frame {exchange.index}: radios {', '.join(unknown) or 'that send'} are not among the recording's "
                f"({', '.join(file['radios'])}) or have no capture"
            )
        for path, array in samples.items():
            self._datasets[path] = _dataset(file, path, array, 1)
        self._datasets["results"] = _dataset(file, "results", found, GROW_FRAMES)
        frames = _dataset(file, "frames", row, GROW_FRAMES)  # made last, so that its index is flushed last
        frames.attrs.update({"radios": list(exchange.captures), "settings": setting_names(exchange)})
        if measured := measured_names(exchange):
            frames.attrs["measured"] = measured
        self._datasets["frames"] = frames

    def _require_same_shapes(self, index: int, rows: Mapping[str, NDArray[np.generic]]) -> None:
        kinds: dict[str, tuple[object, ...]] = {path: (row.shape, row.dtype) for path, row in rows.items()}
        self._kinds = self._kinds or kinds
        for path in {**self._kinds, **kinds}:
            if kinds.get(path) != self._kinds.get(path):
                raise UnfitFrameError(
                    f"frame {index}: {path} is {kinds.get(path)}, in the first frame it was {self._kinds.get(path)}; "
                    "a recording keeps its shapes: begin another one"
                )

    def _resize(self, frames: int) -> None:
        for dataset in self._datasets.values():
            dataset.resize(frames, axis=0)

    @staticmethod
    def _reserve(file: h5py.File, size: int) -> None:
        """Have the disk refuse now rather than in the midst of HDF5's own tables, which would cost earlier frames."""
        os.posix_fallocate(file.id.get_vfd_handle(), file.id.get_filesize(), size + INDEX_BYTES)

    @contextmanager
    def _writing(self, what: str) -> Iterator[h5py.File]:
        """Give the file; turn a failure of the disk into an error that says what is safe."""
        if self._file is None:
            raise RecordingWriteError(f"{self.path}: cannot {what}: the recording is closed")
        try:
            yield self._file
        except (OSError, RuntimeError) as error:  # h5py raises either
            if isinstance(error, RecordingWriteError):
                raise
            raise RecordingWriteError(
                f"{self.path}: could not {what}: {error}; {self.n_frames} frames are safe; free some space"
            ) from error


def _write_row(dataset: h5py.Dataset, index: int, row: NDArray[np.generic]) -> None:
    """Write one row of many fields; h5py's own indexing takes ten times as long over it."""
    import h5py

    space = dataset.id.get_space()
    space.select_hyperslab((index,), (1,))
    dataset.id.write(h5py.h5s.create_simple((1,)), space, row.reshape(1), h5py.h5t.py_create(row.dtype))


def _require_unused(path: Path) -> None:
    """Raise BlockingIOError if another program has a file open: HDF5 would empty it first, and look afterwards."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _dataset(file: h5py.File, path: str, row: NDArray[np.generic], chunk_frames: int) -> h5py.Dataset:
    chunks = (chunk_frames, *row.shape)
    return file.create_dataset(path, (0, *row.shape), row.dtype, maxshape=(None, *row.shape), chunks=chunks)
