"""The only module that imports UHD, and what its exceptions mean."""

from __future__ import annotations

from typing import Any

__all__ = ["Failure", "library", "translated"]


class Failure(Exception):  # noqa: N818  it travels to the driver, which makes one of its errors of it
    """Something that the driver shall raise: a kind that it knows, and what to say."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def library() -> Any:
    """Return the module `uhd`.

    Raises:
        Failure: It is missing, or half of it is: an extension that was built for another NumPy.
    """
    try:
        import uhd

        uhd.usrp.MultiUSRP, uhd.types.TimeSpec  # noqa: B018  half an import has no such names
    except (ImportError, AttributeError) as error:
        raise Failure("library", f"{type(error).__name__}: {error}") from error
    return uhd


def translated(error: RuntimeError, doing: str) -> Failure:
    """Return what to tell the driver of an exception of UHD, which are all RuntimeErrors that begin with a class."""
    text = " ".join(str(error).split())
    if text.startswith("LookupError"):
        kind = "not found"
    elif text.startswith(("EnvironmentError", "RuntimeError: link dead", "RuntimeError: no control response")):
        kind = "lost"
    elif "fifo ctrl timed out" in text:
        kind = "lost"
    else:
        kind = "state"
    if "Host not found" in text:  # the C library answers nothing, not even for numbers, to a machine without a network
        text += "; a machine that is on no network needs an address besides 127.0.0.1: ip addr add 127.0.0.2/8 dev lo"
    return Failure(kind, f"{doing}: {text}")
