"""Going after a reference that cannot be followed as it is: all joints together, on the way that the reference takes.

The joints that could follow wait for the ones that cannot. Each at its own pace they would all be late by different
times, and the hand would leave its way: a shoulder that lags while the elbow does not lets a hand that should rise dip
into the table. So what is wanted of the joints is scaled as one vector, first its velocity, then its acceleration.
"""

from __future__ import annotations

import math

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.speed import Pace, dot
from world2act_core.safety.tracking import constant_jerk, fits
from world2act_core.safety.types import Joints

_APPROACH_PER_S = 20.0
"""An error that is small dies out at this rate."""
_RESPONSE_PER_S = 60.0
"""The velocity comes to what is wanted at this rate, or in a period and two thirds if that takes longer."""
_RESPONSE_PERIODS = 0.6
_BRAKING_SHARE = 0.6
"""Share of the acceleration that an approach counts on for its end, so that there is some left for corrections."""
_TURN_S = 0.04
"""A joint uses no more acceleration than its jerk can build up in this time: it could not take it back soon enough."""
_SHARE = 0.99
"""Share of a limit that is used: what is wanted is wanted for the period's end, and rounding and turns come on top."""
_AWAY_M_S = 0.02
"""How fast the arm comes away from what it must not come nearer to."""
_LEAP = 2.0
"""A reference faster than this many times the limit has leapt: its velocity means nothing."""


class Chase:
    """One period of the way to a reference, for every joint."""

    def __init__(self, limits: JointLimits) -> None:
        self._velocity: Joints = limits.velocity.tolist()
        self._acceleration: Joints = limits.acceleration.tolist()
        self._jerk: Joints = limits.jerk.tolist()
        self._usable: Joints = [_SHARE * min(a, _TURN_S * j) for a, j in zip(self._acceleration, self._jerk)]
        self._approach = [_approach(_BRAKING_SHARE * a, j) for a, j in zip(self._usable, self._jerk)]

    def step(
        self, state: MotionState, reference: ReferenceState, period_s: float, pace: Pace, away: Joints | None = None
    ) -> tuple[MotionState, list[bool], float]:
        """The next state; [N]: for which joints it keeps their limits; and the end effector's speed without a cap, m/s.

        The wanted velocity is the reference's own and as much towards it as can be braked off again before it is
        reached; the wanted acceleration is what leads to that velocity. Both keep their direction when they are too
        large for one joint, and only become smaller. away: [N] m/rad, how a distance changes with each joint that must
        not become smaller; the wanted velocity then leads along and slowly away.
        """
        own = [
            min(max(rate, -most), most) if abs(rate) <= _LEAP * most else 0.0
            for rate, most in zip(reference.velocity, self._velocity)
        ]
        errors = [there - here for there, here in zip(reference.position, state.position)]
        rate, braking = self._approach_rate(errors)
        wanted = [speed + rate * error for speed, error in zip(own, errors)]
        if away is not None:
            wanted = _past(wanted, away)
        share, eef_speed = pace.look(wanted)
        possible = wanted if share == 1.0 else [_SHARE * share * speed for speed in wanted]
        acceleration = self._towards(state.velocity, possible, period_s)
        if share == 1.0:
            # How the wanted velocity changes by itself. Half as fast while braking: it goes with the root of the error.
            rate *= 0.5 if braking else 1.0
            changes = zip(acceleration, self._own_acceleration(reference), own, state.velocity)
            acceleration = [towards + itself + rate * (v - now) for towards, itself, v, now in changes]
        return *self._moved(state, acceleration, period_s), eef_speed

    def _approach_rate(self, errors: Joints) -> tuple[float, bool]:
        """Velocity per error, the same for every joint, and whether it is braking that bounds it."""
        slowest = _APPROACH_PER_S
        for error, (linear, square) in zip(errors, self._approach):
            far = abs(error)
            if far > 1e-9:
                slowest = min(slowest, (math.sqrt(linear * linear + square * far) - linear) / far)
        return slowest, slowest < _APPROACH_PER_S

    def _own_acceleration(self, reference: ReferenceState) -> Joints:
        values = zip(reference.velocity, self._velocity, reference.acceleration, self._usable)
        return [min(max(a, -most), most) if abs(v) <= fastest else 0.0 for v, fastest, a, most in values]

    def _towards(self, velocity: Joints, wanted: Joints, period_s: float) -> Joints:
        rate = min(_RESPONSE_PER_S, _RESPONSE_PERIODS / period_s)
        return [rate * (then - now) for then, now in zip(wanted, velocity)]

    def _moved(self, state: MotionState, acceleration: Joints, period_s: float) -> tuple[MotionState, list[bool]]:
        """The state a period later when the acceleration then is the given one, as far as the joints can have it."""
        share = min(1.0, *(most / max(abs(a), 1e-9) for a, most in zip(acceleration, self._usable)))
        after, good = [], []
        for joint, here in enumerate(zip(*state)):
            most = _SHARE * self._jerk[joint]
            jerk = min(max((share * acceleration[joint] - here[2]) / period_s, -most), most)
            then = constant_jerk(here, jerk, period_s)
            after.append(then)
            limits = self._velocity[joint], self._acceleration[joint], self._jerk[joint]
            good.append(fits(here, jerk, then, *limits))
        return MotionState(*map(list, zip(*after))), good


def _past(wanted: Joints, away: Joints) -> Joints:
    """The velocity nearest to the wanted one that comes away at `_AWAY_M_S` or more."""
    missing = _AWAY_M_S - dot(away, wanted)
    if missing <= 0:
        return wanted
    share = missing / dot(away, away)
    return [speed + share * slope for speed, slope in zip(wanted, away)]


def _approach(acceleration: float, jerk: float) -> tuple[float, float]:
    """Coefficients q, s: sqrt(q^2 + s d) - q is the speed that acceleration and jerk take away over a distance d.

    From d = v / 2 (v / a + a / j), the way to rest.
    """
    return acceleration * acceleration / (2 * jerk), 2 * acceleration
