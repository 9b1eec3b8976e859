"""trajectory_msgs/JointTrajectory for joint_trajectory_controller: a point and the way to rest behind it."""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from builtin_interfaces.msg import Duration
from numpy.typing import NDArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from world2act.conversions import NANOSECONDS, seconds_to_ns
from world2act.driver.adapter import CommandAdapter
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.joint_motion import JointMotion, JointPoint, is_at_rest
from world2act_core.robot.stopping import StoppingTail

Vector = NDArray[np.float64]


class JointTrajectoryAdapter(CommandAdapter):
    """A trajectory per period: its first point is the motion of this period, the others bring the arm to rest.

    Each message replaces the one before, so the tail is executed only when no further message comes: if this process
    dies, the arm stops inside its limits without anybody's help. A trajectory that does not end at rest would also be
    refused by the controller's default settings. The header's stamp is zero, which means "from now on": the driver's
    clock does not matter. Hold: the same with a single point at rest.

    time_from_start_s: when the first point is due; so much later than commanded the arm is where it should be. Two
    periods bridge the jitter between two messages. velocities: whether points carry velocities and accelerations.
    """

    message_type: ClassVar[type] = JointTrajectory

    def __init__(self, topic: str, limits: JointLimits, time_from_start_s: float, velocities: bool = True) -> None:
        self._names = list(limits.names)
        self._tail = StoppingTail(limits)
        self._time_from_start_s, self._velocities = time_from_start_s, velocities
        super().__init__(topic)

    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> JointTrajectory:
        """The trajectory of this period; `gripper`, `measured` and `stamp_ns` have no place in it."""
        first_s = self._time_from_start_s
        # A last point that is not quite at rest would be refused.
        points = [self._point(first_s, JointPoint.at_rest(motion.position) if is_at_rest(motion) else motion)]
        points += [self._point(first_s + later.time_s, later.motion) for later in self._tail.after(motion)]
        return JointTrajectory(joint_names=self._names, points=points)

    def _point(self, time_s: float, motion: JointMotion) -> JointTrajectoryPoint:
        point = trajectory_point(time_s, motion.position)
        if self._velocities:
            point.velocities = _doubles(motion.velocity)
            point.accelerations = _doubles(motion.acceleration)
        return point


def trajectory_point(time_s: float, position: Sequence[float] | Vector) -> JointTrajectoryPoint:
    """A point with positions only, `time_s` after the trajectory's start."""
    seconds, rest = divmod(seconds_to_ns(time_s), NANOSECONDS)
    return JointTrajectoryPoint(
        positions=_doubles(position), time_from_start=Duration(sec=int(seconds), nanosec=int(rest))
    )


def _doubles(values: Sequence[float] | Vector) -> array.array[float]:
    return array.array("d", np.asarray(values, dtype=np.float64).tolist())
