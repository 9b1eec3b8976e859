"""The dataset round trip, read back by pyarrow and PyAV directly, and what is left after a kill or a full disk."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from training.common import disk
from training.common.errors import DatasetDiskFullError, DatasetError
from training.data import pack as packing
from training.data.lerobot_reader import LeRobotReader
from training.data.lerobot_writer import discard_unfinished, stage_episode, staged_folders
from training.data.pack import pack_dataset
from training.tests.synthetic import FPS, synthetic_dataset, synthetic_episode


def test_round_trip_with_a_second_reader(tmp_path: Path) -> None:
    synthetic_dataset(tmp_path, episodes=6)
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["total_episodes"] == 6
    assert info["total_frames"] == sum(24 + i for i in range(6))
    for episode in range(6):
        number, row = divmod(episode, 4)
        meta = pq.read_table(tmp_path / f"meta/episodes/chunk-000/file-{number:03d}.parquet").to_pylist()[row]
        expected, _ = synthetic_episode(episode, 24 + episode)
        columns = expected.stacked()
        assert meta["episode_index"] == episode and meta["length"] == 24 + episode
        data = pq.read_table(tmp_path / info["data_path"].format(chunk_index=0, file_index=number))
        mine = [frame for frame in data.to_pylist() if frame["episode_index"] == episode]
        assert [f["index"] for f in mine] == list(range(meta["dataset_from_index"], meta["dataset_to_index"]))
        np.testing.assert_array_equal(np.array([f["action"] for f in mine], np.float32), columns["action"])
        np.testing.assert_array_equal(np.array([f["done"] for f in mine]), columns["done"][:, 0])
        key = "observation.images.scene"
        path = tmp_path / info["video_path"].format(video_key=key, chunk_index=0, file_index=number)
        with av.open(str(path)) as container:
            frames = [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        start, stop = meta[f"videos/{key}/from_timestamp"], meta[f"videos/{key}/to_timestamp"]
        pictures = [frame for time, frame in frames if start - 1e-4 <= time < stop - 1e-4]
        assert len(pictures) == meta["length"]
        error = np.abs(np.stack(pictures).astype(int) - np.stack(expected.images["scene"]).astype(int))
        assert error.mean() < 3.0
    tasks = pq.read_table(tmp_path / "meta/tasks.parquet").to_pydict()
    assert "grab the red cube" in tasks["task"] and "pick up the red cube" in tasks["task"]


def test_reader_gives_the_same_frames_in_any_order(tmp_path: Path) -> None:
    reader = LeRobotReader(synthetic_dataset(tmp_path, episodes=5))
    ordered = [frame for i in range(5) for frame in reader.episode_frames(i, "wrist")]
    assert len(ordered) == len(reader)
    for index in np.random.default_rng(0).permutation(len(reader))[:40]:
        np.testing.assert_array_equal(reader.frame(int(index), "wrist"), ordered[index])
    assert reader.column("action").shape == (len(reader), 7)
    assert reader.episode_columns(4)["episode_index"].tolist() == [4] * 28
    reader.close()
    with pytest.raises(DatasetError, match="holds no packed dataset"):
        LeRobotReader(tmp_path / "nothing")


def test_statistics_match_numpy(tmp_path: Path) -> None:
    reader = LeRobotReader(synthetic_dataset(tmp_path, episodes=3))
    stats = json.loads((tmp_path / "meta/stats.json").read_text())["action"]
    actions = reader.column("action")
    np.testing.assert_allclose(stats["mean"], actions.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(stats["std"], actions.std(axis=0), atol=1e-6)
    np.testing.assert_allclose(stats["max"], actions.max(axis=0), atol=1e-6)


def test_killed_writer_leaves_finished_episodes(tmp_path: Path) -> None:
    for seed in (1, 2):
        stage_episode(tmp_path, *synthetic_episode(seed), FPS)
    child = os.fork()
    if child == 0:  # dies in the middle of writing its episode, as SIGKILL would leave it
        disk.write_bytes_atomically(tmp_path / ".staging/000000003/scene.mp4", b"half a video")
        os._exit(9)
    os.waitpid(child, 0)
    assert [int(folder.name) for folder in staged_folders(tmp_path)] == [1, 2]
    assert discard_unfinished(tmp_path) == 1
    assert pack_dataset(tmp_path, FPS) == 2
    assert [row["seed"] for row in LeRobotReader(tmp_path).episodes] == [1, 2]


def test_pack_killed_before_its_commit_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(4):
        stage_episode(tmp_path, *synthetic_episode(seed), FPS)
    pack_dataset(tmp_path, FPS)
    stage_episode(tmp_path, *synthetic_episode(9), FPS)
    write = packing.write_bytes_atomically

    def fail_at_commit(path: Path, data: bytes) -> None:
        if "meta/episodes" in str(path):
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(packing, "write_bytes_atomically", fail_at_commit)
    with pytest.raises(KeyboardInterrupt):
        pack_dataset(tmp_path, FPS)
    assert len(LeRobotReader(tmp_path).episodes) == 4
    monkeypatch.undo()
    assert pack_dataset(tmp_path, FPS) == 1
    assert [row["seed"] for row in LeRobotReader(tmp_path).episodes] == [0, 1, 2, 3, 9]


def test_full_disk_names_path_and_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_episode(tmp_path, *synthetic_episode(1), FPS)
    with pytest.raises(DatasetDiskFullError, match=r"no space left for .* MiB free"):
        stage_episode(tmp_path, *synthetic_episode(2), FPS, minimum_free_bytes=1 << 60)

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", no_space)
    with pytest.raises(DatasetDiskFullError, match="000000003"):
        stage_episode(tmp_path, *synthetic_episode(3), FPS)
    monkeypatch.undo()
    assert not (tmp_path / ".staging/000000003").exists()
    assert pack_dataset(tmp_path, FPS) == 1
    assert len(LeRobotReader(tmp_path)) == 24
