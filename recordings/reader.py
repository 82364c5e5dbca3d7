"""Reading a recording: only rows that are whole, and nothing that is not what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recordings.capture import Capture
from recordings.errors import CorruptRecordingError, RecordingError, RecordingFormatError
from recordings.exchange import Exchange, StoredDesign
from recordings.layout import FORMAT, FORMAT_VERSION, checksum, frame_checksum

if TYPE_CHECKING:
    import h5py

__all__ = ["Recording"]


class Recording:
    """A recording being read; a context manager."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self.status = str(file.attrs["status"])
        self.scenario_text = str(file.attrs["scenario"])
        self.seed = int(file.attrs["seed"])
        self.versions: Mapping[str, str] = {name: str(value) for name, value in file["versions"].attrs.items()}
        self.radios: Mapping[str, Mapping[str, str | float]] = {
            name: {key: _plain(value) for key, value in group.attrs.items()} for name, group in file["radios"].items()
        }
        self.n_frames = self._whole_frames()

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Open a recording.

        Raises:
            RecordingFormatError: There is no such file, it is no recording, or of a newer format.
            CorruptRecordingError: It is damaged beyond its rows.
        """
        import h5py

        path = Path(path)
        if not path.is_file():
            raise RecordingFormatError(f"{path}: {'this is a folder' if path.is_dir() else 'no such file'}")
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise RecordingFormatError(f"{path} cannot be opened as a recording: {_why_closed(path, error)}") from error
        try:
            with _reading(f"{path}: parts of it"):
                _require_format(path, file)
                return cls(path, file)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Recording:
        """Return the recording itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._file.close()

    # ---------------------------------------------------------------- frames

    def exchange(self, index: int) -> Exchange:
        """Return one frame's samples.

        Raises:
            IndexError: There is no such frame.
            CorruptRecordingError: The frame is not what was written.
        """
        if not 0 <= index < self.n_frames:
            raise IndexError(f"{self.path}: frame {index} of {self.n_frames}")
        with _reading(f"{self.path}: frame {index}"):
            received = {name: _frame(dataset, index) for name, dataset in self._received.items()}
            sent = {name: _frame(dataset, index) for name, dataset in self._sent.items()}
            return self._checked(index, received, sent)

    def _checked(
        self, index: int, received: Mapping[str, NDArray[np.complex64]], sent: Mapping[str, NDArray[np.complex64]]
    ) -> Exchange:
        row = self._frames[index]
        if frame_checksum(received, sent, row, self._results[index]) != row["crc"]:
            raise CorruptRecordingError(
                f"{self.path}: frame {index} is not what was written (its checksum differs); do not use it"
            )
        captures = {
            name: Capture(
                name,
                received[name],
                float(row["start_s"][k]),
                self._settings(row, k),
                tuple(row["flags"][k].decode().split()),
                self._measured(row, k),
            )
            for k, name in enumerate(self._names)
        }
        return Exchange(index, sent, captures)

    def results(self, name: str) -> NDArray[np.generic]:
        """Return one result of all frames, (n_frames, ...)."""
        return np.asarray(self._results[name][: self.n_frames])

    @property
    def result_names(self) -> tuple[str, ...]:
        """Names of all results."""
        return tuple(self._results.dtype.names or ()) if self.n_frames else ()

    # --------------------------------------------------------------- designs

    @cached_property
    def designs(self) -> tuple[StoredDesign, ...]:
        """All precoders, in the order of their use."""
        with _reading(f"{self.path}: its designs"):
            return tuple(self._design(name) for name in sorted(self._file["designs"]))

    def design(self, index: int) -> StoredDesign | None:
        """Return the precoder in force at a frame, or None if there was none yet."""
        used = [design for design in self.designs if design.index_from <= index]
        return used[-1] if used else None

    def _design(self, name: str) -> StoredDesign:
        group = self._file["designs"][name]
        arrays = {key: np.asarray(dataset) for key, dataset in group.items()}
        attributes = {key: _plain(value) for key, value in group.attrs.items()}
        if checksum(arrays[key] for key in sorted(arrays)) != attributes.pop("crc", None):
            raise CorruptRecordingError(f"{self.path}: design {name} is not what was written (its checksum differs)")
        return StoredDesign(int(attributes.pop("index_from")), arrays, attributes)

    # ------------------------------------------------------------------ rows

    @cached_property
    def _names(self) -> list[str]:
        return [str(name) for name in self._file["frames"].attrs["radios"]]

    @cached_property
    def _setting_names(self) -> list[str]:
        return [str(name) for name in self._file["frames"].attrs["settings"]]

    @cached_property
    def _measured_names(self) -> list[str]:
        return [str(name) for name in self._file["frames"].attrs.get("measured", [])]

    @cached_property
    def _received(self) -> Mapping[str, h5py.Dataset]:
        return {name: self._file[f"radios/{name}/received"] for name in self._names}

    @cached_property
    def _sent(self) -> Mapping[str, h5py.Dataset]:
        paths = {name: f"radios/{name}/sent" for name in self._names}
        return {name: self._file[path] for name, path in paths.items() if path in self._file}

    @cached_property
    def _frames(self) -> NDArray[np.void]:
        return _readable(self._file["frames"])

    @cached_property
    def _results(self) -> NDArray[np.void]:
        return _readable(self._file["results"])

    def _settings(self, row: NDArray[np.void], k: int) -> Mapping[str, float]:
        return dict(zip(self._setting_names, map(float, row["settings"][k]), strict=True))

    def _measured(self, row: NDArray[np.void], k: int) -> Mapping[str, float]:
        """Return what a driver measured; NaN stands for what it did not. Files of version 1 have none."""
        values = map(float, row["measured"][k]) if self._measured_names else ()
        pairs = zip(self._measured_names, values, strict=True)
        return {name: value for name, value in pairs if not np.isnan(value)}

    def _whole_frames(self) -> int:
        """Count whole rows from the front; a last row torn by a kill does not count."""
        if "frames" not in self._file:
            return 0
        written = self._frames["written"][: len(self._results)]
        count = int(np.argmin(written)) if not written.all() else len(written)
        self.n_frames = count
        while self.n_frames and not self._is_whole(self.n_frames - 1) and self.status == "running":
            self.n_frames -= 1
        return self.n_frames

    def _is_whole(self, index: int) -> bool:
        try:
            self.exchange(index)
        except CorruptRecordingError:
            return False
        return True


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn what h5py raises on damaged files, which is nearly anything, into one error."""
    try:
        yield
    except RecordingError:
        raise
    except (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CorruptRecordingError(f"{what} cannot be read, the file is damaged: {error}") from error


def _why_closed(path: Path, error: OSError) -> str:
    """Say what keeps HDF5 from opening a file."""
    if isinstance(error, BlockingIOError):
        return "another program is writing it; wait for its end"
    if isinstance(error, PermissionError):
        return "you may not read it"
    if path.stat().st_size == 0:
        return "it is empty"
    with path.open("rb") as file:
        known = file.read(4) == b"\x89HDF"
    return f"it was cut off or damaged ({error})" if known else "it is not an HDF5 file"


def _frame(dataset: h5py.Dataset, index: int) -> NDArray[np.complex64]:
    """Return one frame's samples; they are a chunk of the file, and reading it as such is ten times faster."""
    _, content = dataset.id.read_direct_chunk((index, 0, 0))
    return np.frombuffer(content, dtype=dataset.dtype).reshape(dataset.shape[1:])


def _readable(dataset: h5py.Dataset) -> NDArray[np.void]:
    """Return a table's readable rows: a kill while the file grew leaves rows beyond its end."""
    try:
        return np.asarray(dataset[:])
    except (OSError, RuntimeError):
        step = dataset.chunks[0]
        blocks = [np.zeros(0, dtype=dataset.dtype)]
        for first in range(0, len(dataset), step):
            try:
                blocks.append(np.asarray(dataset[first : first + step]))
            except (OSError, RuntimeError):
                break
        return np.concatenate(blocks)


def _require_format(path: Path, file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT:
        raise RecordingFormatError(f"{path} is an HDF5 file, but no recording of this testbed")
    version = int(file.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise RecordingFormatError(
            f"{path} has format version {version}; this testbed reads up to {FORMAT_VERSION}: update it"
        )


def _plain(value: object) -> str | float:
    """Return an attribute as a plain Python value."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float) else str(value)
