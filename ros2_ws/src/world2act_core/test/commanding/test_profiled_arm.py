"""Chunks through motion, kinematics and safety filter to the joints of the simulated Panda, without a clock."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.robot.find import find_profile
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.profile import RobotProfile
from world2act_core.safety import checks
from world2act_core.safety.filter import NOTHING_FRESH, SafetyFilter
from world2act_core.safety.types import MotionRequest, Reaction, SafetyMode, Situation, Vector
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk

PERIOD_S = 0.01
PROFILE = find_profile("sim_panda")


class Arm:
    """A commander and an arm that is where it is told to be one period later."""

    def __init__(self, **settings: float) -> None:
        self.contract = tabletop_contract("Panda")
        path = JointPath(self.contract, PROFILE, PathSettings())
        self.commander = ProfiledArm(
            path, SafetyFilter(PROFILE.limits, safety_settings(PROFILE, **settings), path.model)
        )
        self.position = PROFILE.home_position
        self.commander.start(self.position)
        self.period = 0
        self.commanded: list[Vector] = [self.position]

    @property
    def now_s(self) -> float:
        return self.period * PERIOD_S

    def push(self, sequence: int, delta: tuple[float, float, float]) -> bool:
        actions = np.zeros((self.contract.chunk_length, self.contract.action_size), dtype=np.float32)
        actions[:, self.contract.action_slice("delta_position")] = delta
        return self.commander.push(ActionChunk(sequence, self.now_s, self.contract.step_s, actions))

    def run(self, seconds: float, hold: str = "", expects_chunk: bool = True):
        for _ in range(round(seconds / PERIOD_S)):
            self.commander.measure(self.now_s, self.position)
            situation = Situation(self.now_s, self.position, 0.0, hold_reason=hold)
            step = self.commander.step(situation, PERIOD_S, 0.0, expects_chunk)
            self.position = step.decision.position
            self.commanded.append(self.position)
            self.period += 1
        return step


def test_an_arm_follows_chunks_to_where_they_lead() -> None:
    arm = Arm()
    arm.run(0.1, expects_chunk=False)
    start = arm.commander.path.commanded_pose.position
    assert arm.push(0, (0.0, 0.0, 0.01))
    step = arm.run(0.6)
    assert step.decision.mode == SafetyMode.RUNNING and step.point is not None
    moved = arm.commander.path.commanded_pose.position - start
    assert moved[2] > 0.03 and np.abs(moved[:2]).max() < 0.002
    assert step.point.observation_ns == 100_000_000, "the observation's stamp, also when the chunk began later"


def test_the_observations_stamp_goes_through_to_the_nanosecond() -> None:
    arm, stamp_ns = Arm(), 1_763_720_492_123_456_789
    arm.period = round(stamp_ns / 1e9 / PERIOD_S) - 1
    arm.run(0.1, expects_chunk=False)
    actions = np.full((arm.contract.chunk_length, arm.contract.action_size), 1e-3, dtype=np.float32)
    assert arm.commander.push(ActionChunk(0, stamp_ns / 1e9, arm.contract.step_s, actions, stamp_ns=stamp_ns))
    step = arm.run(0.2)
    assert step.point is not None and step.point.observation_ns == stamp_ns


def test_nothing_is_known_of_the_gripper_before_a_chunk_has_spoken_of_it() -> None:
    arm = Arm()
    assert arm.run(0.1, expects_chunk=False).gripper is None
    assert arm.push(0, (0.0, 0.0, 0.01))
    assert arm.run(0.2).gripper == 0.0
    assert arm.run(0.2, hold="an operator asked for it").gripper == 0.0, "a hold keeps it"
    arm.commander.start(arm.position)
    assert arm.run(0.1, expects_chunk=False).gripper is None, "after a restart the hand may hold something"


def test_commands_stay_inside_the_limits_whatever_the_chunks_say() -> None:
    arm = Arm()
    generator = np.random.default_rng(0)
    arm.run(0.1, expects_chunk=False)
    for sequence in range(12):
        arm.push(sequence, tuple(generator.uniform(-0.05, 0.05, 3)))
        arm.run(0.2)
    positions = np.stack(arm.commanded)
    velocity = np.diff(positions, axis=0) / PERIOD_S
    acceleration = np.diff(velocity, axis=0) / PERIOD_S
    assert (np.abs(velocity) <= PROFILE.limits.velocity * 1.001).all()
    assert (np.abs(acceleration) <= PROFILE.limits.acceleration * 1.001).all()
    assert (positions >= PROFILE.limits.position_low).all() and (positions <= PROFILE.limits.position_high).all()


def test_a_hand_that_is_led_into_the_table_slides_along_it() -> None:
    arm = Arm()
    arm.run(0.1, expects_chunk=False)
    for sequence in range(4):
        arm.push(sequence, (0.0, 0.0, -0.05))
        arm.run(0.4)
    down = arm.commander.path.commanded_pose.position
    assert PROFILE.workspace.table_height is not None and down[2] < PROFILE.workspace.table_height + 0.025
    for sequence in range(4, 7):
        arm.push(sequence, (0.0, 0.02, -0.03))
        step = arm.run(0.4)
    moved = arm.commander.path.commanded_pose.position - down
    assert moved[1] > 0.1 and abs(moved[2]) < 0.002
    assert step.decision.mode == SafetyMode.RUNNING


def test_a_chunk_that_ends_without_another_is_a_named_latched_hold_and_can_be_cleared() -> None:
    arm = Arm()
    arm.run(0.1, expects_chunk=False)
    arm.push(0, (0.0, 0.0, 0.01))
    step = arm.run(2.0)
    assert step.decision.mode == SafetyMode.HOLDING and checks.STALE_CHUNK in step.decision.hold_reason
    assert arm.push(1, (0.0, 0.0, 0.01)) and arm.run(0.3).decision.mode == SafetyMode.HOLDING, "until it is cleared"
    arm.run(0.1, expects_chunk=False)
    result = arm.commander.clear(Situation(arm.now_s, arm.position, 0.0))
    assert result.ok and result.faults == (checks.STALE_CHUNK,)
    arm.push(2, (0.0, 0.0, 0.01))
    assert arm.run(0.3).decision.mode == SafetyMode.RUNNING


def test_an_arm_that_runs_out_of_chunks_rests_and_goes_on_when_the_next_one_is_not_too_late() -> None:
    arm = Arm(stale_chunk_s=3.0)
    arm.run(0.1, expects_chunk=False)
    arm.push(0, (0.0, 0.0, 0.01))
    step = arm.run(1.5)
    assert step.point is None and step.decision.hold_reason == NOTHING_FRESH
    assert np.abs(step.decision.velocity).max() < 1e-6
    assert arm.push(1, (0.0, 0.0, 0.01))
    assert arm.run(0.3).decision.mode == SafetyMode.RUNNING


def test_waiting_for_a_chunk_is_no_fault() -> None:
    step = Arm().run(0.5, expects_chunk=False)
    assert step.decision.hold_reason == NOTHING_FRESH and step.point is None


def test_a_reason_to_hold_brings_it_to_rest_and_what_follows_begins_there() -> None:
    arm = Arm()
    arm.run(0.1, expects_chunk=False)
    arm.push(0, (0.0, 0.02, 0.0))
    arm.run(0.4)
    step = arm.run(0.5, hold="an operator asked for it")
    assert step.decision.hold_reason == "an operator asked for it"
    assert np.abs(step.decision.velocity).max() < 1e-6
    resting = arm.position
    arm.push(1, (0.0, 0.0, 0.005))
    arm.run(0.02)
    assert np.abs(arm.position - resting).max() < 0.005, "no leap back to where the old chunk had led"


def test_the_reduced_speed_is_kept() -> None:
    arm = Arm(reduced=True)  # type: ignore[arg-type]
    arm.run(0.1, expects_chunk=False)
    model, fastest = arm.commander.path.model, 0.0
    for sequence in range(5):
        arm.push(sequence, (0.0, 0.05 * (-1) ** sequence, 0.0))
        arm.run(0.4)
    points = np.stack([model.forward(position).position for position in arm.commanded])
    fastest = float(np.linalg.norm(np.diff(points, axis=0), axis=1).max() / PERIOD_S)
    assert 0.1 < fastest <= PROFILE.speed.reduced_eef * 1.01


def test_settings_come_from_the_profile() -> None:
    settings = safety_settings(PROFILE, 0.5, stale_chunk_s=0.7)
    assert settings.max_eef_speed == pytest.approx(0.5 * PROFILE.speed.max_eef)
    assert settings.workspace is not None and settings.workspace.low == PROFILE.workspace.low
    assert settings.stale_chunk_s == 0.7 and not settings.latches(checks.TABLE_COLLISION)
    with pytest.raises(ValueError, match="stale_chunk_s"):
        safety_settings(PROFILE, stale_chunk_s=math.nan)


def with_safety(**safety: Any) -> RobotProfile:
    return RobotProfile.model_validate({**PROFILE.model_dump(mode="json"), "safety": safety})


def test_the_profile_says_how_strict_the_filter_is() -> None:
    reactions = {"WORKSPACE": {"reaction": "hold", "latched": True}, "TABLE_COLLISION": {"latched": True}}
    profile = with_safety(reactions=reactions, stale_chunk_s=0.5, peer_timeout_s=0.2)
    settings = safety_settings(profile)
    assert settings.reaction(checks.WORKSPACE) is Reaction.HOLD and settings.latches(checks.WORKSPACE)
    # A check that the profile names is as the page says, but for what is given: ours for the table is gone.
    assert settings.reaction(checks.TABLE_COLLISION) is Reaction.HOLD and settings.latches(checks.TABLE_COLLISION)
    assert settings.stale_chunk_s == 0.5 and safety_settings(profile, stale_chunk_s=0.7).stale_chunk_s == 0.7
    assert safety_settings(with_safety()) == safety_settings(PROFILE)


def test_the_elbow_stops_before_the_box_of_the_profile() -> None:
    """The box ends 4 cm beside where the elbow is at home: turning the base leads it out."""
    model = MujocoArm(PROFILE)
    x, y, z = model.hand_and_elbow(PROFILE.home_position)[1]
    elbow = {"low": [x - 0.3, y - 0.04, z - 0.3], "high": [x + 0.3, y + 0.04, z + 0.3]}
    safety = SafetyFilter(PROFILE.limits, safety_settings(with_safety(elbow=elbow)), model)
    safety.start(PROFILE.home_position)
    goal, position = PROFILE.home_position.copy(), PROFILE.home_position
    found: set[str] = set()
    farthest = 0.0
    for period in range(300):
        goal[0] = min(0.8, goal[0] + 0.005)
        now_s = period * PERIOD_S
        decision = safety.step(MotionRequest(goal, 0.0, 0.0, 0.0), Situation(now_s, position, 0.0), PERIOD_S)
        position = decision.position
        found |= {event.name for event in decision.events}
        farthest = max(farthest, abs(model.hand_and_elbow(position)[1][1] - y))
    assert checks.ELBOW in found and 0.01 < farthest <= 0.04
