"""Windows of a LeRobot dataset's clips: which there are, their packed frames, and which of these are padding."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.errors import DatasetError
from training.data import layout as dataset_layout
from training.data.lerobot_reader import LeRobotReader
from training.world_model.config import CHUNK
from training.world_model.views import ViewLayout, pack

CLIPS_PER_DEMONSTRATION = 100  # as `training skills` numbers its clips


@dataclass(frozen=True)
class Window:
    """Frames ``start .. start + valid - 1`` of a clip; a window that is longer repeats the last one."""

    episode_index: int
    start: int
    valid: int
    prompt: str
    seed: int
    """Seed of the episode that the clip comes from: clips of one episode are held out together."""


class ClipReader:
    """Clips (rows) of a dataset as packed frames."""

    def __init__(self, dataset: Path, layout: ViewLayout) -> None:
        self.reader = LeRobotReader(dataset)
        self.layout = layout
        self.fps = self.reader.fps
        self._lock = threading.Lock()  # a video file has one position, batches are made in a thread
        self.rows: list[dict[str, Any]] = self.reader.episodes
        missing = [name for name in layout.cameras if name not in self.reader.cameras]
        if missing:
            raise DatasetError(
                f"view layout {layout.grid!r} needs cameras {missing}; {dataset} has {list(self.reader.cameras)}"
            )
        if not self.rows:
            raise DatasetError(f"{dataset} holds no episodes; run `python -m training collect` first")

    def frames(self, episode_index: int, start: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """``count`` packed frames uint8 [count, H, W, 3] from ``start`` on, and which are not padding [count]."""
        row = self.rows[episode_index]
        length, first = int(row["length"]), int(row["dataset_from_index"])
        if not 0 <= start < length:
            raise IndexError(f"frame {start} is outside clip {episode_index} with {length} frames")
        present = min(count, length - start)
        with self._lock:
            views = {
                camera: np.stack([self.reader.frame(first + start + i, camera) for i in range(present)])
                for camera in self.layout.cameras
            }
        packed = pack(views, self.layout)
        padded = np.concatenate([packed, np.repeat(packed[-1:], count - present, axis=0)])
        return padded, np.arange(count) < present


def clip_prompt(row: dict[str, Any]) -> str:
    """The sentence of a clip: the instruction of a whole demonstration, the atomic prompt of a skill clip."""
    return str(row["tasks"][0])


def clip_seed(row: dict[str, Any]) -> int:
    """Seed of the demonstration that a clip comes from; DatasetError when the dataset does not say.

    A skill clip says it as ``source_seed``, or its own seed is the demonstration's times 100 plus ``source_position``.
    """
    if row.get("source_seed") is not None:
        return int(row["source_seed"])
    if row.get("seed") is None:
        raise DatasetError(
            f"clip {row.get('episode_index')}: the dataset's episode table has no `seed`, the number by which "
            "demonstrations are told apart and held out; add that column, another number for each demonstration"
        )
    if row.get("source_position") is not None:
        return int(row["seed"]) // CLIPS_PER_DEMONSTRATION
    return int(row["seed"])


def held_out(seed: int, every: int) -> bool:
    """Whether the episode of ``seed`` is kept for evaluation: the same ones for whole and for skill clips."""
    return every > 0 and seed % every == every - 1


def find_windows(
    rows: list[dict[str, Any]], frames: int, stride: int, minimum: int, skip_short: bool = False
) -> list[Window]:
    """Windows of ``frames`` frames starting every ``stride`` frames where at least ``minimum`` frames remain.

    A clip shorter than ``minimum`` has the one window from its start. Clips of fewer than 1 + 4 frames, which no chunk
    fits in, raise :class:`DatasetError` or, with ``skip_short``, are left out.
    """
    windows = []
    for number, row in enumerate(rows):
        length = int(row["length"])
        if length < 1 + CHUNK:
            if skip_short:
                continue
            raise DatasetError(
                f"clip {number} ({clip_prompt(row)!r}) has {length} frames, one chunk needs {1 + CHUNK}; "
                "leave such clips out with --skip-short"
            )
        for start in range(0, max(1, length - minimum + 1), stride):
            windows.append(Window(number, start, min(frames, length - start), clip_prompt(row), clip_seed(row)))
    return windows


def dataset_hash(root: Path) -> str:
    """SHA-256 over a dataset's episode table and over names and sizes of its data and video files."""
    digest = hashlib.sha256()
    for path in dataset_layout.episode_files(root):
        digest.update(path.read_bytes())
    for path in sorted([*root.glob("data/**/*.parquet"), *root.glob("videos/**/*.mp4")]):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()
