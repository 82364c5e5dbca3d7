"""The layout of a recording, and its checksums.

A recording is read with h5py and nothing of ours:

    /                          attributes: format, format_version, status, scenario (as written), seed
    ├── versions               attributes: the version of each program that a result depends on
    ├── radios
    │   └── <name>             attributes: model, serial, address and other facts
    │       ├── received       (frames, n_rx, n_samples) complex64, receiver full scale 1
    │       └── sent           (frames, n_tx, n_samples) complex64, full scale 1; only radios that transmit
    ├── frames                 attributes: radios, settings, measured (the order of the axes below)
    │                          (frames,) with the fields start_s (radios,), settings (radios, settings) as applied,
    │                          flags (radios,) words, crc, written (1: the row is whole); since version 2, if a driver
    │                          measured anything, measured (radios, measured), NaN where it did not
    ├── results                (frames,) with a field per result, of the result's own shape; truth values are 0 or 1
    └── designs
        └── <number>           datasets: its arrays; attributes: index_from (in force from that frame), crc, its own

For example `file["radios/west/received"][7]` or `file["results"]["angle_rad"]`.

status is "running" while a program writes, then "complete", "interrupted" or "failed: <reason>"; "running" in a file
that nobody writes tells of a kill. Such a file has spare rows at its end: only rows whose `written` is 1 count,
never a dataset's length. The samples' chunks are one frame each, uncompressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMAT", "FORMAT_VERSION", "checksum", "frame_checksum"]

FORMAT = "isac-testbed recording"
FORMAT_VERSION = 2  # 2: what drivers measured; 1 is read, too


def checksum(arrays: Iterable[NDArray[np.generic]]) -> int:
    """Return the CRC-32 of the bytes of arrays, one after the other."""
    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return total


def frame_checksum(
    received: Mapping[str, NDArray[np.complex64]],
    sent: Mapping[str, NDArray[np.complex64]],
    row: NDArray[np.void] | np.void,
    results: NDArray[np.generic] | np.generic,
) -> int:
    """Return the CRC-32 of all bytes of one frame.

    Args:
        received: Samples by radio, in the file's order of radios.
        sent: Samples by radio, in the file's order of radios.
        row: The frame's row of `/frames`; its fields crc and written do not count.
        results: The frame's row of `/results`.
    """
    fields = ("start_s", "settings", "flags", "measured")
    facts = (np.asarray(row[field]) for field in fields if field in (row.dtype.names or ()))
    return checksum((*received.values(), *sent.values(), *facts, np.asarray(results)))
