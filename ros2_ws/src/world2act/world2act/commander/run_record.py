"""What speaks for a bundle after a run with it: the arm has moved for a while, and nothing had to stop it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROVEN_S: Final = 10.0
"""So long the arm has to have followed the bundle's chunks."""


@dataclass
class RunRecord:
    """moved_s: how long the arm followed chunks; faulted: something was latched since it began to; simulated: there was
    no arm at all, and a simulated one says nothing about a real one."""

    moved_s: float = 0.0
    faulted: bool = False
    simulated: bool = False

    def moved(self, seconds: float) -> None:
        """The arm followed a chunk for so long."""
        self.moved_s += seconds

    def latched(self, anything: bool) -> None:
        """Whether something is latched now. What was before the first motion (an emergency stop that is tried out, a
        driver that was not up yet) says nothing about a bundle."""
        self.faulted |= anything and self.moved_s > 0.0

    @property
    def speaks_for_the_bundle(self) -> bool:
        """Whether the next run need not be slow."""
        return self.moved_s >= PROVEN_S and not self.faulted and not self.simulated
