"""skill_planner over real topics: skills in order, refusals with a name, and what ends a goal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.parameter import Parameter

from world2act import topics
from world2act.conversions import error_name, ns_to_stamp
from world2act.health import FAULT, Condition, health_message
from world2act.nodes.skill_planner import SkillPlanner
from world2act_core.tabletop import tabletop_contract
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, NodeHealth, Skill

STEP_NS = 100_000_000
COMPOSITE = "put the can in the bin, then stack the red cube on the green one"


class Others(Node):
    """A person, the policy and the nodes that may be at fault, as far as the planner sees them."""

    def __init__(self, ros) -> None:
        super().__init__("others", context=ros.context)
        self.ros = ros
        self.skills: list[Skill] = []
        self.sequence = -1
        self.actions = ActionClient(self, ExecuteInstruction, topics.EXECUTE_INSTRUCTION)
        self.chunks = self.create_publisher(ActionChunk, topics.ACTION_CHUNK, topics.reliable())
        self.healths = self.create_publisher(NodeHealth, topics.NODE_HEALTH, topics.reliable())
        self.create_subscription(Skill, topics.SKILL, self.skills.append, topics.latched(10))

    def send(self, instruction: str, **goal: Any) -> Any:
        """Give the instruction; returns the future of its result."""
        sent = self.actions.send_goal_async(ExecuteInstruction.Goal(instruction=instruction, **goal))
        assert self.ros.until(sent.done)
        return sent.result().get_result_async()

    def outcome(self, result: Any) -> tuple[str, Any]:
        """(name of the error, result) once it is there."""
        assert self.ros.until(result.done)
        answer = result.result().result
        return error_name(answer.error_code), answer

    def chunk(self, done: float) -> Skill:
        """The policy answers the current skill; returns what the planner says then."""
        self.sequence += 1
        now = self.skills[-1]
        message = ActionChunk(sequence=self.sequence, skill_id=now.id, plan_id=now.plan_id, done=done)
        message.header.stamp = ns_to_stamp(4 * STEP_NS * (1 + self.sequence))
        self.chunks.publish(message)
        assert self.ros.until(lambda: self.skills[-1].chunk_sequence == self.sequence or not self.skills[-1].active)
        return self.skills[-1]

    def fault(self, node: str, name: str) -> None:
        """A node says that it is at fault."""
        self.healths.publish(health_message(f"/{node}", "active", Condition(FAULT, name, "see to it")))


@pytest.fixture
def others(ros, tmp_path: Path, request: pytest.FixtureRequest) -> Others:
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    values = {"bundle": str(tmp_path), "lockstep": True, **getattr(request, "param", {})}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = ros.add(SkillPlanner(context=ros.context, parameter_overrides=overrides))
    node.trigger_configure()
    node.trigger_activate()
    others = ros.add(Others(ros))
    assert ros.until(lambda: others.actions.server_is_ready() and bool(others.skills))
    assert ros.until(lambda: others.chunks.get_subscription_count() and others.healths.get_subscription_count())
    yield others
    others.actions.destroy()
    node.trigger_shutdown()


def test_skills_follow_each_other_when_two_chunks_in_a_row_say_done(others: Others) -> None:
    result = others.send(COMPOSITE)
    assert others.ros.until(lambda: others.skills[-1].active)
    assert others.skills[-1].prompt == "put the can in the bin" and others.skills[-1].total == 2
    assert others.chunk(0.9).index == 0, "one chunk is not enough"
    assert others.chunk(0.2).index == 0 and others.chunk(0.9).index == 0
    second = others.chunk(0.9)
    assert (second.index, second.kind, second.target, second.support) == (1, "stack", "red cube", "green cube")
    others.chunk(0.9)
    assert not others.chunk(0.9).active
    name, answer = others.outcome(result)
    assert (name, answer.skills_completed, answer.skills_total) == ("NONE", 2, 2) and answer.success
    assert answer.seconds == pytest.approx(5 * 0.4)


@pytest.mark.parametrize(
    ("instruction", "code"),
    [("", "EMPTY_INSTRUCTION"), (" \t\n", "EMPTY_INSTRUCTION"), ("put " * 2500, "INSTRUCTION_TOO_LONG")],
    ids=["empty", "blank", "10000 characters"],
)
def test_what_cannot_be_planned_comes_back_with_a_name(others: Others, instruction: str, code: str) -> None:
    name, answer = others.outcome(others.send(instruction))
    assert name == code and not answer.success and answer.skills_total == 0 and len(answer.message) > 20
    assert not others.skills[-1].active
    assert others.outcome(others.send("pick up the unicorn"))[0] == "UNKNOWN_OBJECT", "it goes on listening"


@pytest.mark.parametrize(
    ("node", "fault", "code"),
    [
        ("camera_ingest", "INPUT_SILENT", "STALE_OBSERVATION"),
        ("vla_policy", "POLICY_OUTPUT_INVALID", "POLICY_UNAVAILABLE"),
        ("arm_commander", "CHUNK_INVALID", "ARM_FAULT"),
    ],
)
def test_a_fault_that_stays_ends_the_goal_with_its_name(others: Others, node: str, fault: str, code: str) -> None:
    result = others.send("pick up the can")
    others.fault(node, fault)
    name, answer = others.outcome(result)
    assert name == code and f"{node}: {fault}: see to it" in answer.message
    assert others.ros.until(lambda: not others.skills[-1].active), "the arm is told to stop"


@pytest.mark.parametrize("others", [{"lockstep_timeout": 0.5}], indirect=True)
def test_a_silent_policy_ends_the_goal(others: Others) -> None:
    name, answer = others.outcome(others.send("pick up the can"))
    assert name == "POLICY_UNAVAILABLE" and "no action chunk for 0.5 s" in answer.message


@pytest.mark.parametrize("others", [{"skill_timeout": 1.0}], indirect=True)
def test_a_skill_that_takes_too_long_is_named(others: Others) -> None:
    result = others.send("pick up the can")
    assert others.ros.until(lambda: others.skills[-1].active)
    while others.chunk(0.0).active:
        assert others.sequence < 10
    name, answer = others.outcome(result)
    assert name == "SKILL_TIMEOUT" and "'pick up the can'" in answer.message and answer.skills_completed == 0
