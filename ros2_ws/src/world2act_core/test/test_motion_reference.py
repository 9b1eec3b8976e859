"""Chunks as one smooth reference: what holds for any chunks whatever."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from world2act_core.chunks import ChunkError, ChunkSampler
from world2act_core.contract import Contract
from world2act_core.motion import (
    DISPLACEMENTS,
    NO_BLEND,
    TABLETOP_RESPONSE,
    Blend,
    ChunkReference,
    GoalResponse,
    MovingPose,
    Reference,
)
from world2act_core.pose import apply_action
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk, EefPose

CONTRACT = tabletop_contract(image_size=16)
STEP_S = CONTRACT.step_s
DOWN = Rotation.from_euler("x", 180, degrees=True)
HOME = EefPose(np.array([0.4, 0.0, 0.2]), DOWN.as_quat())
PERIOD_S = 2e-3


def chunk(start_s: float, actions: np.ndarray, sequence: int = 0) -> ActionChunk:
    return ActionChunk(sequence, start_s, STEP_S, np.asarray(actions, dtype=np.float32))


def random_actions(seed: int, share: float = 1.0) -> np.ndarray:
    """Anything the contract allows, as discontinuous as it likes; rotations such that no chunk turns half round."""
    rng = np.random.default_rng(seed)
    actions = rng.uniform(CONTRACT.action_low, CONTRACT.action_high, size=(8, 7)) * share
    actions[:, 3:6] *= 0.45
    actions[:, 6] = rng.choice([-1.0, 1.0], size=8)
    return actions


def turn_between(first: EefPose, second: EefPose) -> np.ndarray:
    return (Rotation.from_quat(second.quaternion) * Rotation.from_quat(first.quaternion).inv()).as_rotvec()


def sampled(reference: ChunkReference, time_s: float) -> Reference:
    found = reference.sample(time_s)
    assert found is not None, f"nothing covers {time_s} s"
    return found


def near(home: EefPose, seed: int) -> EefPose:
    """Up to 8 cm and 1 rad away from `home`."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(rng.uniform(-0.55, 0.55, 3))
    return EefPose(
        home.position + rng.uniform(-0.045, 0.045, 3), (turn * Rotation.from_quat(home.quaternion)).as_quat()
    )


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


def test_it_begins_at_rest_where_the_arm_stands() -> None:
    away = EefPose(HOME.position + [0.0, 0.02, 0.0], HOME.quaternion)
    for stands, reference in ((HOME, ChunkReference(CONTRACT)), (away, ChunkReference(CONTRACT))):
        if stands is away:
            reference.rest(away)
        reference.push(chunk(0.0, random_actions(5)), MovingPose(HOME, np.full(6, 0.2)))
        first = sampled(reference, 0.2)
        np.testing.assert_allclose(first.pose.position, stands.position, atol=1e-12)
        np.testing.assert_allclose(first.linear_velocity, 0.0, atol=1e-12)
        np.testing.assert_allclose(first.angular_velocity, 0.0, atol=1e-12)


def test_an_arm_that_rests_within_a_chunk_misses_nothing_of_the_next_either() -> None:
    """0.25 s late: without that it would have to make up for two and a half rows at once."""
    actions = np.zeros((8, 7))
    actions[:, 2] = 0.02
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, np.zeros((8, 7)), 1), MovingPose(HOME))
    sampled(reference, 0.3)
    reference.push(chunk(0.2, actions, 2), MovingPose(HOME))
    found = [sampled(reference, 0.45 + 0.01 * tick) for tick in range(79)]
    assert [item.index for item in (found[0], found[12], found[-1])] == [0, 1, 7]
    assert max(item.linear_velocity[2] for item in found) < 0.2 * 1.5, "the chunk's own 0.2 m/s, nothing to catch up"


def test_an_arm_that_stood_still_misses_nothing_of_a_late_chunk() -> None:
    """It is 0.3 s late: the arm at rest executes it all, 0.3 s later; the one that moved goes on from row 3."""
    still, moving = ChunkReference(CONTRACT), ChunkReference(CONTRACT)
    still.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    moving.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME, np.full(6, 0.1)))
    assert [sampled(still, time_s).index for time_s in (0.3, 0.4, 1.09)] == [0, 1, 7]
    assert [sampled(moving, time_s).index for time_s in (0.3, 0.4, 0.79)] == [3, 4, 7]
    assert sampled(still, 1.0).age_s == 1.0, "the observation is as old as it is"
    assert still.sample(1.1) is None and moving.sample(0.8) is None


def test_a_chunk_that_was_put_off_gives_way_to_the_next_as_usual() -> None:
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    assert sampled(reference, 0.5).index == 0
    assert np.abs(sampled(reference, 0.6).linear_velocity).max() > 0.1, "it moves by now"
    assert reference.push(chunk(0.4, random_actions(2), 2), MovingPose(HOME)), "begins before the first one did"
    assert (sampled(reference, 0.62).chunk_sequence, sampled(reference, 0.62).index) == (2, 2)


