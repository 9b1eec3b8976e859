"""What the filter leaves out to be quick changes nothing that it decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.commanding.warm_up import warm_up
from world2act_core.robot.arm_model import BoundedArmModel
from world2act_core.robot.find import find_profile
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.safety import arithmetic
from world2act_core.safety.braking import Braking, MotionState
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import KeepOut, SafetySettings
from world2act_core.safety.types import MotionRequest, SafetyDecision, Situation, Vector
from world2act_core.safety.way import WayToRest
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk

PROFILE = find_profile("fr3")
LOOSE = {"start_jump_rad": 0.5, "jump_rad": 3.0, "tracking_error_rad": 1.0}
GO_ON = {name: {"reaction": "clip", "latched": False} for name in ("SELF_COLLISION", "TABLE_COLLISION", "KEEP_OUT")}


class Measuring:
    """The same arm without what lets the filter look at fewer positions and pairs."""

    def __init__(self, arm: MujocoArm) -> None:
        self._arm = arm
        self.joint_names, self.forward, self.hand_and_elbow, self.jacobian, self.clearance_slope = (
            arm.joint_names, arm.forward, arm.hand_and_elbow, arm.jacobian, arm.clearance_slope,
        )  # fmt: skip

    def clearance(self, position: Vector, limit: float) -> tuple[float, str]:
        self._arm._clearance.bounds.forget()
        return self._arm.clearance(position, limit)


def drive(model: Any, seed: int, **settings: Any) -> list[SafetyDecision]:
    """The FR3 driven at full speed in all directions among a table, its own parts and two boxes."""
    begin = PROFILE.home_position
    boxes = safety_settings(PROFILE).workspace, (KeepOut(name="post", low=(0.3, 0.2, -0.1), high=(0.5, 0.5, 0.5)),)
    chosen = SafetySettings(
        **LOOSE, max_eef_speed=1.5, workspace=boxes[0], keep_out=boxes[1], clearance_margin_m=0.001,
        overrides={**GO_ON, "COMMAND_JUMP": {"latched": False}}, **settings,
    )  # fmt: skip
    guarded, rng = SafetyFilter(PROFILE.limits, chosen, model), np.random.default_rng(seed)
    guarded.start(begin)
    decisions: list[SafetyDecision] = []
    position = begin
    for period in range(160):
        if period % 30 == 0:
            way = rng.uniform(-0.4, 0.4, len(begin))
        wanted = None if period % 50 > 44 else position + way
        request = MotionRequest(wanted, -1.0, 0.0, 0.0)
        decisions.append(guarded.step(request, Situation(period * 0.01, position, 0.0), 0.01))
        position = decisions[-1].position
    return decisions


@pytest.mark.parametrize("seed", range(2))
def test_it_decides_as_if_it_looked_at_everything(seed: int) -> None:
    arm = MujocoArm(PROFILE)
    assert isinstance(arm, BoundedArmModel) and not isinstance(Measuring(arm), BoundedArmModel)
    quick = drive(arm, seed)
    # From 5 m away everything may be near at once, so every position on every way is looked at.
    thorough = drive(Measuring(MujocoArm(PROFILE)), seed, reach_m=5.0)
    for period, (one, other) in enumerate(zip(quick, thorough, strict=True)):
        np.testing.assert_array_equal(one.position, other.position, err_msg=f"period {period}")
        assert (one.mode, one.hold_reason) == (other.mode, other.hold_reason)
        assert [event.name for event in one.events] == [event.name for event in other.events]
    names = {event.name for decision in quick for event in decision.events}
    assert names & {"WORKSPACE", "KEEP_OUT", "SELF_COLLISION", "TABLE_COLLISION"}


def test_no_position_on_a_way_is_farther_than_it_says() -> None:
    rng, three = np.random.default_rng(0), np.ones(3)
    limits = JointLimits(("a", "b", "c"), -9 * three, 9 * three, 3 * three, 8 * three, 60 * three)
    for _ in range(200):
        start = MotionState(np.stack([rng.uniform(-most, most, 3) for most in (2.0, 2.0, 8.0)]))
        brake = Braking(limits).plan(start)
        assert brake is not None
        way = WayToRest(start.position, brake, np.ones(3), 0.01)
        anchor, levers = rng.uniform(-2, 2, 3), rng.uniform(0.1, 1.0, 3)
        positions = np.vstack([way.first, way.rest])
        farthest = (levers * np.abs(positions - anchor)).sum(1).max()
        assert farthest <= way.travel_from(anchor, levers) + 1e-6
        assert arithmetic.first_beyond(positions, 0, anchor, levers, 0.999 * farthest) < len(positions)
        assert arithmetic.first_beyond(positions, 0, anchor, levers, 1.001 * farthest) == len(positions)
    nowhere = WayToRest.at(anchor.tolist())
    assert len(nowhere.rest) == 0 and nowhere.travel_from(anchor, levers) == 0


def test_a_warm_arm_does_what_a_cold_one_does() -> None:
    contract, settings = tabletop_contract("Panda"), safety_settings(PROFILE)

    def run(warm: bool) -> Vector:
        path = JointPath(contract, PROFILE, PathSettings())
        if warm:
            warm_up(path, contract, PROFILE, settings)
        arm, position = ProfiledArm(path, SafetyFilter(PROFILE.limits, settings, path.model)), PROFILE.home_position
        with pytest.raises(RuntimeError, match="start"):
            arm.safety.step(MotionRequest(position, -1.0, 0.0, 0.0), Situation(0.0, position, 0.0), 0.01)
        arm.start(position)
        actions = np.zeros((contract.chunk_length, contract.action_size), dtype=np.float32)
        actions[:, 2] = -0.01
        commanded = []
        for period in range(60):
            now_s = 0.01 * period
            arm.measure(now_s, position)
            if period == 5:
                assert arm.push(ActionChunk(0, now_s, contract.step_s, actions))
            position = arm.step(Situation(now_s, position, 0.0), 0.01, 0.0, False).decision.position
            commanded.append(position)
        return np.array(commanded)

    cold = run(warm=False)
    assert np.ptp(cold, axis=0).max() > 0.01
    np.testing.assert_array_equal(run(warm=True), cold)
