"""Which channels of USRPs keep their relative phase: from one tune to the next, and over tunes."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.usrp.addresses import Oscillators

__all__ = ["coherence", "kept_over_tunes"]

# Daughterboards whose synthesizers restart in phase at a timed tune (UHD manual, "Device Synchronization").
# Others draw a new phase at every tune. So may the channels of one AD936x: they share a synthesizer, not its dividers.
PHASE_KEEPING = ("SBX", "UBX")


def coherence(clock: str, boards: Sequence[str]) -> tuple[str, ...]:
    """Return a label per channel; those with equal labels keep their relative phase from one tune to the next.

    All synthesizers of a board are locked to its 10 MHz, so that their phases stand still against each other, wherever
    a tune has left them. Boards do the same on one external 10 MHz; disciplined oscillators wander, each on its own.

    Args:
        clock: Where the boards' 10 MHz comes from.
        boards: Serial number of the board of every channel.
    """
    return tuple("external-10MHz" if clock == "external" else board for board in boards)


def kept_over_tunes(
    clock: str, boards: Sequence[str], front_ends: Sequence[str], oscillators: Oscillators
) -> tuple[str, ...]:
    """Return a label per channel; those with equal labels have the same relative phase after another tune.

    Args:
        clock: Where the boards' 10 MHz comes from.
        boards: Serial number of the board of every channel.
        front_ends: What every channel's front end is called.
        oscillators: How they share oscillators.
    """
    labels = []
    for i, common in enumerate(coherence(clock, boards)):
        shared = oscillators.shared_by(i, boards)
        if shared:
            labels.append(f"{common}:{shared}")
        elif front_ends[i].startswith(PHASE_KEEPING):
            labels.append(common)
        else:
            labels.append(f"{boards[i]}:{i}")
    return tuple(labels)
