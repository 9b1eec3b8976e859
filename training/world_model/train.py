"""``world-model``: train the video transformer on cached latents; the same --out continues.

Several processes: ``torchrun --nproc-per-node N -m training world-model ...`` with ``--parallel ddp`` or ``fsdp2``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.common.errors import DatasetError, TrainingError
from training.common.holdout import check_holdout
from training.common.workers import Workers, joined
from training.world_model.config import PRESETS, WorldModelTrainConfig
from training.world_model.diffusion import (
    Spread,
    draw_sigmas,
    latent_weights,
    predict_velocity,
    to_network,
    weighted_square,
)
from training.world_model.latents import ClipLatents, LatentCache
from training.world_model.model import WorldModelInfo, describe_transformer, new_transformer
from training.world_model.progress import RunProgress
from training.world_model.text import RememberedText
from training.world_model.trainer import Losses, Trainer, run_loop
from training.world_model.vae import VideoVae, describe_vae, load_vae
from training.world_model.windows import held_out

SPREAD_WINDOWS = 128  # windows that the spread of differences is measured on
LEAST_SPREAD = 0.25
"""Of the most lively cell's, which is what a still cell counts as."""


@dataclass
class LatentBatch:
    """latents: float32 [B, 16, 1 + N, h, w]; frames_valid: bool [B, T]; prompts: B sentences, "" where dropped."""

    latents: torch.Tensor
    frames_valid: torch.Tensor
    prompts: list[str]


class LatentSource:
    """Batches of cached windows of the training episodes; batch n is a function of seed, n and rank."""

    def __init__(self, cache: LatentCache, config: WorldModelTrainConfig, workers: Workers) -> None:
        self._cache, self._config, self._workers = cache, config, workers
        self.indices = [i for i, w in enumerate(cache.windows) if not held_out(w.seed, config.holdout_every)]
        if not self.indices:
            raise DatasetError(f"{cache.root}: every window is held out (--holdout-every {config.holdout_every})")

    @property
    def prompts(self) -> list[str]:
        """Every sentence that may come, the empty one first."""
        return ["", *dict.fromkeys(self._cache.windows[i].prompt for i in self.indices)]

    def batch(self, number: int) -> LatentBatch:
        """This process's part of batch ``number``."""
        rng = np.random.default_rng([self._config.seed, number])
        chosen = rng.integers(0, len(self.indices), self._config.batch)
        dropped = rng.random(self._config.batch) < self._config.prompt_dropout
        part = self._workers.share(self._config.batch)
        clips = [self._cache.clip(self.indices[i]) for i in chosen[part]]
        prompts = ["" if drop else clip.prompt for clip, drop in zip(clips, dropped[part])]
        latents = torch.stack([clip.latents for clip in clips])
        return LatentBatch(latents, torch.stack([clip.frames_valid for clip in clips]), prompts)


def train_world_model(config: WorldModelTrainConfig) -> Path:
    """Entry point of ``python -m training world-model``; returns the folder of the last checkpoint."""
    torch.set_num_threads(config.threads)
    with joined() as workers:
        return _train(config, workers)


def _train(config: WorldModelTrainConfig, workers: Workers) -> Path:
    vae = load_vae(config.vae if PRESETS[config.preset].vae is not None else config.cosmos or config.vae)
    cache = LatentCache(config.latents, vae.hash)
    check_holdout(config.holdout_every, vae.holdout_every, f"the VAE in {config.vae}")
    check_holdout(config.holdout_every, cache.holdout_every, f"what made the latents in {config.latents}")
    info = _describe(config, cache)
    shape = describe_transformer(PRESETS[config.preset])
    transformer: Any = new_transformer(info, shape, config.seed)
    if config.gradient_checkpointing:
        transformer.enable_gradient_checkpointing()
    source = LatentSource(cache, config, workers)
    text = RememberedText(info.text, info.text_tokens, config.cosmos)
    text.embed(source.prompts)
    text.forget_encoder()
    identity = {
        "step": "world-model",
        "world_model": asdict(info),
        "transformer": shape,
        "vae": vae.hash,
        "dataset": cache.meta["dataset_sha256"],
        "latents": cache.origin,
    }
    trainer = Trainer(transformer, config, config.out, workers, identity)
    trainer.restore_if_any()

    def loss(batch: LatentBatch) -> Losses:
        return world_model_loss(trainer.call, batch, text, info, config, trainer.generator(), workers)

    def save() -> Path:
        tensors, description = _vae_part(vae, config)
        content = {
            "world_model": asdict(info),
            "transformer": shape,
            "vae": description,
            "data": {"dataset_sha256": cache.meta["dataset_sha256"], "windows": len(source.indices)},
        }
        return trainer.save(tensors, content)

    with RunProgress(config.out, config.log_every, workers.main) as progress:
        size = sum(p.numel() for p in trainer.parameters.values()) / 1e6
        progress.say(
            f"{size:.2f} M trained parameters, {len(source.indices)} windows, "
            f"{len(source.prompts) - 1} prompts, step {trainer.step}"
        )
        return run_loop(trainer, source.batch, loss, save, progress)


