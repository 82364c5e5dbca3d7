"""Everything that can go wrong with a recording.

RecordingError
├── RecordingExistsError (FileExistsError)   the output file exists, and nobody said that it may be replaced
├── RecordingWriteError (OSError)            the disk is full or failed; the frames before are safe
├── RecordingFormatError (ValueError)        missing, not HDF5, no recording, or of a newer format
├── CorruptRecordingError (ValueError)       a recording, but not what was written
└── UnfitFrameError (ValueError)             a frame or design that must not be recorded, such as one with NaN samples
"""

from __future__ import annotations

__all__ = [
    "CorruptRecordingError",
    "RecordingError",
    "RecordingExistsError",
    "RecordingFormatError",
    "RecordingWriteError",
    "UnfitFrameError",
]


class RecordingError(Exception):
    """The root of all errors of this package."""


class RecordingExistsError(RecordingError, FileExistsError):
    """The output file exists, and nobody said that it may be replaced."""


class RecordingWriteError(RecordingError, OSError):
    """The disk is full or failed; the message says how many frames are safe."""


class RecordingFormatError(RecordingError, ValueError):
    """A file is missing, not HDF5, no recording, or of a newer format."""


class CorruptRecordingError(RecordingError, ValueError):
    """A recording is not what was written; the message says where."""


class UnfitFrameError(RecordingError, ValueError):
    """A frame or design must not be recorded: NaN samples, another shape than before, a number out of order."""
