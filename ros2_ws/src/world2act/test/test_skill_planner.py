"""skill_planner over real topics: skills in order, refusals with a name, and what ends a goal."""

from __future__ import annotations

import json
import math
import time
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
from world2act_core.manifest import read_manifest, write_manifest
from world2act_core.monitor_config import (
    CalibrationFacts,
    MonitorConfig,
    Separation,
    install_monitor,
    weights_of,
)
from world2act_core.scripted_llm import Reply, ScriptedLlm
from world2act_core.tabletop import tabletop_contract
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, NodeHealth, Skill, SkillPlan

STEP_NS = 100_000_000
COMPOSITE = "put the can in the bin, then stack the red cube on the green one"


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
def start(ros, tmp_path: Path) -> Iterator[Callable[..., Others]]:
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
def others(start: Callable[..., Others], request: pytest.FixtureRequest) -> Others:
    return start(**getattr(request, "param", {}))


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


UNUSUAL = "could the drink go where rubbish goes"
PLANNED = Reply(
    json.dumps(
        {"problem": "NONE", "explanation": "", "skills": [{"skill": "place", "target": "can", "support": "bin"}]}
    )
)
THINKS_LONG = Reply(delay_s=300.0)


def with_model(start: Callable[..., Others], server: ScriptedLlm, **parameters: Any) -> Others:
    values = {"llm_base_url": server.base_url, "llm_model": "scripted", "llm_timeout": 120.0, "health_period": 0.1}
    return start(planner="llm", **{**values, **parameters})


def test_a_language_model_plans_and_the_plan_says_so(start: Callable[..., Others]) -> None:
    with ScriptedLlm([PLANNED]) as server:
        others = with_model(start, server)
        result = others.send(UNUSUAL)
        assert others.ros.until(lambda: others.skills[-1].active, 60.0)
        assert others.skills[-1].prompt == "put the can in the bin"
        assert others.ros.until(lambda: bool(others.plans))
        assert (others.plans[-1].planner, others.plans[-1].instruction) == ("scripted", UNUSUAL)
        others.chunk(0.9)
        others.chunk(0.9)
        assert others.outcome(result)[0] == "NONE"
    assert json.loads(server.questions[0].user)["instruction"] == UNUSUAL


def test_while_the_model_thinks_the_node_lives_answers_and_can_be_canceled(start: Callable[..., Others]) -> None:
    with ScriptedLlm([THINKS_LONG, PLANNED]) as server:
        others = with_model(start, server)
        goal = others.goal(UNUSUAL)
        result = goal.get_result_async()
        assert others.ros.until(lambda: bool(server.questions), 60.0)
        beats = len(others.beats)
        assert others.ros.until(lambda: len(others.beats) >= beats + 5), "the heartbeat goes on"
        name, answer = others.outcome(others.send("pick up the can"))
        assert name == "BUSY" and "still planning" in answer.message
        assert not result.done() and not others.skills[-1].active
        goal.cancel_goal_async()
        name, answer = others.outcome(result)
        assert name == "CANCELED" and "thinking" in answer.message and answer.skills_total == 0
        result = others.send(UNUSUAL)
        assert others.ros.until(lambda: others.skills[-1].active, 60.0), "it plans the next one"
        others.chunk(0.9)
        others.chunk(0.9)
        assert others.outcome(result)[0] == "NONE"


def test_the_goals_own_limit_holds_while_the_model_thinks(start: Callable[..., Others]) -> None:
    with ScriptedLlm([THINKS_LONG]) as server:
        others = with_model(start, server, lockstep=False)
        name, answer = others.outcome(others.send(UNUSUAL, timeout_seconds=1.0))
        assert name == "SKILL_TIMEOUT" and "still thinking" in answer.message