def world_model_loss(
    transformer: Any,
    batch: LatentBatch,
    text: RememberedText,
    info: WorldModelInfo,
    config: WorldModelTrainConfig,
    generator: torch.Generator,
    workers: Workers,
) -> Losses:
    """Weighted mean square error of the predicted velocity over the latents that are neither given nor padding."""
    device = workers.device
    clean = to_network(batch.latents.to(device), info.spread)
    part = workers.share(config.batch)
    # Drawn for the whole batch, whoever computes which part: the split over processes does not change the training.
    sigma = draw_sigmas(config.batch, clean.shape[2], config.noise, generator)[part].to(device)
    noise = torch.randn((config.batch, *clean.shape[1:]), generator=generator)[part].to(device)
    time = sigma / (1.0 + sigma)
    weight = time.view(-1, 1, 1, 1, 1)
    noised = (1.0 - weight) * clean + weight * noise
    embedded = text.embed(batch.prompts).to(device)
    velocity = predict_velocity(transformer, noised, clean[:, :, :1], time, embedded, info.fps)
    weights = latent_weights(batch.frames_valid.to(device), config.hold_weight)
    total = workers.total(weights.sum())
    if total <= 0:
        raise DatasetError(f"{config.latents}: a batch without a single whole chunk; its clips are too short")
    # DDP and FSDP2 average gradients over processes, hence the factor: the sum over all clips counts.
    return {"loss": weighted_square(velocity, noise - clean, weights) / total * workers.world}


def _describe(config: WorldModelTrainConfig, cache: LatentCache) -> WorldModelInfo:
    preset = PRESETS[config.preset]
    if preset.transformer is None and config.cosmos is None:
        raise TrainingError(f"preset {preset.name!r} starts from a local Cosmos-Predict2 folder; name it with --cosmos")
    if preset.transformer is not None and config.lora.rank > 0:
        raise TrainingError(f"preset {preset.name!r} is trained from scratch; --lora.rank is for the 2B preset")
    if cache.meta["preset"] != preset.name:
        raise TrainingError(
            f"{cache.root} was made for preset {cache.meta['preset']!r}, this training is of {preset.name!r}"
        )
    info = WorldModelInfo.of(preset, cache.layout, cache.frames, int(cache.meta["fps"]), config.cosmos, config.lora)
    if not preset.relative:
        return info
    some = range(0, len(cache), max(1, len(cache) // SPREAD_WINDOWS))
    return replace(info, spread=latent_spread(cache.clip(i) for i in some))


def latent_spread(clips: Iterable[ClipLatents]) -> Spread:
    """Standard deviation of latents about the first one of their window, cell by cell, padding left out.

    A camera on the wrist changes everywhere and a fixed one where the arm is: with one number for both, nearly all of
    the loss is about the former. Cells in which nothing ever happens count as if a little did, for their noise is no
    task.
    """
    squares, weight = torch.zeros(()), torch.zeros(())
    for clip in clips:
        weights = latent_weights(clip.frames_valid[None], 0.0)
        change = (clip.latents - clip.latents[:, :1])[None]
        squares = squares + (change.square().mean(dim=1, keepdim=True) * weights).sum(dim=(0, 1, 2))
        weight = weight + weights.sum()
    spread = (squares / weight.clamp(min=1.0)).sqrt()
    spread = spread.clamp(min=max(float(spread.max()) * LEAST_SPREAD, 1e-3))
    return tuple(tuple(round(float(value), 6) for value in row) for row in spread)


def _vae_part(
    vae: VideoVae, config: WorldModelTrainConfig
) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """What a checkpoint keeps of its VAE: the weights of a small one, the folder of Cosmos-Predict2's."""
    shape = PRESETS[config.preset].vae
    if shape is None:
        return {}, describe_vae(vae, None, config.cosmos)
    return {"vae": dict(vae.model.state_dict())}, describe_vae(vae, shape, None)


def clips_seen(info: dict[str, Any]) -> int:
    """Clips that a checkpoint's training has used: the budget that two models must share to be compared."""
    return int(info.get("clips_seen", 0))
