from __future__ import annotations

import numpy as np
import pytest

from world2act_core.chunks import ChunkError, ChunkSampler
from world2act_core.contract import Contract
from world2act_core.types import ActionChunk


def chunk(start_s: float, value: float = 0.0, sequence: int = 0, gripper: float | None = None) -> ActionChunk:
    """Row i holds value + i in every entry (the gripper its own value, if given), 0.1 s a row."""
    actions = np.full((8, 7), value, dtype=np.float32) + np.arange(8, dtype=np.float32)[:, None]
    if gripper is not None:
        actions[:, 6] = gripper
    return ActionChunk(sequence, start_s, 0.1, actions, skill_id=sequence)


@pytest.mark.parametrize(
    ("time_s", "index"),
    [(2.0, 0), (2.05, 0), (2.0999, 0), (2.1, 1), (2.3, 3), (2.7, 7), (2.79, 7)],
)
def test_index_is_the_row_whose_period_holds_the_time(contract: Contract, time_s: float, index: int) -> None:
    sampler = ChunkSampler(contract)
    sampler.push(chunk(2.0, 10.0, sequence=5))
    sample = sampler.sample(time_s)
    assert sample is not None
    assert sample.index == index
    np.testing.assert_array_equal(sample.action, np.full(7, 10.0 + index, dtype=np.float32))
    assert sample.age_s == pytest.approx(time_s - 2.0)
    assert (sample.sequence, sample.skill_id, sample.blended) == (5, 5, False)


def test_every_tick_of_a_long_run_has_its_own_row(contract: Contract) -> None:
    # Stamps k * 0.1 are not exact in binary; every one must still land on the next row.
    for begin in range(0, 5000, 8):
        sampler = ChunkSampler(contract)
        sampler.push(chunk(begin * 0.1))
        assert [sampler.sample((begin + k) * 0.1).index for k in range(8)] == list(range(8))  # type: ignore[union-attr]


@pytest.mark.parametrize("time_s", [1.99, 2.8, 5.0])
def test_nothing_covers_the_time(contract: Contract, time_s: float) -> None:
    sampler = ChunkSampler(contract)
    assert sampler.sample(time_s) is None
    sampler.push(chunk(2.0))
    assert sampler.sample(time_s) is None


def test_seam_is_blended_linearly_but_not_the_gripper(contract: Contract) -> None:
    sampler = ChunkSampler(contract, blend_s=0.2)
    sampler.push(chunk(0.0, 0.0, gripper=-1.0))
    sampler.sample(0.3)
    sampler.push(chunk(0.3, 100.0, sequence=1, gripper=1.0))
    # Old row at 0.4 is 4, new one 101; the seam begins when the new chunk is first sampled.
    first = sampler.sample(0.4)
    assert first is not None and first.blended
    np.testing.assert_allclose(first.action, [4.0] * 6 + [1.0])
    # A quarter of the way, same rows: 0.75 * 4 + 0.25 * 101.
    np.testing.assert_allclose(sampler.sample(0.45).action, [28.25] * 6 + [1.0], rtol=1e-5)  # type: ignore[union-attr]
    # Half-way, old row 5, new row 102.
    half = sampler.sample(0.5)
    assert half is not None
    np.testing.assert_allclose(half.action, [53.5] * 6 + [1.0], rtol=1e-6)
    done = sampler.sample(0.6)
    assert done is not None and not done.blended
    np.testing.assert_allclose(done.action, [103.0] * 6 + [1.0])


def test_no_blending_with_an_old_chunk_that_has_ended(contract: Contract) -> None:
    sampler = ChunkSampler(contract, blend_s=0.5)
    sampler.push(chunk(0.0, 0.0))
    sampler.push(chunk(0.7, 50.0))
    assert sampler.sample(0.75).blended  # type: ignore[union-attr]
    after = sampler.sample(0.8)
    assert after is not None and not after.blended
    np.testing.assert_allclose(after.action, np.full(7, 51.0))


def test_without_blending_the_newest_wins_at_once(contract: Contract) -> None:
    sampler = ChunkSampler(contract)
    sampler.push(chunk(0.0, 0.0))
    sampler.push(chunk(0.4, 100.0, sequence=1))
    np.testing.assert_array_equal(sampler.sample(0.3).action, np.full(7, 3.0))  # type: ignore[union-attr]
    np.testing.assert_array_equal(sampler.sample(0.4).action, np.full(7, 100.0))  # type: ignore[union-attr]


def test_older_chunks_are_dropped_and_counted(contract: Contract) -> None:
    sampler = ChunkSampler(contract)
    assert sampler.push(chunk(1.0, 10.0))
    assert not sampler.push(chunk(0.9, 99.0))
    assert sampler.dropped_out_of_order == 1
    assert sampler.push(chunk(1.0, 20.0))  # the same start: a correction, newer by arrival
    assert sampler.sample(1.0).action[0] == 20.0  # type: ignore[union-attr]
    sampler.clear()
    assert sampler.sample(1.0) is None


def test_sample_does_not_alias_the_chunk(contract: Contract) -> None:
    sampler, mine = ChunkSampler(contract), chunk(0.0, 1.0)
    sampler.push(mine)
    sampler.sample(0.0).action[:] = 99.0  # type: ignore[union-attr]
    assert mine.actions[0, 0] == 1.0


@pytest.mark.parametrize(
    ("actions", "step_s", "message"),
    [
        (np.zeros((7, 7)), 0.1, r"\(8, 7\), got \(7, 7\)"),
        (np.zeros((8, 6)), 0.1, r"got \(8, 6\)"),
        (np.where(np.arange(56).reshape(8, 7) == 16, np.nan, 0.0), 0.1, r"action \[2, 2\] is nan"),
        (np.full((8, 7), np.inf), 0.1, r"action \[0, 0\] is inf"),
        (np.zeros((8, 7)), 0.0, "step positive"),
        (np.zeros((8, 7)), float("nan"), "finite"),
    ],
)
def test_bad_chunks_are_refused(contract: Contract, actions: np.ndarray, step_s: float, message: str) -> None:
    sampler = ChunkSampler(contract)
    with pytest.raises(ChunkError, match=message):
        sampler.push(ActionChunk(3, 0.0, step_s, actions.astype(np.float32)))
    assert sampler.sample(0.0) is None
