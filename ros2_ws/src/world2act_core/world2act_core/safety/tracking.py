"""Following a reference that is inside the limits: a critically damped servo whose only output is the jerk.

A joint that is moved by its jerk, held constant for a period, is the chain of three integrators; in units of the period
(velocity times T, acceleration times T^2, jerk times T^3) it is the same chain for every T. The feedback puts all three
of its poles at exp(-2 pi bandwidth T), so the error dies out without oscillation and a reference of constant
acceleration is followed without lag.
"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.types import Joints, Vector

_CHAIN = np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
_INPUT = np.array([1 / 6, 0.5, 1.0])
# Ackermann's formula: the last row of the inverse of [B, AB, A^2 B] times the wanted polynomial of A.
_LAST_ROW = np.linalg.inv(np.column_stack([_INPUT, _CHAIN @ _INPUT, _CHAIN @ _CHAIN @ _INPUT]))[2]
_NEAR_RAD = 6e-3
Instant = tuple[float, float, float]
"""Position, velocity and acceleration of one joint."""


def feedback(bandwidth_hz: float, period_s: float) -> Vector:
    """Gains [3] on the errors of position, velocity times T and acceleration times T^2, giving jerk times T^3."""
    pole = math.exp(-2 * math.pi * bandwidth_hz * period_s)
    return np.asarray(_LAST_ROW @ np.linalg.matrix_power(_CHAIN - pole * np.eye(3), 3))


class Tracker:
    """One step of the servo, for all joints or for none."""

    def __init__(self, limits: JointLimits, bandwidth_hz: float) -> None:
        self._limits: list[tuple[float, float]] = list(zip(limits.acceleration.tolist(), limits.jerk.tolist()))
        self._bandwidth_hz = bandwidth_hz
        self._near_speed = _NEAR_RAD * (2 * math.pi * bandwidth_hz)
        self._period_s = 0.0
        self._gains: Joints = []
        self.start()

    def start(self) -> None:
        """The arm follows the reference to begin with."""
        self._following = True

    def lose(self) -> None:
        """The arm is not following: it has to come near the reference first."""
        self._following = False

    def step(
        self, state: MotionState, reference: ReferenceState, period_s: float, velocity: Joints
    ) -> MotionState | None:
        """The next state, or None while the arm cannot follow: a joint would leave `velocity` [N] or another limit.

        From then on it is asked for again when every joint has come near its reference with nearly the same speed:
        sooner, it would overshoot.
        """
        references = list(zip(reference.position, reference.velocity, reference.acceleration))
        joints = list(zip(*state))
        if not self._following and not all(map(self._is_near, joints, references)):
            return None
        self._following = False
        if not all(reference.smooth):
            return None
        if period_s != self._period_s:
            self._period_s, self._gains = period_s, feedback(self._bandwidth_hz, period_s).tolist()
        after = []
        for here, there, fastest, limits in zip(joints, references, velocity, self._limits):
            jerk = self._jerk(here, there)
            then = constant_jerk(here, jerk, period_s)
            if not fits(here, jerk, then, fastest, *limits):
                return None
            after.append(then)
        self._following = True
        return MotionState(*map(list, zip(*after)))

    def _jerk(self, here: Instant, there: Instant) -> float:
        by_position, by_velocity, by_acceleration = self._gains
        return (
            by_position * (there[0] - here[0]) / self._period_s**3
            + by_velocity * (there[1] - here[1]) / self._period_s**2
            + by_acceleration * (there[2] - here[2]) / self._period_s
        )

    def _is_near(self, here: Instant, there: Instant) -> bool:
        return abs(there[0] - here[0]) <= _NEAR_RAD and abs(there[1] - here[1]) <= self._near_speed


def constant_jerk(here: Instant, jerk: float, time_s: float) -> Instant:
    """The instant `time_s` later."""
    position, velocity, acceleration = here
    change = jerk * time_s
    return (
        position + time_s * (velocity + time_s * (acceleration / 2 + change / 6)),
        velocity + time_s * (acceleration + change / 2),
        acceleration + change,
    )


def fits(
    before: Instant, jerk: float, after: Instant, most_velocity: float, most_acceleration: float, most_jerk: float
) -> bool:
    """Whether a step with this jerk keeps the joint's limits, until its acceleration is gone."""
    _, velocity, acceleration = after
    # Until its acceleration is gone a joint goes on changing its speed: that must fit as well.
    coming = velocity + acceleration * abs(acceleration) / (2 * most_jerk)
    fits = abs(jerk) <= most_jerk and abs(acceleration) <= most_acceleration
    fits = fits and abs(velocity) <= most_velocity and abs(coming) <= most_velocity
    if fits and before[2] * acceleration < 0:  # the speed has its peak within the period
        return abs(before[1] - before[2] * before[2] / (2 * jerk)) <= most_velocity
    return fits
