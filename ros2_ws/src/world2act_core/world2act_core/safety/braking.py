"""The way to rest: how an arm stops from a state, as fast as acceleration and jerk allow."""

from __future__ import annotations

import numpy as np
import ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import arithmetic
from world2act_core.safety.types import Joints, Mask, Vector


class MotionState:
    """The motion of one instant, never changed in place.

    values: [3, N]; position [N] rad, velocity [N] rad/s, acceleration [N] rad/s^2: the same as lists.
    """

    def __init__(self, values: Vector) -> None:
        self.values = values
        self.position, self.velocity, self.acceleration = values.tolist()

    @classmethod
    def resting(cls, position: Joints) -> MotionState:
        """At rest at `position`."""
        values = np.zeros((3, len(position)))
        values[0] = position
        return cls(values)

    def where(self, mask: Mask, other: MotionState) -> MotionState:
        """This state for joints where `mask` [N] is true, the other one elsewhere."""
        return MotionState(np.where(mask, self.values, other.values))


class BrakingPath:
    """Every joint's fastest way to rest from one state, and how far along it the arm is."""

    def __init__(self, trajectory: ruckig.Trajectory, start: MotionState, jerk: Vector) -> None:
        self._trajectory = trajectory
        self.start, self.jerk = start, jerk
        self.duration_s: float = trajectory.duration
        self.end: Joints = trajectory.at_time(trajectory.duration)[0]
        # The library's own `position_extrema` count 0 among the positions of such a path.
        self.span: Vector = np.empty((2, len(self.end)))
        """Lowest and highest position [2, N] of each joint on the way."""
        arithmetic.extremes(start.values, np.array(self.end), jerk, self.span)

    def at(self, time_s: float) -> MotionState:
        """The state `time_s` >= 0 after the start; at rest from the end on."""
        if time_s >= self.duration_s:
            return MotionState.resting(self.end)
        return MotionState(np.array(self._trajectory.at_time(time_s)))

    def sample(self, count: int) -> list[Joints]:
        """`count` >= 1 positions [N], evenly spaced in time, the last one at rest; the start is left out."""
        times = [self.duration_s * (index + 1) / count for index in range(count - 1)]
        return [self._trajectory.at_time(time)[0] for time in times] + [self.end]

    def velocities(self, count: int) -> Vector:
        """`count` velocities [count, N], at the start and evenly spaced in time until shortly before the end."""
        return np.array([self._trajectory.at_time(self.duration_s * index / count)[1] for index in range(count)])


class Braking:
    """Plans braking paths inside acceleration and jerk limits."""

    def __init__(self, limits: JointLimits) -> None:
        size = limits.size
        self._jerk: Vector = np.array(limits.jerk)
        self._planner = ruckig.Ruckig(size)
        self._input = ruckig.InputParameter(size)
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No
        self._input.max_acceleration = limits.acceleration.tolist()
        self._input.max_jerk = self._jerk.tolist()
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
