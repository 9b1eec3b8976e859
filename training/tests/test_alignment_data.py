"""Do pictures and actions of a pair belong to the same moment? A clip that shows its own frame number tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.alignment.actions import EpisodeActions, read_actions
from training.alignment.batches import BatchSource
from training.alignment.clips import MemoryClips, WindowInfo
from training.alignment.config import AdapterConfig
from training.alignment.index import build_index
from training.alignment.pairs import Crop, Pairs, make_pairs
from training.common.action_scale import ActionScale
from training.common.errors import DatasetError, TrainingError
from training.tests.synthetic_clock import (
    CHUNK,
    NUMBER_UNIT,
    clock_clips,
    clock_dataset,
    numbers_said,
    numbers_shown,
    oracle_clips,
)
from world2act_core.tabletop import tabletop_contract

FRAMES = 25  # 6 chunks
STARTS = {0: (0, 5, 14), 1: (0, 7), 2: (0,), 3: (0, 7)}  # the last leaves 20 frames: a whole chunk lacks only its end
LENGTHS = (40, 33, 11, 27)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clock_dataset(tmp_path_factory.mktemp("clock"), LENGTHS)


def agreement(pairs: Pairs) -> float:
    """Share of the pairs in which the latent shows exactly the frames that the chunk's actions led to."""
    shown = numbers_shown(pairs.latents)[:, 1:]
    said = numbers_said(pairs.actions, tabletop_contract())[:, : shown.shape[1]]
    return float((shown == said + 1).all(-1)[pairs.paired].float().mean())


def source_of(dataset: Path, shift: int = 0, chunks: int = 0, action_chunks: int = 0) -> BatchSource:
    clips = oracle_clips(dataset, FRAMES, STARTS, shift)
    index = build_index(clips, CHUNK, chunks, 0)
    return BatchSource(clips, read_actions(dataset), index, AdapterConfig(), action_chunks)


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_every_pair_of_every_batch_is_of_one_moment(dataset: Path, chunks: int) -> None:
    source = source_of(dataset, chunks=chunks)
    for number in range(6):
        pairs = source.batch(0, 0, number, 6, 2)
        assert pairs.paired.any() and agreement(pairs) == 1.0


@pytest.mark.parametrize("shift", [-CHUNK, -1, 1, CHUNK])
def test_a_shift_of_one_frame_or_one_chunk_is_noticed(dataset: Path, shift: int) -> None:
    # Frame 0 cannot be moved back: windows from the start on are not what a negative shift is shown with.
    starts = {0: (5, 14), 1: (7,), 3: (4,)}
    clips, actions = oracle_clips(dataset, FRAMES, starts, shift), read_actions(dataset)
    crops = [Crop(i, 0, 2) for i in range(len(clips))]
    assert agreement(make_pairs(clips, actions, crops, [0] * len(crops), CHUNK)) == 0.0
    straight = make_pairs(oracle_clips(dataset, FRAMES, starts), actions, crops, [0] * len(crops), CHUNK)
    assert agreement(straight) == 1.0


