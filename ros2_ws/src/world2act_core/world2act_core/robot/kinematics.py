"""Where an arm is for given joint positions, by MuJoCo: end effector, elbow, Jacobian, distances."""

from __future__ import annotations

import mujoco
import numpy as np

from world2act_core.robot.arm_model import Vector
from world2act_core.robot.clearance import ClearanceCheck
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.model_file import EEF_SITE, build_model, require_model
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import EefPose


class MujocoArm:
    """The `ArmModel` of a profile. One thread at a time: every call moves the same MuJoCo data.

    Raises ProfileError when the profile has no usable model.
    """

    def __init__(self, profile: RobotProfile) -> None:
        spec = require_model(profile, "kinematics")
        self.model: mujoco.MjModel = build_model(profile)
        self._data = mujoco.MjData(self.model)
        self._names, self._limits = profile.joint_names, profile.limits
        self._site = self.model.site(EEF_SITE).id
        self._base = self.model.body(spec.base_body).id
        self._elbow = self.model.body(spec.elbow_body).id
        self._clearance = ClearanceCheck(self.model, spec, profile.collision)
        self._jacobian = np.zeros((6, self.model.nv))

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The N joints, in the driver's order and that of every vector below."""
        return self._names

    @property
    def limits(self) -> JointLimits:
        """The profile's joint limits."""
        return self._limits

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of parts whose distance `clearance` looks at."""
        return self._clearance.pairs

    def forward(self, position: Vector) -> EefPose:
        """Pose of the end effector in the base frame at joint positions [N] (rad)."""
        self._move(position)
        axes = self._base_axes()
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, (axes.T @ self._data.site_xmat[self._site].reshape(3, 3)).ravel())
        return EefPose(
            axes.T @ (self._data.site_xpos[self._site] - self._data.xpos[self._base]), quaternion[[1, 2, 3, 0]]
        )

    def elbow(self, position: Vector) -> Vector:
        """Where the elbow is, [3] m, base frame."""
        self._move(position)
        return self._base_axes().T @ (self._data.xpos[self._elbow] - self._data.xpos[self._base])

    def jacobian(self, position: Vector) -> Vector:
        """[6, N]: linear (m/s) over angular (rad/s) end-effector velocity, base frame, per joint velocity."""
        self._move(position)
        mujoco.mj_comPos(self.model, self._data)
        mujoco.mj_jacSite(self.model, self._data, self._jacobian[:3], self._jacobian[3:], self._site)
        axes = self._base_axes()
        return np.vstack([axes.T @ self._jacobian[:3], axes.T @ self._jacobian[3:]])

    def clearance(self, position: Vector, limit: float) -> tuple[float, str]:
        """How much farther [m] than its margin the arm is from itself and the table, and where; else (limit, "")."""
        self._move(position)
        return self._clearance.smallest(self._data, limit)

    def _move(self, position: Vector) -> None:
        values = np.asarray(position, dtype=np.float64)
        if values.shape != (self.model.nq,) or not np.isfinite(values).all():
            raise ValueError(
                f"need {self.model.nq} finite joint positions for {list(self._names)}, got {values.tolist()}"
            )
        self._data.qpos[:] = values
        mujoco.mj_kinematics(self.model, self._data)

    def _base_axes(self) -> Vector:
        return np.asarray(self._data.xmat[self._base]).reshape(3, 3)
