"""How fast each joint may be so that the end effector stays below its cap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.types import Joints, Vector

_AIM = 0.9
"""Share of the cap that the joints' velocities are shared out for: joints that change their speed each at its own
pace are, in between, a little faster together than before and after."""
_CATCH_UP_S = 0.02
"""An arm that lags behind its reference is taken to want to be there after this long."""
_SPARE = 0.02
"""Share of its own limit that a joint may always use, or one that hardly moves could not correct itself."""


class Bound(NamedTuple):
    """velocity: [N] rad/s, largest for each joint; wanted: m/s, the end effector's speed without a cap."""

    velocity: Joints
    wanted: float


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


def bound(limits: Joints, rows: Rows | None, cap: float, state: MotionState, reference: ReferenceState) -> Bound:
    """Velocities [N] <= limits [N]; where the cap would be broken, in the proportions of the wanted motion.

    The same share for every joint keeps the arm on its way, only slower. Without a Jacobian there is no cap.
    """
    if rows is None:
        return Bound(limits, 0.0)
    wish = [
        (speed if smooth else 0.0) + (there - here) / _CATCH_UP_S
        for smooth, speed, there, here in zip(
            reference.smooth, reference.velocity, reference.next_position, state.position
        )
    ]
    # The joints' own limits come first: a far reference does not make the arm as fast as it is far.
    slower = min(1.0, *(limit / max(abs(rate), 1e-12) for limit, rate in zip(limits, wish)))
    wanted = eef_speed(rows, wish) * slower
    if wanted <= _AIM * cap:
        return Bound(limits, wanted)
    share = slower * _AIM * cap / wanted
    return Bound([min(limit, max(share * abs(rate), _SPARE * limit)) for limit, rate in zip(limits, wish)], wanted)
