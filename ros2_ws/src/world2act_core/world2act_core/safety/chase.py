"""Going after a reference that cannot be followed as it is: all joints together, on the way that the reference takes.

The joints that could follow wait for the ones that cannot. Each at its own pace they would all be late by different
times, and the hand would leave its way: a shoulder that lags while the elbow does not lets a hand that should rise dip
into the table. So what is wanted of the joints is scaled as one vector, first its velocity, then its acceleration.
"""

from __future__ import annotations

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import arithmetic
from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.speed import Pace
from world2act_core.safety.types import Joints, Mask, Vector

_BRAKING_SHARE = 0.6
"""Share of the acceleration that an approach counts on for its end, so that there is some left for corrections."""
_TURN_S = 0.04
"""A joint uses no more acceleration than its jerk can build up in this time: it could not take it back soon enough."""


class Chase:
    """One period of the way to a reference, for every joint."""

    def __init__(self, limits: JointLimits) -> None:
        self._most = limits.rates
        _, acceleration, jerk = self._most
        self._usable = arithmetic.USED_SHARE * np.minimum(acceleration, _TURN_S * jerk)
        self._approach = _approach(_BRAKING_SHARE * self._usable, jerk)
        self._nowhere = np.zeros(limits.size)

    def step(
        self, state: MotionState, reference: ReferenceState, period_s: float, pace: Pace, away: Joints | None = None
    ) -> tuple[MotionState, Mask, float]:
        """The next state; [N]: for which joints it keeps their limits; and the end effector's speed without a cap, m/s.

        The wanted velocity is the reference's own and as much towards it as can be braked off again before it is
        reached; the wanted acceleration is what leads to that velocity. Both keep their direction when they are too
        large for one joint, and only become smaller. away: [N] m/rad, how a distance changes with each joint that must
        not become smaller; the wanted velocity then leads along and slowly away.
        """
        after, good = np.empty_like(state.values), np.empty(len(self._usable), dtype=np.bool_)
        speed = arithmetic.chase(
            state.values, reference.values, period_s, self._most, self._usable, self._approach,
            pace.velocity, pace.rows, pace.fastest, self._nowhere if away is None else np.array(away), after, good,
        )  # fmt: skip
        return MotionState(after), good, speed


def _approach(acceleration: Vector, jerk: Vector) -> Vector:
    """q, s [2, N]: sqrt(q^2 + s d) - q is the speed that acceleration and jerk take away over a distance d.

    From d = v / 2 (v / a + a / j), the way to rest.
    """
    return np.stack([acceleration * acceleration / (2 * jerk), 2 * acceleration])
