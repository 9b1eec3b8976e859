"""What is around a skill_planner, as far as it can see: a person, the policy, the nodes that may be at fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rclpy.action import ActionClient
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from world2act import topics
from world2act.conversions import error_name, ns_to_stamp
from world2act.health import FAULT, Condition, health_message
from world2act.nodes.skill_planner import SkillPlanner
from world2act_core.tabletop import tabletop_contract
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, NodeHealth, Skill, SkillPlan

STEP_NS = 100_000_000
COMPOSITE = "put the can in the bin, then stack the red cube on the green one"
Start = Callable[..., "Others"]


class Others(Node):
    """A person, the policy and the nodes that may be at fault, as far as the planner sees them."""

    def __init__(self, ros, planner: SkillPlanner) -> None:
        super().__init__("others", context=ros.context)
        self.ros = ros
        self.planner = planner
        self.skills: list[Skill] = []
        self.plans: list[SkillPlan] = []
        self.beats: list[NodeHealth] = []
        self.feedback: list[Any] = []
        self.sequence = -1
        self.actions = ActionClient(self, ExecuteInstruction, topics.EXECUTE_INSTRUCTION)
        self.chunks = self.create_publisher(ActionChunk, topics.ACTION_CHUNK, topics.reliable())
        self.healths = self.create_publisher(NodeHealth, topics.NODE_HEALTH, topics.reliable())
        self.create_subscription(Skill, topics.SKILL, self.skills.append, topics.latched(10))
        self.create_subscription(SkillPlan, topics.SKILL_PLAN, self.plans.append, topics.latched(10))
        self.create_subscription(NodeHealth, topics.NODE_HEALTH, self.beats.append, topics.reliable(50))

    def send(self, instruction: str, **goal: Any) -> Any:
        """Give the instruction; returns the future of its result."""
        return self.goal(instruction, **goal).get_result_async()

    def goal(self, instruction: str, **goal: Any) -> Any:
        """Give the instruction; returns the handle of the goal, once it is accepted."""
        request = ExecuteInstruction.Goal(instruction=instruction, **goal)
        sent = self.actions.send_goal_async(request, lambda message: self.feedback.append(message.feedback))
        assert self.ros.until(sent.done)
        return sent.result()

    def outcome(self, result: Any) -> tuple[str, Any]:
        """(name of the error, result) once it is there."""
        assert self.ros.until(result.done)
        answer = result.result().result
        return error_name(answer.error_code), answer

    def chunk(self, done: float, score: float = math.nan, skill: Skill | None = None) -> Skill:
        """The policy answers the current skill, or `skill`; returns what the planner says then."""
        self.sequence += 1
        now = skill or self.skills[-1]
        message = ActionChunk(sequence=self.sequence, skill_id=now.id, plan_id=now.plan_id, done=done)
        message.alignment_score = score
        message.header.stamp = ns_to_stamp(4 * STEP_NS * (1 + self.sequence))
        self.chunks.publish(message)
        assert self.ros.until(lambda: self.skills[-1].chunk_sequence == self.sequence or not self.skills[-1].active)
        return self.skills[-1]

    def fault(self, node: str, name: str) -> None:
        """A node says that it is at fault."""
        self.healths.publish(health_message(f"/{node}", "active", Condition(FAULT, name, "see to it")))


@pytest.fixture
def start(ros, tmp_path: Path) -> Iterator[Start]:
    """start(**parameters) -> what is around an active skill_planner."""
    started: list[tuple[SkillPlanner, Others]] = []

    def start_one(**parameters: Any) -> Others:
        tabletop_contract().to_yaml(tmp_path / "contract.yaml")
        values = {"bundle": str(tmp_path), "lockstep": True, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = ros.add(SkillPlanner(context=ros.context, parameter_overrides=overrides))
        others = ros.add(Others(ros, node))
        started.append((node, others))
        assert node.trigger_configure() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        assert ros.until(lambda: others.actions.server_is_ready() and bool(others.skills))
        assert ros.until(lambda: others.chunks.get_subscription_count() and others.healths.get_subscription_count())
        return others

    yield start_one
    for node, others in started:
        others.actions.destroy()
        node.trigger_shutdown()


@pytest.fixture
def others(start: Start, request: pytest.FixtureRequest) -> Others:
    return start(**getattr(request, "param", {}))


def begin(others: Others, instruction: str = "pick up the can") -> Any:
    """Send the instruction and wait for its first skill; returns the future of its result."""
    result = others.send(instruction)
    assert others.ros.until(lambda: others.skills[-1].active)
    return result
