"""When the policy is run."""

from __future__ import annotations

import pytest

from world2act.schedule import InferenceSchedule, SkillRequest

STEP = 100
EXECUTE = 4 * STEP


def skill(acknowledged: int = -1, plan: int = 1, identifier: int = 1, active: bool = True, not_before: int = 0):
    return SkillRequest(plan, identifier, "pick up the can", active, acknowledged, not_before)


def lockstep() -> InferenceSchedule:
    return InferenceSchedule(True, EXECUTE, STEP)


def test_nothing_without_a_skill_or_with_an_inactive_one() -> None:
    schedule = lockstep()
    schedule.observe(0, "o")
    assert schedule.due() is None
    schedule.set_skill(skill(active=False, plan=0))
    assert schedule.due() is None


def test_lockstep_waits_for_time_and_for_the_planner() -> None:
    schedule = lockstep()
    schedule.set_skill(skill())
    schedule.observe(0, "o0")
    job = schedule.due()
    assert job is not None and job.stamp_ns == 0
    schedule.ran(job, sequence=7)
    assert schedule.due() is None
    for stamp in (100, 200, 300):
        schedule.observe(stamp, "o")
        assert schedule.due() is None
    schedule.observe(400, "o4")
    assert schedule.due() is None, "the planner has not judged chunk 7 yet"
    schedule.set_skill(skill(acknowledged=6))
    assert schedule.due() is None
    schedule.set_skill(skill(acknowledged=7, identifier=2))
    job = schedule.due()
    assert job is not None and job.skill.skill_id == 2


def test_the_order_of_acknowledgement_and_observation_does_not_matter() -> None:
    for first in ("skill", "observation"):
        schedule = lockstep()
        schedule.set_skill(skill())
        schedule.observe(0, "o")
        job = schedule.due()
        assert job is not None
        schedule.ran(job, 0)
        if first == "skill":
            schedule.set_skill(skill(acknowledged=0))
            schedule.observe(400, "o")
        else:
            schedule.observe(400, "o")
            schedule.set_skill(skill(acknowledged=0))
        job = schedule.due()
        assert job is not None and job.stamp_ns == 400


def test_pictures_from_before_a_reset_are_not_used() -> None:
    schedule = lockstep()
    schedule.observe(500, "old")
    schedule.set_skill(skill(not_before=1000))
    assert schedule.due() is None
    schedule.observe(1000, "new")
    assert schedule.due() is not None


def test_a_new_plan_begins_at_once() -> None:
    schedule = lockstep()
    schedule.set_skill(skill())
    schedule.observe(0, "o")
    job = schedule.due()
    assert job is not None
    schedule.ran(job, 0)
    schedule.set_skill(skill(plan=2, identifier=2))
    assert schedule.due() is not None


def test_a_failed_observation_is_not_tried_again() -> None:
    schedule = lockstep()
    schedule.set_skill(skill())
    schedule.observe(0, "o")
    job = schedule.due()
    assert job is not None
    schedule.failed(job)
    assert schedule.due() is None
    schedule.observe(100, "o")
    assert schedule.due() is not None


def test_real_time_is_limited_but_follows_a_new_skill_at_once() -> None:
    schedule = InferenceSchedule(False, EXECUTE, STEP)
    schedule.set_skill(skill())
    schedule.observe(0, "o")
    job = schedule.due()
    assert job is not None
    schedule.ran(job, 0)
    schedule.observe(300, "o")
    assert schedule.due() is None
    schedule.set_skill(skill(identifier=2))
    assert schedule.due() is not None
    schedule.set_skill(skill(identifier=1))
    schedule.observe(360, "o")
    assert schedule.due() is not None, "half a step of jitter is forgiven"


def test_replay_infers_on_every_observation_that_the_planner_allows() -> None:
    schedule = InferenceSchedule(lockstep=True, execute_ns=0, step_ns=STEP)
    for number, stamp in enumerate((STEP, STEP + 2, STEP + 4)):
        schedule.set_skill(SkillRequest(1, 1, "pick", True, number - 1, not_before_ns=stamp))
        assert schedule.due() is None, "the observation before is too old, or was answered"
        schedule.observe(stamp, number)
        job = schedule.due()
        assert job is not None and job.observation == number
        schedule.ran(job, number)
        schedule.observe(stamp + 1, "early")
        assert schedule.due() is None, "the planner has not judged the chunk yet"


def real_time(delay: int, reserve: int = 2 * STEP) -> InferenceSchedule:
    schedule = InferenceSchedule(False, EXECUTE, STEP, chunk_ns=8 * STEP, reserve_ns=reserve)
    schedule.set_skill(skill())
    schedule.expect_delay(delay)
    return schedule


@pytest.mark.parametrize(
    ("delay", "interval"), [(0, 400), (150, 400), (200, 400), (201, 300), (350, 200), (450, 100), (5000, 100)]
)
def test_a_slow_policy_is_asked_earlier(delay: int, interval: int) -> None:
    """A chunk of 8 steps is to be replaced 2 steps before its end: what the delay leaves of 600 is the time."""
    schedule = real_time(delay)
    assert schedule.interval_ns == interval
    schedule.observe(0, "o")
    job = schedule.due()
    assert job is not None
    schedule.ran(job, 0)
    asked = []
    for stamp in range(100, 500, 100):
        schedule.observe(stamp, "o")
        if schedule.due() is not None:
            asked.append(stamp)
    assert asked[0] == interval


@pytest.mark.parametrize(("delay", "too_slow"), [(0, False), (290, False), (310, True), (900, True)])
def test_it_says_when_no_interval_is_short_enough(delay: int, too_slow: bool) -> None:
    """One inference after the other: a chunk is there at 2 x delay after the picture of the one before."""
    assert real_time(delay).too_slow is too_slow


def test_delays_change_nothing_in_lockstep() -> None:
    schedule = InferenceSchedule(True, EXECUTE, STEP, chunk_ns=8 * STEP, reserve_ns=2 * STEP)
    schedule.expect_delay(5000)
    assert schedule.interval_ns == EXECUTE and not schedule.too_slow
