"""The room that a profile leaves to the hand: a reference that is led out of it slides along its wall.

The safety filter stops the whole arm before a boundary. That is right for an arm that must not go there, and wrong for
the way to an object on a table: a hand that touches down a few millimetres lower than allowed has to go on sideways and
turn. So the way is planned inside, and the filter has nothing to stop.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.robot.profile import RobotProfile
from world2act_core.types import EefPose

Vector = NDArray[np.float64]

EASE_M = 0.002
"""Over about four times this the way bends from towards a wall to along it; a sharp bend would ask for a jerk."""


class Room:
    """Keeps poses inside a profile's workspace, and its tool above the table.

    wall_m: distance kept from the faces of the workspace; table_m: from the table, beside the profile's own margin.
    """

    def __init__(self, profile: RobotProfile, wall_m: float, table_m: float) -> None:
        workspace = profile.workspace
        self._low, self._high = np.array(workspace.low) + wall_m, np.array(workspace.high) - wall_m
        self._corners = _tool_corners(profile)
        self._table: float | None = None
        if workspace.table_height is not None and len(self._corners):
            self._table = workspace.table_height + profile.collision.table_margin + table_m

    def keep(self, pose: EefPose) -> EefPose:
        """`pose` itself well inside, else the nearest one with the same rotation that is inside; finite poses only."""
        low = self._low
        if self._table is not None:
            below = Rotation.from_quat(pose.quaternion).apply(self._corners)[:, 2].min()
            low = np.array([low[0], low[1], max(low[2], self._table - below)])
        position = np.array([
            _eased(x, a, b) for x, a, b in zip(pose.position, low, self._high, strict=True)
        ])  # fmt: skip
        return EefPose(position, pose.quaternion)


def _eased(value: float, low: float, high: float) -> float:
    """`value` between the walls, bent smoothly near one; at a wall it is ln 2 times EASE_M inside."""
    if value - low < (high - low) / 2:
        return low + EASE_M * float(np.logaddexp(0.0, (value - low) / EASE_M))
    return high - EASE_M * float(np.logaddexp(0.0, (high - value) / EASE_M))


def _tool_corners(profile: RobotProfile) -> Vector:
    """Corners of the tool's boxes in the end effector's frame, [8 per box, 3] m."""
    model = profile.model
    if model is None or not model.tool:
        return np.zeros((0, 3))
    signs = np.array(list(product((-0.5, 0.5), repeat=3)))
    corners = np.concatenate([np.array(box.centre) + signs * np.array(box.size) for box in model.tool])
    turned = Rotation.from_quat(model.eef_offset.quaternion).inv()
    return np.asarray(turned.apply(corners - np.array(model.eef_offset.position)))
