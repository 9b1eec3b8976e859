"""Every check of what comes in: found, named, reacted to, latched, cleared."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.checks import BY_NAME, CHECKS
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import FlagReport, Level, MotionRequest, Reaction, SafetyMode, Situation, Vector

HERE = np.array([0.1, -0.2, 0.3])
INTERFACES = Path(__file__).resolve().parents[3] / "world2act_interfaces/msg"


class Bench:
    """A filter, started at HERE, with a request and a situation that can be changed one field at a time."""

    def __init__(self, limits: JointLimits, **settings: Any) -> None:
        self.filter = SafetyFilter(limits, SafetySettings(**settings))
        self.filter.start(HERE)
        self.now_s = 100.0

    def situation(self, **changes: Any) -> Situation:
        return Situation(**{"now_s": self.now_s, "position": HERE, "state_age_s": 0.01, "e_stop": False, **changes})

    def step(self, request: dict[str, Any] | None = None, **changes: Any) -> Any:
        self.now_s += 0.01
        fresh = {"position": HERE, "gripper": -1.0, "observation_age_s": 0.1, "chunk_age_s": 0.1}
        return self.filter.step(MotionRequest(**{**fresh, **(request or {})}), self.situation(**changes), 0.01)

    def settle(self, **changes: Any) -> None:
        """For long enough that a command at rest counts as settled."""
        for _ in range(25):
            self.step(**changes)

    def flag(self, name: str) -> FlagReport:
        return next(flag for flag in self.filter.status().flags if flag.name == name)


@pytest.fixture
def bench(planar_limits: JointLimits) -> Bench:
    return Bench(planar_limits)


ARM, REQUEST = "situation", "request"
CAUSES: list[tuple[str, str, dict[str, Any], str]] = [
    ("NOT_FINITE", REQUEST, {"position": np.array([0.1, math.nan, 0.3])}, "elbow is nan"),
    ("NOT_FINITE", REQUEST, {"position": np.array([0.1, -0.2, -math.inf])}, "wrist is -inf"),
    ("NOT_FINITE", REQUEST, {"gripper": math.nan}, "gripper command is nan"),
    ("NOT_FINITE", REQUEST, {"gripper": "shut"}, "gripper command is nan"),
    ("SHAPE", REQUEST, {"position": np.zeros(4)}, r"has shape (4,), need (3,)"),
    ("SHAPE", REQUEST, {"position": np.zeros((1, 3))}, r"has shape (1, 3)"),
    ("SHAPE", REQUEST, {"position": "home"}, "is str, not 3 numbers"),
    ("COMMAND_JUMP", REQUEST, {"position": HERE + [0, 0.15, 0]}, "elbow: the reference is 0.150 rad from where"),
    ("STALE_OBSERVATION", REQUEST, {"observation_age_s": 0.3}, "0.300 s old, limit 0.25 s: the arm holds; see cameras"),
    ("STALE_OBSERVATION", REQUEST, {"observation_age_s": math.inf}, "inf s old"),
    ("STALE_OBSERVATION", REQUEST, {"observation_age_s": math.nan}, "nan s old"),
    ("STALE_OBSERVATION", REQUEST, {"observation_age_s": -5.0}, "-5.000 s old"),
    ("STALE_CHUNK", REQUEST, {"chunk_age_s": 1.0}, "action chunk is 1.000 s old, limit 0.8 s"),
    ("STATE_LOST", ARM, {"position": None}, "no joint states have come"),
    ("STATE_LOST", ARM, {"state_age_s": 0.2}, "joint states are 0.200 s old, limit 0.1 s"),
    ("STATE_LOST", ARM, {"position": np.array([0.1, math.nan, 0.3])}, "measured, not finite: elbow is nan"),
    ("STATE_LOST", ARM, {"position": np.zeros(2)}, "measured position has shape (2,)"),
]


@pytest.mark.parametrize(("name", "of", "cause", "text"), CAUSES)
def test_what_is_wrong_is_named_and_held_until_cleared(
    bench: Bench, name: str, of: str, cause: dict[str, Any], text: str
) -> None:
    def step(bad: bool) -> Any:
        return bench.step(cause) if bad and of == REQUEST else bench.step(**cause) if bad else bench.step()

    assert step(bad=False).mode is SafetyMode.RUNNING
    if name == "COMMAND_JUMP":
        bench.filter.start(HERE)
    decision = step(bad=True)
    assert decision.mode is SafetyMode.HOLDING
    assert name in [event.name for event in decision.events]
    assert text in bench.flag(name).message and text in decision.hold_reason
    step(bad=True)
    flag = bench.flag(name)
    assert flag.active and flag.latched and flag.count == 1 and flag.level is Level.ERROR and flag.last_s > 100
    refused = bench.filter.clear(bench.situation(**(cause if of == ARM else {})))
    assert not refused.ok and name in refused.message and refused.faults == (name,)
    assert step(bad=False).mode is SafetyMode.HOLDING, "latched"
    cleared = bench.filter.clear(bench.situation())
    assert cleared.ok and cleared.message == ""
    assert step(bad=False).mode is SafetyMode.RUNNING
    assert not bench.flag(name).latched and bench.flag(name).level is Level.OK and bench.flag(name).count == 1


def test_an_arm_that_does_not_follow_is_noticed(bench: Bench) -> None:
    blocked = HERE + [0.4, 0, 0]
    decision = bench.step(position=blocked)
    assert decision.mode is SafetyMode.HOLDING
    assert "TRACKING_ERROR: shoulder is 0.400 rad from where it was told to be, limit 0.3" in decision.hold_reason
    assert bench.step().mode is SafetyMode.HOLDING and bench.flag("TRACKING_ERROR").latched
    assert bench.filter.clear(bench.situation()).ok
    assert bench.step().mode is SafetyMode.RUNNING


def test_a_later_leap_is_a_jump(bench: Bench) -> None:
    bench.step()
    decision = bench.step({"position": HERE + [0, 0, 0.4]})
    assert (
        decision.mode is SafetyMode.HOLDING
        and "wrist: the reference is 0.400 rad from the last" in decision.hold_reason
    )


def test_e_stop_is_at_once_and_stays_until_released_and_cleared(bench: Bench) -> None:
    bench.step()
    decision = bench.step(e_stop=True)
    assert decision.mode is SafetyMode.STOPPED and decision.hold_reason.startswith("E_STOP: ")
    assert not bench.filter.clear(bench.situation(e_stop=True)).ok
    assert bench.step().mode is SafetyMode.STOPPED, "released but not cleared"
    result = bench.filter.clear(bench.situation())
    assert result.ok and result.faults == ("E_STOP",)
    assert bench.step().mode is SafetyMode.RUNNING


def test_it_is_not_cleared_while_it_moves(bench: Bench) -> None:
    position = HERE
    for step in range(30):
        position = bench.step({"position": HERE + 0.01 * step}, position=position).position
    bench.step(e_stop=True, position=position)
    refused = bench.filter.clear(bench.situation(position=position))
    assert not refused.ok and "still moves" in refused.message


def test_after_a_stop_it_begins_where_the_arm_is_now(bench: Bench) -> None:
    """The brakes let the arm sag by 0.5 rad: the next commands belong to that pose, not to the one before."""
    bench.step(e_stop=True)
    sagged = HERE + [0, 0.5, 0]
    bench.settle(position=sagged)
    assert bench.filter.clear(bench.situation(position=sagged)).ok
    decision = bench.step({"position": sagged}, position=sagged)
    assert decision.mode is SafetyMode.RUNNING
    np.testing.assert_allclose(decision.position, sagged)


def test_an_arm_moved_by_hand_under_the_emergency_stop_takes_the_command_along(bench: Bench) -> None:
    """Or its controller, switched on again, would be sent back within a period to where the arm was before."""
    bench.step()
    bench.settle(e_stop=True)
    hand = HERE.copy()
    for _ in range(100):
        hand = hand + [0, 0.01, 0]
        decision = bench.step(e_stop=True, position=hand)
        assert decision.mode is SafetyMode.STOPPED and np.abs(decision.position - hand).max() <= 0.05 + 1e-9
    assert not bench.flag("TRACKING_ERROR").count
    released = bench.step(position=hand + [0, 0.2, 0]).position
    np.testing.assert_array_equal(released, decision.position, "released, not cleared: the command stays")


def test_a_command_is_put_where_the_arm_is_only_when_its_own_motion_is_long_over(bench: Bench) -> None:
    """Brakes stop an arm before its command is at rest; what drives it would be sent back within a period."""
    position = HERE
    for step in range(30):
        position = bench.step({"position": HERE + 0.01 * step}, position=position).position
    braked, sent = position - [0, 0.1, 0], [position]
    answers = []
    while not answers or (not answers[-1].ok and len(sent) < 200):
        sent.append(bench.step(e_stop=True, position=braked).position)
        answers.append(bench.filter.clear(bench.situation(position=braked)))
    assert answers[-1].ok and "clear again in a moment" in answers[-2].message
    assert sum(np.array_equal(position, sent[-1]) for position in sent) >= 20
    np.testing.assert_allclose(bench.step({"position": None}, position=braked).position, braked)


def test_what_a_servo_gives_is_not_followed(bench: Bench) -> None:
    """An arm that sags under its weight would be told to sag further, and further."""
    bench.step()
    for _ in range(50):
        decision = bench.step(e_stop=True, position=HERE + [0, 0.04, 0])
    np.testing.assert_array_equal(decision.position, HERE)


def test_after_any_clearing_a_reference_from_the_measured_pose_is_taken(bench: Bench) -> None:
    """Moved by more than a first reference may be off, by less than what counts as not following: no dead end."""
    for moved in (0.02, 0.06, 0.12, 0.29):
        bench.filter.start(HERE)
        bench.step()
        bench.settle(state_age_s=1.0)
        here = HERE + [0, moved, 0]
        assert bench.filter.clear(bench.situation(position=here)).ok
        start = bench.step({"position": None}, position=here, hold_reason="no skill is active").position
        decision = bench.step({"position": start}, position=here)
        assert decision.mode is SafetyMode.RUNNING, (moved, decision.hold_reason)


def test_the_measured_pose_corrects_no_command_from_the_first_doubt_on_until_it_is_cleared(bench: Bench) -> None:
    bench.step()
    assert bench.filter.trusts_pose
    for doubt in ({"state_age_s": 1.0}, {"e_stop": True}, {"position": HERE + [0.4, 0, 0]}):
        bench.step(**doubt)
        assert not bench.filter.trusts_pose
        bench.step()
        assert not bench.filter.trusts_pose, "latched"
        assert bench.filter.clear(bench.situation()).ok
        assert bench.filter.trusts_pose
    bench.step({"position": np.full(3, math.nan)})
    assert bench.filter.trusts_pose, "what is wrong with a reference says nothing about the arm"


def test_what_is_said_about_the_emergency_stop_is_its_own_reason(bench: Bench) -> None:
    silent = "nothing has come from the emergency stop: is it switched on and connected?"
    decision = bench.step(e_stop=True, e_stop_reason=silent)
    assert decision.hold_reason == f"E_STOP: {silent}"
    assert silent in bench.filter.clear(bench.situation(e_stop=True, e_stop_reason=silent)).message


def test_a_period_that_was_missed_is_named_though_the_arm_moves_as_if_it_was_not(bench: Bench) -> None:
    assert bench.step(since_last_s=0.012).events == ()
    (event,) = bench.step(since_last_s=0.2).events
    assert event.name == "PERIOD" and "0.200 s, most 0.05" in event.message
    assert bench.step(since_last_s=0.01).mode is SafetyMode.RUNNING


def test_a_hold_that_was_asked_for_is_no_fault(bench: Bench) -> None:
    nothing = {"position": None, "observation_age_s": math.inf, "chunk_age_s": math.inf}
    decision = bench.step(nothing, hold_reason="no skill is active")
    assert decision.mode is SafetyMode.HOLDING and decision.hold_reason == "no skill is active"
    assert not any(flag.count for flag in bench.filter.status().flags)
    assert bench.step({"position": None}).hold_reason == "there is nothing fresh to execute"
    assert bench.step().mode is SafetyMode.RUNNING


def test_the_gripper_keeps_its_command_in_a_hold_and_its_range(bench: Bench) -> None:
    assert bench.step({"gripper": 0.5}).gripper == 0.5
    assert bench.step({"gripper": 1.0, "position": None}).gripper == 0.5
    assert bench.step({"gripper": 3.0}).gripper == 1.0
    assert "gripper command is 3, range [-1, 1]: taken as 1" in bench.flag("GRIPPER").message


def test_the_gripper_does_not_toggle_in_quick_turns(bench: Bench) -> None:
    commands = [bench.step({"gripper": 1.0 if step % 2 else -1.0}).gripper for step in range(200)]
    changes = np.flatnonzero(np.diff(np.sign([-1.0, *commands])))
    assert len(changes) >= 3 and np.diff(changes).min() >= 50, "half a second at 100 Hz"
    assert "keeps" in bench.flag("GRIPPER").message and bench.flag("GRIPPER").level is not Level.ERROR


@pytest.mark.parametrize(
    ("name", "begin", "end"), [("JOINT_POSITION", 2.4, 2.6), ("JOINT_VELOCITY", 0.1, 0.5), ("JOINT_JERK", 0.1, 0.12)]
)
def test_a_reference_beyond_a_limit_is_named(planar_limits: JointLimits, name: str, begin: float, end: float) -> None:
    bench = Bench(planar_limits, tracking_error_rad=1.0)
    bench.filter.start(np.array([begin, 0, 0]))
    for angle in np.linspace(begin, end, 10):
        decision = bench.step({"position": np.array([angle, 0, 0])}, position=np.array([begin, 0, 0]))
    assert decision.mode is SafetyMode.RUNNING
    flag = bench.flag(name)
    assert flag.count == 1 and "shoulder" in flag.message and flag.reaction is Reaction.CLIP and not flag.latched


def reached(bench: Bench, reference: Vector, steps: int) -> Vector:
    position = HERE
    for _ in range(steps):
        position = bench.step({"position": reference}, position=position).position
    return position - HERE


def test_slower_settings_are_slower(planar_limits: JointLimits) -> None:
    loose = {"start_jump_rad": 0.5, "tracking_error_rad": 1.0}
    goal = HERE + 0.5
    full = reached(Bench(planar_limits, **loose), goal, 40)
    quarter = Bench(planar_limits, **loose, speed_scale=0.1)
    slow = reached(quarter, goal, 40)
    assert (slow > 0).all() and (slow <= 0.4 * 0.1 * planar_limits.velocity).all() and (full > 2 * slow).all()
    assert quarter.filter.status().speed_scale == 0.1
    quarter.filter.set_speed(1.0, 0.5)
    assert quarter.filter.status().max_eef_speed == 0.5
    with pytest.raises(ValidationError, match="speed_scale"):
        quarter.filter.set_speed(0.0, 0.5)


def test_a_check_can_slow_the_arm_down(planar_limits: JointLimits) -> None:
    settings = {
        "start_jump_rad": 0.5,
        "tracking_error_rad": 1.0,
        "overrides": {"JOINT_POSITION": {"reaction": "slow_down"}},
    }
    bench = Bench(planar_limits, **settings)
    decision = bench.step({"position": HERE + [0, 0, 0.4]})
    bench.filter.start(np.array([2.3, 0, 0]))
    decision = bench.step({"position": np.array([2.7, 0, 0])}, position=np.array([2.3, 0, 0]))
    assert decision.mode is SafetyMode.SLOWED and bench.filter.status().speed_scale == 0.25


@pytest.mark.parametrize("name", ["JOINT_POSITION", "JOINT_JERK", "NOT_FINITE", "E_STOP", "STATE_LOST", "SHAPE"])
@pytest.mark.parametrize("reaction", ["off", "none", "ignore", ""])
def test_no_check_can_be_switched_off(name: str, reaction: str) -> None:
    with pytest.raises(ValidationError, match="reaction"):
        SafetySettings(overrides={name: {"reaction": reaction}})


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"E_STOP": {"reaction": "hold"}}, "E_STOP cannot react with 'hold'; choose from stop"),
        ({"NOT_FINITE": {"reaction": "clip"}}, "NOT_FINITE cannot react with 'clip'; choose from hold, stop"),
        ({"E_STOP": {"latched": False}}, "E_STOP stops the arm, so it is always latched"),
        ({"SPED": {"reaction": "stop"}}, "there is no check 'SPED'; choose from JOINT_POSITION"),
    ],
)
def test_milder_than_allowed_is_refused(overrides: Any, text: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(text)):
        SafetySettings(overrides=overrides)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_eef_speed": math.inf}, {"stale_chunk_s": math.nan}, {"speed_scale": 1.5}, {"jump_rad": 0.0},
        {"workspace": {"low": (0, 0, 1), "high": (1, 1, 0)}}, {"no_such": 1},
        {"keep_out": [{"name": "a", "low": (0, 0, 0), "high": (1, 1, 1)}] * 2},
    ],
)  # fmt: skip
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SafetySettings(**settings)


def test_any_check_can_be_made_to_stop_the_arm(planar_limits: JointLimits) -> None:
    chosen = SafetySettings(overrides={spec.name: {"reaction": "stop"} for spec in CHECKS})
    assert all(chosen.reaction(name) is Reaction.STOP and chosen.latches(name) for name in BY_NAME)
    bench = Bench(planar_limits, overrides={"GRIPPER": {"reaction": "stop"}})
    assert bench.step({"gripper": 2.0}).mode is SafetyMode.STOPPED
    assert bench.step().mode is SafetyMode.STOPPED


def test_it_must_be_started_with_a_pose(planar_limits: JointLimits) -> None:
    fresh = SafetyFilter(planar_limits, SafetySettings())
    with pytest.raises(RuntimeError, match="call start"):
        fresh.step(MotionRequest(HERE, 0.0, 0.0, 0.0), Situation(0.0, HERE, 0.0), 0.01)
    for bad, text in ((np.zeros(2), "has shape"), (np.array([0, math.nan, 0]), "elbow is nan")):
        with pytest.raises(ValueError, match=text):
            fresh.start(bad)


def test_the_report_is_the_messages(bench: Bench) -> None:
    bench.step()
    report = bench.filter.status()
    assert [flag.name for flag in report.flags] == [spec.name for spec in CHECKS]
    assert report.mode is SafetyMode.RUNNING and report.filter_seconds_max > 0 and math.isnan(report.clearance)
    status, flag = ((INTERFACES / f"Safety{name}.msg").read_text() for name in ("Status", "Flag"))
    modes = {name: int(value) for name, value in re.findall(r"^uint8 ([A-Z]+)=(\d)", status, re.M)}
    assert modes == {mode.name: mode.value for mode in SafetyMode}
    levels = {name: int(value) for name, value in re.findall(r"^uint8 ([A-Z]+)=(\d)", flag, re.M)}
    assert levels == {level.name: level.value for level in Level}
    assert set(re.findall(r"^string REACTION_\w+=(\w+)", flag, re.M)) == {str(reaction) for reaction in Reaction}
