"""The way to rest: how an arm stops from a state, as fast as acceleration and jerk allow."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.types import Joints


class MotionState(NamedTuple):
    """position [N] rad, velocity [N] rad/s, acceleration [N] rad/s^2 of one instant."""

    position: Joints
    velocity: Joints
    acceleration: Joints

    @classmethod
    def resting(cls, position: Joints) -> MotionState:
        """At rest at `position`."""
        return cls(position, [0.0] * len(position), [0.0] * len(position))

    def where(self, mask: list[bool], other: MotionState) -> MotionState:
        """This state for joints where `mask` [N] is true, the other one elsewhere."""
        return MotionState(
            *([a if own else b for own, a, b in zip(mask, mine, others)] for mine, others in zip(self, other))
        )


class BrakingPath:
    """Every joint's fastest way to rest from one state, and how far along it the arm is."""

    def __init__(self, trajectory: ruckig.Trajectory, start: MotionState, jerk: Joints) -> None:
        self._trajectory = trajectory
        self._jerk = jerk
        self.start = start
        self.duration_s: float = trajectory.duration
        self.end: Joints = trajectory.at_time(trajectory.duration)[0]

    def at(self, time_s: float) -> MotionState:
        """The state `time_s` >= 0 after the start; at rest from the end on."""
        if time_s >= self.duration_s:
            return MotionState.resting(self.end)
        return MotionState(*self._trajectory.at_time(time_s))

    @cached_property
    def extremes(self) -> tuple[Joints, Joints]:
        """Lowest and highest position [N] of each joint on the way.

        Worked out here: the library's own `position_extrema` count 0 among the positions of such a path.
        """
        lowest, highest = [], []
        for position, velocity, acceleration, end, jerk in zip(*self.start, self.end, self._jerk):
            low, high = (position, end) if position < end else (end, position)
            if velocity * acceleration < 0:  # only a joint that brakes already can turn round
                turn = _turning_point(position, velocity, acceleration, jerk)
                low, high = min(low, turn), max(high, turn)
            lowest.append(low)
            highest.append(high)
        return lowest, highest

    def sample(self, count: int) -> list[Joints]:
        """`count` >= 1 positions [N], evenly spaced in time, the last one at rest; the start is left out."""
        times = [self.duration_s * (index + 1) / count for index in range(count - 1)]
        return [self._trajectory.at_time(time)[0] for time in times] + [self.end]

    def peak_speed(self) -> Joints:
        """A bound [N] on each joint's |velocity| on the way: what it has, and what its acceleration adds to it."""
        _, velocity, acceleration = self.start
        return [abs(v) + a * a / (2 * jerk) for v, a, jerk in zip(velocity, acceleration, self._jerk)]

    def velocities(self, count: int) -> list[Joints]:
        """`count` velocities [N], at the start and evenly spaced in time until shortly before the end."""
        return [self._trajectory.at_time(self.duration_s * index / count)[1] for index in range(count)]


def _turning_point(position: float, velocity: float, acceleration: float, jerk: float) -> float:
    """Where a joint whose deceleration is already too strong reverses; where there is none, the start."""
    towards = math.copysign(1.0, velocity)
    speed, slowing = abs(velocity), -towards * acceleration
    rest = slowing * slowing - 2 * jerk * speed
    if speed == 0 or slowing <= 0 or rest <= 0:
        return position
    time_s = (slowing - math.sqrt(rest)) / jerk
    return position + towards * time_s * (speed + time_s * (jerk * time_s / 6 - slowing / 2))


class Braking:
    """Plans braking paths inside acceleration and jerk limits."""

    def __init__(self, limits: JointLimits) -> None:
        size = limits.size
        self._jerk: Joints = limits.jerk.tolist()
        self._planner = ruckig.Ruckig(size)
        self._input = ruckig.InputParameter(size)
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No
        self._input.max_acceleration = limits.acceleration.tolist()
        self._input.max_jerk = self._jerk
        self._input.target_velocity = [0.0] * size
        self._input.target_acceleration = [0.0] * size

    def plan(self, state: MotionState) -> BrakingPath | None:
        """The path to rest from `state`; None when the library finds none."""
        self._input.current_position = state.position
        self._input.current_velocity = state.velocity
        self._input.current_acceleration = state.acceleration
        trajectory = ruckig.Trajectory(self._input.degrees_of_freedom)
        try:
            result = self._planner.calculate(self._input, trajectory)
        except (ruckig.RuckigError, ValueError):  # ValueError: an error code without a name in the binding
            return None
        return BrakingPath(trajectory, state, self._jerk) if result == ruckig.Result.Working else None
