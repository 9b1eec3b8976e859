"""What the simulated gripper's fingers do: their opening and what they touch."""

from __future__ import annotations

from collections.abc import Sequence
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
        self._left = [model.geom(name).id for name in important["left_fingerpad"]]
        self._right = [model.geom(name).id for name in important["right_fingerpad"]]
        self._all = [model.geom(name).id for name in gripper.contact_geoms]
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
    def _touching(data: mujoco.MjData, first: Sequence[int], second: np.ndarray) -> bool:
        # Some twenty contacts, every control period: plain numbers are looked up faster than numpy compares arrays.
        ours, theirs = frozenset(first), frozenset(second.tolist())
        return any(
            (one in ours and two in theirs) or (two in ours and one in theirs)
            for one, two in data.contact.geom[: data.ncon].tolist()
        )
