"""How fast each joint may be so that the end effector stays below its cap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.types import Vector

_AIM = 0.9
"""Share of the cap that the joints' velocities are shared out for: joints that change their speed each at its own
pace are, in between, a little faster together than before and after."""
_CATCH_UP_S = 0.02
"""An arm that lags behind its reference is taken to want to be there after this long."""
_SPARE = 0.02
"""Share of its own limit that a joint may always use, or one that hardly moves could not correct itself."""


@dataclass(frozen=True, eq=False)
class Bound:
    """velocity: [N] rad/s, largest for each joint; wanted: m/s, the end effector's speed without a cap."""

    velocity: Vector
    wanted: float


def eef_speed(jacobian: Vector, velocity: Vector) -> float:
    """Speed of the end effector [m/s] for joint velocities [N], the largest for [N, count]; jacobian [6, N]."""
    return math.sqrt(float(np.square(jacobian[:3] @ velocity).sum(0).max()))


def bound(limits: Vector, jacobian: Vector | None, cap: float, state: MotionState, reference: ReferenceState) -> Bound:
    """Velocities [N] <= limits [N]; where the cap would be broken, in the proportions of the wanted motion.

    The same share for every joint keeps the arm on its way, only slower. Without a jacobian there is no cap.
    """
    if jacobian is None:
        return Bound(limits, 0.0)
    moving = np.where(reference.smooth, reference.velocity, 0.0)
    wish = moving + (reference.next_position - state.position) / _CATCH_UP_S
    size = np.abs(wish)
    # The joints' own limits come first: a far reference does not make the arm as fast as it is far.
    slower = min(1.0, float(np.min(limits / np.maximum(size, 1e-12))))
    wanted = eef_speed(jacobian, wish) * slower
    if wanted <= _AIM * cap:
        return Bound(limits, wanted)
    share = slower * _AIM * cap / wanted
    return Bound(np.minimum(limits, np.maximum(share * size, _SPARE * limits)), wanted)
