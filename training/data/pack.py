"""Moves finished staged episodes into the dataset, several episodes per file.

One group of episodes becomes file number N of data, of every camera's video and of ``meta/episodes``. The latter is
renamed into place last, so it commits the group; files without it are leftovers and are written again. Only then are
the staged folders removed, and ``info.json`` and ``stats.json`` follow from ``meta/episodes`` alone.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.common.disk import write_bytes_atomically, write_text_atomically
from training.common.errors import DatasetError
from training.data import layout
from training.data.episode import FRAME_COLUMNS, EpisodeInfo, frame_columns
from training.data.lerobot_writer import STAGING, parquet_bytes, read_staged, staged_folders
from training.data.stats import Statistics, column_statistics, merge_statistics
from training.data.video import join_videos
from world2act_core.contract import Contract


@dataclass(frozen=True)
class PackConfig:
    """Pack what was collected so far (``collect`` does this itself when it ends)."""

    root: Path
    fps: int = 10
    episodes_per_file: int = 50


@dataclass
class _Group:
    """One file's worth of episodes while it is being put together."""

    number: int
    first_episode: int
    first_index: int
    tasks: dict[str, int]
    tables: list[pa.Table] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0


def pack(config: PackConfig) -> None:
    """Entry point of ``python -m training pack``."""
    count = pack_dataset(config.root, config.fps, config.episodes_per_file)
    print(f"packed {count} episodes into {config.root}")


def pack_dataset(root: Path, fps: int, episodes_per_file: int = 50, only_full: bool = False) -> int:
    """Pack staged episodes under ``root``; returns how many. ``only_full`` leaves an incomplete last group staged."""
    packed = 0
    with _locked(root):
        known = {row["seed"] for row in episode_rows(root)}
        folders = [folder for folder in staged_folders(root) if int(folder.name) not in known]
        for start in range(0, len(folders), episodes_per_file):
            group = folders[start : start + episodes_per_file]
            if only_full and len(group) < episodes_per_file:
                break
            _pack_group(root, group, fps)
            packed += len(group)
        if packed or not (root / layout.INFO_PATH).exists():
            _write_summary(root, fps)
        for folder in staged_folders(root):
            if int(folder.name) in known:  # packed by a run that was killed before it could tidy up
                shutil.rmtree(folder, ignore_errors=True)
    return packed


