"""Captures, and the files that hold them (see `recordings.layout`); HDF5 is imported when a file is opened."""

from recordings.capture import Capture
from recordings.errors import (
    CorruptRecordingError,
    RecordingError,
    RecordingExistsError,
    RecordingFormatError,
    RecordingWriteError,
    UnfitFrameError,
)
from recordings.exchange import Exchange, StoredDesign
from recordings.reader import Recording
from recordings.writer import RecordingWriter

__all__ = [
    "Capture",
    "CorruptRecordingError",
    "Exchange",
    "Recording",
    "RecordingError",
    "RecordingExistsError",
    "RecordingFormatError",
    "RecordingWriteError",
    "RecordingWriter",
    "StoredDesign",
    "UnfitFrameError",
]
