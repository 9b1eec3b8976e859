"""The way to rest: how an arm stops from a state, as fast as acceleration and jerk allow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.types import Mask, Vector


@dataclass(frozen=True, eq=False)
class MotionState:
    """position [N] rad, velocity [N] rad/s, acceleration [N] rad/s^2 of one instant."""

    position: Vector
    velocity: Vector
    acceleration: Vector

    @classmethod
    def resting(cls, position: Vector) -> MotionState:
        """At rest at `position`."""
        return cls(position.copy(), np.zeros_like(position), np.zeros_like(position))

    def where(self, mask: Mask, other: MotionState) -> MotionState:
        """This state for joints where `mask` [N] bool is true, the other one elsewhere."""
        return MotionState(
            np.where(mask, self.position, other.position),
            np.where(mask, self.velocity, other.velocity),
            np.where(mask, self.acceleration, other.acceleration),
        )


class BrakingPath:
    """Every joint's fastest way to rest from one state, and how far along it the arm is."""

    def __init__(self, trajectory: ruckig.Trajectory, start: MotionState, jerk: Vector) -> None:
        self._trajectory = trajectory
        self._jerk = jerk
        self.start = start
        self.duration_s: float = trajectory.duration
        self.end = np.array(trajectory.at_time(trajectory.duration)[0])

    def at(self, time_s: float) -> MotionState:
        """The state `time_s` >= 0 after the start; at rest from the end on."""
        if time_s >= self.duration_s:
            return MotionState.resting(self.end)
        return MotionState(*(np.array(values) for values in self._trajectory.at_time(time_s)))

    @cached_property
    def extremes(self) -> tuple[Vector, Vector]:
        """Lowest and highest position [N] of each joint on the way.

        Worked out here: the library's own `position_extrema` count 0 among the positions of such a path.
        """
        first, last, turn = self.start.position, self.end, self._turning_point()
        return np.minimum(np.minimum(first, last), turn), np.maximum(np.maximum(first, last), turn)

    def _turning_point(self) -> Vector:
        """Where a joint whose deceleration is already too strong reverses, [N]; where there is none, the start."""
        position, speed = self.start.position, np.abs(self.start.velocity)
        towards = np.sign(self.start.velocity)
        slowing = -towards * self.start.acceleration
        rest = slowing**2 - 2 * self._jerk * speed
        reverses = (slowing > 0) & (rest > 0)
        if not reverses.any():
            return position
        time_s = np.where(reverses, (slowing - np.sqrt(np.maximum(rest, 0.0))) / self._jerk, 0.0)
        return position + towards * time_s * (speed + time_s * (self._jerk * time_s / 6 - slowing / 2))

    def sample(self, count: int) -> list[Vector]:
        """`count` >= 1 positions [N], evenly spaced in time, the last one at rest; the start is left out."""
        times = [self.duration_s * (index + 1) / count for index in range(count - 1)]
        return [np.array(self._trajectory.at_time(time)[0]) for time in times] + [self.end]

    def peak_speed(self) -> Vector:
        """A bound [N] on each joint's |velocity| on the way: what it has, and what its acceleration adds to it."""
        return np.abs(self.start.velocity) + np.square(self.start.acceleration) / (2 * self._jerk)

    def velocities(self, count: int) -> Vector:
        """Velocities [N, count] at the start and evenly spaced in time until shortly before the end."""
        times = [self.duration_s * index / count for index in range(count)]
        return np.array([self._trajectory.at_time(time)[1] for time in times]).T


class Braking:
    """Plans braking paths inside acceleration and jerk limits."""

    def __init__(self, limits: JointLimits) -> None:
        size = limits.size
        self._jerk = limits.jerk
        self._planner = ruckig.Ruckig(size)
        self._input = ruckig.InputParameter(size)
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No
        self._input.max_acceleration = limits.acceleration.tolist()
        self._input.max_jerk = limits.jerk.tolist()
        self._input.target_velocity = [0.0] * size
        self._input.target_acceleration = [0.0] * size

    def plan(self, state: MotionState) -> BrakingPath | None:
        """The path to rest from `state`; None when the library finds none."""
        self._input.current_position = state.position.tolist()
        self._input.current_velocity = state.velocity.tolist()
        self._input.current_acceleration = state.acceleration.tolist()
        trajectory = ruckig.Trajectory(self._input.degrees_of_freedom)
        try:
            result = self._planner.calculate(self._input, trajectory)
        except (ruckig.RuckigError, ValueError):  # ValueError: an error code without a name in the binding
            return None
        return BrakingPath(trajectory, state, self._jerk) if result == ruckig.Result.Working else None
