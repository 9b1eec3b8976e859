"""Which chunk counts: early, late, repeated, out of order; and what is refused, with the reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from world2act_core.chunks import ChunkError
from world2act_core.contract import Contract
from world2act_core.motion import Blend, ChunkReference, MovingPose
from world2act_core.types import ActionChunk, EefPose

from .conftest import CONTRACT, HOME, chunk, random_actions, sampled


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
