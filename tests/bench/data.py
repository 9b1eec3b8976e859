"""Section "data": random frames of the dataset's videos, against OpenCV seeking in the same files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.results import BenchError, Check, Section, Stage
from tests.bench.settings import Settings
from tests.bench.timing import Samples, compare, interleave, timed
from training.common.errors import DatasetError
from training.data.cache import CacheConfig, FrameCache, build_cache
from training.data.collect import CollectConfig, collect
from training.data.layout import video_key
from training.data.lerobot_reader import LeRobotReader, file_number
from training.data.video import RgbConverter
from world2act_core.images import fit_image

TARGET = 2.0
TOLERANCE = 4
"""Largest difference of a colour value [0, 255] between two decoders' conversions to RGB."""
EPISODES = 8
BLOCK = 4
CACHE_BATCH = 64
Picture = NDArray[np.uint8]


def run(settings: Settings) -> Section:
    """Measure on the dataset that is there, or on a few episodes collected for this."""
    section = Section("data")
    root, note = _dataset(settings)
    reader = LeRobotReader(root)
    section.notes.append(f"{note}: {len(reader.episodes)} episodes, {len(reader)} frames, files in the page cache")
    frames = _random_frames(reader, settings.pick(100, 4) * BLOCK)
    locator = Locator(reader)
    default, single = OpenCvFrames(locator), OpenCvFrames(locator, threads=1)
    difference = max(
        int(np.abs(reader.frame(i, camera).astype(int) - default.frame(i, camera)).max())
        for i, camera in frames[: settings.pick(32, 8)]
    )
    section.checks.append(
        Check("equal pictures", difference, "max difference of 255", f"<= {TOLERANCE}", difference <= TOLERANCE)
    )
    _frame_rows(section, reader, frames, default, single)
    section.stages += _stages(reader.fps, locator, frames)
    _cache_row(section, root, frames, default, settings)
    for opened in (reader, default, single):
        opened.close()
    return section


class Locator:
    """Where a global frame index lies in the dataset's videos."""

    def __init__(self, reader: LeRobotReader) -> None:
        self._reader = reader
        self._starts = np.array([int(row["dataset_from_index"]) for row in reader.episodes])

    def find(self, index: int, camera: str) -> tuple[Path, int]:
        """The video file and the number of the frame in it."""
        row = self._reader.episodes[int(np.searchsorted(self._starts, index, side="right")) - 1]
        first = round(float(row[f"videos/{video_key(camera)}/from_timestamp"]) * self._reader.fps)
        return self._reader.video_path(file_number(row), camera), first + index - int(row["dataset_from_index"])


class OpenCvFrames:
    """Naive random access: one VideoCapture per file, kept open; CAP_PROP_POS_FRAMES, then read."""

    def __init__(self, locator: Locator, threads: int | None = None) -> None:
        """threads: of the decoder; None leaves it to OpenCV."""
        self._locator = locator
        self._parameters = [] if threads is None else [cv2.CAP_PROP_N_THREADS, threads]
        self._files: dict[Path, cv2.VideoCapture] = {}

    def open(self, index: int, camera: str) -> tuple[cv2.VideoCapture, int]:
        """The file with this frame, opened at its first use, and the frame's number in it."""
        path, number = self._locator.find(index, camera)
        if path not in self._files:
            self._files[path] = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, self._parameters)
        return self._files[path], number

    def frame(self, index: int, camera: str) -> Picture:
        """The picture uint8 [H, W, 3] RGB at global frame `index`. Raises BenchError when OpenCV cannot read it."""
        capture, number = self.open(index, camera)
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        good, picture = capture.read()
        if not good:
            raise BenchError(f"OpenCV cannot read frame {number} of {self._locator.find(index, camera)[0]}")
        converted: Picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return converted

    def close(self) -> None:
        """Close every file."""
        while self._files:
            self._files.popitem()[1].release()


