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
from world2act_core.safety import arithmetic
from world2act_core.safety.braking import MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.types import Vector

_CHAIN = np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
_INPUT = np.array([1 / 6, 0.5, 1.0])
# Ackermann's formula: the last row of the inverse of [B, AB, A^2 B] times the wanted polynomial of A.
_LAST_ROW = np.linalg.inv(np.column_stack([_INPUT, _CHAIN @ _INPUT, _CHAIN @ _CHAIN @ _INPUT]))[2]
_NEAR_RAD = 6e-3


def feedback(bandwidth_hz: float, period_s: float) -> Vector:
    """Gains [3] on the errors of position, velocity times T and acceleration times T^2, giving jerk times T^3."""
    pole = math.exp(-2 * math.pi * bandwidth_hz * period_s)
    return np.asarray(_LAST_ROW @ np.linalg.matrix_power(_CHAIN - pole * np.eye(3), 3))


class Tracker:
    """One step of the servo, for all joints or for none."""

    def __init__(self, limits: JointLimits, bandwidth_hz: float) -> None:
        self._most = limits.rates
        self._bandwidth_hz = bandwidth_hz
        self._near_speed = _NEAR_RAD * (2 * math.pi * bandwidth_hz)
        self._period_s = 0.0
        self._gains: Vector = np.zeros((2, 3))
        self.start()

    def start(self) -> None:
        """The arm follows the reference to begin with."""
        self._following = True

    def lose(self) -> None:
        """The arm is not following: it has to come near the reference first."""
        self._following = False

    def step(
        self, state: MotionState, reference: ReferenceState, period_s: float, velocity: Vector
    ) -> MotionState | None:
        """The next state, or None while the arm cannot follow: a joint would leave `velocity` [N] or another limit.

        From then on it is asked for again when every joint has come near its reference with nearly the same speed:
        sooner, it would overshoot.
        """
        if not self._following and not arithmetic.is_near(state.values, reference.values, _NEAR_RAD, self._near_speed):
            return None
        self._following = False
        if not reference.smooth:
            return None
        if period_s != self._period_s:
            self._period_s = period_s
            units = np.array([period_s**3, period_s**2, period_s])
            self._gains = np.stack([feedback(self._bandwidth_hz, period_s), units])
        after = np.empty_like(state.values)
        if not arithmetic.servo(state.values, reference.values, self._gains, period_s, velocity, self._most, after):
            return None
        self._following = True
        return MotionState(after)
