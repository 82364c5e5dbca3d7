"""A million malformed lines: errors or closed connections, flat memory, and another client that never notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import malformed
from pluto_emulated import emulated
from precoding_case import Check

__all__ = ["abuse"]

LINES = 1_000_000
SENDERS = 2
ALLOWED_MIB = 8.0


def abuse(scale: Callable[[int], int]) -> list[Check]:
    """Send malformed lines and lengths from several clients, while another asks for an attribute all the time."""
    lines = scale(LINES)
    sent, connections = [], []

    def send(seed: int, n: int) -> None:
        done, used = malformed.abuse(unit.ports["west"], n, seed)
        sent.append(done)
        connections.append(used)

    with emulated() as unit:
        send(0, lines // 20)  # what is allocated once: threads' stacks, caches
        before_mib = unit.resident_mib
        innocent = malformed.Innocent(unit.ports["west"])
        innocent.start()
        began = time.perf_counter()
        senders = [threading.Thread(target=send, args=(1 + i, lines // SENDERS)) for i in range(SENDERS)]
        peak_mib = before_mib
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            time.sleep(0.5)
            peak_mib = max(peak_mib, unit.resident_mib)
        took_s = time.perf_counter() - began
        innocent.enough.set()
        innocent.join()
        after_mib = unit.resident_mib
    print(f"  {sum(sent)} lines over {sum(connections)} connections in {took_s:.0f} s")
    print(f"  memory {before_mib:.1f} MiB before, {peak_mib:.1f} at most, {after_mib:.1f} after")
    grown = after_mib - before_mib
    return [
        Check("lines sent", f">= {lines}", str(sum(sent)), met=sum(sent) >= lines),
        Check("memory grown", f"<= {ALLOWED_MIB:g} MiB", f"{grown:.1f} MiB", met=grown <= ALLOWED_MIB),
        Check("wrong answers to the other client", "none", innocent.fault or f"none in {innocent.asked}",
              met=not innocent.fault and innocent.asked > 0),
    ]  # fmt: skip
