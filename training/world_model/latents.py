"""``world-model-latents``: every window of a dataset as VAE latents on disk, made once and read by every training.

``meta.json`` lists the windows and what they were made from; ``shard-NNNNN.safetensors`` hold ``latents``
[n, 16, 1 + N, h, w] (float16) and ``frames_valid`` [n, T]. A shard is whole or absent: run again to continue.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.progress import track
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from training.common.disk import require_free_space, write_bytes_atomically, write_text_atomically
from training.common.errors import DatasetError, TrainingError
from training.common.workers import Workers, joined
from training.world_model.config import CHUNK, PRESETS, PresetName
from training.world_model.vae import VideoVae, load_vae
from training.world_model.views import ViewLayout
from training.world_model.windows import ClipReader, Window, dataset_hash, find_windows

META = "meta.json"
NO_MATTER = ("dataset", "holdout_every")
"""Entries of ``meta.json`` that do not decide the latents."""
DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class LatentsConfig:
    """Encode a dataset's windows once. Several processes (torchrun) share the shards."""

    dataset: Path = Path("data/tabletop")
    vae: Path = Path("runs/world-model-vae")
    """Run of ``world-model-vae`` or a Cosmos-Predict2 folder."""
    out: Path | None = None
    """Default: ``latents-<preset>`` inside the dataset."""
    preset: PresetName = "nano"
    layout: str = ""
    """Where the cameras go, as "left|right/wrist|-" (default: the preset's)."""
    cell_height: int = 0
    cell_width: int = 0
    """Pixels of one view in the packed frame (0: the preset's)."""
    frames: int = 0
    """Frames of a window, 1 + 4 N (0: the preset's)."""
    stride: int = 8
    """Frames between the starts of a clip's windows."""
    minimum: int = 17
    """A window starts only where at least this many frames of the clip remain (or at the clip's start)."""
    dtype: Literal["float16", "float32"] = "float16"
    shard: int = 64
    batch: int = 4
    threads: int = 2
    skip_short: bool = False
    """Leave out clips shorter than 1 + 4 frames instead of refusing the dataset."""


@dataclass(frozen=True)
class ClipLatents:
    """One window. latents: float32 [16, 1 + N, h, w]; frames_valid: bool [T], false for padding."""

    latents: torch.Tensor
    frames_valid: torch.Tensor
    prompt: str
    episode_index: int
    start: int
    seed: int


