"""A frame as rows of the file's datasets: what is checked and packed before anything is written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordings.errors import UnfitFrameError
from recordings.exchange import Exchange

__all__ = ["check_numbers", "frame_row", "measured_names", "result_row", "samples_of", "setting_names"]

FLAGS_BYTES = 64  # a fixed width keeps rows alike


def samples_of(exchange: Exchange) -> dict[str, NDArray[np.complex64]]:
    """Return all samples of an exchange by the path of their dataset.

    Raises:
        UnfitFrameError: Samples are empty or not finite.
    """
    samples = {f"radios/{name}/received": capture.samples for name, capture in exchange.captures.items()}
    samples |= {f"radios/{name}/sent": sent for name, sent in exchange.sent.items()}
    for path, array in samples.items():
        _, radio, kind = path.split("/", 2)
        check_numbers(f"frame {exchange.index}: what radio {radio} {kind}", array)
    exchange.require_finite()
    return samples


def setting_names(exchange: Exchange) -> list[str]:
    """Return the names of all settings, the same for every radio, sorted.

    Raises:
        UnfitFrameError: Radios have different settings.
    """
    kinds = {tuple(sorted(capture.settings)) for capture in exchange.captures.values()}
    if len(kinds) > 1:
        raise UnfitFrameError(
            f"frame {exchange.index}: radios report different settings: {sorted(kinds)}; report the same"
        )
    return list(kinds.pop()) if kinds else []


def measured_names(exchange: Exchange) -> list[str]:
    """Return the names of everything that any radio's driver measured, sorted."""
    return sorted({name for capture in exchange.captures.values() for name in capture.measured})


def frame_row(exchange: Exchange) -> NDArray[np.void]:
    """Return the row of `/frames`: what goes with the samples of all captures; crc and written are still 0.

    Raises:
        UnfitFrameError: A capture is under another radio's name, settings are none or differ, or flags do not fit.
    """
    names, measured, radios = setting_names(exchange), measured_names(exchange), exchange.captures
    if not names:
        raise UnfitFrameError(f"frame {exchange.index}: no capture has settings; a recording stores them as read back")
    row = np.zeros(
        (),
        dtype=[
            ("start_s", np.float64, (len(radios),)),
            ("settings", np.float64, (len(radios), len(names))),
            ("flags", f"S{FLAGS_BYTES}", (len(radios),)),
            *([("measured", np.float64, (len(radios), len(measured)))] if measured else []),
            ("crc", np.uint32),
            ("written", np.uint8),
        ],
    )
    for k, (name, capture) in enumerate(radios.items()):
        flags = " ".join(capture.flags).encode()
        if capture.radio != name or len(flags) > FLAGS_BYTES or tuple(flags.decode().split()) != capture.flags:
            raise UnfitFrameError(
                f"frame {exchange.index}: capture {name} of radio {capture.radio} with flags {capture.flags}: "
                f"name it after its radio; flags are single words of together at most {FLAGS_BYTES} bytes"
            )
        row["start_s"][k] = capture.start_s
        row["settings"][k] = [capture.settings[setting] for setting in names]
        row["flags"][k] = flags
        if measured:
            row["measured"][k] = [capture.measured.get(one, np.nan) for one in measured]
    return row


def result_row(index: int, results: Mapping[str, ArrayLike]) -> NDArray[np.generic]:
    """Return all results as one row with a field per result, or a single 0 if there are none.

    Raises:
        UnfitFrameError: A result is not made of numbers.
    """
    if not results:
        return np.zeros((), dtype=np.uint8)
    arrays = {name: check_numbers(f"frame {index}: result {name}", value) for name, value in results.items()}
    row = np.zeros((), dtype=[(name, array.dtype, array.shape) for name, array in arrays.items()])
    for name, array in arrays.items():
        row[name] = array
    return row


def check_numbers(what: str, value: ArrayLike) -> NDArray[np.generic]:
    """Return a value as an array of numbers; truth values become 0 and 1.

    Raises:
        UnfitFrameError: It is text or an object, or has no elements.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or array.size == 0:
        raise UnfitFrameError(
            f"{what} is {array.dtype} of shape {array.shape}; a recording takes numbers and non-empty arrays of them"
        )
    return array.astype(np.uint8) if array.dtype == np.bool_ else array
