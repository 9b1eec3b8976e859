"""How the reference begins, holds and begins again."""

from __future__ import annotations

import numpy as np

from world2act_core.motion import ChunkReference, MovingPose
from world2act_core.types import EefPose

from .conftest import CONTRACT, HOME, chunk, random_actions, sampled


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
