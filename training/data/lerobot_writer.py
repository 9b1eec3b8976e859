"""Writes episodes so that each is whole or absent: staged one by one, then packed into a LeRobot v3 dataset.

A staged episode is a folder ``.staging/<seed>/`` with one mp4 per camera, ``frames.parquet`` and ``episode.json``;
``episode.json`` is renamed into place last, so an episode without it does not exist. Any number of processes stage at
once (each seed is written by one); :func:`training.data.pack.pack_dataset` moves finished ones into the dataset.
"""

from __future__ import annotations

import io
import json
import shutil
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


def frames_table(columns: dict[str, NDArray[np.generic]]) -> pa.Table:
    """The per-frame columns [N, ...] of one episode as an Arrow table with N rows."""
    arrays = {name: arrow_column(columns[name], *spec) for name, spec in FRAME_COLUMNS.items()}
    return pa.table(arrays)


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
    folder = staging_folder(root, info.seed)
    require_free_space(root, minimum_free_bytes)
    with naming_full_disk(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for camera, frames in buffer.images.items():
                write_bytes_atomically(folder / f"{camera}.mp4", encode_frames(frames, fps))
            write_bytes_atomically(folder / "frames.parquet", parquet_bytes(frames_table(buffer.stacked())))
            cameras = {
                name: {"shape": list(frames[0].shape), "statistics": image_statistics(frames)}
                for name, frames in buffer.images.items()
            }
            summary = {**asdict(info), "length": len(buffer), "cameras": cameras}
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
    segments = tuple(SkillSegment(**segment) for segment in summary["segments"])
    info = EpisodeInfo(**{name: summary[name] for name in names}, segments=segments, objects=tuple(summary["objects"]))
    return info, summary


def discard_unfinished(root: Path) -> int:
    """Remove staged folders of episodes that were cut off; returns how many."""
    unfinished = [f for f in (root / STAGING).glob("*") if f.is_dir() and not (f / "episode.json").exists()]
    for folder in unfinished:
        shutil.rmtree(folder, ignore_errors=True)
    return len(unfinished)