def test_masks_say_where_padding_begins(dataset: Path) -> None:
    source = source_of(dataset, action_chunks=8)
    crops = [Crop(i, 0, 6) for i in range(len(source.clips))]
    pairs = make_pairs(source.clips, source.actions, crops, [0] * len(crops), CHUNK, 8)
    for i, crop in enumerate(crops):
        info = source.clips.info(crop.window)
        left = LENGTHS[info.episode] - info.start
        assert int(pairs.paired[i].sum()) == min(6, (left - 1) // 4)  # the chunk's last action needs the frame after it
        assert int(pairs.present[i].sum()) == min(8, left // 4)
        assert pairs.paired[i].tolist() == sorted(pairs.paired[i].tolist(), reverse=True)
    # Past the end the arm holds: no motion, the gripper stays closed.
    held = pairs.actions[5, 3:]  # the clip of 11 frames
    assert not held[..., :6].any() and (held[..., 6] == 1.0).all()


def test_executed_actions_are_read_not_the_asked_for_ones(dataset: Path) -> None:
    actions = read_actions(dataset)
    chunk = torch.from_numpy(actions.chunks(1, 10, 2, CHUNK))
    assert numbers_said(chunk, actions.contract).tolist() == [[10, 11, 12, 13], [14, 15, 16, 17]]
    robot = ActionScale(actions.contract).restore(chunk)
    np.testing.assert_allclose(robot[0, 0].numpy(), [10 * NUMBER_UNIT, 0, 0, 0, 0, 0, 1.0], atol=1e-7)


def test_batches_mix_tasks_and_demonstrations_and_repeat() -> None:
    clips, actions = clock_clips(episodes=20, windows=2, tasks=4)
    index = build_index(clips, CHUNK, 0, 10)
    source = BatchSource(clips, actions, index, AdapterConfig(), 0)
    first, again = source.batch(0, 0, 3, 8, 4), source.batch(0, 0, 3, 8, 4)
    assert torch.equal(first.latents, again.latents) and torch.equal(first.actions, again.actions)
    assert not torch.equal(first.sources, source.batch(0, 1, 3, 8, 4).sources)  # another rank
    for number in range(20):
        pairs = source.batch(0, 0, number, 8, 4)
        for group in (slice(0, 4), slice(4, 8)):
            assert len(set(pairs.tasks[group].tolist())) == 1
            assert len(set(pairs.sources[group].tolist())) == 4
        assert not set(pairs.sources.tolist()) & {9, 19}  # held out, as the world model does
    assert {clips.info(crop.window).source for crop in index.fixed(64)} == {9, 19}
    assert index.hard_share == 1.0
    stream = source.stream(0, 0, 3, 8, 4)
    assert torch.equal(next(stream).actions, first.actions)
    stream.close()


def test_no_moment_comes_twice_where_retrieval_is_measured() -> None:
    """Windows overlap (a new one every few frames): a copy of a query's own chunk would be taken for a wrong answer."""
    frames = [(9, 0, 25), (9, 8, 25), (9, 16, 25), (9, 24, 25), (9, 48, 7), (19, 8, 25), (0, 0, 25), (1, 0, 25)]
    infos = [WindowInfo(episode, start, valid, "t", episode) for episode, start, valid in frames]
    index = build_index(MemoryClips(infos, torch.zeros(len(infos), 16, 7, 4, 8), "v"), CHUNK, 0, 10)
    assert len(index.held_out) == 6
    assert [crop.window for crop in index.fixed(64)] == [0, 3, 4, 5]
    spread = clock_clips(episodes=40, windows=1)[0]  # without overlap all of them, or as many as are asked for
    held_out = build_index(spread, CHUNK, 0, 10)
    assert [crop.window for crop in held_out.fixed(64)] == [9, 19, 29, 39] and len(held_out.fixed(2)) == 2


def test_windows_shorter_than_a_chunk_are_left_out_or_refused() -> None:
    clips, _ = clock_clips(episodes=4)
    short = [WindowInfo(i, 0, 4, "t", i) for i in range(len(clips))]
    with pytest.raises(DatasetError, match="takes 5 frames, the longest has 4"):
        build_index(MemoryClips(short, torch.zeros(len(short), 16, 7, 4, 8), "v"), CHUNK, 0, 0)
    mixed = [WindowInfo(i, 0, 4 if i == 0 else 25, "t", i) for i in range(len(clips))]
    index = build_index(MemoryClips(mixed, torch.zeros(len(mixed), 16, 7, 4, 8), "v"), CHUNK, 0, 0)
    assert 0 not in index.training and len(index.training) == len(clips) - 1


def test_what_does_not_fit_is_said(dataset: Path, tmp_path: Path) -> None:
    clips, actions = clock_clips(episodes=4)
    with pytest.raises(TrainingError, match="--chunks 9: the cached windows have 6"):
        build_index(clips, CHUNK, 9, 0)
    with pytest.raises(DatasetError, match="1 demonstrations.*0 of them held out"):
        build_index(clock_clips(episodes=1)[0], CHUNK, 0, 0)
    with pytest.raises(DatasetError, match="name episode 7, the dataset has 4"):
        actions.chunks(7, 0, 1, CHUNK)
    with pytest.raises(DatasetError, match="frame 60 is outside episode 0, which has 48 frames"):
        actions.chunks(0, 60, 1, CHUNK)
    with pytest.raises(DatasetError, match=r"shape \(5, 6\).*7 entries.*gripper"):
        EpisodeActions(tabletop_contract(), np.zeros((5, 6), np.float32), np.array([[0, 5]]))
    with pytest.raises(DatasetError, match="holds no packed dataset"):
        read_actions(tmp_path)
    with pytest.raises(ValueError, match="2 windows described, latents of 3"):
        MemoryClips([clips.info(0), clips.info(1)], torch.zeros(3, 16, 7, 4, 8), "v")