def episode_rows(root: Path) -> list[dict[str, Any]]:
    """Every packed episode's row of ``meta/episodes``, in order of episode index."""
    rows: list[dict[str, Any]] = []
    for path in layout.episode_files(root):
        rows.extend(pq.read_table(path).to_pylist())
    return sorted(rows, key=lambda row: int(row["episode_index"]))


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    (root / STAGING).mkdir(parents=True, exist_ok=True)
    with (root / STAGING / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(f"{root} is being packed by another process; wait for it to end") from None
        yield


def _pack_group(root: Path, folders: list[Path], fps: int) -> None:
    rows = episode_rows(root)
    tasks = {task: i for i, task in enumerate(layout.read_tasks(root))}
    last = rows[-1] if rows else {"dataset_to_index": 0}
    group = _Group(len(layout.episode_files(root)), len(rows), int(last["dataset_to_index"]), tasks)
    for folder in folders:
        _append_episode(group, folder, fps)
    where = layout.location(group.number)
    cameras = [key for key in group.rows[0] if key.startswith("videos/") and key.endswith("/from_timestamp")]
    for camera in [key.split("/")[1].removeprefix("observation.images.") for key in cameras]:
        target = root / layout.VIDEO_PATH.format(video_key=layout.video_key(camera), **where)
        write_bytes_atomically(target, join_videos([folder / f"{camera}.mp4" for folder in folders], fps))
    data = pa.concat_tables(group.tables)
    write_bytes_atomically(root / layout.DATA_PATH.format(**where), parquet_bytes(data))
    write_bytes_atomically(root / layout.TASKS_PATH, parquet_bytes(layout.tasks_table(list(group.tasks))))
    write_bytes_atomically(root / layout.EPISODES_PATH.format(**where), parquet_bytes(pa.Table.from_pylist(group.rows)))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _append_episode(group: _Group, folder: Path, fps: int) -> None:
    info, summary = read_staged(folder)
    table = pq.read_table(folder / "frames.parquet")
    length = table.num_rows
    episode_index = group.first_episode + len(group.rows)
    first = group.first_index + group.frames
    task = _task_index(group, info.instruction)
    prompts = np.zeros(length, np.int64)
    for segment in info.segments:
        prompts[segment.start : segment.stop] = _task_index(group, segment.prompt)
    frame = np.arange(length)
    extra: dict[str, Any] = {
        "timestamp": (frame / fps).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full(length, episode_index),
        "index": first + frame,
        "task_index": np.full(length, task),
        "prompt_index": prompts,
    }
    for name, values in extra.items():
        table = table.append_column(name, pa.array(values))
    where = layout.location(group.number)
    row = _episode_row(info, episode_index, first, length) | {f"data/{name}": value for name, value in where.items()}
    for camera in summary["cameras"]:
        key = f"videos/{layout.video_key(camera)}"
        row |= {f"{key}/{name}": value for name, value in where.items()}
        row |= {f"{key}/from_timestamp": group.frames / fps, f"{key}/to_timestamp": (group.frames + length) / fps}
    row |= _statistics_columns(table, summary)
    row |= {f"meta/episodes/{name}": value for name, value in where.items()}
    group.tables.append(table)
    group.rows.append(row)
    group.frames += length


def _task_index(group: _Group, sentence: str) -> int:
    return group.tasks.setdefault(sentence, len(group.tasks))


def _episode_row(info: EpisodeInfo, episode_index: int, first: int, length: int) -> dict[str, Any]:
    segments = info.segments
    return {
        "episode_index": episode_index,
        "tasks": [info.instruction],
        "length": length,
        "dataset_from_index": first,
        "dataset_to_index": first + length,
        "seed": info.seed,
        "kind": info.kind,
        "split": info.split,
        "instruction": info.instruction,
        "success": info.success,
        "objects": list(info.objects),
        "skills": [segment.prompt for segment in segments],
        "skill_kinds": [segment.kind for segment in segments],
        "skill_targets": [segment.target for segment in segments],
        "skill_supports": [segment.support or "" for segment in segments],
        "skill_from": [segment.start for segment in segments],
        "skill_to": [segment.stop for segment in segments],
        "skill_achieved": [segment.achieved for segment in segments],
        **info.extra,
    }


def _statistics_columns(table: pa.Table, summary: dict[str, Any]) -> dict[str, Any]:
    statistics: dict[str, Statistics] = {
        layout.video_key(camera): entry["statistics"] for camera, entry in summary["cameras"].items()
    }
    for name in [*FRAME_COLUMNS, "timestamp", *layout.INDEX_COLUMNS]:
        statistics[name] = column_statistics(np.array(table[name].to_pylist(), dtype=np.float64))
    result = {f"stats/{name}/{key}": value for name, entry in statistics.items() for key, value in entry.items()}
    shapes = {f"shape/{layout.video_key(camera)}": entry["shape"] for camera, entry in summary["cameras"].items()}
    return result | shapes


def _write_summary(root: Path, fps: int) -> None:
    rows = episode_rows(root)
    shapes = {
        key.removeprefix("shape/observation.images."): value
        for key, value in (rows[0] if rows else {}).items()
        if key.startswith("shape/")
    }
    frames = sum(int(row["length"]) for row in rows)
    path = root / layout.CONTRACT_PATH
    contract = Contract.from_yaml(path) if path.exists() else None
    info = {
        "codebase_version": layout.VERSION,
        "robot_type": contract.robot.lower() if contract else "unknown",
        "total_episodes": len(rows),
        "total_frames": frames,
        "total_tasks": len(layout.read_tasks(root)),
        "chunks_size": layout.CHUNK_SIZE,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{len(rows)}"},
        "data_path": layout.DATA_PATH,
        "video_path": layout.VIDEO_PATH,
        "features": layout.features(shapes, fps, _columns(contract)),
    }
    write_text_atomically(root / layout.STATS_PATH, json.dumps(_dataset_statistics(rows), indent=1))
    write_text_atomically(root / layout.INFO_PATH, json.dumps(info, indent=2))


def _columns(contract: Contract | None) -> dict[str, tuple[str, tuple[int, ...]]]:
    return frame_columns(contract.state_size, contract.action_size) if contract else FRAME_COLUMNS


def _dataset_statistics(rows: list[dict[str, Any]]) -> dict[str, Statistics]:
    names = sorted({key.split("/")[1] for row in rows[:1] for key in row if key.startswith("stats/")})
    keys = ("min", "max", "mean", "std", "count")
    parts = {name: [{key: row[f"stats/{name}/{key}"] for key in keys} for row in rows] for name in names}
    return {name: merge_statistics(part) for name, part in parts.items()}
