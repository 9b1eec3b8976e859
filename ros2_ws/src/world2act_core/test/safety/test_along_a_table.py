"""A hand that stands at a table that it is led into goes on along it; an arm knows which way leads away."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.robot.find import find_profile
from world2act_core.robot.inverse_kinematics import CartesianToJoint
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.types import MotionRequest, SafetyMode, Situation, Vector
from world2act_core.types import EefPose

PERIOD_S = 0.01
PROFILE = find_profile("sim_panda")
MARGIN_M = safety_settings(PROFILE).clearance_margin_m


def into_the_table_and_along(arm: MujocoArm) -> list[Vector]:
    """Joint references: straight down to 5 mm inside the table's margin, then 12 cm to the left, there."""
    kinematics, home = CartesianToJoint(PROFILE), PROFILE.home_position
    pose = arm.forward(home)
    table = PROFILE.workspace.table_height
    assert table is not None
    down = [pose.position + [0.0, 0.0, -0.001 * step] for step in range(round(1000 * (pose.position[2] - table)) - 10)]
    along = [down[-1] + [0.0, 0.001 * step, 0.0] for step in range(120)]
    joints, references = home, []
    for position in [*down, *along, *([along[-1]] * 40)]:
        joints = kinematics.step(EefPose(position, pose.quaternion), joints, PERIOD_S).position
        references.append(joints)
    return references


def test_the_arm_goes_on_along_a_table_that_it_is_led_into() -> None:
    arm = MujocoArm(PROFILE)
    references = into_the_table_and_along(arm)
    judge = MujocoArm(PROFILE)
    guarded = SafetyFilter(PROFILE.limits, safety_settings(PROFILE), arm)
    position = PROFILE.home_position
    guarded.start(position)
    names: set[str] = set()
    for index, reference in enumerate(references):
        situation = Situation(index * PERIOD_S, position, 0.0)
        decision = guarded.step(MotionRequest(reference, -1.0, 0.0, 0.0), situation, PERIOD_S)
        position = decision.position
        assert decision.mode is not SafetyMode.HOLDING, decision.hold_reason
        assert judge.clearance(position, MARGIN_M)[0] >= MARGIN_M - 1e-6
        names |= {event.name for event in decision.events}
    assert "TABLE_COLLISION" in names
    reached = judge.forward(position).position
    assert judge.clearance(references[-1], MARGIN_M)[0] < MARGIN_M - 0.003, "the reference was not led into the table"
    assert reached[1] > 0.03, "the hand stands where it came to the table"


@pytest.mark.parametrize("name", ["fr3", "sim_panda"])
def test_the_slope_is_how_the_distance_changes(name: str) -> None:
    profile = find_profile(name)
    rng, checked = np.random.default_rng(0), 0
    arm = MujocoArm(profile)
    home, limits = profile.home_position, profile.limits
    for _ in range(300):
        here = 0.5 * home + 0.5 * rng.uniform(limits.position_low, limits.position_high)
        near, _ = arm.clearance(here, 0.045)
        slope = arm.clearance_slope(here)
        if not 0.002 < near < 0.045:
            continue
        turn = 1e-4 * rng.normal(size=len(here))
        ends = [arm.clearance(here + sign * turn, 0.06) for sign in (-0.5, 0.5)]
        if ends[0][1] != ends[1][1]:  # another pair is nearer there: a kink
            continue
        assert ends[1][0] - ends[0][0] == pytest.approx(slope @ turn, abs=3e-6)
        checked += 1
    assert checked >= 10
