"""From what a driver publishes to the measured joints of one arm, in the profile's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class JointReadingError(ValueError):
    """Joint states that do not say where the arm is; the text names the joints."""


@dataclass(frozen=True, eq=False)
class JointReading:
    """Measured joints of one instant: position [N] rad, velocity [N] rad/s (None: not measured), stamp [ns]."""

    stamp_ns: int
    position: Vector
    velocity: Vector | None


class JointReader:
    """Picks the joints of `names` out of a driver's joint states; others (gripper, a second arm) are left alone."""

    def __init__(self, names: Sequence[str]) -> None:
        if not names or len(set(names)) != len(names):
            raise ValueError(f"need joint names, each once, got {list(names)}")
        self._names = tuple(names)

    def read(
        self, stamp_ns: int, names: Sequence[str], position: Sequence[float], velocity: Sequence[float] = ()
    ) -> JointReading:
        """One message's fields -> the reading.

        Raises JointReadingError: a joint is missing or there twice, the lengths differ, a value is not finite.
        """
        where = {name: index for index, name in enumerate(names)}
        missing = [name for name in self._names if name not in where]
        if missing:
            has = ", ".join(names) or "none"
            raise JointReadingError(
                f"JointState has no joint {', '.join(missing)}; it has: {has}. Correct `joints` of the robot profile, "
                f"or the driver's prefix"
            )
        twice = [name for name in self._names if list(names).count(name) > 1]
        if twice:
            raise JointReadingError(f"JointState names {', '.join(twice)} twice: two drivers publish on one topic")
        if len(position) != len(names) or len(velocity) not in (0, len(names)):
            raise JointReadingError(
                f"JointState has {len(names)} names, {len(position)} positions and {len(velocity)} velocities"
            )
        chosen = [where[name] for name in self._names]
        found = self._finite("position", [position[index] for index in chosen])
        speed = self._finite("velocity", [velocity[index] for index in chosen]) if len(velocity) else None
        return JointReading(stamp_ns, found, speed)

    def _finite(self, field: str, values: Sequence[float]) -> Vector:
        vector = np.array(values, dtype=np.float64)
        wrong = [f"{name} {value}" for name, value in zip(self._names, vector) if not np.isfinite(value)]
        if wrong:
            raise JointReadingError(f"JointState.{field} is not a number: {', '.join(wrong)}")
        return vector
