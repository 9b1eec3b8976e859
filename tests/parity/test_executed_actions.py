"""What an arm with a profile was told, in the policy's units: from the commands of the real commander's parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.parity.test_recorded_dataset import CONTRACT, HASH, Story, at, header
from training.data.importers.recordings import recorded_episode
from world2act.commander.reports import arm_command
from world2act.conversions import chunk_from_message
from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.motion import DISPLACEMENTS, TABLETOP_RESPONSE, GoalResponse
from world2act_core.pose import state_vector
from world2act_core.recording.layout import COMMANDER
from world2act_core.recording.reader import Recording
from world2act_core.robot.find import find_profile
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.types import Situation
from world2act_interfaces.msg import ActionChunk

PROFILE = find_profile("sim_panda")
BEGIN_NS = 1_763_720_492_123_456_789
PERIOD_NS = 10_000_000
UP = np.array([0.0, 0.004, 0.02, 0.0, 0.0, 0.05, -1.0], np.float32)
"""One action: up, a little to the side, turning."""
CHUNK_PERIODS = 40


def lift(speed: float, response: GoalResponse, seconds: float = 2.0) -> Story:
    """An arm that is always where it was told to be carries out the same action again and again."""
    path = JointPath(CONTRACT, PROFILE, PathSettings(response=response))
    arm = ProfiledArm(path, SafetyFilter(PROFILE.limits, safety_settings(PROFILE, speed), path.model))
    position = PROFILE.home_position
    arm.start(position)
    story = Story()
    story.skill(4, 0)
    for period in range(round(seconds * 100)):
        now_ns = BEGIN_NS + period * PERIOD_NS
        pose = arm.measure(now_ns / 1e9, position)
        if period % 10 == 0:
            story.observe(now_ns, state=state_vector(pose, 0.05))
        if period % CHUNK_PERIODS == 0:
            rows = np.tile(UP, (CONTRACT.chunk_length, 1))
            message = ActionChunk(
                header=at(now_ns), sequence=period // CHUNK_PERIODS, skill_id=4, plan_id=2, step_seconds=0.1,
                horizon=len(rows), action_size=rows.shape[1], data=rows.reshape(-1), bundle_hash=HASH,
            )  # fmt: skip
            arm.push(chunk_from_message(message))
            story.messages.append(("action_chunk", message))
        step = arm.step(Situation(now_ns / 1e9, position, 0.0), 0.01, 0.0, expects_chunk=True)
        position = step.decision.position
        story.messages.append(("arm_command", arm_command(step, path.commanded_pose, now_ns)))
    return story


def columns_of(recording: Recording) -> dict[str, np.ndarray]:
    columns = recorded_episode(recording, 0.35)[0].stacked()
    np.testing.assert_array_equal(columns["action"], np.tile(UP, (len(columns["action"]), 1)))
    return columns


def assert_like_the_policys(executed: np.ndarray) -> None:
    """In each step up to the seam at a chunk's start, over whole chunks as such."""
    np.testing.assert_allclose(executed[4:], np.tile(UP, (15, 1)), rtol=0.35, atol=1e-3)
    np.testing.assert_allclose(executed[8:16].mean(axis=0), UP, rtol=0.12, atol=1e-3)


@pytest.mark.parametrize("profile", ["name: sim_panda\n", ""])
def test_an_arm_that_nothing_limits_does_what_the_policy_wants(tmp_path: Path, profile: str) -> None:
    recording = lift(1.0, TABLETOP_RESPONSE).write(tmp_path, replace(header(), robot_profile=profile))
    executed = columns_of(recording)["executed_action"]
    assert len(executed) == 19, "the last step ends after the recording"
    assert_like_the_policys(executed)


def test_a_slow_arm_does_less_than_the_policy_wants(tmp_path: Path) -> None:
    commands = lift(0.1, TABLETOP_RESPONSE)
    executed = columns_of(commands.write(tmp_path))["executed_action"]
    assert (executed[:, 2] < 0.8 * UP[2]).all() and (executed[:, 2] > 0.4 * UP[2]).all()
    events = {name for topic, message in commands.messages if topic == "arm_command" for name in message.limit_events}
    assert all(name.isupper() for name in events), "findings of the safety filter, named once, where they begin"


def test_units_are_those_of_the_commander_that_was_recorded(tmp_path: Path) -> None:
    story = lift(1.0, DISPLACEMENTS)
    told = story.write(tmp_path, notes={COMMANDER: {"response": json.dumps(0.0)}})
    assert_like_the_policys(columns_of(told)["executed_action"])
    untold = story.write(tmp_path, number=1)
    assert (columns_of(untold)["executed_action"][4:, 2] > 1.3 * UP[2]).all(), "the arm of the demonstrations lags"
