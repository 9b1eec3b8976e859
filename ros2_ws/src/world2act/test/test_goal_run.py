"""One instruction on its way through its skills."""

from __future__ import annotations

import math

from world2act.goal_run import GoalRun, SequencerSettings
from world2act_core.plan import Plan
from world2act_core.skill import Skill

PLAN = Plan("do it", (Skill("pick", "can"), Skill("place", "can", "bin")))
TICK_NS = 400_000_000


def run(consecutive: int = 2, skill_timeout_s: float = 20.0, timeout_s: float = 0.0) -> GoalRun:
    return GoalRun(PLAN, 1, 11, SequencerSettings(0.5, consecutive, skill_timeout_s), 0, timeout_s, None, 0.0)


def test_skills_follow_each_other_with_their_ids() -> None:
    goal = run()
    statuses = []
    for sequence, done in enumerate((0.0, 1.0, 1.0, 1.0, 1.0)):
        statuses.append(goal.judge(sequence, goal.skill_id, done, 10**12 + sequence * TICK_NS, 0.0))
    assert statuses == ["running", "running", "advanced", "running", "finished"]
    assert (goal.skill_id, goal.completed, goal.acknowledged) == (12, 2, 4)


def test_chunks_of_an_earlier_skill_are_only_acknowledged() -> None:
    goal = run(consecutive=1)
    assert goal.judge(0, 11, 1.0, 0, 0.0) == "advanced"
    assert goal.judge(1, 11, 1.0, TICK_NS, 0.0) == "ignored"
    assert goal.acknowledged == 1 and goal.index == 1


def test_time_is_relative_to_the_first_chunk_whatever_the_clock_says() -> None:
    for origin in (0, 1_700_000_000_123_456_789):
        goal = run(skill_timeout_s=2.0)
        statuses = [goal.judge(i, 11, 0.0, origin + i * TICK_NS, 0.0) for i in range(6)]
        assert statuses == ["running"] * 5 + ["timeout"]


def test_the_goals_own_limit() -> None:
    goal = run(timeout_s=1.0)
    assert [goal.judge(i, 11, 0.0, i * TICK_NS, 0.0) for i in range(4)][-1] == "timeout"


def test_without_a_monitor_scores_do_not_matter() -> None:
    goal = run()
    assert [goal.judge(i, 11, 0.0, i * TICK_NS, 0.0, score) for i, score in enumerate((-1.0, 0.0))] == ["running"] * 2
    assert math.isnan(goal.score) and not goal.alarm and (goal.retries, goal.last_skill_id) == (0, 12)
