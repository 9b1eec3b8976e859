"""Synthetic hand motion from way-points: straight lines at constant speed, stops, fingers that open and close."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.skills.motion import Trajectory

OPEN, HOLD = 0.08, 0.045
STEP = 0.025  # m per frame of free motion


@dataclass
class Hand:
    """Builds a trajectory at 10 Hz; every method returns the frame at which what follows begins."""

    place: np.ndarray = field(default_factory=lambda: np.array([0.4, 0.0, 0.2]))
    width: float = OPEN
    positions: list[np.ndarray] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    commands: list[np.ndarray] = field(default_factory=list)

    def stay(self, frames: int, push: tuple[float, float, float] = (0, 0, 0)) -> int:
        """Stand still; ``push``: the commanded motion that does not happen [m]."""
        for _ in range(frames):
            self._add(np.array(push, float))
        return len(self.positions)

    def go(self, x: float, y: float, z: float, step: float = STEP) -> int:
        """Move in a straight line, commanding twice what is achieved (as a lagging controller does)."""
        goal = np.array([x, y, z])
        while np.linalg.norm(goal - self.place) > 1e-9:
            way = goal - self.place
            move = way * min(1.0, step / float(np.linalg.norm(way)))
            self._add(2 * move)
            self.place = self.place + move
        return len(self.positions)

    def fingers(self, width: float, frames: int = 4) -> int:
        """Open or close while standing still."""
        for value in np.linspace(self.width, width, frames + 1)[1:]:
            self.width = float(value)
            self._add(np.zeros(3))
        return len(self.positions)

    def carry(self, start: tuple[float, float], goal: tuple[float, float], pause: int = 2) -> int:
        """Grasp at ``start``, put down at ``goal``, retreat, stay for ``pause`` frames; gives the frame after that."""
        self.go(*start, 0.2)
        self.go(*start, 0.02)
        self.fingers(HOLD)
        self.go(*start, 0.15)
        self.go(*goal, 0.15)
        self.go(*goal, 0.02)
        self.fingers(OPEN)
        self.go(*goal, 0.15)
        return self.stay(pause)

    def trajectory(self, fps: float = 10.0, contact: np.ndarray | None = None) -> Trajectory:
        """What was built."""
        return Trajectory(np.array(self.positions), np.array(self.widths), np.array(self.commands), fps, contact)

    def _add(self, command: np.ndarray) -> None:
        self.positions.append(self.place.copy())
        self.widths.append(self.width)
        self.commands.append(command)
