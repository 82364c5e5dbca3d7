"""Several radios as one exchange: armed, started together, collected, and silenced first if anything goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from drivers.errors import InvalidSamplesError
from drivers.radio import Radio
from recordings import Capture

__all__ = ["exchange"]


def exchange(
    radios: Mapping[str, Radio], bursts: Mapping[str, NDArray[np.complex64]], n_samples: int, start_s: float
) -> dict[str, Capture]:
    """Send bursts from some radios and receive on all of them, starting at one device time.

    Args:
        radios: Configured radios by name.
        bursts: What each transmitting radio sends, (n_tx, n), magnitude up to 1; radios not named send nothing.
        n_samples: Samples to receive on every channel.
        start_s: Device time of the first sample.

    Returns:
        One capture per radio, in the radios' order.

    Raises:
        DriverError: Whatever a radio raised; all radios are silent by then.
    """
    for name in bursts:
        if name not in radios:
            raise InvalidSamplesError(f"a burst for radio {name}; the radios are {', '.join(radios)}")
    nothing = np.zeros((0, 0), dtype=np.complex64)
    try:
        for name, radio in radios.items():
            radio.arm(bursts.get(name, nothing), n_samples, start_s)
        return {name: radio.collect() for name, radio in radios.items()}
    except BaseException as error:
        _silence(radios, error)
        raise


def _silence(radios: Mapping[str, Radio], error: BaseException) -> None:
    """Silence all radios at the same time: one that is gone, or slow, must not keep the others on the air."""
    with ThreadPoolExecutor(max(len(radios), 1)) as pool:
        silencing = {name: pool.submit(radio.silence) for name, radio in radios.items()}
    for name, one in silencing.items():
        if another := one.exception():
            error.add_note(f"radio {name} could not be silenced: {another}")
