"""One instant of a joint motion: what the safety filter decides and a driver is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class JointMotion(Protocol):
    """Position [N] rad, velocity [N] rad/s and acceleration [N] rad/s^2 of N joints; a `SafetyDecision` is one."""

    @property
    def position(self) -> Vector: ...

    @property
    def velocity(self) -> Vector: ...

    @property
    def acceleration(self) -> Vector: ...


@dataclass(frozen=True, eq=False)
class JointPoint:
    """A `JointMotion` by itself; prismatic joints in m instead of rad."""

    position: Vector
    velocity: Vector
    acceleration: Vector

    @classmethod
    def at_rest(cls, position: Vector) -> JointPoint:
        """Standing still at `position` [N]."""
        here = np.array(position, dtype=np.float64)
        return cls(here, np.zeros_like(here), np.zeros_like(here))


REST_VELOCITY = 1e-6
REST_ACCELERATION = 1e-3
"""Below these a joint is at rest: what rounding leaves over must not keep an arm from holding."""


def is_at_rest(motion: JointMotion) -> bool:
    """Whether nothing moves and nothing is about to: hold has been reached."""
    still = np.abs(motion.velocity) <= REST_VELOCITY
    return bool(still.all() and (np.abs(motion.acceleration) <= REST_ACCELERATION).all())
