"""The kinematic model of a robot profile and the simulator agree on where the end effector is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.robot.find import find_profile
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import ArmTarget
from world2act_sim.tabletop_env import TABLE_HEIGHT
from world2act_sim.world import TabletopWorld, WorldConfig


def agree(world: TabletopWorld, arm: MujocoArm) -> None:
    """Same joint positions, same pose: after resets and in motion."""
    for seed in range(3):
        seen = world.reset(seed, render=False)
        for offset in ([0.0, 0.0, 0.0], [0.05, 0.05, -0.03]):
            target = seen.eef_pose.position + offset
            turn = Rotation.from_rotvec([0.1, 0.0, 0.3]) * Rotation.from_quat(seen.eef_pose.quaternion)
            seen = world.step(ArmTarget(type(seen.eef_pose)(target, turn.as_quat()), -1.0), render=False)
            pose = arm.forward(seen.joint_position)
            np.testing.assert_allclose(pose.position, seen.eef_pose.position, atol=1e-4)
            difference = Rotation.from_quat(pose.quaternion).inv() * Rotation.from_quat(seen.eef_pose.quaternion)
            assert difference.magnitude() < 1e-4


def test_the_simulated_panda_and_its_profile(world: TabletopWorld) -> None:
    profile = find_profile("sim_panda")
    seen = world.reset(0, render=False)
    assert profile.joint_names == seen.joint_names
    agree(world, MujocoArm(profile))
    box = profile.workspace
    assert box.table_height == pytest.approx(world.to_base(np.array([0.0, 0.0, TABLE_HEIGHT]))[2])
    for position in world.named_positions().values():
        assert np.all(position[:2] > box.low[:2]) and np.all(position[:2] < box.high[:2])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "robot"), [("ur5e", "UR5e"), ("xarm7", "XArm7")])
def test_other_arms_with_the_simulators_gripper(name: str, robot: str) -> None:
    """The simulator fits the Panda's gripper to every arm: with its offset the arms' own models agree too."""
    data = find_profile(name).model_dump()
    assert find_profile("sim_panda").model is not None
    data["model"]["eef_offset"] = find_profile("sim_panda").model_dump()["model"]["eef_offset"]
    world = TabletopWorld(WorldConfig(robot=robot, render="none"))
    agree(world, MujocoArm(RobotProfile.model_validate(data)))