def test_after_a_hold_it_goes_on_from_where_it_held() -> None:
    reference = ChunkReference(CONTRACT)
    assert reference.sample(0.0) is None
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    sampled(reference, 0.0)
    last = sampled(reference, 0.79)
    assert reference.sample(0.8) is None
    assert reference.sample(0.5) is None, "once it holds, only a new chunk moves it"
    reference.push(chunk(1.0, random_actions(2), 2), MovingPose(HOME))
    again = sampled(reference, 1.1)
    np.testing.assert_allclose(again.pose.position, last.pose.position, atol=1e-9)
    np.testing.assert_allclose(again.linear_velocity, 0.0, atol=1e-12)


def test_clear_holds_at_once() -> None:
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    last = sampled(reference, 0.4)
    reference.clear()
    assert reference.sample(0.41) is None
    reference.push(chunk(0.4, random_actions(2), 2), MovingPose(HOME))
    np.testing.assert_allclose(sampled(reference, 0.5).pose.position, last.pose.position, atol=1e-9)


def test_a_chunk_of_the_future_waits_for_its_time() -> None:
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    reference.push(chunk(0.5, random_actions(2), 2), MovingPose(HOME))
    assert sampled(reference, 0.49).chunk_sequence == 1
    assert sampled(reference, 0.51).chunk_sequence == 2


@pytest.mark.parametrize(
    ("start_s", "sequence", "reason"), [(0.2, 5, "out of order"), (0.5, 2, "repeated"), (-5.0, 1, "out of order")]
)
def test_what_comes_twice_or_too_late_changes_nothing(start_s: float, sequence: int, reason: str) -> None:
    disturbed, alone = ChunkReference(CONTRACT), ChunkReference(CONTRACT)
    for reference in (disturbed, alone):
        assert reference.push(chunk(0.5, random_actions(1), 2), MovingPose(HOME))
        sampled(reference, 0.6)
    assert not disturbed.push(chunk(start_s, random_actions(9), sequence), MovingPose(HOME))
    assert disturbed.dropped == {"out of order": 0, "repeated": 0, "late": 0, reason: 1}
    for time_s in (0.61, 1.0, 1.29):
        np.testing.assert_array_equal(sampled(disturbed, time_s).pose.position, sampled(alone, time_s).pose.position)


def test_a_chunk_that_has_ended_is_late() -> None:
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    sampled(reference, 0.7)
    short = ActionChunk(2, 0.1, 0.05, random_actions(2).astype(np.float32))  # ended at 0.5
    assert not reference.push(short, MovingPose(HOME))
    assert reference.dropped["late"] == 1
    assert sampled(reference, 0.71).chunk_sequence == 1


def test_two_chunks_of_one_observation_the_later_counts() -> None:
    """The skill has changed: the same picture is inferred again."""
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    sampled(reference, 0.1)
    assert reference.push(chunk(0.0, random_actions(2), 2), MovingPose(HOME))
    assert sampled(reference, 0.11).chunk_sequence == 2


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


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda a: np.where(np.arange(7) == 3, np.nan, a), "not finite"),
        (lambda a: a[:5], r"\[T, A\]"),
        (lambda a: np.where(np.arange(7) == 5, 0.5, a), "half a turn"),
    ],
)
def test_a_bad_chunk_is_refused_and_says_why(change: object, named: str) -> None:
    reference = ChunkReference(CONTRACT)
    reference.push(chunk(0.0, random_actions(1), 1), MovingPose(HOME))
    with pytest.raises(ChunkError, match=f"chunk 2: .*{named}"):
        reference.push(chunk(0.1, change(random_actions(2)), 2), MovingPose(HOME))  # type: ignore[operator]
    assert sampled(reference, 0.2).chunk_sequence == 1


def test_a_pose_that_is_not_finite_is_refused() -> None:
    reference = ChunkReference(CONTRACT)
    bad = EefPose(np.array([np.nan, 0.0, 0.0]), HOME.quaternion)
    with pytest.raises(ValueError, match="chunk 0: the pose seen"):
        reference.push(chunk(0.0, random_actions(1)), MovingPose(bad))
    assert reference.sample(0.1) is None


def test_a_contract_without_end_effector_deltas_is_refused(contract: Contract) -> None:
    renamed = tuple(dim.model_copy(update={"name": f"joint_{dim.name}"}) for dim in contract.action)
    with pytest.raises(ValueError, match="no action dimension 'delta_position'"):
        ChunkReference(contract.model_copy(update={"action": renamed}))


@pytest.mark.parametrize("bad", [{"shortest_s": -0.1}, {"shortest_s": math.nan}, {"acceleration": 0.0}])
def test_a_blend_that_makes_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="seam|shortest_s"):
        Blend(**bad)
