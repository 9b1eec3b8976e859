"""How fast the joints may be so that the end effector stays below its cap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from world2act_core.safety.types import Joints, Vector

_AIM = 0.9
"""Share of the cap that is aimed for: joints that change their speed are, in between, a little faster together than
before and after."""

Rows = tuple[Joints, Joints, Joints]
"""How the end effector moves along x, y and z, [3, N] m/s per joint velocity: the upper half of a Jacobian."""


def linear(jacobian: Vector) -> Rows:
    """The rows of a Jacobian [6, N] that are linear."""
    x, y, z = jacobian[:3].tolist()
    return x, y, z


def levers(rows: Rows) -> Joints:
    """How fast each joint alone moves the end effector, [N] m/s per joint velocity."""
    return [math.sqrt(x * x + y * y + z * z) for x, y, z in zip(*rows)]


def dot(first: Sequence[float], second: Sequence[float]) -> float:
    """Sum of the products."""
    return sum(map(mul, first, second))


def eef_speed(rows: Rows, velocity: Joints) -> float:
    """Speed of the end effector [m/s] for joint velocities [N]."""
    along_x, along_y, along_z = rows
    x, y, z = dot(along_x, velocity), dot(along_y, velocity), dot(along_z, velocity)
    return math.sqrt(x * x + y * y + z * z)


class Pace(NamedTuple):
    """How fast the arm may be. velocity: [N] > 0 rad/s of each joint; rows: of the Jacobian at the pose; cap: m/s.

    Without rows there is no cap.
    """

    velocity: Joints
    rows: Rows | None
    cap: float

    def look(self, velocity: Joints) -> tuple[float, float]:
        """The largest share, at most 1, of joint velocities [N] that joints and end effector may have; and what the end
        effector would do [m/s] if there were limits of the joints alone, 0 without rows.

        One share for every joint keeps the arm on its way, only slower.
        """
        share = 1.0
        for most, rate in zip(self.velocity, velocity):
            if abs(rate) * share > most:
                share = most / abs(rate)
        if self.rows is None:
            return share, 0.0
        speed = eef_speed(self.rows, velocity)
        fastest = _AIM * self.cap
        return share if share * speed <= fastest else fastest / speed, share * speed
