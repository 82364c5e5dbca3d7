"""Which Python can import UHD: this one, the system's, or the one that the address names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from drivers.errors import VendorLibraryError

__all__ = ["interpreter_with_uhd"]

SYSTEM = "/usr/bin/python3"  # Debian's, for which python3-uhd is made
PATIENCE_S = 30.0
INSTALL = "as root, apt-get install --no-install-recommends python3-uhd uhd-host"
_QUESTION = """
import json
answer = {"numpy": "", "trouble": ""}
try:
    import numpy
    answer["numpy"] = numpy.__version__
    import uhd
    uhd.usrp.MultiUSRP
except (ImportError, AttributeError) as error:
    answer["trouble"] = f"{type(error).__name__}: {error}"
    answer["missing"] = isinstance(error, ModuleNotFoundError) and error.name in ("uhd", "numpy")
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class _Found:
    """What an interpreter said: whether it can import UHD, whether UHD is there at all, and why not."""

    able: bool
    there: bool
    why: str


@cache
def interpreter_with_uhd(named: str = "") -> str:
    """Return the path of an interpreter that can import UHD.

    Args:
        named: The one to use; empty for the first that can.

    Raises:
        VendorLibraryError: None can; the message says which were tried and what to install.
    """
    tried: list[str] = []
    for place in [named] if named else _candidates():
        found = _ask(place)
        if found.able:
            return place
        tried.append(f"{place}: {found.why}")
        if found.there:  # it has UHD, and something else is wrong: that is what to mend
            raise VendorLibraryError(f"UHD cannot be used: {tried[-1]}")
    raise VendorLibraryError(
        f"no Python here has UHD ({'; '.join(tried)}); {INSTALL}, or name one: usrp:...,python=PATH"
    )


def _candidates() -> Iterator[str]:
    seen = set()
    for place in (sys.executable, SYSTEM, shutil.which("python3")):
        if place and place not in seen:
            seen.add(place)
            yield place


def _ask(place: str) -> _Found:
    if not Path(place).is_file():
        return _Found(able=False, there=False, why="there is no such file")
    command = [place, "-c", _QUESTION]
    try:
        done = subprocess.run(  # noqa: S603  (an interpreter that the user named, or the system's)
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError) as error:
        return _Found(able=False, there=False, why=f"it is no Python ({type(error).__name__})")
    if not answer["trouble"]:
        return _Found(able=True, there=True, why="")
    if answer["missing"]:
        return _Found(able=False, there=False, why=answer["trouble"])
    if int(answer["numpy"].partition(".")[0] or 0) >= 2:
        why = f"its UHD was built for NumPy 1, it has NumPy {answer['numpy']}; pip install 'numpy<2' there"
        return _Found(able=False, there=True, why=why)
    why = f"{answer['trouble']}; its UHD is broken: install it again ({INSTALL}), or name another: usrp:...,python=PATH"
    return _Found(able=False, there=True, why=why)