def _dataset(settings: Settings) -> tuple[Path, str]:
    try:
        LeRobotReader(settings.dataset)
        return settings.dataset, f"dataset {settings.dataset}"
    except DatasetError:
        root = settings.work / "dataset"
        workers = len(os.sched_getaffinity(0))
        episodes = settings.pick(EPISODES, 2)
        collect(CollectConfig(out=root, episodes=episodes, workers=min(workers, 4), episodes_per_file=EPISODES // 2))
        return root, f"there is no dataset in {settings.dataset}: episodes collected for this benchmark in {root}"


def _random_frames(reader: LeRobotReader, count: int) -> list[tuple[int, str]]:
    """Random (global frame, camera): a random episode first, then a random frame of it."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(count):
        row = reader.episodes[int(rng.integers(len(reader.episodes)))]
        index = int(rng.integers(int(row["dataset_from_index"]), int(row["dataset_to_index"])))
        frames.append((index, reader.cameras[i % len(reader.cameras)]))
    return frames


def _blocks(frames: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    return (frames[i : i + BLOCK] for i in range(0, len(frames), BLOCK))


def _reading(source: LeRobotReader | OpenCvFrames, frames: list[tuple[int, str]]) -> Any:
    """A side of the comparison: the next block of the frames, one at a time."""
    blocks = _blocks(frames)

    def side() -> list[float]:
        return [timed(lambda i=i, c=c: source.frame(i, c))[0] for i, c in next(blocks)]  # type: ignore[misc]

    return side


def _frame_rows(
    section: Section,
    reader: LeRobotReader,
    frames: list[tuple[int, str]],
    default: OpenCvFrames,
    single: OpenCvFrames,
) -> None:
    for index, camera in frames:  # opening the files is not what is compared
        reader.frame(index, camera)
        default.open(index, camera)
        single.open(index, camera)
    sides = {name: _reading(source, frames) for name, source in (("ours", reader), ("cv", default), ("cv1", single))}
    found = interleave(sides, len(frames) // BLOCK)
    name = "dataset frames/s, random access, one at a time"
    naive = f"OpenCV {cv2.__version__} VideoCapture kept open, CAP_PROP_POS_FRAMES, same files and frames"
    section.rows.append(compare(name, naive, found["ours"], found["cv"], unit="frames/s", rate=True, at_least=TARGET))
    section.rows.append(
        compare(f"{name}, single-threaded OpenCV", f"{naive}, one thread", found["ours"], found["cv1"],
                unit="frames/s", rate=True)
    )  # fmt: skip


def _stages(fps: int, locator: Locator, frames: list[tuple[int, str]]) -> list[Stage]:
    """The reader's steps taken one by one."""
    parts: dict[str, list[float]] = {"seek": [], "decode the key frame": [], "decode up to the frame": [], "to RGB": []}
    containers: dict[Path, Any] = {}
    rgb = RgbConverter()
    for index, camera in frames:
        path, number = locator.find(index, camera)
        if path not in containers:
            containers[path] = av.open(str(path))
            containers[path].streams.video[0].thread_type = "NONE"
        stream = containers[path].streams.video[0]
        ticks = 1 / (Fraction(fps) * stream.time_base)
        marks = [time.perf_counter()]
        containers[path].seek(int(number * ticks), stream=stream, backward=True)
        marks.append(time.perf_counter())
        decoder = containers[path].decode(stream)
        frame = next(decoder)
        marks.append(time.perf_counter())
        while frame.pts < int(number * ticks):
            frame = next(decoder)
        marks.append(time.perf_counter())
        rgb.convert(frame)
        marks.append(time.perf_counter())
        for name, seconds in zip(parts, np.diff(marks)):
            parts[name].append(float(seconds))
    for container in containers.values():
        container.close()
    means = {name: float(np.mean(seconds)) for name, seconds in parts.items()}
    return [
        Stage("one random frame (means)", name, 1e3 * mean, mean / sum(means.values())) for name, mean in means.items()
    ]


def _cache_row(
    section: Section, root: Path, frames: list[tuple[int, str]], naive: OpenCvFrames, settings: Settings
) -> None:
    """What training really reads: batches from the cache of decoded pictures."""
    try:
        cache = _cache(root, settings)
    except DatasetError as error:
        section.notes.append(f"no row for the cache that training reads from: {error}")
        return
    camera = cache.contract.cameras[0]
    rng = np.random.default_rng(1)
    covered = [i for i, _ in frames if i < len(cache)]

    def ours() -> list[float]:
        picked = rng.integers(0, len(cache), CACHE_BATCH)
        return [timed(lambda: np.stack(cache.frames(camera.name, picked)))[0] / CACHE_BATCH]

    def theirs() -> list[float]:
        picked = int(rng.integers(0, len(cache)))
        return timed(lambda: fit_image(naive.frame(picked, camera.name), camera))

    worst = max(
        int(np.abs(cache.frames(camera.name, np.array([i]))[0].astype(int)
                   - fit_image(naive.frame(i, camera.name), camera)).max())
        for i in covered[:8]
    )  # fmt: skip
    section.checks.append(
        Check("equal pictures, cache", worst, "max difference of 255", f"<= {TOLERANCE}", worst <= TOLERANCE)
    )
    found: dict[str, Samples] = interleave({"ours": ours, "theirs": theirs}, settings.pick(60, 6))
    section.rows.append(
        compare(
            f"training pictures/s, {camera.width} px, random batches of {CACHE_BATCH}",
            "OpenCV VideoCapture kept open, seek, read and resize, one at a time",
            found["ours"],
            found["theirs"],
            unit="frames/s",
            rate=True,
            at_least=TARGET,
        )
    )


def _cache(root: Path, settings: Settings) -> FrameCache:
    folder = root / "cache-96"
    if not (folder / "cache.json").exists() and root == settings.work / "dataset":
        build_cache(CacheConfig(dataset=root, image_size=96, workers=1))
    return FrameCache(folder)