def test_a_bug_in_the_planner_ends_the_goal_and_not_the_node(
    start: Callable[..., Others], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("oops")

    with ScriptedLlm([PLANNED]) as server:
        others = with_model(start, server)
        monkeypatch.setattr(others.planner._planner, "plan", broken)
        name, answer = others.outcome(others.send(UNUSUAL))
        assert name == "INTERNAL" and "log of skill_planner" in answer.message
        assert others.outcome(others.send(UNUSUAL))[0] == "INTERNAL", "it goes on listening"


def test_deactivation_ends_the_thinking(start: Callable[..., Others]) -> None:
    with ScriptedLlm([THINKS_LONG]) as server:
        others = with_model(start, server)
        result = others.send(UNUSUAL)
        assert others.ros.until(lambda: bool(server.questions), 60.0)
        began = time.monotonic()
        others.planner.trigger_deactivate()
        assert time.monotonic() - began < 10.0
        assert others.outcome(result)[0] == "CANCELED"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("overloaded", 503), "UNREACHABLE"),
        (THINKS_LONG, "TIMEOUT"),
        (Reply("I would love to help."), "NONSENSE"),
        (Reply(PLANNED.content.replace("place", "throw")), "cannot be done"),
    ],
    ids=["down", "slow", "prose", "another skill"],
)
def test_without_a_usable_answer_the_grammar_plans_and_people_are_told(
    start: Callable[..., Others], reply: Reply, said: str
) -> None:
    with ScriptedLlm([reply]) as server:
        others = with_model(start, server, llm_timeout=3.0 if reply is THINKS_LONG else 120.0, llm_retries=0)
        result = others.send("pick up the can")
        assert others.ros.until(lambda: others.skills[-1].active, 60.0)
        assert others.ros.until(lambda: bool(others.plans))
        assert others.skills[-1].prompt == "pick up the can" and others.plans[-1].planner == "grammar"
        condition = others.planner.condition
        assert condition.name == "LLM_UNUSED" and said in condition.message
        others.chunk(0.9)
        others.chunk(0.9)
        assert others.outcome(result)[0] == "NONE"
        if reply is not THINKS_LONG:
            name, answer = others.outcome(others.send(UNUSUAL))
            assert name in ("UNKNOWN_SKILL", "UNKNOWN_OBJECT", "AMBIGUOUS") and said in answer.message
            assert not others.skills[-1].active and len(others.plans) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, "model is empty"), ({"llm_model": "m", "llm_base_url": "localhost:8000"}, "no address")],
)
def test_a_model_that_cannot_be_asked_is_refused_at_the_start(ros, tmp_path: Path, values: dict, said: str) -> None:
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    overrides = [Parameter(k, value=v) for k, v in {"bundle": str(tmp_path), "planner": "llm", **values}.items()]
    node = ros.add(SkillPlanner(context=ros.context, parameter_overrides=overrides))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert said in node.condition.message and "What to do: set parameters llm_base_url" in node.condition.message


def add_monitor(folder: Path, **values: Any) -> MonitorConfig:
    """Make `folder` a bundle with a monitor that wants 0.5 of every chunk."""
    tabletop_contract().to_yaml(folder / "contract.yaml")
    (folder / "policy.onnx").write_bytes(b"never loaded here")
    (folder / "encoder").mkdir()
    (folder / "encoder" / "model.onnx").write_bytes(b"nor is this")
    manifest = write_manifest(
        folder, name="watched", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
        text_encoder_folder="encoder",
    )  # fmt: skip
    area = Separation(auc=0.9, interval=(0.8, 1.0), failures=10, successes=20)
    facts = CalibrationFacts(
        created="2026-01-01T00:00:00Z", bundle_name="watched", bundle_sha256="0" * 64,
        weights=weights_of(manifest.files), protocol={}, false_alarm_limit=0.05, calibration_failures=10,
        calibration_successes=20, auc=area, auc_equal_length=area,
    )  # fmt: skip
    given = {"enabled": True, "threshold": 0.5, "window": 1, "minimum_chunks": 1, "max_retries": 2} | values
    monitor = MonitorConfig(score="alignment_score", alarm_when="below", calibration=facts, **given)
    install_monitor(folder, manifest, monitor)
    return monitor


def begin(others: Others, instruction: str = "pick up the can") -> Any:
    """Send the instruction and wait for its first skill; returns the future of its result."""
    result = others.send(instruction)
    assert others.ros.until(lambda: others.skills[-1].active)
    return result


def test_low_scores_have_the_skill_started_again_and_then_end_the_goal(
    start: Callable[..., Others], tmp_path: Path
) -> None:
    add_monitor(tmp_path)
    others = start()
    result = begin(others)
    first = others.skills[-1]
    assert (first.id, first.attempt) == (1, 1)
    assert others.chunk(0.0, 0.8).attempt == 1
    second = others.chunk(0.0, 0.1)
    assert (second.id, second.attempt, second.index, second.prompt) == (2, 2, 0, first.prompt) and second.active
    late = others.chunk(0.0, 0.0, first)
    assert (late.id, late.attempt) == (2, 2), "a chunk of the first attempt is only acknowledged"
    assert others.chunk(0.0, 0.9).attempt == 2
    third = others.chunk(0.0, 0.2)
    assert (third.id, third.attempt) == (3, 3)
    assert not others.chunk(0.0, 0.3).active, "two retries were allowed"
    name, answer = others.outcome(result)
    assert name == "LOW_ALIGNMENT" and not answer.success and answer.skills_completed == 0
    for words in ("'pick up the can'", "started again 2 time(s)", "0.300", "below 0.500", "monitor:=warn"):
        assert words in answer.message
    assert others.ros.until(lambda: bool(others.feedback) and others.feedback[-1].retries == 2)
    known = [(round(one.score, 3), one.retries) for one in others.feedback if not math.isnan(one.score)]
    assert known == [(0.8, 0), (0.9, 1)], "after a retry the score is unknown until the next chunk"
    assert [one.skill.id for one in others.feedback if one.retries == 2] == [3]
    result = begin(others)
    assert others.skills[-1].id == 4, "no id is used twice"
    others.chunk(0.9, 0.9)
    others.chunk(0.9, 0.9)
    assert others.outcome(result)[0] == "NONE"


