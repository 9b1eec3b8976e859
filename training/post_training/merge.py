"""Policies whose own weights were trained, as checkpoints that ``export`` and ``vla --init`` read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.common.checkpoint import latest_checkpoint, read_info, save_checkpoint
from training.post_training.lora import merged_weights
from training.vla.model import NanoVla


def save_merged(base: Path, model: torch.nn.Module, out: Path, step: int) -> Path:
    """Write the model with its low-rank adapters merged into its weights as a checkpoint of the base's form."""
    return save_vla(base, merged_weights(model), out, step, "post-train --method lora")


def save_vla(base: Path, weights: dict[str, torch.Tensor], out: Path, step: int, history: str) -> Path:
    """Write ``weights`` (a NanoVla's state dict) as a checkpoint with the description of the run ``base``."""
    info: dict[str, Any] = read_info(latest_checkpoint(base))
    names = _parameter_names(base)
    groups = {"model": weights, "average": {name: weights[name] for name in names}}
    return save_checkpoint(out, step, groups, {**info, "history": [*info.get("history", []), history]})


def _parameter_names(base: Path) -> list[str]:
    from training.vla.train import load_trained

    model: NanoVla = load_trained(base)[0]
    return [name for name, _ in model.named_parameters()]
