"""arm_commander over real topics: what it sends, and when it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.parameter import Parameter

from world2act import topics
from world2act.conversions import chunk_to_message, ns_to_seconds, stamp_to_ns, stamped_pose_to_message, value_names
from world2act.nodes.arm_commander import CHUNK_INVALID, ArmCommander
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk as Chunk
from world2act_core.types import EefPose
from world2act_interfaces.msg import ActionChunk, ArmCommand, NodeHealth, Skill
from world2act_interfaces.srv import SetHold

CONTRACT = tabletop_contract()
STEP_NS = 100_000_000
POSE = EefPose(np.array([0.4, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))


class Others(Node):
    """The robot's state, the policy and the planner, as far as the arm commander sees them."""

    def __init__(self, ros) -> None:
        super().__init__("others", context=ros.context)
        self.commands: list[ArmCommand] = []
        self.fault = ""
        self.poses = self.create_publisher(PoseStamped, topics.EEF_POSE, topics.reliable())
        self.chunks = self.create_publisher(ActionChunk, topics.ACTION_CHUNK, topics.reliable())
        self.skills = self.create_publisher(Skill, topics.SKILL, topics.latched())
        self.create_subscription(ArmCommand, topics.ARM_COMMAND, self.commands.append, topics.reliable(100))
        self.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        self.holds = self.create_client(SetHold, topics.SET_HOLD)

    def _on_health(self, message: NodeHealth) -> None:
        self.fault = message.fault

    def pose(self, tick: int) -> None:
        self.poses.publish(stamped_pose_to_message(POSE, tick * STEP_NS))

    def chunk(self, sequence: int, tick: int, actions: np.ndarray) -> None:
        stamp_ns = tick * STEP_NS
        chunk = Chunk(sequence, ns_to_seconds(stamp_ns), 0.1, actions.astype(np.float32), skill_id=1)
        self.chunks.publish(chunk_to_message(chunk, stamp_ns, 1, value_names(CONTRACT.action), "0" * 64))

    def ticks(self) -> list[int]:
        return [stamp_to_ns(command.header.stamp) // STEP_NS for command in self.commands]


@pytest.fixture
def others(ros, tmp_path: Path, request: pytest.FixtureRequest) -> Others:
    CONTRACT.to_yaml(tmp_path / "contract.yaml")
    overrides = [Parameter("bundle", value=str(tmp_path)), Parameter("lockstep", value=True)]
    overrides += [Parameter(name, value=value) for name, value in getattr(request, "param", {}).items()]
    node = ros.add(ArmCommander(context=ros.context, parameter_overrides=overrides))
    node.trigger_configure()
    node.trigger_activate()
    others = ros.add(Others(ros))
    matched = (others.poses, others.chunks, others.skills)
    assert ros.until(lambda: all(publisher.get_subscription_count() for publisher in matched))
    assert ros.until(lambda: others.count_publishers(topics.ARM_COMMAND) > 0 and others.holds.service_is_ready())
    return others


def rising(rise_m: float = 0.01) -> np.ndarray:
    """Eight actions that rise; the i-th by (i + 1) * rise_m, the gripper closing."""
    actions = np.zeros((8, 7))
    actions[:, 2] = rise_m * np.arange(1, 9)
    actions[:, 6] = 1.0
    return np.minimum(actions, 1.0)


def test_lockstep_answers_each_tick_once_and_only_the_steps_to_execute(ros, others: Others) -> None:
    others.chunk(0, 10, rising(0.005))
    for tick in range(10, 16):
        others.pose(tick)
        ros.spin(0.1)
    assert others.ticks() == [10, 11, 12, 13], "the chunk's later steps are not for lockstep"
    heights = [command.pose.position.z for command in others.commands]
    assert heights == pytest.approx([0.205, 0.21, 0.215, 0.22], abs=1e-7)
    assert [command.chunk_index for command in others.commands] == [0, 1, 2, 3]
    assert stamp_to_ns(others.commands[-1].observation_stamp) == 10 * STEP_NS
    others.chunk(1, 15, rising())
    assert ros.until(lambda: others.ticks() == [10, 11, 12, 13, 15])


def test_a_repeated_tick_gets_the_same_command_again(ros, others: Others) -> None:
    others.chunk(0, 10, rising())
    others.pose(10)
    assert ros.until(lambda: len(others.commands) == 1)
    others.pose(10)
    assert ros.until(lambda: len(others.commands) == 2)
    assert others.commands[0] == others.commands[1]


def test_nan_is_refused_and_named(ros, others: Others) -> None:
    actions = rising()
    actions[3, 2] = np.nan
    others.chunk(0, 10, actions)
    others.pose(10)
    assert ros.until(lambda: others.fault == CHUNK_INVALID)
    assert others.commands == []
    others.chunk(1, 10, rising())
    assert ros.until(lambda: len(others.commands) == 1 and others.fault == "")


def test_limits_are_applied_and_told(ros, others: Others) -> None:
    others.chunk(0, 10, rising(0.2))
    others.pose(10)
    assert ros.until(lambda: len(others.commands) == 1)
    assert others.commands[0].pose.position.z == pytest.approx(0.25)
    assert list(others.commands[0].limit_events) == ["clipped"]


@pytest.mark.parametrize("others", [{"lockstep_timeout": 0.3}], indirect=True)
def test_a_tick_without_a_chunk_is_held_in_the_end(ros, others: Others) -> None:
    others.pose(10)
    ros.spin(0.8)
    assert others.commands == [], "without a skill the world may stand still"
    others.skills.publish(Skill(active=True, id=1, plan_id=1))
    assert ros.until(lambda: len(others.commands) > 0 and others.fault == "NO_FRESH_CHUNK")
    command = others.commands[0]
    assert command.holding and "no chunk" in command.hold_reason
    assert command.pose.position.z == pytest.approx(0.2)


@pytest.mark.parametrize("others", [{"lockstep": False}], indirect=True)
def test_real_time_holds_what_it_last_sent(ros, others: Others) -> None:
    import time

    def pose() -> bool:
        others.poses.publish(stamped_pose_to_message(POSE, time.time_ns()))
        return bool(others.commands) and others.commands[-1].holding

    assert ros.until(pose)
    assert others.commands[-1].hold_reason == "no skill is active"
    others.skills.publish(Skill(active=True, id=1, plan_id=1))
    ros.spin(0.2)
    stamp_ns = time.time_ns()
    chunk = Chunk(0, ns_to_seconds(stamp_ns), 0.1, rising().astype(np.float32), skill_id=1)
    others.chunks.publish(chunk_to_message(chunk, stamp_ns, 1, value_names(CONTRACT.action), "0" * 64))
    assert ros.until(lambda: pose() is False)
    moved = lambda: [command for command in others.commands if not command.holding]  # noqa: E731
    assert ros.until(lambda: pose() and bool(moved()))
    last = moved()[-1]
    assert others.commands[-1].hold_reason == "no fresh action chunk"
    assert others.commands[-1].pose == last.pose and others.commands[-1].gripper == last.gripper == 1.0


def test_hold_on_request_wins(ros, others: Others) -> None:
    answer = others.holds.call_async(SetHold.Request(hold=True, reason="somebody is near"))
    assert ros.until(answer.done)
    others.chunk(0, 10, rising())
    others.pose(10)
    assert ros.until(lambda: len(others.commands) == 1)
    assert others.commands[0].holding and others.commands[0].hold_reason == "somebody is near"
