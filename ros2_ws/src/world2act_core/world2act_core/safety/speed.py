"""How fast the joints may be so that the end effector stays below its cap."""

from __future__ import annotations

import math

import numpy as np

from world2act_core.safety import arithmetic
from world2act_core.safety.types import Vector

_AIM = 0.9
"""Share of the cap that is aimed for: joints that change their speed are, in between, a little faster together than
before and after."""


class Pace:
    """How fast the arm may be.

    velocity: [N] > 0 rad/s of each joint; rows: the linear half of the Jacobian at the pose, [3, N] m/s per joint
    velocity; cap: of the end effector, m/s. Without rows there is no cap.
    """

    def __init__(self, velocity: Vector, rows: Vector | None, cap: float) -> None:
        self.velocity = velocity
        self.rows: Vector = np.zeros((3, len(velocity))) if rows is None else rows
        self.fastest = math.inf if rows is None else _AIM * cap
        """What is aimed for, m/s."""

    def look(self, velocity: Vector) -> tuple[float, float]:
        """The largest share, at most 1, of joint velocities [N] that joints and end effector may have; and what the end
        effector would do [m/s] if there were limits of the joints alone, 0 without rows.

        One share for every joint keeps the arm on its way, only slower.
        """
        share, speed = arithmetic.share_of(velocity, self.velocity, self.rows, self.fastest)
        return share, speed
