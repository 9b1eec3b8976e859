"""What the arm is told, as the message that recordings are made of."""

from __future__ import annotations

import numpy as np

from world2act.commander.reports import arm_command
from world2act.conversions import chunk_from_message, ns_to_stamp, stamp_to_ns
from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.robot.find import find_profile
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.types import Situation
from world2act_core.tabletop import tabletop_contract
from world2act_interfaces.msg import ActionChunk

TODAY_NS = 1_763_720_492_123_456_789
PERIOD_NS = 10_000_000


def test_a_command_names_the_observation_behind_it_to_the_nanosecond() -> None:
    """A recording is joined by these stamps; a double of today's seconds is up to 240 ns off."""
    profile, contract = find_profile("sim_panda"), tabletop_contract("Panda")
    path = JointPath(contract, profile, PathSettings())
    arm = ProfiledArm(path, SafetyFilter(profile.limits, safety_settings(profile), path.model))
    position = profile.home_position
    arm.start(position)
    rows = np.zeros((contract.chunk_length, contract.action_size), np.float32)
    rows[:, 2] = 0.005
    commands = []
    for period in range(20):
        now_ns = TODAY_NS + period * PERIOD_NS
        arm.measure(now_ns / 1e9, position)
        if period in (5, 12):
            message = ActionChunk(
                sequence=period, step_seconds=0.1, horizon=len(rows), action_size=rows.shape[1], data=rows.reshape(-1)
            )
            message.header.stamp = ns_to_stamp(now_ns)
            assert arm.push(chunk_from_message(message))
        step = arm.step(Situation(now_ns / 1e9, position, 0.0), 0.01, 0.0, expects_chunk=period >= 5)
        position = step.decision.position
        commands.append(arm_command(step, path.commanded_pose, now_ns))
    assert commands[0].holding and commands[0].chunk_sequence == -1 and stamp_to_ns(commands[0].observation_stamp) == 0
    named = {c.chunk_sequence: stamp_to_ns(c.observation_stamp) for c in commands if not c.holding}
    assert named == {sequence: TODAY_NS + sequence * PERIOD_NS for sequence in (5, 12)}
