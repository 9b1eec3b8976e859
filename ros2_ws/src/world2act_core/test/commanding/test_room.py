"""The reference stays in the room that the profile leaves to the hand, and slides along its walls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.commanding.room import EASE_M, Room
from world2act_core.robot.find import find_profile
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.types import EefPose

PROFILE = find_profile("sim_panda")
WALL_M, TABLE_M = 0.006, 0.002
ROOM = Room(PROFILE, WALL_M, TABLE_M)
ARM = MujocoArm(PROFILE)
HOME = ARM.forward(PROFILE.home_position)


def kept(x: float, y: float, z: float, turn: Rotation | None = None) -> np.ndarray:
    rotation = (turn or Rotation.identity()) * Rotation.from_quat(HOME.quaternion)
    return ROOM.keep(EefPose(np.array([x, y, z]), rotation.as_quat())).position


def test_well_inside_nothing_changes() -> None:
    np.testing.assert_allclose(kept(0.5, 0.1, 0.1), [0.5, 0.1, 0.1], atol=1e-9)


def test_outside_is_led_to_the_wall_alone_along_the_other_axes() -> None:
    low, high = np.array(PROFILE.workspace.low) + WALL_M, np.array(PROFILE.workspace.high) - WALL_M
    np.testing.assert_allclose(kept(2.0, 0.1, 0.1), [high[0], 0.1, 0.1], atol=1e-9)
    np.testing.assert_allclose(kept(0.5, -2.0, 3.0), [0.5, low[1], high[2]], atol=1e-9)


def test_the_model_of_the_arm_agrees_that_the_hand_stays_above_the_table() -> None:
    """MuJoCo's distance is the second opinion: joints that hold the kept pose have the margin and TABLE_M to spare."""
    from world2act_core.robot.inverse_kinematics import CartesianToJoint

    kinematics = CartesianToJoint(PROFILE)
    turn = Rotation.from_euler("xy", [0.2, -0.15])
    pose = EefPose(kept(0.5, 0.0, -0.3, turn), (turn * Rotation.from_quat(HOME.quaternion)).as_quat())
    joints = PROFILE.home_position
    for _ in range(300):
        joints = kinematics.step(pose, joints, 0.01).position
    distance, between = ARM.clearance(joints, 0.05)
    assert "table" in between and distance == pytest.approx(TABLE_M, abs=2e-4)


def test_the_way_bends_and_has_no_kink() -> None:
    heights = np.arange(-0.13, 0.0, 1e-4)
    found = np.array([kept(0.5, 0.0, z)[2] for z in heights])
    slope = np.diff(found) / np.diff(heights)
    assert (slope > -1e-9).all() and (slope < 1 + 1e-9).all()
    assert np.abs(np.diff(slope)).max() < 1e-4 / EASE_M, "the slope changes over millimetres"


def test_without_a_table_or_a_tool_only_the_workspace_counts() -> None:
    data = PROFILE.model_dump()
    data["workspace"]["table_height"] = None
    room = Room(type(PROFILE).model_validate(data), WALL_M, TABLE_M)
    down = room.keep(EefPose(np.array([0.5, 0.0, -1.0]), HOME.quaternion)).position[2]
    assert down == pytest.approx(PROFILE.workspace.low[2] + WALL_M, abs=1e-9)
