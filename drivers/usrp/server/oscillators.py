"""Oscillators shared between channels, where a device can: TwinRX, N310, N320 and N321."""

from __future__ import annotations

from typing import Any

from drivers.usrp.server.vendor import Failure

__all__ = ["share_oscillators"]

ALL = "all"  # UHD's word for every stage of a channel


def share_oscillators(usrp: Any, side: str, sources: list[str], exporting: list[int]) -> None:
    """Let channels take their oscillators from somewhere, and others put theirs out, which they do first.

    Nothing is set before it is known that all channels can.

    Args:
        usrp: UHD's MultiUSRP.
        side: "tx" or "rx".
        sources: By channel, (n,); none to leave all as they are.
        exporting: Channels that put theirs out.

    Raises:
        Failure: A channel cannot share, or not in this way; the text names it, and what it can.
    """
    n = getattr(usrp, f"get_{side}_num_channels")()
    if missing := [i for i in exporting if i >= n]:
        raise Failure("settings", f"{side}_lo_export names channel {missing[0]}, the last one is {n - 1}")
    sharing = {*exporting, *(i for i, source in enumerate(sources) if source != "internal")}
    stages = {i: _stages(usrp, side, i) for i in sorted(sharing | set(range(len(sources))))}
    for i in sorted(sharing):
        if not stages[i]:
            raise Failure(
                "settings", f"{_name(usrp, side, i)} cannot share its oscillator; leave {side}_lo and its export out"
            )
    able = {i: _able(usrp, side, i, source, stages[i]) for i, source in enumerate(sources) if stages[i]}
    for i in exporting:
        getattr(usrp, f"set_{side}_lo_export_enabled")(True, ALL, i)
    for i, those in able.items():
        _take(usrp, side, i, sources[i], those)


def _able(usrp: Any, side: str, channel: int, source: str, stages: dict[str, list[str]]) -> list[str]:
    """Return which stages of a channel can take an oscillator from there."""
    able = [stage for stage, offers in stages.items() if source in offers]
    if not able:
        offered = ", ".join(dict.fromkeys(one for offers in stages.values() for one in offers))
        raise Failure("settings", f"{_name(usrp, side, channel)} has no {side}_lo={source}; choose among {offered}")
    return able


def _take(usrp: Any, side: str, channel: int, source: str, able: list[str]) -> None:
    """Set where a channel takes its oscillator from, and see that every stage which can does."""
    getattr(usrp, f"set_{side}_lo_source")(source, ALL, channel)
    for stage in able:
        read = getattr(usrp, f"get_{side}_lo_source")(stage, channel)
        if read != source:
            raise Failure(
                "settings",
                f"{_name(usrp, side, channel)}: {side}_lo={source} was asked for and its {stage} stays {read}; "
                "is its cable the one that the maker names?",
            )


def _stages(usrp: Any, side: str, channel: int) -> dict[str, list[str]]:
    """Return the stages of a channel's oscillator, and where each can come from."""
    names = getattr(usrp, f"get_{side}_lo_names")(channel)
    return {name: list(getattr(usrp, f"get_{side}_lo_sources")(name, channel)) for name in names}


def _name(usrp: Any, side: str, channel: int) -> str:
    about = getattr(usrp, f"get_usrp_{side}_info")(channel)
    return f"{side} channel {channel} ({about[f'{side}_subdev_name']} of board {about['mboard_serial']})"
