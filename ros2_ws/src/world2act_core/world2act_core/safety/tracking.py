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
from world2act_core.safety.types import Mask, Vector

_CHAIN = np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
_INPUT = np.array([1 / 6, 0.5, 1.0])
# Ackermann's formula: the last row of the inverse of [B, AB, A^2 B] times the wanted polynomial of A.
_LAST_ROW = np.linalg.inv(np.column_stack([_INPUT, _CHAIN @ _INPUT, _CHAIN @ _CHAIN @ _INPUT]))[2]
_NEAR_RAD = 2e-3


def feedback(bandwidth_hz: float, period_s: float) -> Vector:
    """Gains [3] on the errors of position, velocity times T and acceleration times T^2, giving jerk times T^3."""
    pole = math.exp(-2 * math.pi * bandwidth_hz * period_s)
    return np.asarray(_LAST_ROW @ np.linalg.matrix_power(_CHAIN - pole * np.eye(3), 3))


class Tracker:
    """One step of the servo for every joint."""

    def __init__(self, limits: JointLimits, bandwidth_hz: float) -> None:
        self._limits = limits
        self._bandwidth_hz = bandwidth_hz
        self._period_s = 0.0
        self._gains = np.zeros(3)
        self.start()

    def start(self) -> None:
        """Every joint follows the reference to begin with."""
        self._following = np.ones(self._limits.size, dtype=bool)

    def step(
        self, state: MotionState, reference: ReferenceState, period_s: float, velocity: Vector
    ) -> tuple[MotionState, Mask]:
        """The next state, and bool [N]: for which joints it counts.

        It counts while it stays inside `velocity` [N] and the other limits. A joint for which it did not is
        taken back when it has come near its reference with nearly the same speed: sooner, it would overshoot.
        """
        if period_s != self._period_s:
            self._period_s, self._gains = period_s, feedback(self._bandwidth_hz, period_s)
        by_position, by_velocity, by_acceleration = self._gains
        jerk = (
            by_position * (reference.position - state.position) / period_s**3
            + by_velocity * (reference.velocity - state.velocity) / period_s**2
            + by_acceleration * (reference.acceleration - state.acceleration) / period_s
        )
        after = _constant_jerk(state, jerk, period_s)
        rate = 2 * math.pi * self._bandwidth_hz
        near = np.abs(reference.position - state.position) <= _NEAR_RAD
        near &= np.abs(reference.velocity - state.velocity) <= _NEAR_RAD * rate
        self._following = reference.smooth & (self._following | near) & self._inside(state, jerk, after, velocity)
        return after, self._following

    def _inside(self, before: MotionState, jerk: Vector, after: MotionState, velocity: Vector) -> Mask:
        limits = self._limits
        # Until its acceleration is gone a joint goes on changing its speed: that must fit as well.
        coming = after.velocity + after.acceleration * np.abs(after.acceleration) / (2 * limits.jerk)
        fits = (np.abs(jerk) <= limits.jerk) & (np.abs(after.acceleration) <= limits.acceleration)
        fits &= (np.abs(after.velocity) <= velocity) & (np.abs(coming) <= velocity)
        turns = before.acceleration * after.acceleration < 0
        if turns.any():  # the speed has its peak within the period
            peak = before.velocity - before.acceleration**2 / (2 * np.where(turns, jerk, 1.0))
            fits &= ~turns | (np.abs(peak) <= velocity)
        return fits


def _constant_jerk(state: MotionState, jerk: Vector, time_s: float) -> MotionState:
    change = jerk * time_s
    return MotionState(
        state.position + time_s * (state.velocity + time_s * (state.acceleration / 2 + change / 6)),
        state.velocity + time_s * (state.acceleration + change / 2),
        state.acceleration + change,
    )
