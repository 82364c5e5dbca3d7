"""Units at the end of names: `carrier_hz` is in Hz, and whoever writes `carrier_ghz` meant `carrier_hz`."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.scenario.limits import nearest

__all__ = ["meant_key", "unit_of"]

# Longer endings first, so that _m_s is not taken for _s.
_UNITS = {
    "_m_s": "m/s", "_symbols": "symbols", "_bits": "bits", "_dbi": "dBi", "_dbm": "dBm", "_deg": "degrees",
    "_ppm": "ppm", "_db": "dB", "_hz": "Hz", "_m2": "m^2", "_m": "m", "_s": "s",
}  # fmt: skip
_FOREIGN = (
    "_km_h", "_kmh", "_mps", "_dbsm", "_dbw", "_watt", "_mw", "_w", "_ghz", "_mhz", "_khz", "_rad", "_ms", "_us", "_ns",
    "_km", "_cm", "_mm", "_cm2", "_ppb",
)  # fmt: skip


def unit_of(key: str) -> str:
    """Return the unit that a key's ending says, or an empty string."""
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), "")


def meant_key(key: str, known: Sequence[str]) -> str | None:
    """Return the known key that an unknown one was meant to be: the same quantity in another unit, else the nearest."""
    same_quantity = (name for name in known if _quantity(name) == _quantity(key))
    return next(same_quantity, None) or nearest(key, known)


def _quantity(key: str) -> str:
    endings = [ending for ending in (*_UNITS, *_FOREIGN) if key.endswith(ending)]
    return key.removesuffix(max(endings, key=len, default=""))
