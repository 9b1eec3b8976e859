"""The joint reference as it comes, one position per period, and how it moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import arithmetic, checks
from world2act_core.safety.types import Joints, Vector

_TOLERANCE = 1.001
"""Differences of rounded positions may exceed a limit by this much before it is said."""
_POSITION_TOLERANCE = 1e-6
_RATES = (checks.JOINT_VELOCITY, "rad/s"), (checks.JOINT_ACCELERATION, "rad/s^2"), (checks.JOINT_JERK, "rad/s^3")


class ReferenceState(NamedTuple):
    """The reference now, at the end of the last period, and where it goes next.

    values: [3, N], position, and by central differences velocity and acceleration; smooth: whether these are possible
    for every joint; asked, next_position: the next position [N] as it came, and inside the position limits; is_inside:
    whether these are the same.
    """

    values: Vector
    smooth: bool
    asked: Vector
    next_position: Vector
    is_inside: bool


class Reference:
    """Keeps the last positions of the reference, inside the position limits."""

    def __init__(self, limits: JointLimits) -> None:
        self._names = limits.names
        self._span = np.stack([limits.position_low, limits.position_high])
        self._most = limits.rates
        self._last: Vector | None = None
        self._before: Vector = np.zeros(limits.size)
        self._last_period_s = 1.0
        self._last_acceleration: Vector | None = None

    def reset(self) -> None:
        """The next reference is a first one."""
        self._last = self._last_acceleration = None

    def push(self, wanted: Joints, period_s: float) -> ReferenceState:
        """The next position [N], finite, `period_s` > 0 after the last one."""
        asked = np.array(wanted)
        following, values = np.empty_like(asked), np.empty((3, asked.size))
        is_inside = arithmetic.clamp(asked, self._span, following)
        if self._last is None:
            self._last = self._before = following
            self._last_period_s = period_s
        smooth = arithmetic.differences(
            self._before, self._last_period_s, self._last, period_s, following, self._most, values
        )
        self._before, self._last, self._last_period_s = self._last, following, period_s
        return ReferenceState(values, smooth, asked, following, is_inside)

    def findings(self, state: ReferenceState, speed_scale: float) -> list[tuple[str, str]]:
        """(check, message) for every kind of limit that the reference asks to break; also remembers for the jerk."""
        before, self._last_acceleration = self._last_acceleration, state.values[2]
        before, rates = self._last_acceleration if before is None else before, np.empty_like(state.values)
        # The jerk is that over the last period: close enough for a warning, whatever the periods were.
        worst = arithmetic.worst_shares(state.values, before, self._last_period_s, self._most, speed_scale, rates)
        found = [] if state.is_inside else self._outside(state)
        for kind, (share, joint) in enumerate(worst):
            if share > _TOLERANCE:
                (name, unit), value = _RATES[kind], rates[kind, joint]
                text = (
                    f"{self._names[joint]}: the reference asks for {value:.4g} {unit}, limit {abs(value) / share:.4g}: "
                    "the arm follows at its limit; make the reference smoother or slower"
                )
                found.append((name, text))
        return found

    def _outside(self, state: ReferenceState) -> list[tuple[str, str]]:
        outside = np.abs(state.asked - state.next_position)
        joint = int(outside.argmax())
        if outside[joint] <= _POSITION_TOLERANCE:
            return []
        low, high = self._span[:, joint]
        text = (
            f"{self._names[joint]}: the reference is {state.asked[joint]:.4g} rad, limits [{low:.4g}, {high:.4g}]: the "
            "arm stays inside; plan inside the limits"
        )
        return [(checks.JOINT_POSITION, text)]
