"""From what a driver says about a gripper to how far its fingertips are apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GripperScale:
    """A straight line between the two ends of the gripper's way.

    reading_*: sum of the positions of the gripper's joints [m or rad], in either order. width_*: distance between the
    fingertips [m]. Raises ValueError when the readings are equal or the width does not grow from closed to open.
    """

    reading_open: float
    reading_closed: float
    width_open: float
    width_closed: float

    def __post_init__(self) -> None:
        if self.reading_open == self.reading_closed:
            raise ValueError(f"reading_open and reading_closed are both {self.reading_open}: they must differ")
        if not self.width_closed < self.width_open:
            raise ValueError(f"width_closed {self.width_closed} must be below width_open {self.width_open}")

    def width(self, reading: float) -> float:
        """Distance between the fingertips [m], not clipped; bit for bit the reading where that is the distance."""
        # The slope first: of readings in metres it is exactly one, and nothing is rounded.
        slope = (self.width_open - self.width_closed) / (self.reading_open - self.reading_closed)
        return self.width_closed + slope * (reading - self.reading_closed)
