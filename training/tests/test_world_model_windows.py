"""Packed frames and windows: every view in its cell, padding repeats and is marked, what cannot work is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.common.errors import DatasetError
from training.tests.synthetic import synthetic_dataset
from training.world_model.views import ViewLayout, pack, pack_views
from training.world_model.windows import ClipReader, clip_seed, dataset_hash, find_windows, held_out

LAYOUT = ViewLayout("scene|wrist", 32, 32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_dataset(tmp_path_factory.mktemp("clips"), episodes=2, length=12)


def test_each_view_lands_in_its_cell() -> None:
    scene, wrist = np.full((5, 64, 64, 3), 10, np.uint8), np.full((5, 64, 64, 3), 200, np.uint8)
    packed = pack_views(scene, wrist, LAYOUT)
    assert packed.shape == (5, 32, 64, 3)
    assert (packed[:, :, :32] == 10).all() and (packed[:, :, 32:] == 200).all()


def test_the_grid_of_the_paper_has_a_black_corner() -> None:
    layout = ViewLayout("left|right/wrist|-", 4, 6)
    views = {name: np.full((4, 6, 3), value, np.uint8) for name, value in (("left", 1), ("right", 2), ("wrist", 3))}
    packed = pack(views, layout)
    assert packed.shape == (layout.height, layout.width, 3) == (8, 12, 3)
    corners = packed[0, 0, 0], packed[0, -1, 0], packed[-1, 0, 0], packed[-1, -1, 0]
    assert tuple(map(int, corners)) == (1, 2, 3, 0)


def test_shrinking_averages_over_the_area() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 200
    view = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    assert (pack_views(view, view, LAYOUT) == 100).all()


def test_missing_cameras_and_ragged_layouts_are_named(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"'left'.*scene.*wrist"):
        ClipReader(dataset, ViewLayout("left|wrist", 32, 32))
    with pytest.raises(DatasetError, match="same number"):
        ViewLayout("a|b/c", 4, 4).rows  # noqa: B018


def test_padding_repeats_the_last_frame_and_is_marked(dataset: Path) -> None:
    reader = ClipReader(dataset, LAYOUT)  # clips of 12 and 13 frames
    frames, valid = reader.frames(0, 8, 9)
    assert frames.shape == (9, 32, 64, 3) and valid.tolist() == [True] * 4 + [False] * 5
    assert (frames[4:] == frames[3]).all()
    whole, all_valid = reader.frames(0, 0, 12)
    assert all_valid.all() and (whole[8:] == frames[:4]).all()
    following, _ = reader.frames(1, 0, 1)
    assert not (following[0] == frames[-1]).all(), "padding must not run into the next clip"


def test_windows_cover_a_clip_to_its_end() -> None:
    skill_clip = {"length": 7, "tasks": ["short"], "seed": 8, "source_seed": 19}
    rows = [{"length": 60, "tasks": ["long"], "seed": 9}, skill_clip]
    windows = find_windows(rows, frames=49, stride=8, minimum=17)
    long = [w for w in windows if w.prompt == "long"]
    assert [w.start for w in long] == [0, 8, 16, 24, 32, 40]
    assert [w.valid for w in long] == [49, 49, 44, 36, 28, 20]
    assert [(w.start, w.valid, w.seed) for w in windows if w.prompt == "short"] == [(0, 7, 19)]


def test_clips_shorter_than_a_chunk_are_refused_or_left_out() -> None:
    rows = [{"length": 4, "tasks": ["pick up the cube"], "seed": 1}]
    with pytest.raises(DatasetError, match=r"clip 0 .*pick up the cube.* 4 frames.* 5"):
        find_windows(rows, 9, 4, 5)
    assert find_windows(rows, 9, 4, 5, skip_short=True) == []


def test_holding_out_goes_by_the_demonstration() -> None:
    assert [seed for seed in range(30) if held_out(seed, 10)] == [9, 19, 29]
    assert not any(held_out(seed, 0) for seed in range(30))


def test_a_skill_clip_is_held_out_with_its_demonstration() -> None:
    assert clip_seed({"seed": 100019}) == 100019
    assert clip_seed({"seed": 10001902, "source_position": 2}) == 100019
    assert clip_seed({"seed": 7, "source_seed": 100019, "source_position": 2}) == 100019
    assert clip_seed({"seed": 100019, "source_seed": None, "source_position": None}) == 100019


def test_a_dataset_that_does_not_tell_its_demonstrations_apart_is_refused() -> None:
    rows = [{"length": 30, "tasks": ["grab"], "episode_index": 4}]
    with pytest.raises(DatasetError, match="clip 4: the dataset's episode table has no `seed`"):
        find_windows(rows, 9, 4, 5)


def test_the_dataset_hash_notices_more_episodes(dataset: Path, tmp_path: Path) -> None:
    same = synthetic_dataset(tmp_path / "same", episodes=2, length=12)
    more = synthetic_dataset(tmp_path / "more", episodes=3, length=12)
    assert dataset_hash(same) == dataset_hash(dataset) != dataset_hash(more)
