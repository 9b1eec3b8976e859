"""The tail of a trajectory brings any motion to rest inside the limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.joint_motion import JointPoint, is_at_rest
from world2act_core.robot.stopping import StoppingTail

LIMITS = JointLimits(
    ("one", "two"), np.array([-2.0, -2.0]), np.array([2.0, 2.0]), np.array([1.0, 2.0]), np.array([5.0, 10.0]),
    np.array([100.0, 5000.0]),
)  # fmt: skip
TAIL = StoppingTail(LIMITS, spacing_s=0.05)
share = st.floats(-1.0, 1.0)


@settings(deadline=None, max_examples=60)
@given(share, share, share, share)
def test_it_ends_at_rest_and_keeps_the_limits(v1: float, v2: float, a1: float, a2: float) -> None:
    start = JointPoint(np.zeros(2), LIMITS.velocity * [v1, v2], LIMITS.acceleration * [a1, a2])
    points = TAIL.after(start)
    if is_at_rest(start):
        assert points == []
        return
    assert is_at_rest(points[-1].motion)
    times = [0.0, *(point.time_s for point in points)]
    assert all(0 < later - earlier <= 0.05 + 1e-9 for earlier, later in zip(times, times[1:]))
    before = start
    for earlier, later, point in zip(times, times[1:], points):
        step_s = later - earlier
        change = np.abs(point.motion.velocity - before.velocity)
        assert (change <= LIMITS.acceleration * step_s + 1e-9).all()
        # The way is between what the slowest and the fastest speed of the step would give, and no farther.
        assert (np.abs(point.motion.position - before.position) <= LIMITS.velocity * step_s * 1.3 + 1e-9).all()
        before = point.motion


def test_a_hand_computed_stop() -> None:
    """1 rad/s, 5 rad/s^2, jerk 100: 0.05 s to full deceleration and back each, 0.25 s in all, 0.125 rad by symmetry."""
    points = TAIL.after(JointPoint(np.zeros(2), np.array([1.0, 0.0]), np.zeros(2)))
    assert points[-1].time_s == pytest.approx(0.25, abs=1e-6)
    assert points[-1].motion.position == pytest.approx([0.125, 0.0], abs=1e-6)


def test_an_acceleration_a_hair_outside_is_no_reason_to_fail() -> None:
    assert TAIL.after(JointPoint(np.zeros(2), np.array([0.5, 0.0]), LIMITS.acceleration * (1 + 1e-12)))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="no way to rest"):
        TAIL.after(JointPoint(np.zeros(2), np.array([np.nan, 0.0]), np.zeros(2)))
    with pytest.raises(ValueError, match="spacing_s"):
        StoppingTail(LIMITS, 0.0)
