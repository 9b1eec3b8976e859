"""One chunk as a curve: through its waypoints, no farther beside them than a bound, and it turns as far as it likes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from world2act_core.chunks import ChunkSampler
from world2act_core.motion import NO_BLEND, ChunkReference, MovingPose
from world2act_core.pose import apply_action
from world2act_core.types import EefPose

from .conftest import CONTRACT, DOWN, HOME, STEP_S, chunk, random_actions, sampled, turn_between


def test_waypoints_are_met_exactly() -> None:
    actions = random_actions(3)
    reference = ChunkReference(CONTRACT, NO_BLEND)
    reference.push(chunk(2.0, actions), MovingPose(HOME, np.array([0.1, 0.0, 0.0, 0.0, 0.3, 0.0])))
    pose = HOME
    for index in range(8):
        found = sampled(reference, 2.0 + index * STEP_S)
        assert (found.index, found.age_s) == (index, pytest.approx(index * STEP_S))
        np.testing.assert_allclose(found.pose.position, pose.position, atol=1e-9)
        np.testing.assert_allclose(turn_between(found.pose, pose), 0.0, atol=1e-9)
        assert found.gripper == actions[index, 6]
        pose = apply_action(pose, actions[index].astype(np.float32)).pose
    first = sampled(reference, 2.0)
    np.testing.assert_allclose(first.linear_velocity, [0.1, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(first.angular_velocity, [0.0, 0.3, 0.0], atol=1e-9)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20)
def test_at_step_times_it_is_the_sampler_on_an_arm_that_obeys(seed: int) -> None:
    """Without a blend and with deltas as displacements: each step's action leads from one waypoint to the next."""
    sampler = ChunkSampler(CONTRACT)
    reference = ChunkReference(CONTRACT, NO_BLEND)
    for start, sequence in ((0, 1), (4, 2)):
        new = chunk(start * STEP_S, random_actions(seed + sequence), sequence)
        sampler.push(new)
        at_start = reference.sample(start * STEP_S)
        reference.push(new, MovingPose(at_start.pose if at_start is not None else HOME))
        for index in range(start, start + 4):
            now, later = sampled(reference, index * STEP_S), sampled(reference, (index + 1) * STEP_S)
            sample = sampler.sample(index * STEP_S)
            assert sample is not None
            assert (now.index, now.chunk_sequence) == (sample.index, sample.sequence)
            target = apply_action(now.pose, sample.action)
            np.testing.assert_allclose(later.pose.position, target.pose.position, atol=1e-9)
            np.testing.assert_allclose(turn_between(later.pose, target.pose), 0.0, atol=1e-9)
            assert now.gripper == target.gripper


@given(seed=st.integers(0, 2**31), speed=st.floats(0.0, 0.5))
@settings(max_examples=15)
def test_overshoot_between_waypoints_is_bounded(seed: int, speed: float) -> None:
    """Per coordinate, never farther from the straight line between waypoints than 1.5 times its longest step."""
    actions = random_actions(seed)
    velocity = np.array([speed, -speed, speed, 0.0, 0.0, 0.0])
    reference = ChunkReference(CONTRACT, NO_BLEND)
    reference.push(chunk(0.0, actions), MovingPose(HOME, velocity))
    ways = np.concatenate([[HOME.position], HOME.position + np.cumsum(actions[:, :3].astype(np.float32), axis=0)])
    longest = np.maximum(np.abs(np.diff(ways, axis=0)).max(axis=0), speed * STEP_S)
    times = np.linspace(0.0, 0.799, 100)
    curve = np.array([sampled(reference, time_s).pose.position for time_s in times])
    straight = np.stack([np.interp(times, STEP_S * np.arange(9), ways[:, axis]) for axis in range(3)], axis=1)
    assert (np.abs(curve - straight) <= 1.5 * longest + 1e-6).all()


def test_seconds_since_1970_are_as_good_as_any() -> None:
    found = []
    for epoch_s in (0.0, 1.8e9):
        reference = ChunkReference(CONTRACT)
        way = []
        for tick in range(100):
            if tick in (0, 45):
                late_s = 0.05 if tick else 0.0
                reference.push(chunk(epoch_s + tick * 0.01 - late_s, random_actions(tick), tick), MovingPose(HOME))
            way.append(sampled(reference, epoch_s + tick * 0.01))
        found.append(way)
    for early, late in zip(*found):
        np.testing.assert_allclose(early.pose.position, late.pose.position, atol=1e-6)
        np.testing.assert_allclose(early.linear_velocity, late.linear_velocity, atol=1e-4)


def test_turning_past_half_a_turn_from_home_has_no_jump() -> None:
    """Twenty chunks of 0.3 rad a step: several whole turns about the vertical, no swing back anywhere."""
    turning = np.zeros((8, 7))
    turning[:, 5] = 0.3
    reference = ChunkReference(CONTRACT)
    poses: list[EefPose] = []
    for tick in range(800):
        now_s = tick * 0.01
        if tick % 40 == 0:
            seen = EefPose(HOME.position, (Rotation.from_rotvec([0.0, 0.0, 3.0 * now_s]) * DOWN).as_quat())
            reference.push(chunk(now_s, turning, tick), MovingPose(seen, np.array([0.0, 0.0, 0.0, 0.0, 0.0, 3.0])))
        found = sampled(reference, now_s)
        if now_s > 1.0:
            np.testing.assert_allclose(found.angular_velocity, [0.0, 0.0, 3.0], atol=1e-6)
            np.testing.assert_allclose(turn_between(poses[-1], found.pose), [0.0, 0.0, 0.03], atol=1e-6)
        poses.append(found.pose)


def test_actions_beyond_the_contract_are_clipped() -> None:
    wild, clipped = random_actions(1), random_actions(1)
    wild[:, 0], clipped[:, 0] = 1e6, 0.05
    wild[:, 6], clipped[:, 6] = 7.0, 1.0
    first, second = ChunkReference(CONTRACT), ChunkReference(CONTRACT)
    first.push(chunk(0.0, wild), MovingPose(HOME))
    second.push(chunk(0.0, clipped), MovingPose(HOME))
    for time_s in (0.0, 0.3, 0.7):
        one, other = sampled(first, time_s), sampled(second, time_s)
        np.testing.assert_array_equal(one.pose.position, other.pose.position)
        assert one.gripper == other.gripper == 1.0
