"""The simulated arm's own geometry, as the arm's controller knows it: end effector and Jacobian for joint positions."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_core.types import EefPose
from world2act_sim.arm_handles import ArmHandles

Vector = NDArray[np.float64]


class SiteKinematics:
    """Forward kinematics and Jacobian of the end effector site of a world's model, base frame.

    Works on data of its own, so asking does not disturb the simulation. One thread at a time.
    """

    def __init__(self, model: mujoco.MjModel, arm: ArmHandles) -> None:
        self._model, self._arm = model, arm
        self._data = mujoco.MjData(model)
        self._jacobian = np.zeros((6, model.nv))
        self._asked = np.full(len(arm.names), np.nan)

    def forward(self, position: Vector) -> EefPose:
        """Pose of the end effector at joint positions [N], rad."""
        self._move(position)
        axes = self._axes()
        offset = self._data.site_xpos[self._arm.site] - self._data.xpos[self._arm.base]
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, (axes.T @ self._data.site_xmat[self._arm.site].reshape(3, 3)).flatten())
        return EefPose(axes.T @ offset, quaternion[[1, 2, 3, 0]])

    def jacobian(self, position: Vector) -> Vector:
        """[6, N]: linear over angular velocity of the end effector per joint velocity."""
        self._move(position)
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._arm.site)
        axes = self._axes()
        return np.vstack(
            [axes.T @ self._jacobian[:3, self._arm.velocities], axes.T @ self._jacobian[3:, self._arm.velocities]]
        )

    def _move(self, position: Vector) -> None:
        if np.array_equal(position, self._asked):
            return
        self._asked = np.array(position)
        self._data.qpos[self._arm.positions] = position
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def _axes(self) -> Vector:
        return np.array(self._data.xmat[self._arm.base]).reshape(3, 3)
