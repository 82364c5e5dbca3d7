from recordings.capture import Capture

__all__ = ["Capture"]
