"""What drivers make of Cartesian commands: MoveIt Servo's velocities and the absolute targets of `ArmCommand`."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.types import EefPose
from world2act_sim.controllers import VelocityController
from world2act_sim.site_kinematics import SiteKinematics

Vector = NDArray[np.float64]

DAMPING = 0.02
"""Of the pseudo-inverse: near a singularity the arm slows down instead of speeding up."""
POSE_GAIN_PER_S = 10.0
"""Velocity towards a target per distance from it."""


class TwistController(VelocityController):
    """MoveIt Servo: end-effector velocities become joint velocities; after `timeout_s` without one the arm stops."""

    def __init__(
        self, limits: JointLimits, kinematics: SiteKinematics, timeout_s: float, frame: Literal["base", "end_effector"]
    ) -> None:
        self._kinematics, self._frame = kinematics, frame
        super().__init__(limits, timeout_s)

    def forget(self) -> None:
        """Stand still."""
        super().forget()
        self._twist = np.zeros(6)

    def command(self, velocity: Vector, now_s: float) -> None:
        """Move the end effector with twist `velocity` [6], m/s over rad/s, along the axes of the controller's frame."""
        self._twist, self._commanded_s = np.array(velocity), now_s

    def advance(self, now_s: float, period_s: float) -> None:
        """Accelerate towards the joint velocities that give the twist."""
        timed_out = now_s - self._commanded_s > self._timeout_s
        self.move(np.zeros(self.limits.size) if timed_out else self.joint_velocity(self._twist), period_s)

    def joint_velocity(self, twist: Vector) -> Vector:
        """Joint velocities [N] for a twist [6] along the axes of the controller's frame, where the reference is."""
        if self._frame == "end_effector":
            turn = Rotation.from_quat(self._kinematics.forward(self.position).quaternion)
            twist = np.concatenate([turn.apply(twist[:3]), turn.apply(twist[3:])])
        return joint_velocity(self._kinematics.jacobian(self.position), twist)


class PoseController(VelocityController):
    """A driver with Cartesian targets: goes towards the last one, however old, and stays there."""

    def __init__(self, limits: JointLimits, kinematics: SiteKinematics) -> None:
        self._kinematics = kinematics
        super().__init__(limits, timeout_s=np.inf)

    def forget(self) -> None:
        """Nothing to go to."""
        super().forget()
        self._target: EefPose | None = None

    def go_to(self, target: EefPose) -> None:
        """Bring the end effector to `target`, base frame."""
        self._target = target

    def pose_at(self, position: Vector) -> EefPose:
        """Where the end effector is at joint positions [N], base frame."""
        return self._kinematics.forward(position)

    def advance(self, now_s: float, period_s: float) -> None:
        """Approach the target."""
        if self._target is None:
            self.move(np.zeros(self.limits.size), period_s)
            return
        here = self._kinematics.forward(self.position)
        turn = Rotation.from_quat(self._target.quaternion) * Rotation.from_quat(here.quaternion).inv()
        error = np.concatenate([self._target.position - here.position, turn.as_rotvec()])
        wanted = joint_velocity(self._kinematics.jacobian(self.position), POSE_GAIN_PER_S * error)
        # All joints slow down together, or the end effector would leave the straight line.
        self.move(wanted / max(1.0, float(np.abs(wanted / self.limits.velocity).max())), period_s)


def joint_velocity(jacobian: Vector, twist: Vector) -> Vector:
    """Joint velocities [N] for a twist [6] by the damped pseudo-inverse of the Jacobian [6, N]."""
    return np.asarray(jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING**2 * np.eye(6), twist))
