"""The names of what can be wrong with a camera, worst first."""

from __future__ import annotations

from dataclasses import dataclass

AWAY = "CAMERA_AWAY"
SILENT = "CAMERA_SILENT"
UNCALIBRATED = "CAMERA_UNCALIBRATED"
INVALID = "CAMERA_INVALID"
WRONG_SIZE = "CAMERA_WRONG_SIZE"
CLOCK = "CAMERA_CLOCK"
LATE = "CAMERA_LATE"
BLACK = "CAMERA_BLACK"
SATURATED = "CAMERA_SATURATED"
FROZEN = "CAMERA_FROZEN"

FAULTS = (AWAY, SILENT, UNCALIBRATED, INVALID, WRONG_SIZE, CLOCK, LATE, BLACK, SATURATED, FROZEN)


@dataclass(frozen=True)
class Finding:
    """What is wrong with a camera or with one of its pictures: a name of FAULTS, and a sentence for a person."""

    name: str
    text: str


class FaultLatch:
    """Turns findings about single pictures into a fault with hysteresis.

    A fault begins with `enter` findings of one name in a row and is over after `leave` pictures in a row without any.
    Another name takes over once it has been found `enter` times in a row.
    """

    def __init__(self, enter: int = 3, leave: int = 5) -> None:
        if min(enter, leave) < 1:
            raise ValueError(f"enter and leave must be at least 1, got {enter} and {leave}")
        self._enter = enter
        self._leave = leave
        self._candidate = ""
        self._found = 0
        self._good = 0
        self.fault: Finding | None = None

    def update(self, finding: Finding | None, at_once: bool = False) -> None:
        """Take the finding about one picture; `at_once`: no need to see it again."""
        if finding is None:
            self._candidate, self._found = "", 0
            self._good += 1
            if self._good >= self._leave:
                self.fault = None
        else:
            self._good = 0
            self._found = self._found + 1 if finding.name == self._candidate else 1
            self._candidate = finding.name
            known = self.fault is not None and self.fault.name == finding.name
            if not known and (at_once or self._found >= self._enter):
                self.fault = finding
