"""``cache``: decode a dataset's video once into arrays of the policy's picture size that training maps into memory.

One ``file-NNN_<camera>.npy`` (uint8 [frames, H, W, 3]) per video file. Run again after collecting more: only new files
are decoded.
"""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.progress import track

from training.common.disk import naming_full_disk, require_free_space, write_text_atomically
from training.common.errors import DatasetError
from training.data import layout
from training.data.lerobot_reader import LeRobotReader, file_number
from training.data.video import decode_frames
from world2act_core.contract import CameraSpec, Contract
from world2act_core.images import fit_image
from world2act_core.worker_process import begin_worker

CACHE_CONTRACT = "contract.yaml"
CACHE_INFO = "cache.json"


@dataclass(frozen=True)
class CacheConfig:
    """Decode a dataset for training."""

    dataset: Path = Path("data/tabletop")
    out: Path | None = None
    """Default: cache-<size> inside the dataset."""
    image_size: int = 96
    """Side of the pictures the policy will see, in pixels."""
    workers: int = 2


def build_cache(config: CacheConfig) -> Path:
    """Entry point of ``python -m training cache``; returns the cache's folder."""
    out = config.out or config.dataset / f"cache-{config.image_size}"
    reader = LeRobotReader(config.dataset)
    contract = policy_contract(config.dataset, config.image_size)
    out.mkdir(parents=True, exist_ok=True)
    frames: dict[int, int] = {}
    for row in reader.episodes:
        frames[file_number(row)] = frames.get(file_number(row), 0) + int(row["length"])
    jobs = [
        (reader.video_path(number, camera.name), cached_frames_path(out, number, camera.name), camera, count)
        for number, count in frames.items()
        for camera in contract.cameras
        if not cached_frames_path(out, number, camera.name).exists()
    ]
    require_free_space(out, sum(count * camera.height * camera.width * 3 for *_, camera, count in jobs) + (64 << 20))
    context = multiprocessing.get_context("spawn")
    if jobs:
        with ProcessPoolExecutor(min(config.workers, len(jobs)), context, begin_worker) as pool:
            for _ in track(pool.map(_decode_file, jobs), "decoding", total=len(jobs)):
                pass
    contract.to_yaml(out / CACHE_CONTRACT)
    info = {"dataset": str(Path("..") if config.out is None else config.dataset.resolve()), "frames": frames}
    write_text_atomically(out / CACHE_INFO, json.dumps(info))
    total = sum(frames.values())
    print(f"{out}: {len(reader.episodes)} episodes, {total} frames, {len(contract.cameras)} cameras")
    return out


def policy_contract(dataset: Path, image_size: int) -> Contract:
    """The dataset's contract with the policy's picture size."""
    path = dataset / layout.CONTRACT_PATH
    if not path.exists():
        raise DatasetError(f"{path} is missing; a dataset made by `collect` has it")
    contract = Contract.from_yaml(path)
    cameras = tuple(c.model_copy(update={"width": image_size, "height": image_size}) for c in contract.cameras)
    return contract.model_copy(update={"cameras": cameras})


def cached_frames_path(cache: Path, number: int, camera: str) -> Path:
    """Where the frames of one video file are cached."""
    return cache / f"file-{number:03d}_{camera}.npy"


class FrameCache:
    """A built cache: its contract, its dataset, and frames by global index."""

    def __init__(self, root: Path) -> None:
        """Open the cache at ``root``; raises :class:`DatasetError` when it is missing or incomplete."""
        if not (root / CACHE_INFO).exists():
            raise DatasetError(f"{root} holds no cache; run `python -m training cache --dataset ...` first")
        info = json.loads((root / CACHE_INFO).read_text())
        self.root = root
        self.contract = Contract.from_yaml(root / CACHE_CONTRACT)
        self.dataset = (root / info["dataset"]).resolve()
        self.numbers = sorted(int(number) for number in info["frames"])
        counts = [int(info["frames"][str(number)]) for number in self.numbers]
        self._ends = np.cumsum(counts)
        self._maps = {
            camera.name: [self._open(number, camera, count) for number, count in zip(self.numbers, counts)]
            for camera in self.contract.cameras
        }

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def frames(self, camera: str, indices: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Pictures uint8 [H, W, 3] at global frame indices, as views of the mapped files."""
        files = np.searchsorted(self._ends, indices, side="right")
        starts = np.concatenate([[0], self._ends])
        maps = self._maps[camera]
        return [maps[f][i - starts[f]] for f, i in zip(files, indices)]

    def _open(self, number: int, camera: CameraSpec, count: int) -> NDArray[np.uint8]:
        path = cached_frames_path(self.root, number, camera.name)
        if not path.exists():
            raise DatasetError(f"{path} is missing; run `python -m training cache` again")
        frames: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        expected = (count, camera.height, camera.width, 3)
        if frames.shape != expected:
            raise DatasetError(f"{path} has shape {frames.shape}, expected {expected}; delete it and run cache again")
        return frames


def _decode_file(job: tuple[Path, Path, CameraSpec, int]) -> None:
    source, target, camera, count = job
    temporary = target.with_suffix(".tmp")
    with naming_full_disk(target):
        output = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(count, camera.height, camera.width, 3))
        decoded = 0
        for i, frame in enumerate(decode_frames(source)):
            if i >= count:
                break
            output[i] = fit_image(frame, camera)
            decoded = i + 1
        output.flush()
    if decoded != count:
        temporary.unlink()
        raise DatasetError(f"{source} has {decoded} frames, its episodes say {count}; the file is damaged")
    temporary.replace(target)