def test_every_skill_of_a_plan_may_be_started_again(start: Callable[..., Others], tmp_path: Path) -> None:
    add_monitor(tmp_path, max_retries=1)
    others = start()
    result = begin(others, COMPOSITE)
    again = others.chunk(0.0, 0.1)
    assert (again.id, again.attempt, again.index) == (3, 2, 0), "1 and 2 are the ids of the plan"
    others.chunk(0.9, 0.9)
    second = others.chunk(0.9, 0.9)
    assert (second.id, second.attempt, second.index) == (2, 1, 1)
    again = others.chunk(0.0, 0.1)
    assert (again.id, again.attempt, again.index) == (4, 2, 1)
    others.chunk(0.9, 0.9)
    others.chunk(0.9, 0.9)
    name, answer = others.outcome(result)
    assert (name, answer.skills_completed) == ("NONE", 2)


def test_unknown_scores_never_alarm(start: Callable[..., Others], tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start()
    result = begin(others)
    for _ in range(12):
        assert others.chunk(0.0, math.nan).attempt == 1
    others.chunk(0.9)
    others.chunk(0.9)
    assert others.outcome(result)[0] == "NONE"
    assert all(math.isnan(one.score) and one.retries == 0 for one in others.feedback)


def test_a_warning_goes_to_people_and_changes_nothing(start: Callable[..., Others], tmp_path: Path) -> None:
    add_monitor(tmp_path)
    others = start(monitor="warn")
    result = begin(others)
    assert others.chunk(0.0, 0.1).attempt == 1
    assert others.planner.condition.name == "LOW_ALIGNMENT" and "seems to go wrong" in others.planner.condition.message
    assert others.chunk(0.0, 0.9).attempt == 1 and others.planner.condition.name != "LOW_ALIGNMENT"
    assert others.chunk(0.0, 0.1).attempt == 1
    others.chunk(0.9, 0.1)
    others.chunk(0.9, 0.1)
    assert others.outcome(result)[0] == "NONE" and others.planner.condition.name != "LOW_ALIGNMENT"


@pytest.mark.parametrize(("asked", "values"), [("off", {}), ("auto", {"enabled": False, "reason": "it does not tell"})])
def test_a_monitor_that_is_off_or_not_enabled_does_nothing(
    start: Callable[..., Others], tmp_path: Path, asked: str, values: dict
) -> None:
    add_monitor(tmp_path, **values)
    others = start(monitor=asked)
    result = begin(others)
    assert others.chunk(0.0, 0.1).attempt == 1
    others.chunk(0.9, 0.1)
    others.chunk(0.9, 0.1)
    assert others.outcome(result)[0] == "NONE" and math.isnan(others.feedback[-1].score)


def refusal(ros, bundle: Path, **values: str) -> str:
    """What the node says when it refuses to be configured."""
    overrides = [Parameter(name, value=value) for name, value in {"bundle": str(bundle), **values}.items()]
    node = ros.add(SkillPlanner(context=ros.context, parameter_overrides=overrides))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    return node.condition.message


def test_a_monitor_that_cannot_be_used_is_refused_at_the_start(ros, tmp_path: Path) -> None:
    plain, watched, broken = (tmp_path / name for name in ("plain", "watched", "broken"))
    for folder in (plain, watched, broken):
        folder.mkdir()
    tabletop_contract().to_yaml(plain / "contract.yaml")
    assert "the bundle has no monitor" in refusal(ros, plain, monitor="retry")
    add_monitor(watched, enabled=False, reason="it does not tell")
    said = refusal(ros, watched, monitor="warn")
    assert "not enabled: it does not tell" in said and "set parameter 'monitor' to auto or off" in said
    add_monitor(broken)
    (broken / "policy.onnx").write_bytes(b"other weights")
    old = read_manifest(broken)
    new = write_manifest(
        broken, name="watched", created=old.created, licence=old.licence, world2act_version="0.1.0",
        text_encoder_folder="encoder",
    )  # fmt: skip
    said = refusal(ros, broken)
    assert "calibrated for other weights" in said
    assert old.files["policy.onnx"] in said and new.files["policy.onnx"] in said
