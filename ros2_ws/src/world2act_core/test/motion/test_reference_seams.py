"""Chunks as one smooth reference: what holds where one takes over from another, for any chunks whatever."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from world2act_core.motion import (
    DISPLACEMENTS,
    NO_BLEND,
    TABLETOP_RESPONSE,
    Blend,
    ChunkReference,
    GoalResponse,
    MovingPose,
)
from world2act_core.types import ActionChunk, EefPose

from .conftest import CONTRACT, DOWN, HOME, PERIOD_S, STEP_S, chunk, near, random_actions, sampled, turn_between


def followed(reference: ChunkReference, arrivals: list[tuple[float, ActionChunk, MovingPose]], until_s: float) -> list:
    """What is sampled every 2 ms, None where nothing covers the time; chunks come when they arrive."""
    found, waiting = [], sorted(arrivals, key=lambda item: item[0])
    for now_s in np.arange(0.0, until_s, PERIOD_S):
        while waiting and waiting[0][0] <= now_s:
            reference.push(*waiting.pop(0)[1:])
        found.append(reference.sample(now_s))
    return found


ONE_CHUNK = st.tuples(st.floats(0.03, 0.7), st.floats(0.0, 0.6), st.integers(0, 2**31))
"""When it is observed after the one before (s), how late it arrives (s), and a seed of its content."""


@settings(max_examples=10)
@given(plan=st.lists(ONE_CHUNK, min_size=2, max_size=5), response=st.sampled_from([DISPLACEMENTS, TABLETOP_RESPONSE]))
def test_nothing_jumps_for_any_sequence_of_chunks(plan: list[tuple[float, float, int]], response: GoalResponse) -> None:
    """Chunks arrive late, overtake each other, or leave gaps: the motion is as its velocities say."""
    arrivals, start_s = [], 0.0
    for wait_s, delay_s, seed in plan:
        start_s += wait_s
        seen = MovingPose(near(HOME, seed), np.random.default_rng(seed).uniform(-0.2, 0.2, 6))
        arrivals.append((start_s + delay_s, chunk(start_s, random_actions(seed), seed), seen))
    found = followed(ChunkReference(CONTRACT, response=response), arrivals, start_s + 1.4)
    pairs = [(one, other) for one, other in zip(found, found[1:]) if one is not None and other is not None]
    assert len(pairs) > 0.05 / PERIOD_S, "every plan has something to look at"
    moved = np.array([other.pose.position - one.pose.position for one, other in pairs])
    turned = np.array([turn_between(one.pose, other.pose) for one, other in pairs])
    linear = np.array([(one.linear_velocity, other.linear_velocity) for one, other in pairs])
    angular = np.array([(one.angular_velocity, other.angular_velocity) for one, other in pairs])
    np.testing.assert_allclose(moved, linear.mean(axis=1) * PERIOD_S, atol=5e-6)
    np.testing.assert_allclose(turned, angular.mean(axis=1) * PERIOD_S, atol=5e-5)
    # Most that a spline through such waypoints can bend: 12 times its longest step over the step's duration squared.
    assert np.abs(np.diff(linear, axis=1)).max() <= (12 * 0.05 / STEP_S**2 + 6.0) * PERIOD_S
    assert np.abs(np.diff(angular, axis=1)).max() <= 2 * (12 * 0.225 / STEP_S**2 + 15.0) * PERIOD_S


@given(seed=st.integers(0, 2**31), late_s=st.floats(0.05, 0.75))
@settings(max_examples=20)
def test_position_velocity_and_acceleration_agree_at_the_seam(seed: int, late_s: float) -> None:
    """With a new chunk and without it, the next instants differ by no more than a change of jerk explains."""
    joined, alone = (ChunkReference(CONTRACT) for _ in range(2))
    for reference in (joined, alone):
        reference.push(chunk(0.0, random_actions(seed), 1), MovingPose(HOME))
        sampled(reference, 0.0)
        sampled(reference, late_s)
    joined.push(chunk(0.05, random_actions(seed + 1), 2), MovingPose(near(HOME, seed)))
    jerk, angular_jerk = 1e4, 1e5
    for time_s in (1e-4, 2e-4):
        here, there = (sampled(reference, late_s + time_s) for reference in (joined, alone))
        assert (here.chunk_sequence, there.chunk_sequence) == (2, 1)
        np.testing.assert_allclose(here.pose.position, there.pose.position, atol=jerk * time_s**3 / 6)
        np.testing.assert_allclose(here.linear_velocity, there.linear_velocity, atol=jerk * time_s**2 / 2)
        np.testing.assert_allclose(turn_between(here.pose, there.pose), 0.0, atol=angular_jerk * time_s**3 / 6)
        np.testing.assert_allclose(here.angular_velocity, there.angular_velocity, atol=angular_jerk * time_s**2 / 2)


def test_a_steady_motion_stays_steady_over_seams() -> None:
    """Chunks that agree leave no trace of their seams."""
    steady = np.tile([0.02, 0.0, -0.01, 0.0, 0.0, 0.05, 1.0], (8, 1))
    velocity = steady[0, :6] / STEP_S
    reference = ChunkReference(CONTRACT)
    for tick in range(120):
        now_s = tick * 0.01
        if tick % 40 == 15:  # 0.15 s late
            start_s = now_s - 0.15
            turn = Rotation.from_rotvec(velocity[3:] * start_s) * DOWN
            seen = EefPose(HOME.position + velocity[:3] * start_s, turn.as_quat())
            reference.push(chunk(start_s, steady, tick), MovingPose(seen, velocity))
        found = reference.sample(now_s)
        if now_s > 0.8:  # the start from rest is over
            assert found is not None
            np.testing.assert_allclose(found.linear_velocity, velocity[:3], atol=1e-6)
            np.testing.assert_allclose(found.angular_velocity, velocity[3:], atol=1e-6)


@given(size=st.floats(0.0, 0.3), speed=st.floats(0.0, 0.5), limit=st.floats(1.0, 20.0))
@settings(max_examples=8)
def test_a_seam_adds_no_more_acceleration_than_it_may(size: float, speed: float, limit: float) -> None:
    """An arm at rest is to be where a still chunk says, `size` m away, or moves while the chunk says stay."""
    still = np.zeros((8, 7))
    reference = ChunkReference(CONTRACT, Blend(0.05, limit))
    away = HOME.position + [size, 0.0, 0.0]
    reference.rest(HOME)
    # The spline itself starts with `speed` and must lose it: its own acceleration is known from a second reference.
    own = ChunkReference(CONTRACT, NO_BLEND)
    moving = MovingPose(EefPose(away, HOME.quaternion), np.array([speed, 0.0, 0.0, 0.0, 0.0, 0.0]))
    for target in (reference, own):
        target.push(chunk(0.0, still), moving)
    times = np.arange(0.0, 0.79, PERIOD_S)
    seam, plain = (np.array([sampled(r, t).linear_velocity[0] for t in times]) for r in (reference, own))
    added = np.abs(np.diff(seam - plain)) / PERIOD_S
    # The difference's own acceleration at the seam (that of the spline's first instant) comes on top.
    at_start = abs(plain[1] - plain[0]) / PERIOD_S
    assert added.max() <= limit + at_start * 1.05 + 1e-3


def test_the_gripper_is_never_a_mixture() -> None:
    closing, opening = np.zeros((8, 7)), np.zeros((8, 7))
    closing[:, 6], opening[:, 6] = 1.0, -1.0
    reference = ChunkReference(CONTRACT, Blend(0.5))
    reference.push(chunk(0.0, closing, 1), MovingPose(HOME))
    assert sampled(reference, 0.3).gripper == 1.0
    # Seen moving: an arm at rest would begin the chunk when it comes.
    reference.push(chunk(0.3, opening, 2), MovingPose(HOME, np.full(6, 0.2)))
    for time_s in np.arange(0.31, 1.0, 0.01):
        found = sampled(reference, time_s)
        assert found.gripper == -1.0
        assert found.blended == (time_s < 0.8)
