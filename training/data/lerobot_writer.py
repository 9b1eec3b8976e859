"""Writes episodes so that each is whole or absent: staged one by one, then packed into a LeRobot v3 dataset.

A staged episode is a folder ``.staging/<seed>/`` with one mp4 per camera, ``frames.parquet`` and ``episode.json``;
``episode.json`` is renamed into place last, so an episode without it does not exist. Any number of processes stage at
once (each seed is written by one); :func:`training.data.pack.pack_dataset` moves finished ones into the dataset.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.common.disk import MEBIBYTE, naming_full_disk, require_free_space, write_bytes_atomically
from training.data.episode import FRAME_COLUMNS, EpisodeBuffer, EpisodeInfo, SkillSegment
from training.data.stats import image_statistics
from training.data.video import encode_frames

STAGING = ".staging"
MINIMUM_FREE_BYTES = 256 * MEBIBYTE


def arrow_type(dtype: str, shape: tuple[int, ...]) -> pa.DataType:
    """Arrow type of one frame's value: a scalar for shape (1,), else a fixed-size list, as LeRobot stores it."""
    scalar = {"float32": pa.float32(), "bool": pa.bool_(), "int64": pa.int64()}[dtype]
    return scalar if shape == (1,) else pa.list_(scalar, shape[0])


def arrow_column(values: NDArray[np.generic], dtype: str, shape: tuple[int, ...]) -> pa.Array:
    """Array [N, *shape] -> Arrow column of :func:`arrow_type`."""
    flat = np.ascontiguousarray(values.reshape(-1).astype(dtype))
    if shape == (1,):
        return pa.array(flat)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), shape[0])


def frames_table(
    columns: dict[str, NDArray[Any]], specification: dict[str, tuple[str, tuple[int, ...]]] | None = None
) -> pa.Table:
    """The per-frame columns [N, ...] of one episode as an Arrow table with N rows."""
    return pa.table(
        {name: arrow_column(columns[name], *spec) for name, spec in (specification or FRAME_COLUMNS).items()}
    )


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as the bytes of a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def staging_folder(root: Path, seed: int) -> Path:
    """Where the episode of ``seed`` is staged."""
    return root / STAGING / f"{seed:09d}"


def stage_episode(
    root: Path, buffer: EpisodeBuffer, info: EpisodeInfo, fps: int, minimum_free_bytes: int = MINIMUM_FREE_BYTES
) -> Path:
    """Write one finished episode under ``root`` and return its folder.

    Raises :class:`DatasetDiskFullError` (naming path and free space) when the disk has no room; whatever of this
    episode was written is removed, every other episode stays.
    """
    require_free_space(root, minimum_free_bytes)
    videos = {camera: encode_frames(frames, fps) for camera, frames in buffer.images.items()}
    cameras = {camera: camera_summary(frames) for camera, frames in buffer.images.items()}
    return stage_encoded(root, info, frames_table(buffer.stacked(), buffer.specification), videos, cameras)


def camera_summary(frames: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
    """What is kept about a camera's frames uint8 [H, W, 3]: their shape and statistics (of a few of them)."""
    return {"shape": list(frames[0].shape), "statistics": image_statistics(frames)}


def stage_encoded(
    root: Path, info: EpisodeInfo, table: pa.Table, videos: dict[str, bytes], cameras: dict[str, dict[str, Any]]
) -> Path:
    """Write one finished episode whose video exists already: mp4 bytes and :func:`camera_summary` by camera name.

    ``table`` has one row per frame (:func:`frames_table`). Errors as in :func:`stage_episode`.
    """
    folder = staging_folder(root, info.seed)
    with naming_full_disk(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for camera, data in videos.items():
                write_bytes_atomically(folder / f"{camera}.mp4", data)
            write_bytes_atomically(folder / "frames.parquet", parquet_bytes(table))
            summary = {**asdict(info), "length": table.num_rows, "cameras": cameras}
            write_bytes_atomically(folder / "episode.json", json.dumps(summary).encode())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder


def staged_folders(root: Path) -> list[Path]:
    """Folders of finished staged episodes, by seed."""
    return sorted(path.parent for path in (root / STAGING).glob("*/episode.json"))


def read_staged(folder: Path) -> tuple[EpisodeInfo, dict[str, Any]]:
    """A staged episode's info and its raw summary (with ``length`` and ``cameras``)."""
    summary = json.loads((folder / "episode.json").read_text())
    names = ("seed", "kind", "split", "instruction", "success")
    info = EpisodeInfo(
        **{name: summary[name] for name in names},
        segments=tuple(SkillSegment(**segment) for segment in summary["segments"]),
        objects=tuple(summary["objects"]),
        extra=summary.get("extra", {}),
    )
    return info, summary


def discard_unfinished(root: Path) -> int:
    """Remove staged folders of episodes that were cut off; returns how many."""
    unfinished = [f for f in (root / STAGING).glob("*") if f.is_dir() and not (f / "episode.json").exists()]
    for folder in unfinished:
        shutil.rmtree(folder, ignore_errors=True)
    return len(unfinished)
