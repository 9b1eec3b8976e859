"""The referee finds what breaks a limit, finds nothing in a motion inside them, and knows when the last one moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruckig import InputParameter, OutputParameter, Result, Ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.referee import MAX_VIOLATIONS, CommandReferee

PERIOD_S = 0.01
LIMITS = JointLimits(
    ("shoulder", "elbow"), np.array([-2.0, -1.0]), np.array([2.0, 3.0]), np.array([1.0, 2.0]), np.array([4.0, 6.0]),
    np.array([100.0, 900.0]),
)  # fmt: skip
HOME = np.array([0.5, 1.0])
FAR = HOME + 0.8


def smooth_way(goals: list[np.ndarray], limits: JointLimits = LIMITS) -> list[tuple[np.ndarray, ...]]:
    """(position, velocity, acceleration) per period of a jerk-limited motion from HOME to one goal after another."""
    ruckig = Ruckig(limits.size, PERIOD_S)
    wanted, found = InputParameter(limits.size), OutputParameter(limits.size)
    wanted.current_position = HOME.tolist()
    wanted.max_velocity, wanted.max_acceleration = limits.velocity.tolist(), limits.acceleration.tolist()
    wanted.max_jerk = limits.jerk.tolist()
    way = [(HOME, np.zeros(2), np.zeros(2))]
    for goal in goals:
        wanted.target_position = goal.tolist()
        for _ in range(60):
            assert ruckig.update(wanted, found) in (Result.Working, Result.Finished)
            way.append(
                tuple(np.array(values) for values in (found.new_position, found.new_velocity, found.new_acceleration))
            )
            found.pass_to_input(wanted)
    return way


def judged(positions: list[np.ndarray], **options: float) -> CommandReferee:
    referee = CommandReferee(LIMITS, PERIOD_S, **options)
    for index, position in enumerate(positions):
        referee.see_position(index * PERIOD_S, position)
    return referee


goal = st.tuples(st.floats(-1.9, 1.9), st.floats(-0.9, 2.9)).map(np.array)


@settings(deadline=None, max_examples=25)
@given(st.lists(goal, min_size=1, max_size=4))
def test_a_motion_inside_the_limits_has_no_violation(goals: list[np.ndarray]) -> None:
    way = smooth_way(goals)
    full, bare, speeds = (CommandReferee(LIMITS, PERIOD_S) for _ in range(3))
    for index, (position, velocity, acceleration) in enumerate(way):
        full.see_position(index * PERIOD_S, position, velocity=velocity, acceleration=acceleration)
        bare.see_position(index * PERIOD_S, position)
        speeds.see_velocity(index * PERIOD_S, velocity)
    for referee in (full, bare, speeds):
        assert referee.findings.violations == [] and referee.findings.commands == len(way)
        assert max(referee.findings.worst.values()) <= 1.01


@settings(deadline=None, max_examples=25)
@given(st.lists(goal, min_size=2, max_size=3), st.sampled_from([0, 1]), st.floats(0.02, 0.3), st.integers(5, 100))
def test_a_jump_anywhere_is_found(goals: list[np.ndarray], joint: int, jump: float, where: int) -> None:
    positions = [position for position, *_ in smooth_way(goals)]
    for position in positions[where:]:
        position[joint] += jump
    found = judged(positions).findings
    named = {(violation.joint, violation.quantity) for violation in found.violations}
    # 2 cm in 10 ms: no joint of LIMITS is that fast to speed up, whatever it did before.
    assert (LIMITS.names[joint], "acceleration") in named or (LIMITS.names[joint], "velocity") in named
    assert found.violations[0].time_s == pytest.approx(where * PERIOD_S)


@pytest.mark.parametrize(
    ("differences", "quantity", "value"),
    [
        ([0.02, 0.02, 0.02], "velocity", 2.0),
        ([0.0, 0.0006, 0.0012], "acceleration", 6.0),
        ([0.0, 0.0, 0.0003], "jerk", 300.0),
    ],
)
def test_differences_are_those_of_a_hand_computed_case(differences: list[float], quantity: str, value: float) -> None:
    steps = HOME + np.outer(np.cumsum([0.0, *differences]), [1.0, 0.0])
    worst = [v for v in judged(list(steps)).findings.violations if v.quantity == quantity]
    assert worst[0].joint == "shoulder" and max(abs(v.value) for v in worst) == pytest.approx(value)
    assert worst[0].limit == pytest.approx(getattr(LIMITS, quantity)[0] * 1.01)


def test_what_a_message_says_of_itself_is_judged_too() -> None:
    referee = CommandReferee(LIMITS, PERIOD_S)
    referee.see_position(0.0, HOME, velocity=np.array([0.0, 2.5]), acceleration=np.array([-5.0, 0.0]))
    assert [(v.joint, v.quantity, v.value) for v in referee.findings.violations] == [
        ("elbow", "velocity", 2.5), ("shoulder", "acceleration", -5.0),
    ]  # fmt: skip
    referee.see_tail(0.0, np.array([0.0, 3.5]), np.array([1.2, 0.0]))
    assert [(v.joint, v.quantity) for v in referee.findings.violations[2:]] == [
        ("elbow", "position"), ("shoulder", "velocity"),
    ]  # fmt: skip


def test_a_stream_must_begin_where_the_arm_is() -> None:
    referee = CommandReferee(LIMITS, PERIOD_S)
    referee.see_position(0.0, HOME + 0.2, measured=HOME)
    assert {v.quantity for v in referee.findings.violations} == {"start"}
    referee.restart()
    referee.see_position(0.0, HOME + 0.01, measured=HOME)
    referee.see_position(2.0, HOME + 0.3, measured=HOME + 0.3)  # after a pause: a new stream
    assert referee.findings.violation_count == 0


def test_a_sender_at_rest_may_begin_anew_where_the_arm_is_and_nowhere_else() -> None:
    arm = HOME + 0.3
    referee = judged([HOME] * 20)
    referee.see_position(20 * PERIOD_S, arm + 0.01, measured=arm)
    assert referee.findings.restarts == 1 and referee.findings.violation_count == 0
    referee = judged([HOME] * 20)
    referee.see_position(20 * PERIOD_S, HOME - 0.3, measured=arm)
    assert referee.findings.restarts == 0 and referee.findings.violation_count > 0


def test_the_last_motion_is_remembered() -> None:
    positions = [position for position, *_ in smooth_way([HOME + 0.1])]
    moving = [index for index in range(1, 61) if np.abs(positions[index] - positions[index - 1]).max() > 1e-5]
    referee = judged([*positions, *[positions[-1]] * 30])
    assert referee.findings.last_motion_s == pytest.approx(moving[-1] * PERIOD_S)
    assert judged([HOME] * 5).findings.last_motion_s is None
    speeds = CommandReferee(LIMITS, PERIOD_S)
    for index, value in enumerate((0.01, 0.02, 0.0, 0.0)):
        speeds.see_velocity(index * PERIOD_S, np.array([value, 0.0]))
    assert speeds.findings.last_motion_s == pytest.approx(PERIOD_S)


def test_what_is_no_command_is_counted_and_changes_nothing() -> None:
    referee = judged([HOME, HOME])
    for wrong in (np.array([np.nan, 0.0]), np.zeros(3)):
        referee.see_position(0.02, wrong)
        referee.see_velocity(0.02, wrong)
    assert referee.findings.refused == 4 and referee.findings.violation_count == 0


def test_the_list_of_violations_ends_but_the_count_goes_on() -> None:
    found = judged([HOME, HOME + 1.0] * MAX_VIOLATIONS).findings
    assert len(found.violations) == MAX_VIOLATIONS < found.violation_count


def test_the_period_must_make_sense() -> None:
    with pytest.raises(ValueError, match="period_s"):
        CommandReferee(LIMITS, 0.0)


def sent_every(period_s: float) -> CommandReferee:
    """A motion that is inside the limits at PERIOD_S, sent with another period."""
    referee = CommandReferee(LIMITS, PERIOD_S)
    for index, (position, *_) in enumerate(smooth_way([FAR, HOME])):
        referee.see_position(index * period_s, position)
    return referee


def test_commands_that_come_twice_as_often_are_found() -> None:
    found = sent_every(PERIOD_S / 2).findings
    assert {"velocity", "acceleration", "jerk"} <= {violation.quantity for violation in found.violations}
    assert 0.5 <= found.pace <= 0.6 and found.worst["velocity"] == pytest.approx(1.0 / found.pace, rel=0.1)
    speeds = CommandReferee(LIMITS, PERIOD_S)
    for index, (_, velocity, _) in enumerate(smooth_way([FAR])):
        speeds.see_velocity(index * PERIOD_S / 2, velocity)
    assert {violation.quantity for violation in speeds.findings.violations} == {"acceleration", "jerk"}


def test_two_senders_of_one_motion_are_found_too() -> None:
    referee = CommandReferee(LIMITS, PERIOD_S)
    for index, (position, *_) in enumerate(smooth_way([FAR])):
        referee.see_position(index * PERIOD_S, position)
        referee.see_position(index * PERIOD_S + 0.002, position)
    assert referee.findings.violation_count and referee.findings.pace < 0.6


@pytest.mark.parametrize("period_s", [PERIOD_S, 0.99 * PERIOD_S, 1.5 * PERIOD_S])
def test_commands_at_their_period_or_slower_are_not(period_s: float) -> None:
    found = sent_every(period_s).findings
    assert found.violation_count == 0 and found.pace > 0.99


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.0, 0.2), min_size=121, max_size=121))
def test_a_sender_that_is_late_and_then_punctual_again_is_not_found(delays: list[float]) -> None:
    """A timer keeps to its beats: a call that is late is followed by one at once, and then by those that are due."""
    referee = CommandReferee(LIMITS, PERIOD_S)
    due_s = now_s = 0.0
    for (position, *_), delay_s in zip(smooth_way([FAR, HOME]), delays, strict=True):
        now_s = max(now_s, due_s) + (delay_s if delay_s > 0.1 else 0.0)
        referee.see_position(now_s, position)
        due_s += PERIOD_S
        if due_s < now_s - PERIOD_S:
            due_s = PERIOD_S * np.floor(now_s / PERIOD_S)
    assert referee.findings.violations == [] and referee.findings.pace == 1.0


def test_what_is_lost_on_the_way_is_no_jump_but_a_jump_across_it_is_one() -> None:
    told, untold = CommandReferee(LIMITS, PERIOD_S), CommandReferee(LIMITS, PERIOD_S)
    way = smooth_way([FAR, HOME])
    for index, (position, *_) in enumerate(way):
        if index % 7 in (3, 4):
            continue
        told.lost(2 if index % 7 == 5 else 0)
        for referee in (told, untold):
            referee.see_position(index * PERIOD_S, position)
    assert told.findings.violation_count == 0 < untold.findings.violation_count
    assert told.findings.lost == told.lost_ever == 2 * sum(index % 7 == 5 for index in range(len(way)))
    told.lost(1)
    told.see_position(len(way) * PERIOD_S, way[-1][0] + 0.05)
    assert [violation.quantity for violation in told.findings.violations] == ["velocity", "velocity"]
    assert told.findings.last_motion_s == pytest.approx(len(way) * PERIOD_S)
    speeds = CommandReferee(LIMITS, PERIOD_S)
    for index, (_, velocity, _) in enumerate(way):
        speeds.lost(1 if index % 5 == 4 else 0)
        if index % 5 != 3:
            speeds.see_velocity(index * PERIOD_S, velocity)
    assert speeds.findings.violation_count == 0


def test_a_clock_that_is_set_back_begins_a_new_stream() -> None:
    referee = CommandReferee(LIMITS, PERIOD_S)
    for index, (position, *_) in enumerate(smooth_way([HOME + 0.5])):
        referee.see_position(index * PERIOD_S - (10.0 if index > 30 else 0.0), position)
    assert referee.findings.violation_count == 0 and referee.findings.pace == 1.0


def test_what_was_found_before_a_restart_still_counts() -> None:
    referee = judged([HOME, HOME + 1.0])
    found = referee.findings.violation_count
    referee.restart()
    assert referee.findings.violation_count == 0 < found == referee.violations_ever and referee.commands_ever == 2
    referee.see_position(1.0, HOME)
    assert referee.commands_ever == 3 and referee.violations_ever == found
