"""A tiny dataset, VAE, latent cache and world model, made by the same steps a person runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from training.tests.synthetic import synthetic_dataset
from training.world_model.config import VaeTrainConfig, WorldModelTrainConfig
from training.world_model.latents import LatentsConfig, build_latents
from training.world_model.train_vae import train_vae

QUICK: dict[str, Any] = {"preset": "tiny", "threads": 1, "bf16": False, "log_every": 1, "warmup_steps": 2}


def vae_config(dataset: Path, out: Path, steps: int, **changes: Any) -> VaeTrainConfig:
    """Train the tiny VAE for ``steps`` steps of two 5-frame clips."""
    config = VaeTrainConfig(dataset=dataset, out=out, steps=steps, batch=2, frames=5, holdout_every=2, **QUICK)
    return dataclasses.replace(config, **changes)


def world_model_config(root: Path, out: Path, steps: int, **changes: Any) -> WorldModelTrainConfig:
    """Train the tiny world model for ``steps`` steps of four clips on what :func:`prepare` made in ``root``."""
    config = WorldModelTrainConfig(
        latents=root / "latents", vae=root / "vae", out=out, steps=steps, batch=4, holdout_every=2, **QUICK
    )
    return dataclasses.replace(config, **changes)


def prepare(root: Path) -> Path:
    """Dataset ``root/data`` of four clips, VAE ``root/vae``, latents ``root/latents``."""
    dataset = synthetic_dataset(root / "data", episodes=4, length=14)
    train_vae(vae_config(dataset, root / "vae", 2))
    build_latents(latents_config(root))
    return root


def latents_config(root: Path, **changes: Any) -> LatentsConfig:
    """Encode ``root/data`` with ``root/vae`` into ``root/latents``, three windows per shard."""
    config = LatentsConfig(
        dataset=root / "data", vae=root / "vae", out=root / "latents", preset="tiny", stride=4, minimum=5, shard=3,
        threads=1,
    )  # fmt: skip
    return dataclasses.replace(config, **changes)
