"""The LeRobot v3 layout: paths, feature descriptions and the JSON/parquet files under ``meta/``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.common.errors import DatasetError
from training.data import video
from training.data.episode import FRAME_COLUMNS

VERSION = "v3.0"
CHUNK_SIZE = 1000  # files per chunk folder
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
TASKS_PATH = "meta/tasks.parquet"
INFO_PATH = "meta/info.json"
STATS_PATH = "meta/stats.json"
CONTRACT_PATH = "meta/contract.yaml"
CALIBRATION_PATH = "meta/cameras.json"

INDEX_COLUMNS = ("frame_index", "episode_index", "index", "task_index", "prompt_index")
NAMES: dict[str, list[str]] = {
    "observation.state": ["x", "y", "z", "r00", "r10", "r20", "r01", "r11", "r21", "gripper_width"],
    "action": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
    "executed_action": ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"],
    "target_position": ["x", "y", "z"],
    "support_position": ["x", "y", "z"],
}


def video_key(camera: str) -> str:
    """The feature name of a camera's frames."""
    return f"observation.images.{camera}"


def location(number: int) -> dict[str, int]:
    """``chunk_index`` and ``file_index`` of the dataset's file ``number``."""
    return {"chunk_index": number // CHUNK_SIZE, "file_index": number % CHUNK_SIZE}


def features(
    cameras: dict[str, list[int]], fps: int, columns: dict[str, tuple[str, tuple[int, ...]]] | None = None
) -> dict[str, dict[str, Any]]:
    """LeRobot's ``features`` entry for cameras name -> [H, W, 3] and every frame column."""
    result: dict[str, dict[str, Any]] = {}
    for camera, (height, width, channels) in cameras.items():
        info = {
            "video.height": height,
            "video.width": width,
            "video.codec": video.CODEC,
            "video.pix_fmt": video.PIXEL_FORMAT,
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": channels,
            "has_audio": False,
        }
        names = ["height", "width", "channels"]
        result[video_key(camera)] = {
            "dtype": "video",
            "shape": [height, width, channels],
            "names": names,
            "info": info,
        }
    for name, (dtype, shape) in (columns or FRAME_COLUMNS).items():
        names_of = NAMES.get(name) if shape == FRAME_COLUMNS[name][1] else None
        result[name] = {"dtype": dtype, "shape": list(shape), "names": names_of}
    result["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    for name in INDEX_COLUMNS:
        result[name] = {"dtype": "int64", "shape": [1], "names": None}
    return result


def tasks_table(tasks: list[str]) -> pa.Table:
    """``tasks.parquet``: sentence -> index, marked so that pandas reads the sentences as the index."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    columns = [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"},
        {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object"},
    ]
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [{**column, "metadata": None} for column in columns],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    return table.replace_schema_metadata({b"pandas": json.dumps(pandas).encode()})


def read_tasks(root: Path) -> list[str]:
    """Sentences by task index; empty for a new dataset."""
    path = root / TASKS_PATH
    if not path.exists():
        return []
    table = pq.read_table(path).sort_by("task_index")
    return [str(task) for task in table["task"].to_pylist()]


def episode_files(root: Path) -> list[Path]:
    """``meta/episodes`` files in order: each commits the data and video files of the same number."""
    return sorted((root / "meta" / "episodes").glob("chunk-*/file-*.parquet"))


def read_info(root: Path) -> dict[str, Any]:
    """``meta/info.json``; raises :class:`DatasetError` when ``root`` holds no dataset of this version."""
    path = root / INFO_PATH
    if not path.exists():
        raise DatasetError(f"{root} holds no packed dataset ({INFO_PATH} is missing); run `collect` or `pack` first")
    info: dict[str, Any] = json.loads(path.read_text())
    if info.get("codebase_version") != VERSION:
        found = info.get("codebase_version")
        raise DatasetError(f"{path} has layout {found!r}, this reader needs {VERSION!r}; convert it with lerobot")
    return info
