"""How an arm comes to rest from where it is: the tail that every trajectory sent to a driver ends with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ruckig import ControlInterface, InputParameter, Result, Ruckig, RuckigError, Synchronization, Trajectory

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.joint_motion import JointMotion, JointPoint, is_at_rest

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TimedPoint:
    """A joint motion `time_s` seconds after the first instant of its tail."""

    time_s: float
    motion: JointPoint


class StoppingTail:
    """The fastest way to rest inside the limits, cut into points. If the sender dies, the driver ends at rest.

    spacing_s: time between two points, s. Velocity limits are not needed: the velocity only falls.
    """

    def __init__(self, limits: JointLimits, spacing_s: float = 0.05) -> None:
        if not spacing_s > 0:
            raise ValueError(f"spacing_s must be positive, got {spacing_s}")
        self._limits, self._spacing_s = limits, spacing_s
        self._ruckig = Ruckig(limits.size)
        self._input = InputParameter(limits.size)
        self._input.control_interface = ControlInterface.Velocity
        self._input.synchronization = Synchronization.No
        self._input.target_velocity = [0.0] * limits.size
        self._input.target_acceleration = [0.0] * limits.size
        self._input.max_acceleration = limits.acceleration.tolist()
        self._input.max_jerk = limits.jerk.tolist()

    def after(self, motion: JointMotion) -> list[TimedPoint]:
        """Points from `motion` (not included) to rest; empty when it is at rest. The last one is at rest.

        Raises ValueError when the motion cannot be continued, for instance because it is not finite.
        """
        if is_at_rest(motion):
            return []
        trajectory = self._trajectory(motion)
        steps = max(1, int(np.ceil(trajectory.duration / self._spacing_s - 1e-9)))
        times = [trajectory.duration * (step + 1) / steps for step in range(steps)]
        points = [TimedPoint(time_s, _point(trajectory, time_s)) for time_s in times]
        points[-1] = TimedPoint(times[-1], JointPoint.at_rest(points[-1].motion.position))
        return points

    def _trajectory(self, motion: JointMotion) -> Trajectory:
        self._input.current_position = motion.position.tolist()
        self._input.current_velocity = motion.velocity.tolist()
        # Rounding may put it a hair outside, which ruckig would refuse.
        inside = np.clip(motion.acceleration, -self._limits.acceleration, self._limits.acceleration)
        self._input.current_acceleration = inside.tolist()
        trajectory = Trajectory(self._limits.size)
        try:
            result = self._ruckig.calculate(self._input, trajectory)
        except RuckigError as error:
            raise ValueError(f"no way to rest from velocity {motion.velocity.tolist()}: {error}") from error
        if result not in (Result.Working, Result.Finished):
            raise ValueError(f"no way to rest from velocity {motion.velocity.tolist()}: ruckig says {result}")
        return trajectory


def _point(trajectory: Trajectory, time_s: float) -> JointPoint:
    position, velocity, acceleration = (np.array(values) for values in trajectory.at_time(time_s))
    return JointPoint(position, velocity, acceleration)
