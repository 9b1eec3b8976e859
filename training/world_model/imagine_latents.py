"""``world-model-imagine``: a cache of windows once more, as the world model imagines them from their first picture.

Adapters that are aligned on recorded latents know sharp pictures of one course of events. What a world model of small
size imagines is blurred where it is unsure, and post-training shows the adapters nothing else; aligned on this cache,
they learn what can be read out of it. The latents come from generations, not from recordings with noise on them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import save

from training.common.disk import require_free_space, write_bytes_atomically
from training.common.workers import Workers, joined
from training.world_model.latents import LatentCache, claim, shard_paths
from training.world_model.model import WorldModel, load_world_model


@dataclass(frozen=True)
class ImagineLatentsConfig:
    """Imagine every window that begins with its clip. Several processes (torchrun) share the shards; resumable."""

    latents: Path = Path("data/tabletop-skill/latents-nano")
    """Recorded latents: their first ones, prompts and windows are used."""
    world_model: Path = Path("runs/world-model-skill")
    out: Path = Path("data/tabletop-skill/latents-imagined")
    steps: int = 0
    """Denoising steps (0: as the world model says)."""
    seed: int = 0
    batch: int = 16
    threads: int = 2


def imagine_latents(config: ImagineLatentsConfig) -> Path:
    """Entry point of ``python -m training world-model-imagine``; returns the cache's folder."""
    torch.set_num_threads(config.threads)
    model = load_world_model(config.world_model)
    recorded = LatentCache(config.latents, model.vae.hash)
    with joined() as workers:
        model.to(workers.device)
        return _imagine(config, model, recorded, workers)


def _imagine(config: ImagineLatentsConfig, model: WorldModel, recorded: LatentCache, workers: Workers) -> Path:
    chosen = [number for number, window in enumerate(recorded.windows) if window.start == 0]
    size = int(recorded.meta["shard"])
    windows = [recorded.windows[number] for number in chosen]
    meta = {
        **recorded.meta,
        "dtype": "float16",
        "windows": [asdict(window) for window in windows],
        "holdout_every": model.holdout_every,
        "imagined_by": _digest(model),
        "imagined_steps": config.steps or model.info.steps,
        "imagined_seed": config.seed,
    }
    claim(config.out, meta, workers)
    paths = shard_paths(config.out, len(windows), size)
    require_free_space(config.out, len(windows) * recorded.clip(0).latents.numel() * 2 // max(1, workers.world))
    mine = [(n, path) for n, path in enumerate(paths) if n % workers.world == workers.rank and not path.exists()]
    for shard, path in track(mine, "imagining", disable=not workers.main):
        numbers = chosen[shard * size : (shard + 1) * size]
        write_bytes_atomically(path, save(_shard(config, model, recorded, numbers, shard)))
    workers.wait()
    if workers.main:
        print(f"{config.out}: {len(windows)} windows imagined, {len(mine)} new shards")
    return config.out


def _shard(
    config: ImagineLatentsConfig, model: WorldModel, recorded: LatentCache, numbers: list[int], shard: int
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + shard)
    latents, valid = [], []
    for start in range(0, len(numbers), config.batch):
        clips = [recorded.clip(number) for number in numbers[start : start + config.batch]]
        first = torch.stack([clip.latents[:, :1] for clip in clips])
        made = model.generate(first, [clip.prompt for clip in clips], config.steps or None, generator)
        latents.append(made.cpu().half())
        valid.append(torch.stack([clip.frames_valid for clip in clips]))
    return {"latents": torch.cat(latents).contiguous(), "frames_valid": torch.cat(valid)}


def _digest(model: WorldModel) -> str:
    from training.post_training.parts import world_model_hash

    return world_model_hash(model)
