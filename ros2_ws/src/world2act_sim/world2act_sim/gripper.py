"""What the simulated gripper's fingers do: their opening and what they touch."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np


class GripperState:
    """Reads a robosuite gripper's fingers from the physics state.

    Args:
        model: compiled model. gripper: robosuite's gripper model of the arm.
    """

    def __init__(self, model: mujoco.MjModel, gripper: Any) -> None:
        important = gripper.important_geoms
        self._left = np.array([model.geom(name).id for name in important["left_fingerpad"]])
        self._right = np.array([model.geom(name).id for name in important["right_fingerpad"]])
        self._all = np.array([model.geom(name).id for name in gripper.contact_geoms])
        self._joints = np.array([model.joint(name).qposadr[0] for name in gripper.joints])
        self.is_two_finger_slide = len(self._joints) == 2

    def width(self, data: mujoco.MjData) -> float:
        """Opening in metres: sum of the finger joints' travel for sliding fingers, pad distance otherwise."""
        if self.is_two_finger_slide:
            return float(np.abs(data.qpos[self._joints]).sum())
        gap = data.geom_xpos[self._left].mean(axis=0) - data.geom_xpos[self._right].mean(axis=0)
        return float(np.linalg.norm(gap))

    def holds(self, data: mujoco.MjData, geoms: np.ndarray) -> bool:
        """Whether both finger pads touch any of `geoms`."""
        return self._touching(data, self._left, geoms) and self._touching(data, self._right, geoms)

    def touches(self, data: mujoco.MjData, geoms: np.ndarray) -> bool:
        """Whether any part of the gripper touches any of `geoms`."""
        return self._touching(data, self._all, geoms)

    @staticmethod
    def _touching(data: mujoco.MjData, first: np.ndarray, second: np.ndarray) -> bool:
        if data.ncon == 0:
            return False
        pairs = data.contact.geom[: data.ncon]
        one, two = pairs[:, 0], pairs[:, 1]
        return bool(((np.isin(one, first) & np.isin(two, second)) | (np.isin(two, first) & np.isin(one, second))).any())
