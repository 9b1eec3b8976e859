"""Boxes, distances and the end effector's speed: the arm stops before, whatever is asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import MotionRequest, SafetyDecision, SafetyMode, Situation, Vector

LOOSE = {"start_jump_rad": 0.5, "jump_rad": 3.0, "tracking_error_rad": 1.0}
FAST = {**LOOSE, "max_eef_speed": 3.0}
GO_ON = {"KEEP_OUT": {"reaction": "clip", "latched": False}, "COMMAND_JUMP": {"latched": False}}
MAST = {"name": "mast", "low": (0.3, 0.3, -0.1), "high": (0.5, 0.5, 0.1)}
HOME = np.array([-0.8, 1.2, 0.4])
quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(guarded: SafetyFilter, begin: Vector, references: Any, period_s: float = 0.01) -> list[SafetyDecision]:
    """Commands for a sequence of references; a callable gets the present position."""
    guarded.start(begin)
    decisions: list[SafetyDecision] = []
    position = begin
    for reference in references:
        wanted = reference(position) if callable(reference) else reference
        situation = Situation(len(decisions) * period_s, position, 0.0)
        decisions.append(guarded.step(MotionRequest(wanted, -1.0, 0.0, 0.0), situation, period_s))
        position = decisions[-1].position
    return decisions


def points(arm: Any, decisions: list[SafetyDecision], of: str) -> Vector:
    if of == "elbow":
        return np.array([arm.hand_and_elbow(decision.position)[1] for decision in decisions])
    return np.array([arm.forward(decision.position).position for decision in decisions])


def flags(guarded: SafetyFilter) -> set[str]:
    return {flag.name for flag in guarded.status().flags if flag.count}


def is_inside(points: Vector, low: Any, high: Any) -> Any:
    return ((points > low) & (points < high)).all(-1)


def wild(seed: int, count: int, size: int) -> list[Any]:
    """Bounded jumps, held for a while each, so that the arm gets up to speed in every direction; and sudden holds."""
    rng = np.random.default_rng(seed)
    steps = [rng.uniform(-0.45, 0.45, size) for _ in range(count // 20)]
    return [None if time > 15 else lambda here, step=step: here + step for step in steps for time in range(20)]


@quick
@given(seed=st.integers(0, 2**20))
def test_no_box_is_entered_or_left(planar_arm: Any, planar_limits: JointLimits, seed: int) -> None:
    box = {"low": (-0.2, -0.5, -0.1), "high": (0.8, 0.7, 0.1)}
    elbow = {"low": (-0.1, -0.42, -0.1), "high": (0.5, 0.42, 0.1)}
    chosen = SafetySettings(**FAST, workspace=box, elbow=elbow, keep_out=(MAST,), overrides=GO_ON)
    decisions = run(SafetyFilter(planar_limits, chosen, planar_arm), HOME, wild(seed, 200, 3))
    hand, joint = points(planar_arm, decisions, "eef"), points(planar_arm, decisions, "elbow")
    assert is_inside(hand, box["low"], box["high"]).all()
    assert is_inside(joint, elbow["low"], elbow["high"]).all()
    assert not is_inside(hand, MAST["low"], MAST["high"]).any()
    assert not is_inside(joint, MAST["low"], MAST["high"]).any()


@quick
@given(seed=st.integers(0, 2**20), cap=st.sampled_from([0.1, 0.25, 0.6]))
def test_the_end_effector_keeps_its_speed(planar_arm: Any, planar_limits: JointLimits, seed: int, cap: float) -> None:
    chosen = SafetySettings(**LOOSE, max_eef_speed=cap, overrides={"COMMAND_JUMP": {"latched": False}})
    guarded = SafetyFilter(planar_limits, chosen, planar_arm)
    decisions = run(guarded, HOME, wild(seed, 200, 3))
    path = np.vstack([planar_arm.forward(HOME).position, points(planar_arm, decisions, "eef")])
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() / 0.01 <= cap * 1.01
    assert "SPEED" in flags(guarded)


@quick
@given(seed=st.integers(0, 2**20))
def test_the_panda_keeps_its_distance(panda: Any, panda_limits: JointLimits, seed: int) -> None:
    """From a pose just above the table, driven at full speed in all directions."""
    overrides = {name: {"reaction": "clip", "latched": False} for name in ("SELF_COLLISION", "TABLE_COLLISION")}
    chosen = SafetySettings(
        **FAST, clearance_margin_m=0.02, overrides={**overrides, "COMMAND_JUMP": {"latched": False}}
    )
    begin = np.array([0.0, 0.6, 0.0, -2.0, 0.0, 2.6, 0.8])
    decisions = run(SafetyFilter(panda_limits, chosen, panda), begin, wild(seed, 120, 7))
    distances = [panda.clearance(decision.position, 0.02)[0] for decision in decisions]
    assert min(distances) >= 0.02 - 1e-6


def test_it_stops_before_the_table_and_says_so(panda: Any, panda_limits: JointLimits) -> None:
    guarded = SafetyFilter(panda_limits, SafetySettings(**FAST), panda)
    begin = np.array([0.0, 0.6, 0.0, -2.0, 0.0, 2.6, 0.8])
    decisions = run(guarded, begin, [lambda here: here + [0, 0.2, 0, 0, 0, 0, 0]] * 100)
    assert decisions[-1].mode is SafetyMode.HOLDING and decisions[-1].hold_reason.startswith("TABLE_COLLISION: ")
    assert panda.clearance(decisions[-1].position, 0.01)[0] == 0.01
    assert panda.clearance(decisions[-1].position, 0.03)[0] < 0.03
    assert 0.01 <= guarded.status().clearance < 0.15


def test_distances_are_asked_for_only_near_something(panda: Any, panda_limits: JointLimits) -> None:
    guarded = SafetyFilter(panda_limits, SafetySettings(), panda)
    begin = np.array([0.0, 0.0, 0.0, -2.0, 0.0, 2.2, 0.8])
    decisions = run(guarded, begin, [begin + 0.0005 * index for index in range(200)])
    assert decisions[-1].position[0] == pytest.approx(0.1, abs=0.01)
    assert guarded._guard is not None and 0 < guarded._guard.clearance_queries < 40


def test_it_stops_at_the_wall_by_hand(planar_limits: JointLimits, planar_arm: Any) -> None:
    """Straight arm, turning towards a wall: the margin of 0.1 m is reached where 0.9 cos(angle) = 0.7 - 0.1."""
    walled = type(planar_arm)(wall=0.7)
    overrides = {"TABLE_COLLISION": {"reaction": "clip", "latched": False}}
    chosen = SafetySettings(**FAST, clearance_margin_m=0.1, overrides=overrides)
    begin = np.array([1.5, 0.0, 0.0])
    decisions = run(SafetyFilter(planar_limits, chosen, walled), begin, [lambda here: here - [0.4, 0, 0]] * 300)
    angle = math.acos(0.6 / 0.9)
    assert angle <= decisions[-1].position[0] < angle + 0.01
    assert decisions[-1].mode is SafetyMode.RUNNING and not decisions[-1].velocity.round(3).any()


def test_the_workspace_is_left_to_nobody_and_used_to_its_edge(planar_limits: JointLimits, planar_arm: Any) -> None:
    """Straight arm turning up: its end is at 0.9 sin(angle) and may reach 0.5 m less the margin of 5 mm."""
    chosen = SafetySettings(**FAST, workspace={"low": (-1, -1, -1), "high": (1, 0.5, 1)})
    guarded = SafetyFilter(planar_limits, chosen, planar_arm)
    decisions = run(
        guarded, np.zeros(3), [lambda here: here + [0.3, 0, 0]] * 200 + [lambda here: here - [0.3, 0, 0]] * 60
    )
    height = points(planar_arm, decisions, "eef")[:, 1]
    assert 0.48 < height.max() <= 0.495 + 1e-9
    assert height[-1] < 0.3, "it goes on when it is led back"
    flag = next(flag for flag in guarded.status().flags if flag.name == "WORKSPACE")
    assert not flag.active and not flag.latched and flag.count >= 1
    assert "end effector would leave its workspace at (" in flag.message


def test_an_arm_that_begins_in_a_box_only_comes_out(planar_limits: JointLimits, planar_arm: Any) -> None:
    begin = np.array([0.3, 0.5, 0.2])
    hand = planar_arm.forward(begin).position
    # Its hand is 2 cm from the box's left face.
    box = {"name": "bin", "low": (hand[0] - 0.02, hand[1] - 0.2, -0.1), "high": (hand[0] + 0.3, hand[1] + 0.2, 0.1)}
    chosen = SafetySettings(**FAST, keep_out=(box,), overrides=GO_ON)
    guarded = SafetyFilter(planar_limits, chosen, planar_arm)
    inwards = run(guarded, begin, [lambda here: here - 0.1] * 50)
    assert np.abs(inwards[-1].position - begin).max() < 1e-3 and "KEEP_OUT" in flags(guarded)
    outwards = points(planar_arm, run(guarded, begin, [lambda here: here + 0.1] * 60), "eef")
    assert not is_inside(outwards[-1], box["low"], box["high"])
    assert (np.diff(outwards[:, 0]) <= 1e-9).all(), "it never goes deeper on the way"


def test_a_keep_out_box_holds_until_it_is_cleared(planar_limits: JointLimits, planar_arm: Any) -> None:
    chosen = SafetySettings(**FAST, keep_out=(MAST,))
    guarded = SafetyFilter(planar_limits, chosen, planar_arm)
    # The hand goes round at 0.57 m from the base; the mast's middle is there too.
    begin, target = np.array([-1.0, 1.6, 0.4]), np.array([0.3, 1.6, 0.4])
    decisions = run(guarded, begin, [begin + (target - begin) * min(1, k / 150) for k in range(200)])
    assert decisions[-1].mode is SafetyMode.HOLDING
    assert "KEEP_OUT: the end effector would enter keep-out box 'mast' at (" in decisions[-1].hold_reason
    here = decisions[-1].position
    assert guarded.clear(Situation(2.0, here, 0.0)).ok
    # Back where it came from is allowed; into the box is not.
    back = guarded.step(MotionRequest(here - 0.05, -1.0, 0.0, 0.0), Situation(2.0, here, 0.0), 0.01)
    assert back.mode is SafetyMode.RUNNING


def test_boxes_need_a_model(planar_limits: JointLimits, planar_arm: ArmModel, panda_limits: JointLimits) -> None:
    with pytest.raises(ValueError, match="boxes but there is no model"):
        SafetyFilter(planar_limits, SafetySettings(keep_out=(MAST,)))
    with pytest.raises(ValueError, match=r"joints of the model \['shoulder'"):
        SafetyFilter(panda_limits, SafetySettings(), planar_arm)


@pytest.mark.parametrize(("method", "flag"), [("jacobian", "SPEED"), ("hand_and_elbow", "WORKSPACE")])
def test_a_model_that_gives_no_numbers_stops_the_arm(
    planar_limits: JointLimits, planar_arm: Any, monkeypatch: pytest.MonkeyPatch, method: str, flag: str
) -> None:
    """Beyond a certain pose: there it would not be known where the arm is, or how fast."""
    arm = type(planar_arm)()
    real = getattr(arm, method)

    def broken(position: Any) -> Any:
        return real(position) if position[0] < HOME[0] + 0.2 else np.nan * np.array(real(position))

    monkeypatch.setattr(arm, method, broken)
    workspace = {"low": (-1.0, -1.0, -0.1), "high": (1.0, 1.0, 0.1)}
    guarded = SafetyFilter(planar_limits, SafetySettings(**FAST, workspace=workspace), arm)
    decisions = run(guarded, HOME, [lambda here: here + np.array([0.1, 0.0, 0.0])] * 100)
    assert flag in flags(guarded)
    assert decisions[-1].position[0] < HOME[0] + 0.5 and not decisions[-1].velocity.any()
    monkeypatch.setattr(arm, method, lambda position: np.nan * np.array(real(position)))
    if flag == "SPEED":
        with pytest.raises(ValueError, match="Jacobian is not finite"):
            guarded.start(HOME)
    else:
        assert len({tuple(decision.position) for decision in run(guarded, HOME, [HOME + 0.1] * 20)}) == 1
