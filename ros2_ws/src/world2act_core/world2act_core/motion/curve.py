"""One chunk as a curve that is twice continuously differentiable, in coordinates in which poses are plain vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from world2act_core.motion.blend import Blend
from world2act_core.motion.fade import Fade, State
from world2act_core.motion.rotations import angular_acceleration, left_jacobian, unwrapped
from world2act_core.motion.waypoints import Waypoints
from world2act_core.types import EefPose

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motion:
    """A pose with its first and second derivatives [6]: linear, then angular, base frame, per s and per s^2."""

    pose: EefPose
    velocity: Vector
    acceleration: Vector


class Curve:
    """A cubic spline through a chunk's waypoints, plus what is left of the motion before it.

    Coordinates [6]: position (m), and the rotation vector (rad) from `chart`. The spline goes through every waypoint,
    has the given velocity at the first one and no acceleration at the last. Between two waypoints each coordinate is
    never farther from the straight line than 1.5 times its longest step, the first velocity times the step's duration
    counted as one.
    """

    def __init__(self, start_s: float, step_s: float, waypoints: Waypoints, chart: Rotation) -> None:
        self._chart = chart
        turns = unwrapped((waypoints.rotations * chart.inv()).as_rotvec())
        rate = np.linalg.solve(left_jacobian(turns[0]), waypoints.velocity[3:])
        first = np.concatenate([waypoints.velocity[:3], rate])
        points = np.concatenate([waypoints.positions, turns], axis=1)
        # From the chunk's start: seconds since 1970 would leave a tenth of a microsecond of resolution in the solution.
        times = step_s * np.arange(len(points))
        self._start_s = start_s
        self._spline = CubicSpline(times, points, bc_type=((1, first), (2, np.zeros(6))))
        self._fade: Fade | None = None

    @classmethod
    def joined(
        cls, start_s: float, step_s: float, waypoints: Waypoints, motion: Motion, seam_s: float, blend: Blend
    ) -> Curve:
        """The curve that is exactly in `motion` at `seam_s` and, when the blend is over, on the chunk's own spline."""
        curve = cls(start_s, step_s, waypoints, chart=Rotation.from_quat(motion.pose.quaternion))
        # At the chart's origin the rotation vector's derivatives are angular velocity and acceleration.
        old = State(np.concatenate([motion.pose.position, np.zeros(3)]), motion.velocity, motion.acceleration)
        new = curve._state(seam_s)
        curve._fade = blend.fade(seam_s, State(*(before - after for before, after in zip(old, new))))
        return curve

    def blending(self, time_s: float) -> bool:
        """Whether the motion before still has a share."""
        return self._fade is not None and not self._fade.over(time_s)

    def pose_and_velocity(self, time_s: float) -> tuple[EefPose, Vector]:
        """Pose and velocity [6] (m/s, rad/s)."""
        state = self._state(time_s)
        turn = state.value[3:]
        pose = EefPose(state.value[:3], (Rotation.from_rotvec(turn) * self._chart).as_quat(canonical=True))
        return pose, np.concatenate([state.rate[:3], left_jacobian(turn) @ state.rate[3:]])

    def motion(self, time_s: float) -> Motion:
        """Pose, velocity and acceleration."""
        pose, velocity = self.pose_and_velocity(time_s)
        state = self._state(time_s)
        turning = angular_acceleration(state.value[3:], state.rate[3:], state.acceleration[3:])
        return Motion(pose, velocity, np.concatenate([state.acceleration[:3], turning]))

    def _state(self, time_s: float) -> State:
        own = State(*(self._spline(time_s - self._start_s, order) for order in range(3)))
        if self._fade is None:
            return own
        return State(*(mine + rest for mine, rest in zip(own, self._fade.at(time_s))))
