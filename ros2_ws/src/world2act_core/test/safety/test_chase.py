"""Going after a reference that asks for more than the joints have: together, and without swinging."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.speed import Pace
from world2act_core.safety.types import MotionRequest, Situation, Vector

PERIOD_S = 0.01
ONES = np.ones(2)
# The first joint, as a shoulder, has much less acceleration than the second.
LIMITS = JointLimits(("shoulder", "wrist"), -2.8 * ONES, 2.8 * ONES, 2.2 * ONES, np.array([5.0, 20.0]), 5000 * ONES)


def follow(references: Vector, limits: JointLimits = LIMITS) -> Vector:
    """Commanded positions [S, N] for references [S, N]."""
    settings = SafetySettings(start_jump_rad=0.5, jump_rad=3.0, tracking_error_rad=1.0)
    guarded = SafetyFilter(limits, settings)
    position = np.array(references[0])
    guarded.start(position)
    commanded = []
    for index, reference in enumerate(references):
        request = MotionRequest(reference, -1.0, 0.0, 0.0)
        position = guarded.step(request, Situation(index * PERIOD_S, position, 0.0), PERIOD_S).position
        commanded.append(position)
    return np.array(commanded)


def sudden(speed: Vector, seconds: float) -> Vector:
    """At rest for 0.1 s, then at once at joint velocities [N] (rad/s)."""
    times = np.arange(0.0, seconds, PERIOD_S)
    return np.maximum(times - 0.1, 0.0)[:, None] * speed


def test_a_joint_that_could_follow_waits_for_one_that_cannot() -> None:
    speed = np.array([1.0, -1.0])
    commanded = follow(sudden(speed, 1.0))
    moved = commanded[np.abs(commanded[:, 0]) > 1e-3]
    # On the straight line that the reference takes; the wrist alone could have been 0.1 rad ahead of it.
    np.testing.assert_allclose(moved[:, 1], -moved[:, 0], atol=5e-3)


@pytest.mark.parametrize("jerk", [50.0, 5000.0])
def test_a_moving_reference_is_caught_and_then_followed(jerk: float) -> None:
    limits = dataclasses.replace(LIMITS, jerk=jerk * ONES)
    references = sudden(np.array([0.5, 0.8]), 3.0)
    ahead = follow(references, limits) - references
    assert ahead.min() < -0.01, "the reference begins with a speed that no joint can have at once"
    assert ahead.max() < 5e-3, "the arm overshot"
    np.testing.assert_allclose(ahead[-50:], 0.0, atol=1e-4)


def test_a_pace_takes_the_same_share_of_every_joint() -> None:
    rows, most = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.0]]), np.array([2.0, 2.0])

    def look(pace: Pace, *velocity: float) -> tuple[float, float]:
        return pace.look(np.array(velocity))

    assert look(Pace(most, None, 0.0), 1.0, -4.0) == (pytest.approx(0.5), 0.0)
    assert look(Pace(most, None, 0.0), 1.0, -2.0) == (1.0, 0.0)
    assert look(Pace(most, None, 0.0), 8.0, -4.0) == (pytest.approx(0.25), 0.0)
    slow = Pace(most, rows, 0.5)
    assert look(slow, 0.9, 0.0) == (pytest.approx(0.5), pytest.approx(0.9))  # nine tenths of the cap are aimed for
    assert look(slow, 4.0, 0.0) == (pytest.approx(0.1125), pytest.approx(2.0))  # what the joints' limits leave
    assert look(slow, 0.4, 0.0) == (1.0, pytest.approx(0.4))
