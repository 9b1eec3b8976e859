"""LoRA in the policy itself: the paper's alternative to a residual on top of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from training.post_training.config import LoraSettings
from training.vla.model import NanoVla

UNTOUCHED = ("language", "language_heads", "done_head", "pointer_head", "position_head")
"""Parts that say what was asked, where things are and when a skill is done: the objective says nothing about them."""


def add_lora(model: NanoVla, settings: LoraSettings) -> dict[str, nn.Parameter]:
    """Put low-rank adapters into the model's linear layers; returns the new parameters, the only trainable ones.

    The second matrix of each starts at zero, so that the model's answers do not change yet.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.split(".")[0] not in UNTOUCHED
    ]
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=names, bias="none")
    inject_adapter_in_model(config, model)
    model.requires_grad_(False)
    parameters = {name: value for name, value in model.named_parameters() if "lora_" in name}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    return parameters


def merged_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of the plain model whose layers do what the adapted ones do."""
    from peft.tuners.lora import LoraLayer

    merged: dict[str, torch.Tensor] = {
        name.replace(".base_layer.", "."): value.detach().clone()
        for name, value in model.state_dict().items()
        if "lora_" not in name
    }
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            for adapter in layer.active_adapters:
                merged[f"{name}.weight"] += layer.get_delta_weight(adapter).detach().to(merged[f"{name}.weight"].dtype)
    return merged
