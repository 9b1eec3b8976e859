"""An arm that does not get to where chunks lead says so."""

from __future__ import annotations

import numpy as np

from world2act.commander.reach import OUT_OF_REACH, Reach
from world2act_core.commanding.joint_path import PathPoint
from world2act_core.motion import Reference
from world2act_core.robot.find import find_profile
from world2act_core.robot.inverse_kinematics import CartesianToJoint
from world2act_core.types import EefPose

PROFILE = find_profile("sim_panda")
KINEMATICS = CartesianToJoint(PROFILE)
HOME = KINEMATICS.arm.forward(PROFILE.home_position)


def follow(reach: Reach, target: EefPose, seconds: float, begin_s: float = 0.0) -> None:
    """What arm_commander does: one tick of the real kinematics per period."""
    joints = PROFILE.home_position
    for period in range(round(seconds / 0.01)):
        step = KINEMATICS.step(target, joints, 0.01)
        joints = step.position
        reach.saw(
            PathPoint(step, Reference(target, np.zeros(3), np.zeros(3), -1.0, 0, 0, 0.0, False), 0.0),
            begin_s + period * 0.01,
        )


def moved(x: float) -> EefPose:
    return EefPose(HOME.position + np.array([x, 0.0, 0.0]), HOME.quaternion)


def test_a_target_that_is_reached_is_no_matter_nor_one_that_takes_a_moment() -> None:
    reach = Reach()
    follow(reach, moved(0.1), 2.0)
    assert reach.flags == ()


def test_a_target_out_of_reach_is_named_until_it_is_over() -> None:
    reach = Reach()
    follow(reach, moved(1.5), 4.0)
    (flag,) = reach.flags
    assert flag.name == OUT_OF_REACH and flag.active and not flag.latched and flag.count == 1
    assert "mm and" in flag.message and "goes as far as it can" in flag.message
    follow(reach, HOME, 0.1, 4.0)
    assert reach.flags == ()
    follow(reach, moved(1.5), 4.0, 5.0)
    assert reach.flags[0].count == 2
    reach.saw(None, 10.0)
    assert reach.flags == (), "nothing is followed"


def test_a_target_that_is_no_pose_is_named_in_the_words_of_the_kinematics() -> None:
    reach = Reach()
    follow(reach, EefPose(np.full(3, np.nan), HOME.quaternion), 1.2)
    assert "the target is not a pose" in reach.flags[0].message
