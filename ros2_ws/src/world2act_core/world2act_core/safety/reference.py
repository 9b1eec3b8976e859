"""The joint reference as it comes, one position per period, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import checks
from world2act_core.safety.types import Mask, Vector

_TOLERANCE = 1.001
"""Differences of rounded positions may exceed a limit by this much before it is said."""
_POSITION_TOLERANCE = 1e-6
_RATES = (
    (checks.JOINT_VELOCITY, "rad/s"),
    (checks.JOINT_ACCELERATION, "rad/s^2"),
    (checks.JOINT_JERK, "rad/s^3"),
)


@dataclass(frozen=True, eq=False)
class ReferenceState:
    """The reference now (position [N], at the end of the last period) with central differences, and its next position.

    smooth: bool [N], whether velocity and acceleration are possible for the joint; where not they mean nothing.
    """

    position: Vector
    velocity: Vector
    acceleration: Vector
    next_position: Vector
    smooth: Mask


class Reference:
    """Keeps the last positions of the reference, inside the position limits."""

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits
        self._last: Vector | None = None
        self._before = np.zeros(limits.size)
        self._last_period_s = 1.0
        self._last_acceleration: Vector | None = None

    def reset(self) -> None:
        """The next reference is a first one."""
        self._last = self._last_acceleration = None

    def push(self, wanted: Vector, period_s: float) -> ReferenceState:
        """The next position [N], finite, `period_s` > 0 after the last one."""
        limits = self._limits
        following = np.minimum(np.maximum(wanted, limits.position_low), limits.position_high)
        if self._last is None:
            self._last = self._before = following
            self._last_period_s = period_s
        right = (following - self._last) / period_s
        left = (self._last - self._before) / self._last_period_s
        acceleration = 2.0 * (right - left) / (period_s + self._last_period_s)
        velocity = left + 0.5 * acceleration * self._last_period_s
        smooth = (np.abs(velocity) <= limits.velocity) & (np.abs(acceleration) <= limits.acceleration)
        state = ReferenceState(self._last, velocity, acceleration, following, smooth)
        self._before, self._last, self._last_period_s = self._last, following, period_s
        return state

    def findings(self, wanted: Vector, state: ReferenceState, speed_scale: float) -> list[tuple[str, str]]:
        """(check, message) for every kind of limit that the reference asks to break; also remembers for the jerk."""
        limits = self._limits
        before, self._last_acceleration = self._last_acceleration, state.acceleration
        # Over the last period: close enough for a warning, whatever the periods were.
        jerk = (state.acceleration - (state.acceleration if before is None else before)) / self._last_period_s
        rates = np.array((state.velocity, state.acceleration, jerk))
        most = np.array((limits.velocity * speed_scale, limits.acceleration, limits.jerk))
        outside = np.abs(wanted - state.next_position)
        beyond = np.abs(rates) > _TOLERANCE * most
        if not beyond.any() and outside.max() <= _POSITION_TOLERANCE:
            return []
        found = []
        if (outside > _POSITION_TOLERANCE).any():
            joint = int(outside.argmax())
            low, high = limits.position_low[joint], limits.position_high[joint]
            found.append((
                checks.JOINT_POSITION,
                f"{limits.names[joint]}: the reference is {wanted[joint]:.4g} rad, limits [{low:.4g}, {high:.4g}]: "
                "the arm stays inside; plan inside the limits",
            ))  # fmt: skip
        for row, (name, unit) in enumerate(_RATES):
            if beyond[row].any():
                joint = int((np.abs(rates[row]) / most[row]).argmax())
                text = (
                    f"{limits.names[joint]}: the reference asks for {rates[row, joint]:.4g} {unit}, limit "
                    f"{most[row, joint]:.4g}: the arm follows at its limit; make the reference smoother or slower"
                )
                found.append((name, text))
        return found
