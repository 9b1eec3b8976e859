"""Where an arm is for given joint positions, by MuJoCo: end effector, elbow, Jacobian, distances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mujoco
import numpy as np

from world2act_core.robot.arm_model import JointValues, Point, Vector
from world2act_core.robot.clearance import ClearanceCheck
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.model_file import EEF_SITE, build_model, require_model
from world2act_core.robot.pair_levers import point_levers
from world2act_core.robot.profile import ProfileError, RobotProfile
from world2act_core.types import EefPose


class MujocoArm:
    """The `ArmModel` of a profile. One thread at a time: every call moves the same MuJoCo data.

    Raises ProfileError when the profile has no usable model, or the base of that is moved by a joint.
    """

    def __init__(self, profile: RobotProfile) -> None:
        spec = require_model(profile, "kinematics")
        self.model: mujoco.MjModel = build_model(profile)
        self._data = data = mujoco.MjData(self.model)
        self._names, self._limits = profile.joint_names, profile.limits
        self._site = self.model.site(EEF_SITE).id
        # Views of MuJoCo's memory: they are up to date whenever `_move` is done.
        self._joints = data.qpos
        base, elbow = self.model.body(spec.base_body).id, self.model.body(spec.elbow_body).id
        if self.model.body_weldid[base] != 0:
            raise ProfileError(f"robot profile {profile.name}: model.base_body moves with a joint; name the fixed base")
        mujoco.mj_kinematics(self.model, data)
        self._base, self._axes_of_base = data.xpos[base].copy(), data.xmat[base].reshape(3, 3).T.copy()
        self._is_turned = bool((self._axes_of_base != np.eye(3)).any())
        self._to_base = tuple(self._base.tolist()), tuple(self._axes_of_base.ravel().tolist())
        self._eef, self._axes_of_eef = data.site_xpos[self._site], data.site_xmat[self._site].reshape(3, 3)
        self._elbow = data.xpos[elbow]
        eef = int(self.model.site_bodyid[self._site]), self.model.site_pos[self._site]
        self._levers = point_levers(self.model, [eef, (elbow, np.zeros(3))])
        self._clearance = ClearanceCheck(self.model, data, spec, profile.collision)
        self._jacobian = np.zeros((6, self.model.nv))
        self._linear, self._angular = self._jacobian[:3], self._jacobian[3:]
        self._quaternion = np.zeros(4)
        self._here: Sequence[float] = ()
        self._has_velocities = False

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The N joints, in the driver's order and that of every vector below."""
        return self._names

    @property
    def limits(self) -> JointLimits:
        """The profile's joint limits."""
        return self._limits

    @property
    def levers(self) -> Vector:
        """See `BoundedArmModel`."""
        return self._levers

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of parts whose distance `clearance` looks at."""
        return self._clearance.pairs

    def forward(self, position: JointValues) -> EefPose:
        """Pose of the end effector in the base frame at joint positions [N] (rad)."""
        self._move(position)
        mujoco.mju_mat2Quat(self._quaternion, (self._axes_of_base @ self._axes_of_eef).ravel())
        w, x, y, z = self._quaternion.tolist()
        return EefPose(self._axes_of_base @ (self._eef - self._base), np.array((x, y, z, w)))

    def hand_and_elbow(self, position: JointValues) -> tuple[Point, Point]:
        """Where the end effector and the elbow are, m, base frame."""
        self._move(position)
        return self._in_base(self._eef.tolist()), self._in_base(self._elbow.tolist())

    def jacobian(self, position: JointValues) -> Vector:
        """[6, N]: linear (m/s) over angular (rad/s) end-effector velocity, base frame, per joint velocity."""
        self._move(position)
        self._prepare_velocities()
        mujoco.mj_jacSite(self.model, self._data, self._linear, self._angular, self._site)
        if not self._is_turned:
            return self._jacobian.copy()
        return np.asarray((self._axes_of_base @ self._jacobian.reshape(2, 3, -1)).reshape(6, -1))

    def clearance(self, position: JointValues, limit: float) -> tuple[float, str]:
        """How much farther [m] than its margin the arm is from itself and the table, and where; else (limit, "")."""
        self._move(position)
        return self._clearance.smallest(self._joints, limit)

    def clear_between(self, here: JointValues, there: JointValues, span: Vector, limit: float) -> bool:
        """See `BoundedArmModel`."""
        return self._clearance.clear_between(here, there, span, limit, self._move)

    def first_near(self, positions: Vector, limit: float) -> int:
        """See `BoundedArmModel`."""
        return self._clearance.first_near(positions, limit, self._move)

    def clearance_slope(self, position: JointValues) -> Vector:
        """See `SlopedArmModel`."""
        self._move(position)
        self._prepare_velocities()
        return self._clearance.slope(self._joints)

    def _prepare_velocities(self) -> None:
        if not self._has_velocities:
            mujoco.mj_comPos(self.model, self._data)
            self._has_velocities = True

    def _in_base(self, point: list[float]) -> Point:
        (bx, by, bz), (xx, xy, xz, yx, yy, yz, zx, zy, zz) = self._to_base
        x, y, z = point[0] - bx, point[1] - by, point[2] - bz
        return xx * x + xy * y + xz * z, yx * x + yy * y + yz * z, zx * x + zy * y + zz * z

    def _move(self, position: JointValues) -> None:
        there, is_flat = position, True
        if isinstance(position, np.ndarray):
            there, is_flat = position.tolist(), position.ndim == 1
        if there == self._here:
            return
        if not is_flat or len(there) != self.model.nq or not all(map(math.isfinite, there)):
            raise ValueError(f"need {self.model.nq} finite joint positions for {list(self._names)}, got {there}")
        self._joints[:] = there
        mujoco.mj_kinematics(self.model, self._data)
        self._here, self._has_velocities = list(there), False
