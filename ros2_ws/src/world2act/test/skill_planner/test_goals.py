"""skill_planner over real topics: skills in order, refusals with a name, and what ends a goal."""

from __future__ import annotations

import pytest

from .conftest import COMPOSITE, Others


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
