"""All virtual N210s of a scene: a rig per node, one medium, one air time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from drivers.simulated.scene import Scene
from drivers.virtual.air_time import PacedClock
from drivers.virtual.medium import Medium
from drivers.virtual.n210.board import Board
from drivers.virtual.n210.rig import Rig

__all__ = ["Site"]


class Site:
    """Rigs, on the network inside a `with` statement. Their time is the wall clock: UHD has its own deadlines."""

    def __init__(self, scene: Scene, addresses: Mapping[str, Sequence[str]]) -> None:
        """Make the boards.

        Args:
            scene: The physics that joins them.
            addresses: By node, a loopback address per board: one an antenna, as many as its larger array has.
        """
        clock = PacedClock()
        self.medium = Medium(scene)
        numbers = {node.name: (number, node) for number, node in enumerate(scene.nodes)}
        self.rigs = {
            name: Rig(numbers[name][1], numbers[name][0], places, scene, self.medium, lambda: clock.now(""))
            for name, places in addresses.items()
        }

    @property
    def boards(self) -> dict[str, Board]:
        """All boards, by address."""
        return {board.address: board for rig in self.rigs.values() for board in rig.boards}

    def __enter__(self) -> Site:
        """Put all boards on the network, or none."""
        try:
            for rig in self.rigs.values():
                rig.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take all boards off the network."""
        self.stop()

    def stop(self) -> None:
        """Take all boards off the network."""
        for rig in self.rigs.values():
            rig.stop()
