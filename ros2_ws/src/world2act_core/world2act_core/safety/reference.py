"""The joint reference as it comes, one position per period, and how it moves."""

from __future__ import annotations

from typing import NamedTuple

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import checks
from world2act_core.safety.types import Joints

_TOLERANCE = 1.001
"""Differences of rounded positions may exceed a limit by this much before it is said."""
_POSITION_TOLERANCE = 1e-6


class ReferenceState(NamedTuple):
    """The reference now (position [N], at the end of the last period) with central differences, and its next position.

    smooth: [N], whether velocity and acceleration are possible for the joint; where not they mean nothing.
    """

    position: Joints
    velocity: Joints
    acceleration: Joints
    next_position: Joints
    smooth: list[bool]


class Reference:
    """Keeps the last positions of the reference, inside the position limits."""

    def __init__(self, limits: JointLimits) -> None:
        self._names = limits.names
        self._low: Joints = limits.position_low.tolist()
        self._high: Joints = limits.position_high.tolist()
        self._velocity: Joints = limits.velocity.tolist()
        self._acceleration: Joints = limits.acceleration.tolist()
        self._jerk: Joints = limits.jerk.tolist()
        self._last: Joints | None = None
        self._before: Joints = []
        self._last_period_s = 1.0
        self._last_acceleration: Joints | None = None

    def reset(self) -> None:
        """The next reference is a first one."""
        self._last = self._last_acceleration = None

    def push(self, wanted: Joints, period_s: float) -> ReferenceState:
        """The next position [N], finite, `period_s` > 0 after the last one."""
        following = [min(max(p, low), high) for p, low, high in zip(wanted, self._low, self._high)]
        if self._last is None:
            self._last = self._before = following
            self._last_period_s = period_s
        left = [(now - before) / self._last_period_s for now, before in zip(self._last, self._before)]
        right = [(after - now) / period_s for after, now in zip(following, self._last)]
        both_s = period_s + self._last_period_s
        acceleration = [2.0 * (after - before) / both_s for after, before in zip(right, left)]
        velocity = [v + 0.5 * a * self._last_period_s for v, a in zip(left, acceleration)]
        limits = zip(self._velocity, self._acceleration)
        smooth = [
            abs(v) <= most_v and abs(a) <= most_a for v, a, (most_v, most_a) in zip(velocity, acceleration, limits)
        ]
        state = ReferenceState(self._last, velocity, acceleration, following, smooth)
        self._before, self._last, self._last_period_s = self._last, following, period_s
        return state

    def findings(self, wanted: Joints, state: ReferenceState, speed_scale: float) -> list[tuple[str, str]]:
        """(check, message) for every kind of limit that the reference asks to break; also remembers for the jerk."""
        before, self._last_acceleration = self._last_acceleration, state.acceleration
        # Over the last period: close enough for a warning, whatever the periods were.
        jerk = [(a - b) / self._last_period_s for a, b in zip(state.acceleration, before or state.acceleration)]
        found = self._outside(wanted, state.next_position)
        for name, unit, values, limits in (
            (checks.JOINT_VELOCITY, "rad/s", state.velocity, [speed_scale * most for most in self._velocity]),
            (checks.JOINT_ACCELERATION, "rad/s^2", state.acceleration, self._acceleration),
            (checks.JOINT_JERK, "rad/s^3", jerk, self._jerk),
        ):
            if any(abs(value) > _TOLERANCE * most for value, most in zip(values, limits)):
                joint = _largest([abs(value) / most for value, most in zip(values, limits)])
                text = (
                    f"{self._names[joint]}: the reference asks for {values[joint]:.4g} {unit}, limit "
                    f"{limits[joint]:.4g}: the arm follows at its limit; make the reference smoother or slower"
                )
                found.append((name, text))
        return found

    def _outside(self, wanted: Joints, inside: Joints) -> list[tuple[str, str]]:
        if wanted == inside:
            return []
        outside = [abs(a - b) for a, b in zip(wanted, inside)]
        joint = _largest(outside)
        if outside[joint] <= _POSITION_TOLERANCE:
            return []
        text = (
            f"{self._names[joint]}: the reference is {wanted[joint]:.4g} rad, limits [{self._low[joint]:.4g}, "
            f"{self._high[joint]:.4g}]: the arm stays inside; plan inside the limits"
        )
        return [(checks.JOINT_POSITION, text)]


def _largest(values: Joints) -> int:
    return values.index(max(values))
