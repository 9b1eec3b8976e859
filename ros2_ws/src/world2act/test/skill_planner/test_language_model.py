"""skill_planner with a language model behind a real HTTP server: its plans, its silence, and the grammar instead."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from world2act.nodes.skill_planner import SkillPlanner
from world2act_core.scripted_llm import Reply, ScriptedLlm
from world2act_core.tabletop import tabletop_contract

from .conftest import Others, Start

UNUSUAL = "could the drink go where rubbish goes"
PLANNED = Reply(
    json.dumps(
        {"problem": "NONE", "explanation": "", "skills": [{"skill": "place", "target": "can", "support": "bin"}]}
    )
)
THINKS_LONG = Reply(delay_s=300.0)


def with_model(start: Start, server: ScriptedLlm, **parameters: Any) -> Others:
    values = {"llm_base_url": server.base_url, "llm_model": "scripted", "llm_timeout": 120.0, "health_period": 0.1}
    return start(planner="llm", **{**values, **parameters})


def test_a_language_model_plans_and_the_plan_says_so(start: Start) -> None:
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


def test_while_the_model_thinks_the_node_lives_answers_and_can_be_canceled(start: Start) -> None:
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


def test_the_goals_own_limit_holds_while_the_model_thinks(start: Start) -> None:
    with ScriptedLlm([THINKS_LONG]) as server:
        others = with_model(start, server, lockstep=False)
        name, answer = others.outcome(others.send(UNUSUAL, timeout_seconds=1.0))
        assert name == "SKILL_TIMEOUT" and "still thinking" in answer.message


def test_a_bug_in_the_planner_ends_the_goal_and_not_the_node(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("oops")

    with ScriptedLlm([PLANNED]) as server:
        others = with_model(start, server)
        monkeypatch.setattr(others.planner._planner, "plan", broken)
        name, answer = others.outcome(others.send(UNUSUAL))
        assert name == "INTERNAL" and "log of skill_planner" in answer.message
        assert others.outcome(others.send(UNUSUAL))[0] == "INTERNAL", "it goes on listening"


def test_deactivation_ends_the_thinking(start: Start) -> None:
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
def test_without_a_usable_answer_the_grammar_plans_and_people_are_told(start: Start, reply: Reply, said: str) -> None:
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
