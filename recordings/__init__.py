"""Captures, and the files that hold them."""

from recordings.capture import Capture

__all__ = ["Capture"]
