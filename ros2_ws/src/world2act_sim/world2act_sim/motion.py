"""What every scripted expert needs: where the hand is, and an action that brings it somewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.pose import action_between
from world2act_core.types import EefPose, FloatArray
from world2act_sim.world import TabletopWorld

OPEN, CLOSE = -1.0, 1.0
GAIN = 1.6
"""Commanded step over remaining distance: the arm lags its target within one control period."""
RETREAT_HEIGHT_M = 0.17


def ramp(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, linear between."""
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


class Motion:
    """Positions are in the world frame, metres; closing axes are horizontal directions [2] in the base frame."""

    def __init__(self, world: TabletopWorld) -> None:
        self.world = world
        home = Rotation.from_quat(world.eef_pose().quaternion).as_matrix()
        self.home_axis = np.array([home[0, 1], home[1, 1]])
        self.home_axis /= np.linalg.norm(self.home_axis)

    def position(self) -> NDArray[np.float64]:
        """The point between the fingertips."""
        return self.world.to_world(self.world.eef_pose().position)

    def axis_now(self) -> NDArray[np.float64]:
        """The fingers' closing axis."""
        matrix = Rotation.from_quat(self.world.eef_pose().quaternion).as_matrix()
        axis = matrix[:2, 1]
        return axis / max(float(np.linalg.norm(axis)), 1e-6)

    def action(self, goal: NDArray[np.float64], axis: NDArray[np.float64], gripper: float) -> FloatArray:
        """Action towards a fingertip position, pointing straight down, fingers closing along `axis`."""
        pose = self.world.eef_pose()
        closing = np.array([axis[0], axis[1], 0.0])
        approach = np.array([0.0, 0.0, -1.0])
        rotation = np.stack([np.cross(closing, approach), closing, approach], axis=1)
        position = pose.position + GAIN * (self.world.to_base(goal) - pose.position)
        aim = EefPose(position, Rotation.from_matrix(rotation).as_quat())
        return action_between(pose, aim, gripper)
