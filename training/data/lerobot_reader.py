"""Reads a LeRobot v3 dataset: episodes, per-frame columns as arrays, and single frames of video at random."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.common.errors import DatasetError
from training.data import layout
from training.data.pack import episode_rows
from training.data.video import RgbConverter

OPEN_FILES = 256  # video containers kept open for random access


class LeRobotReader:
    """A packed dataset. ``episodes`` has one row (a dict) per episode, in order of episode index."""

    def __init__(self, root: Path) -> None:
        """Open the dataset at ``root``; raises :class:`DatasetError` when there is none or its layout differs."""
        self.root = root
        self.info = layout.read_info(root)
        self.fps = int(self.info["fps"])
        self.tasks = layout.read_tasks(root)
        self.episodes: list[dict[str, Any]] = episode_rows(root)
        prefix = "observation.images."
        self.cameras = tuple(key.removeprefix(prefix) for key in self.info["features"] if key.startswith(prefix))
        self._starts = np.array([row["dataset_from_index"] for row in self.episodes], dtype=np.int64)
        self._videos: OrderedDict[Path, _VideoFile] = OrderedDict()

    def __len__(self) -> int:
        """Frames in all episodes."""
        return int(self.episodes[-1]["dataset_to_index"]) if self.episodes else 0

    def files(self) -> list[int]:
        """Numbers of the dataset's files, in order."""
        return sorted({file_number(row) for row in self.episodes})

    def data_path(self, number: int) -> Path:
        """The parquet file with the per-frame columns of file ``number``."""
        return self.root / layout.DATA_PATH.format(**layout.location(number))

    def video_path(self, number: int, camera: str) -> Path:
        """The video of file ``number``; frame i of it belongs to row i of :meth:`data_path`."""
        return self.root / layout.VIDEO_PATH.format(video_key=layout.video_key(camera), **layout.location(number))

    def column(self, name: str) -> NDArray[Any]:
        """One column over all frames, [N] or [N, D]."""
        parts = [_to_numpy(pq.read_table(self.data_path(number), columns=[name])[name]) for number in self.files()]
        return np.concatenate(parts) if parts else np.zeros(0)

    def file_columns(self, number: int) -> dict[str, NDArray[Any]]:
        """Every column of one of the dataset's files, [N] or [N, D], in order of frame."""
        table = pq.read_table(self.data_path(number))
        return {name: _to_numpy(table[name]) for name in table.column_names}

    def episode_columns(self, episode_index: int) -> dict[str, NDArray[Any]]:
        """Every column of one episode, [length] or [length, D]."""
        row = self._row(episode_index)
        table = pq.read_table(self.data_path(file_number(row)))
        start = int(row["dataset_from_index"]) - int(table["index"][0].as_py())
        part = table.slice(start, int(row["length"]))
        return {name: _to_numpy(part[name]) for name in part.column_names}

    def episode_frames(self, episode_index: int, camera: str) -> Iterator[NDArray[np.uint8]]:
        """Frames of one episode in order, uint8 [H, W, 3]."""
        row = self._row(episode_index)
        first = round(float(row[f"videos/{layout.video_key(camera)}/from_timestamp"]) * self.fps)
        video = self._video(file_number(row), camera)
        for i in range(int(row["length"])):
            yield video.frame(first + i)

    def frame(self, index: int, camera: str) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3] of ``camera`` at global frame ``index`` (0 <= index < len)."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} is outside the dataset's {len(self)} frames")
        row = self.episodes[int(np.searchsorted(self._starts, index, side="right")) - 1]
        first = round(float(row[f"videos/{layout.video_key(camera)}/from_timestamp"]) * self.fps)
        offset = index - int(row["dataset_from_index"])
        return self._video(file_number(row), camera).frame(first + offset)

    def close(self) -> None:
        """Close every open video file."""
        while self._videos:
            self._videos.popitem()[1].close()

    def _row(self, episode_index: int) -> dict[str, Any]:
        if not 0 <= episode_index < len(self.episodes):
            raise IndexError(f"episode {episode_index} is outside the dataset's {len(self.episodes)} episodes")
        return self.episodes[episode_index]

    def _video(self, number: int, camera: str) -> _VideoFile:
        path = self.video_path(number, camera)
        video = self._videos.pop(path, None)
        if video is None:
            if not path.exists():
                raise DatasetError(f"{path} is missing: camera {camera!r}; this dataset has {self.cameras}")
            video = _VideoFile(path, self.fps)
        self._videos[path] = video
        if len(self._videos) > OPEN_FILES:
            self._videos.popitem(last=False)[1].close()
        return video


def file_number(row: dict[str, Any]) -> int:
    """The dataset file an episode's row points to."""
    return int(row["data/chunk_index"]) * layout.CHUNK_SIZE + int(row["data/file_index"])


class _VideoFile:
    """One open video; frames by number, decoding from the nearest key frame or onwards from the last position."""

    def __init__(self, path: Path, fps: int) -> None:
        self._container = av.open(str(path))
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "NONE"
        if self._stream.time_base is None:
            raise DatasetError(f"{path} has no time base; the file is damaged")
        self._ticks = 1 / (fps * self._stream.time_base)
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._rgb = RgbConverter()
        self._next = -1  # number of the frame the decoder gives next

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Frame ``number`` as uint8 [H, W, 3]."""
        if self._decoder is None or not self._next <= number < self._next + 8:
            self._container.seek(int(number * self._ticks), stream=self._stream, backward=True)
            self._decoder = self._container.decode(self._stream)
        for frame in self._decoder:
            position = round((frame.pts or 0) / float(self._ticks))
            self._next = position + 1
            if position >= number:
                return self._rgb.convert(frame)
        raise DatasetError(f"{self._container.name} ends before frame {number}; the file is damaged")

    def close(self) -> None:
        self._container.close()


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if pa.types.is_fixed_size_list(array.type):
        return np.asarray(array.flatten().to_numpy(zero_copy_only=False).reshape(-1, array.type.list_size))
    return np.asarray(array.to_numpy(zero_copy_only=False))