class LatentCache:
    """A finished cache. ``windows`` says what each entry is without reading it."""

    def __init__(self, root: Path, vae_hash: str | None = None) -> None:
        """Open the cache at ``root``; DatasetError when it is missing, unfinished, or of another VAE than the given."""
        self.root = root
        self.meta = _read_meta(root)
        self.windows = [Window(**entry) for entry in self.meta["windows"]]
        self._size = int(self.meta["shard"])
        missing = [path.name for path in shard_paths(root, len(self.windows), self._size) if not path.exists()]
        if missing:
            raise DatasetError(
                f"{root} lacks {len(missing)} shards (first: {missing[0]}); run `world-model-latents` again to continue"
            )
        self.check_vae(vae_hash or self.vae_hash)
        self._open: dict[Path, Any] = {}

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def vae_hash(self) -> str:
        """Identity of the VAE that made the latents."""
        return str(self.meta["vae_sha256"])

    @property
    def origin(self) -> str:
        """SHA-256 of all that decides the latents: another VAE, dataset, window or imagination has another."""
        decisive = {name: value for name, value in self.meta.items() if name not in NO_MATTER}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    @property
    def holdout_every(self) -> int | None:
        """``--holdout-every`` of the model that made the latents; None where it is not known."""
        value = self.meta.get("holdout_every")
        return None if value is None else int(value)

    @property
    def frames(self) -> int:
        """Frames of a window, T = 1 + 4 N."""
        return int(self.meta["frames"])

    @property
    def layout(self) -> ViewLayout:
        """How views were packed."""
        return ViewLayout(**self.meta["layout"])

    def check_vae(self, vae_hash: str) -> None:
        """Raise :class:`DatasetError`, naming both, unless the latents were made with the VAE of this hash."""
        if vae_hash != self.vae_hash:
            raise DatasetError(
                f"{self.root}: latents cached for another VAE ({self.vae_hash[:12]}); the one in use is "
                f"{vae_hash[:12]}. Run `world-model-latents` with that VAE into another --out."
            )

    def clip(self, i: int) -> ClipLatents:
        """Entry ``i``."""
        window = self.windows[i]
        file = self._shard(i // self._size)
        row = i % self._size
        latents = file.get_slice("latents")[row : row + 1][0].float()
        valid = torch.arange(self.frames) < window.valid
        return ClipLatents(latents, valid, window.prompt, window.episode_index, window.start, window.seed)

    def _shard(self, number: int) -> Any:
        path = self.root / f"shard-{number:05d}.safetensors"
        if path not in self._open:
            try:
                self._open[path] = safe_open(path, framework="pt")
            except (OSError, SafetensorError) as error:
                raise DatasetError(
                    f"cannot read {path}: {error}; delete it and run world-model-latents again"
                ) from error
        return self._open[path]


def build_latents(config: LatentsConfig) -> Path:
    """Entry point of ``python -m training world-model-latents``; returns the cache's folder."""
    torch.set_num_threads(config.threads)
    with joined() as workers:
        return _build(config, workers)


def _build(config: LatentsConfig, workers: Workers) -> Path:
    preset = PRESETS[config.preset]
    _check(config)
    out = config.out or config.dataset / f"latents-{preset.name}"
    layout = preset.layout.changed(config.layout, config.cell_height, config.cell_width)
    reader = ClipReader(config.dataset, layout)
    vae = load_vae(config.vae).to(workers.device)
    frames = config.frames or preset.frames
    windows = find_windows(reader.rows, frames, config.stride, config.minimum, config.skip_short)
    meta = {
        "vae_sha256": vae.hash,
        "holdout_every": vae.holdout_every,
        "dataset_sha256": dataset_hash(config.dataset),
        "dataset": str(config.dataset),
        "preset": preset.name,
        "layout": asdict(layout),
        "frames": frames,
        "stride": config.stride,
        "minimum": config.minimum,
        "fps": reader.fps,
        "dtype": config.dtype,
        "shard": config.shard,
        "windows": [asdict(window) for window in windows],
    }
    claim(out, meta, workers)
    cells = layout.height * layout.width // 64
    size = len(windows) * 16 * (1 + (frames - 1) // 4) * cells * DTYPES[config.dtype].itemsize
    require_free_space(out, size // max(1, workers.world))
    paths = shard_paths(out, len(windows), config.shard)
    mine = [(n, path) for n, path in enumerate(paths) if n % workers.world == workers.rank and not path.exists()]
    for number, path in track(mine, "encoding", disable=not workers.main):
        part = windows[number * config.shard : (number + 1) * config.shard]
        write_bytes_atomically(path, save(_encode(reader, vae, part, frames, config)))
    workers.wait()
    if workers.main:
        print(f"{out}: {len(windows)} windows of {frames} frames from {len(reader.rows)} clips, {len(mine)} new shards")
    return out


def _check(config: LatentsConfig) -> None:
    if config.frames and (config.frames % CHUNK != 1 or config.frames < 1 + CHUNK):
        raise TrainingError(f"--frames must be 1 + {CHUNK} n (0: the preset's), got {config.frames}")
    if config.minimum < 1 + CHUNK:
        raise TrainingError(f"--minimum must be at least {1 + CHUNK}, what one chunk needs, got {config.minimum}")
    small = [f"--{name} {getattr(config, name)}" for name in ("stride", "shard", "batch") if getattr(config, name) < 1]
    if small:
        raise TrainingError(f"{', '.join(small)}: must be at least 1")


def shard_paths(root: Path, windows: int, size: int) -> list[Path]:
    """Files that hold ``windows`` entries, ``size`` each."""
    return [root / f"shard-{number:05d}.safetensors" for number in range(-(-windows // size))]


def _encode(
    reader: ClipReader, vae: VideoVae, windows: list[Window], frames: int, config: LatentsConfig
) -> dict[str, torch.Tensor]:
    latents, valid = [], []
    for first in range(0, len(windows), config.batch):
        pairs = [reader.frames(w.episode_index, w.start, frames) for w in windows[first : first + config.batch]]
        pictures = torch.from_numpy(np.stack([pictures for pictures, _ in pairs]))
        latents.append(vae.encode(pictures).cpu().to(DTYPES[config.dtype]))
        valid.append(torch.from_numpy(np.stack([present for _, present in pairs])))
    return {"latents": torch.cat(latents), "frames_valid": torch.cat(valid)}


def claim(out: Path, meta: dict[str, Any], workers: Workers) -> None:
    """Write ``meta.json`` in a new cache; in an old one, refuse to mix in latents made from anything else."""
    if workers.main and not (out / META).exists():
        out.mkdir(parents=True, exist_ok=True)
        write_text_atomically(out / META, json.dumps(meta))
    workers.wait()
    found = _read_meta(out)
    wanted = json.loads(json.dumps(meta))
    changed = [name for name in wanted if name not in NO_MATTER and found.get(name) != wanted[name]]
    if changed:
        shown = {name: (_short(found.get(name)), _short(wanted[name])) for name in changed}
        raise DatasetError(f"{out} holds other latents (cached, now): {shown}; choose another --out or delete it")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = str(value)
    return text if len(text) < 40 else text[:12]


def _read_meta(root: Path) -> dict[str, Any]:
    path = root / META
    if not path.exists():
        raise DatasetError(f"{root} holds no latents; run `python -m training world-model-latents` first")
    try:
        meta: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(f"cannot read {path}: {error}; delete {root} and run world-model-latents again") from error
    return meta
